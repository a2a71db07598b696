package edwards

import (
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"testing"
)

var modulus = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))

func needFast(t testing.TB) {
	if !Fast() {
		t.Skip("this processor lacks AVX-512 IFMA")
	}
}

func (x field) big() *big.Int {
	out := new(big.Int)
	for i := limbs - 1; i >= 0; i-- {
		out.Lsh(out, 51).Add(out, new(big.Int).SetUint64(x[i]))
	}
	return out.Mod(out, modulus)
}

func fieldOf(x *big.Int) field {
	var b [32]byte
	new(big.Int).Mod(x, modulus).FillBytes(b[:])
	for i := range 16 {
		b[i], b[31-i] = b[31-i], b[i]
	}
	return decodeField(b)
}

// edges are limbs at the ends of what routines take.
var edges = []uint64{0, 1, 18, 19, 20, mask51 - 19, mask51 - 1, mask51, mask51 + 1, 1<<51 + 1<<15, 1<<52 - 39, 1<<52 - 1}

// anyField is a random element, often at the edges, with limbs up to max.
func anyField(r *rand.Rand, max uint64) (x field) {
	for i := range x {
		if r.IntN(2) == 0 {
			x[i] = min(edges[r.IntN(len(edges))], max)
		} else {
			x[i] = r.Uint64N(max + 1)
		}
	}
	return x
}

func anyField8(r *rand.Rand, max uint64) (x field8) {
	for j := range 8 {
		x.setLane(j, anyField(r, max))
	}
	return x
}

// TestField compares each operation with big integers, at the edges of what it takes, and checks the bound of
// what it leaves.
func TestField(t *testing.T) {
	needFast(t)
	r := rand.New(rand.NewPCG(1, 2))
	const top = 1<<52 - 1
	for range 20000 {
		x, y := anyField8(r, top), anyField8(r, top)
		if r.IntN(100) == 0 {
			x, y = all(field{top, top, top, top, top}), all(field{top, top, top, top, top})
		}
		small := anyField8(r, 1<<52-39)
		var product, square, sum, difference field8
		mul8(&product, &x, &y)
		square8(&square, &x, 1)
		sum.add(&x, &y)
		difference.sub(&x, &small)
		for j := range 8 {
			a, b, c := x.lane(j).big(), y.lane(j).big(), small.lane(j).big()
			for name, pair := range map[string][2]*big.Int{
				"product":    {product.lane(j).big(), new(big.Int).Mul(a, b)},
				"square":     {square.lane(j).big(), new(big.Int).Mul(a, a)},
				"sum":        {sum.lane(j).big(), new(big.Int).Add(a, b)},
				"difference": {difference.lane(j).big(), new(big.Int).Sub(a, c)},
				"canonical":  {x.lane(j).canonical().big(), a},
			} {
				if pair[0].Cmp(pair[1].Mod(pair[1], modulus)) != 0 {
					t.Fatalf("%s of %x and %x: %x, want %x", name, x.lane(j), y.lane(j), pair[0], pair[1])
				}
			}
			for _, z := range []field{product.lane(j), square.lane(j), sum.lane(j), difference.lane(j)} {
				for _, limb := range z {
					if limb >= 1<<51+1<<15 {
						t.Fatalf("limb %x is out of bounds", limb)
					}
				}
			}
		}
	}
}

// TestCanonical covers the values around the modulus and its multiples.
func TestCanonical(t *testing.T) {
	for k := range 3 {
		for d := int64(-40); d <= 40; d++ {
			v := new(big.Int).Mul(modulus, big.NewInt(int64(k)))
			v.Add(v, big.NewInt(d))
			if v.Sign() < 0 {
				continue
			}
			want := fieldOf(v)
			var x field
			rest := new(big.Int).Set(v)
			for i := range x {
				x[i] = new(big.Int).And(rest, big.NewInt(mask51)).Uint64()
				rest.Rsh(rest, 51)
			}
			x[4] += rest.Uint64() << 51
			if got := x.canonical(); got != want {
				t.Fatalf("%d times the modulus and %d: %x, want %x", k, d, got, want)
			}
		}
	}
}

// affine is a point as big integers.
type affine struct{ x, y *big.Int }

func (p affine) add(q affine) affine {
	d := curveD.big()
	xx, yy := new(big.Int).Mul(p.x, q.x), new(big.Int).Mul(p.y, q.y)
	xy, yx := new(big.Int).Mul(p.x, q.y), new(big.Int).Mul(p.y, q.x)
	k := new(big.Int).Mul(xx, yy)
	k.Mul(k, d).Mod(k, modulus)
	over := func(n, m *big.Int) *big.Int {
		n.Mul(n, new(big.Int).ModInverse(m.Mod(m, modulus), modulus))
		return n.Mod(n, modulus)
	}
	return affine{
		over(xy.Add(xy, yx), new(big.Int).Add(big.NewInt(1), k)),
		over(yy.Add(yy, xx), new(big.Int).Sub(big.NewInt(1), k)),
	}
}

