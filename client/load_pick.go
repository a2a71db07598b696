package client

import (
	"math"
	"math/bits"
)

// picker chooses who pays whom, as a function of a seed and of a transfer's number alone: a run keeps no record
// of its choices, and the audit makes them again.
type picker struct {
	seed     uint64
	accounts int
	zipf     *zipf // nil: every account is as likely as any other
}

func newPicker(seed uint64, accounts int, skew float64) picker {
	p := picker{seed: seed, accounts: accounts}
	if skew > 0 {
		p.zipf = newZipf(accounts, skew)
	}
	return p
}

// payer pays all transfers of transaction i.
func (p picker) payer(i int) int {
	s := p.stream(uint64(i), 0)
	return p.draw(&s)
}

// payee gets transfer k of transaction i. It is never the payer.
func (p picker) payee(i, k int) int {
	payer := p.payer(i)
	s := p.stream(uint64(i), uint64(k)+1)
	if to := p.draw(&s); to != payer {
		return to
	}
	return (payer + 1) % p.accounts
}

func (p picker) draw(s *splitmix) int {
	if p.zipf == nil {
		return s.below(p.accounts)
	}
	return p.zipf.rank(s) - 1
}

// stream is random numbers for one choice. The multipliers are odd, so that different choices begin at
// different states.
func (p picker) stream(i, k uint64) splitmix {
	s := splitmix(p.seed ^ i*0x9e3779b97f4a7c15 ^ k*0xd1342543de82ef95)
	s.next()
	return s
}

// splitmix is a random generator of one word, as small as they come (Steele, Lea and Flood, 2014). Its numbers
// are good enough for choosing accounts.
type splitmix uint64

func (s *splitmix) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is a number from 0 to n-1. The bias of taking the high word is n/2^64.
func (s *splitmix) below(n int) int {
	high, _ := bits.Mul64(s.next(), uint64(n))
	return int(high)
}

// unit is a number in (0, 1].
func (s *splitmix) unit() float64 { return (float64(s.next()>>11) + 1) / (1 << 53) }

// zipf draws ranks from 1 to n with a probability that falls as rank^-s, for any s above 0, by rejection from
// the integral of that function (Hörmann and Derflinger, 1996). It needs no table and one draw in nearly all
// cases, where the standard library's sampler only knows s above 1.
type zipf struct {
	n, s                   float64
	hFirst, hLast, squeeze float64
}

func newZipf(n int, s float64) *zipf {
	z := &zipf{n: float64(n), s: s}
	z.hFirst = z.integral(1.5) - 1
	z.hLast = z.integral(z.n + 0.5)
	z.squeeze = 2 - z.inverse(z.integral(2.5)-z.density(2))
	return z
}

// integral is that of the density from 1 to x.
func (z *zipf) integral(x float64) float64 {
	log := math.Log(x)
	return expm1Ratio((1-z.s)*log) * log
}

func (z *zipf) density(x float64) float64 { return math.Exp(-z.s * math.Log(x)) }

// inverse is the x with that integral.
func (z *zipf) inverse(y float64) float64 {
	t := max(-1, y*(1-z.s))
	return math.Exp(log1pRatio(t) * y)
}

// rank draws.
func (z *zipf) rank(s *splitmix) int {
	for {
		u := z.hLast + s.unit()*(z.hFirst-z.hLast)
		x := z.inverse(u)
		k := min(max(math.Floor(x+0.5), 1), z.n)
		if k-x <= z.squeeze || u >= z.integral(k+0.5)-z.density(k) {
			return int(k)
		}
	}
}

// expm1Ratio is (e^x-1)/x, and log1pRatio is ln(1+x)/x, both 1 at 0.
func expm1Ratio(x float64) float64 {
	if math.Abs(x) > 1e-8 {
		return math.Expm1(x) / x
	}
	return 1 + x/2
}

func log1pRatio(x float64) float64 {
	if math.Abs(x) > 1e-8 {
		return math.Log1p(x) / x
	}
	return 1 - x/2
}
