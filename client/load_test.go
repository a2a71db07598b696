package client

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// TestZipf compares how often each rank is drawn with its exact probability, for exponents below, at and above
// one. The numbers come from a fixed seed: the test cannot fail by chance.
func TestZipf(t *testing.T) {
	const n, draws = 20, 200_000
	for _, s := range []float64{0.3, 0.8, 1, 1.2, 2.5} {
		z := newZipf(n, s)
		random := splitmix(7)
		var seen [n + 1]int
		for range draws {
			seen[z.rank(&random)]++
		}
		sum := 0.0
		for k := 1; k <= n; k++ {
			sum += math.Pow(float64(k), -s)
		}
		for k := 1; k <= n; k++ {
			p := math.Pow(float64(k), -s) / sum
			deviation := math.Sqrt(draws * p * (1 - p))
			if off := math.Abs(float64(seen[k]) - draws*p); off > 5*deviation+1 {
				t.Errorf("s=%g: rank %d came %d times, should come %.0f times", s, k, seen[k], draws*p)
			}
		}
		if seen[0] != 0 {
			t.Errorf("s=%g: rank 0 came", s)
		}
	}
}

// TestZipfOfMany: the ends of a large range are reached and never passed.
func TestZipfOfMany(t *testing.T) {
	z := newZipf(1_000_000, 0.8)
	random := splitmix(1)
	low, high := math.MaxInt, 0
	for range 100_000 {
		k := z.rank(&random)
		low, high = min(low, k), max(high, k)
	}
	if low != 1 || high < 900_000 || high > 1_000_000 {
		t.Errorf("ranks from %d to %d", low, high)
	}
}

func TestPicker(t *testing.T) {
	for _, accounts := range []int{2, 3, 1000} {
		for _, skew := range []float64{0, 1.1} {
			p, again := newPicker(5, accounts, skew), newPicker(5, accounts, skew)
			for i := range 2000 {
				payer := p.payer(i)
				if payer < 0 || payer >= accounts || payer != again.payer(i) {
					t.Fatalf("payer of %d is %d", i, payer)
				}
				for k := range 3 {
					to := p.payee(i, k)
					if to < 0 || to >= accounts || to == payer || to != again.payee(i, k) {
						t.Fatalf("%d accounts: %d pays %d in transfer %d of %d", accounts, payer, to, k, i)
					}
				}
			}
		}
	}
}

// TestPickerIsEven: without skew, payers and payees are spread evenly, and other seeds choose others.
func TestPickerIsEven(t *testing.T) {
	const accounts, n = 10, 50_000
	p, other := newPicker(1, accounts, 0), newPicker(2, accounts, 0)
	var paid, got [accounts]int
	same := 0
	for i := range n {
		paid[p.payer(i)]++
		got[p.payee(i, 0)]++
		if p.payer(i) == other.payer(i) {
			same++
		}
	}
	for a := range accounts {
		if paid[a] < n/accounts*9/10 || paid[a] > n/accounts*11/10 || got[a] < n/accounts*9/10 || got[a] > n/accounts*11/10 {
			t.Errorf("account %d pays %d times and gets %d times", a, paid[a], got[a])
		}
	}
	if same > n/accounts*2 {
		t.Errorf("two seeds agree on %d of %d payers", same, n)
	}
}

func TestConstantArrivals(t *testing.T) {
	s, total, err := newSchedule(ArrivalsConstant, 400, 500*time.Millisecond, 1)
	if err != nil || total != 200 || s.due(0) != 0 || s.due(1) != 2500*time.Microsecond || s.due(199) >= 500*time.Millisecond {
		t.Errorf("%d arrivals, the last at %s, %v", total, s.due(total-1), err)
	}
	if _, total, _ := newSchedule("", 0.1, time.Second, 1); total != 1 {
		t.Errorf("a run has %d transactions, at least one makes sense", total)
	}
}