func (p affine) negate() affine { return affine{new(big.Int).Sub(modulus, p.x), p.y} }

// affine returns p in affine coordinates, having checked that T is what it must be.
func (p *point) affine(t *testing.T) affine {
	x, y, z, xy := p.coordinate(0).big(), p.coordinate(1).big(), p.coordinate(2).big(), p.coordinate(3).big()
	inverse := new(big.Int).ModInverse(z, modulus)
	if inverse == nil {
		t.Fatalf("Z is 0")
	}
	a := affine{new(big.Int).Mul(x, inverse), new(big.Int).Mul(y, inverse)}
	a.x.Mod(a.x, modulus)
	a.y.Mod(a.y, modulus)
	want := new(big.Int).Mul(x, y)
	if want.Mod(want, modulus).Cmp(xy.Mul(xy, z).Mod(xy, modulus)) != 0 {
		t.Fatalf("T is not XY/Z")
	}
	return a
}

func (p affine) equal(q affine) bool { return p.x.Cmp(q.x) == 0 && p.y.Cmp(q.y) == 0 }

// decodeBig decodes by the definition; nil is no point.
func decodeBig(encoded [32]byte) *affine {
	y := decodeField(encoded).big()
	yy := new(big.Int).Mul(y, y)
	u := new(big.Int).Sub(yy, big.NewInt(1))
	v := new(big.Int).Mul(yy, curveD.big())
	v.Add(v, big.NewInt(1))
	v.ModInverse(v.Mod(v, modulus), modulus)
	x := new(big.Int).ModSqrt(u.Mod(u.Mul(u, v), modulus), modulus)
	if x == nil {
		return nil
	}
	if x.Bit(0) != uint(encoded[31]>>7) {
		x.Sub(modulus, x).Mod(x, modulus)
	}
	return &affine{x, y}
}

// smallOrder are encodings with y = 1, 0 and -1 with either sign, canonical and not, and points of order 8.
func smallOrder() (out [][32]byte) {
	for _, y := range []*big.Int{
		big.NewInt(0), big.NewInt(1), new(big.Int).Sub(modulus, big.NewInt(1)), modulus, new(big.Int).Add(modulus, big.NewInt(1)),
	} {
		var b [32]byte
		y.FillBytes(b[:])
		for i := range 16 {
			b[i], b[31-i] = b[31-i], b[i]
		}
		out = append(out, b)
		b[31] |= 0x80
		out = append(out, b)
	}
	eight := [32]byte{
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
	}
	out = append(out, eight)
	eight[31] |= 0x80
	return append(out, eight)
}

// TestDecode compares with the definition: random bytes, of which half are points, and the edges.
func TestDecode(t *testing.T) {
	needFast(t)
	r := rand.New(rand.NewPCG(3, 4))
	edge := smallOrder()
	for round := range 600 {
		var one [32]byte
		if round < len(edge) {
			one = edge[round]
		} else {
			fill(r, one[:])
			if r.IntN(10) == 0 { // y above the modulus
				one = [32]byte{0: byte(237 + r.IntN(19)), 31: 0x7f | byte(r.IntN(2))<<7}
				for i := 1; i < 31; i++ {
					one[i] = 0xff
				}
			}
		}
		want := decodeBig(one)
		var eight [8][32]byte
		for j := range eight {
			eight[j] = edge[r.IntN(len(edge))]
		}
		place := r.IntN(8)
		eight[place] = one
		var points [8]cached
		if got := decode8(&points, &eight); got != (want != nil) {
			t.Fatalf("%x is a point: %v, want %v", one, got, want != nil)
		}
		if want == nil {
			continue
		}
		p := identity
		p.add(&points[place])
		if !p.affine(t).equal(*want) {
			t.Fatalf("%x decodes to another point", one)
		}
	}
}

func fill(r *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

// anyPoint is a random point, now and then one of small order.
func anyPoint(r *rand.Rand) (encoded [32]byte, p affine) {
	if r.IntN(8) == 0 {
		edge := smallOrder()
		encoded = edge[r.IntN(len(edge))]
		return encoded, *decodeBig(encoded)
	}
	for {
		fill(r, encoded[:])
		if p := decodeBig(encoded); p != nil {
			return encoded, *p
		}
	}
}

// TestAccumulate adds and subtracts points in buckets: different ones, equal ones, and a point and its negative.
func TestAccumulate(t *testing.T) {
	needFast(t)
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		var eight [8][32]byte
		var plain [8]affine
		for j := range eight {
			eight[j], plain[j] = anyPoint(r)
		}
		var points [8]cached
		if !decode8(&points, &eight) {
			t.Fatal("points do not decode")
		}
		// Points with Z other than 1 take the way of prepare.
		for j := range points {
			p := identity
			p.add(&points[j])
			p.double(1)
			prepare(&points[j], &p, &factors)
			plain[j] = plain[j].add(plain[j])
		}
		digits := []int8{1, -1, 2, -2, 0, 3, 3, -1}
		r.Shuffle(len(digits), func(i, j int) { digits[i], digits[j] = digits[j], digits[i] })
		var want [3]affine
		buckets := [3]point{identity, identity, identity}
		for i := range want {
			want[i] = affine{big.NewInt(0), big.NewInt(1)}
		}
		for range 3 {
			accumulate(&buckets[0], &points[0], &digits[0], len(digits))
			for j, d := range digits {
				switch {
				case d > 0:
					want[d-1] = want[d-1].add(plain[j])
				case d < 0:
					want[-d-1] = want[-d-1].add(plain[j].negate())
				}
			}
		}
		for i := range want {
			if !buckets[i].affine(t).equal(want[i]) {
				t.Fatalf("bucket %d with digits %v is wrong", i, digits)
			}
		}
	}
}

// TestSum compares sums with the definition, scalars of all digits included.
func TestSum(t *testing.T) {
	needFast(t)
	r := rand.New(rand.NewPCG(7, 8))
	var s Sum
	for n := range 12 {
		s.Reset()
		want := affine{big.NewInt(0), big.NewInt(1)}
		for i := range n {
			encoded, p := anyPoint(r)
			var scalar [32]byte
			fill(r, scalar[:])
			switch r.IntN(4) {
			case 0:
				for j := range scalar {
					scalar[j] = [...]byte{0x7f, 0x80, 0xff, 0}[r.IntN(4)]
				}
			case 1:
				scalar = [32]byte{byte(i)}
			}
			scalar[31] &= 0x1f
			if r.IntN(2) == 0 {
				s.AddShort(&encoded, (*[16]byte)(scalar[:16]))
				clear(scalar[16:])
			} else {
				s.Add(&encoded, &scalar)
			}
			want = want.add(times(p, scalar))
		}
		if !s.decode() {
			t.Fatal("points do not decode")
		}
		total := s.total()
		if !total.affine(t).equal(want) {
			t.Fatalf("the sum of %d terms is wrong", n)
		}
		eight := times(want, [32]byte{8})
		isSmall := eight.x.Sign() == 0 && eight.y.Cmp(big.NewInt(1)) == 0
		if s.IsTorsion() != isSmall {
			t.Fatalf("the sum of %d terms is of small order: %v", n, isSmall)
		}
	}
}

func times(p affine, scalar [32]byte) affine {
	out := affine{big.NewInt(0), big.NewInt(1)}
	for i := 255; i >= 0; i-- {
		out = out.add(out)
		if scalar[i/8]>>(i%8)&1 == 1 {
			out = out.add(p)
		}
	}
	return out
}

// TestSmallOrder: all points of small order pass alone, and no other does.
func TestSmallOrder(t *testing.T) {
	needFast(t)
	var s Sum
	for _, encoded := range smallOrder() {
		s.Reset()
		s.Add(&encoded, &[32]byte{1})
		if !s.IsTorsion() {
			t.Errorf("%x is not of small order", encoded)
		}
	}
	s.Reset()
	s.Add(&basePoint, &[32]byte{1})
	if s.IsTorsion() {
		t.Error("the base point is of small order")
	}
	s.AddShort(&basePoint, &[16]byte{1})
	order := [32]byte{
		0xec, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 31: 0x10,
	} // less one
	s.Reset()
	s.Add(&basePoint, &order)
	s.AddShort(&basePoint, &[16]byte{1})
	if !s.IsTorsion() {
		t.Error("the order times the base point is not the identity")
	}
	s.Reset()
	if !s.IsTorsion() {
		t.Error("the empty sum is not the identity")
	}
}

// basePoint is (x, 4/5).
var basePoint = [32]byte{
	0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
	0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
}

func BenchmarkDecode8(b *testing.B) {
	needFast(b)
	var eight [8][32]byte
	for j := range eight {
		eight[j] = basePoint
	}
	var points [8]cached
	for b.Loop() {
		decode8(&points, &eight)
	}
}

func BenchmarkSum(b *testing.B) {
	needFast(b)
	r := rand.New(rand.NewPCG(9, 10))
	var s Sum
	for range 1024 {
		e, _ := basePoint, 0
		var scalar [32]byte
		fill(r, scalar[:])
		scalar[31] &= 0x0f
		s.Add(&e, &scalar)
		s.AddShort(&e, (*[16]byte)(scalar[:16]))
	}
	b.ReportAllocs()
	for b.Loop() {
		s.IsTorsion()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1024, "ns/pair")
	_ = binary.LittleEndian
}