// TestPoissonArrivals checks the two marks of a Poisson process: distances whose deviation is their mean, and
// counts per second whose variance is their mean.
func TestPoissonArrivals(t *testing.T) {
	const rate, seconds = 500, 200
	s, total, err := newSchedule(ArrivalsPoisson, rate, seconds*time.Second, 3)
	if err != nil {
		t.Fatal(err)
	}
	if off := math.Abs(float64(total) - rate*seconds); off > 5*math.Sqrt(rate*seconds) {
		t.Errorf("%d arrivals, about %d should come", total, rate*seconds)
	}
	var perSecond [seconds]float64
	var sum, squares float64
	for i := range total {
		at := s.due(i)
		if at < 0 || at >= seconds*time.Second || i > 0 && at < s.due(i-1) {
			t.Fatalf("arrival %d is at %s", i, at)
		}
		perSecond[int(at.Seconds())]++
		if i > 0 {
			gap := (at - s.due(i-1)).Seconds()
			sum, squares = sum+gap, squares+gap*gap
		}
	}
	mean := sum / float64(total-1)
	if deviation := math.Sqrt(squares/float64(total-1) - mean*mean); math.Abs(deviation/mean-1) > 0.02 {
		t.Errorf("distances have a mean of %g and a deviation of %g", mean, deviation)
	}
	var variance float64
	for _, n := range perSecond {
		variance += (n - rate) * (n - rate) / seconds
	}
	if ratio := variance / rate; ratio < 0.7 || ratio > 1.4 {
		t.Errorf("the counts per second vary by %.2f of their mean", ratio)
	}
}

func TestArrivalsThatAreUnknown(t *testing.T) {
	if _, _, err := newSchedule("sometimes", 1, time.Second, 1); err == nil {
		t.Error("accepted")
	}
}

// TestAccountsAreDerivedOnce: an account's key is derived when it is needed, and kept.
func TestAccountsAreDerivedOnce(t *testing.T) {
	derived := map[int]int{}
	a := newLoadAccounts(1_000_000, func(i int) crypto.PrivateKey {
		derived[i]++
		return crypto.DevKey("some")
	})
	first := a.at(999_999)
	if again := a.at(999_999); first != again || len(derived) != 1 || derived[999_999] != 1 {
		t.Errorf("derived %v", derived)
	}
	if a.at(3).address != crypto.DevKey("some").Public().Address() {
		t.Error("the address is another key's")
	}
}

// TestBatchesFitARequest: the largest transactions of a load fit into requests of the default size.
func TestBatchesFitARequest(t *testing.T) {
	n := newNetwork(t, 1)
	for _, perTx := range []int{1, 16, ledger.OpsMax} {
		o := n.load(0).withDefaults()
		o.TransfersPerTx, o.BatchTxs = perTx, 0
		l, err := newLoad(o, ledger.Amount{Lo: 1}, 600_000)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := l.make(0)
		if size := len(raw); size > txBytesAbout+transferBytesAbout*perTx {
			t.Errorf("a transaction of %d transfers has %d bytes, more than was thought", perTx, size)
		}
		tx, err := Decode(raw)
		if err != nil || len(tx.Raw) == 0 {
			t.Errorf("%d transfers: %v", perTx, err)
		}
		if l.perSend*len(raw) > 256<<10 {
			t.Errorf("a request has %d bytes", l.perSend*len(raw))
		}
	}
}

func TestAuditSample(t *testing.T) {
	for _, accounts := range []int{2, auditAccountsMax, auditAccountsMax + 1, 1_000_000} {
		list := auditSample(accounts)
		if len(list) != min(accounts, auditAccountsMax) || list[0] != 0 || list[len(list)-1] >= accounts {
			t.Errorf("%d accounts: %d are audited, from %d to %d", accounts, len(list), list[0], list[len(list)-1])
		}
		if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
			t.Errorf("%d accounts: the sample is not rising", accounts)
		}
	}
}
