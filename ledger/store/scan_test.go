package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// TestScan lists keys at every readable height of random chains, in memory, from records and from flat keys,
// page by page, and compares them with a map.
func TestScan(t *testing.T) {
	for _, seed := range []uint64{3, testSeed(t)} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runScan(t, seed) })
	}
}

func runScan(t *testing.T, seed uint64) {
	m := newModel(seed, 60, 0)
	rng := rand.New(rand.NewPCG(seed, 2))
	s := openStore(t, testOptions(t.TempDir()))
	m.initStore(t, s)
	m.checkScans(t, s, rng)
	for h := uint64(1); h <= m.height(); h++ {
		commitRecord(t, s, m.records[h])
		if rng.IntN(6) == 0 {
			if err := s.FoldOnce(); err != nil {
				t.Fatal(err)
			}
		}
		if rng.IntN(10) == 0 || h == 1 || h == m.height() {
			m.checkScans(t, s, rng)
		}
	}
}

// checkScans compares lists at every readable height.
func (m *model) checkScans(t *testing.T, s *Store, rng *rand.Rand) {
	t.Helper()
	now := s.View()
	defer now.Close()
	s.mu.RLock()
	first := s.first()
	s.mu.RUnlock()
	for h := first; h <= now.Height(); h++ {
		v, err := s.ViewAt(h)
		if err != nil {
			t.Fatal(err)
		}
		prefix := []string{"\x01key-", "\x01key-0", "\x01key-07", "\x01key-101", "\x01kex", "\x01", "\x11"}[rng.IntN(7)]
		after := fmt.Sprintf("\x01key-%03d", rng.IntN(160))
		if rng.IntN(2) == 0 {
			after = ""
		}
		want := keysOf(m.states[h], prefix, after)
		if got := scanAll(t, v, prefix, after, 1+rng.IntN(40)); !slices.Equal(got, want) {
			t.Fatalf("height %d: keys under %q after %q are %q, should be %q", h, prefix, after, got, want)
		}
		v.Close()
	}
}

func keysOf(state map[string][]byte, prefix, after string) (keys []string) {
	for key := range state {
		if strings.HasPrefix(key, prefix) && key > after {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// scanAll lists all keys, n at once, and demands that pages hold what they can.
func scanAll(t *testing.T, v *View, prefix, after string, n int) (all []string) {
	t.Helper()
	from := []byte(after)
	for {
		keys, next, err := v.Scan([]byte(prefix), from, n)
		if err != nil || len(keys) > n || next != nil && bytes.Compare(next, from) <= 0 {
			t.Fatalf("scan of %q from %q: %d keys, then from %q: %v", prefix, from, len(keys), next, err)
		}
		for _, key := range keys {
			all = append(all, string(key))
		}
		if next == nil {
			return all
		}
		from = next
	}
}

// TestScanOfMany goes over more keys than a scan holds, in one record, over several, and in flat keys, most of
// which were deleted. Every scan looks at a bounded number of keys and still makes progress.
func TestScanOfMany(t *testing.T) {
	o := testOptions(t.TempDir())
	o.KeepVersions = 2
	s := openStore(t, o)
	m := newModel(1, 0, 0)
	m.initStore(t, s)
	state := map[string][]byte{}
	const many = 2*scanKeysMax + 500
	height, timeMS := uint64(0), m.records[0].TimeMS
	commit := func(from, to, step int, value []byte) {
		height++
		timeMS++
		r := Record{Height: height, TimeMS: timeMS}
		for i := from; i < to; i += step {
			key := fmt.Sprintf("\x04many-%06d", i)
			r.Changes = append(r.Changes, ledger.Change{Key: []byte(key), Value: value})
			if state[key] = value; value == nil {
				delete(state, key)
			}
		}
		commitRecord(t, s, r)
	}
	compare := func(what string) {
		t.Helper()
		v := s.View()
		defer v.Close()
		for _, after := range []string{"", "\x04many-004000"} {
			for _, n := range []int{500, scanKeysMax} {
				want := keysOf(state, "\x04many-", after)
				if got := scanAll(t, v, "\x04many-", after, n); !slices.Equal(got, want) {
					t.Fatalf("%s: %d keys after %q, %d at once; should be %d", what, len(got), after, n, len(want))
				}
			}
		}
	}
	fold := func() {
		t.Helper()
		for range 3 {
			commit(0, 0, 1, nil)
		}
		if err := s.FoldOnce(); err != nil {
			t.Fatal(err)
		}
	}
	commit(0, many, 1, []byte{1})
	compare("one record")
	commit(1, many, 2, []byte{2})
	commit(0, many, 3, nil)
	compare("three records")
	fold()
	compare("flat keys")
	commit(1000, many-10, 1, nil)
	compare("records over flat keys")
	fold()
	compare("mostly deleted flat keys")
	v := s.View()
	defer v.Close()
	if keys, next, err := v.Scan([]byte("\x04many-"), []byte("\x04many-001000"), 10); err != nil || len(keys) > 0 || next == nil {
		t.Errorf("a scan over many deleted keys found %q and goes on at %q: %v", keys, next, err)
	}
}

func TestScanBounds(t *testing.T) {
	s := openStore(t, testOptions(t.TempDir()))
	newModel(1, 0, 0).initStore(t, s)
	v := s.View()
	defer v.Close()
	for n, good := range map[int]bool{0: false, 1: true, scanKeysMax: true, scanKeysMax + 1: false} {
		if _, _, err := v.Scan([]byte{1}, nil, n); errors.Is(err, ErrScanBounds) == good {
			t.Errorf("%d keys: %v", n, err)
		}
	}
}

// TestScanOfPruned: a height that was given up is not listed from what is left of it.
func TestScanOfPruned(t *testing.T) {
	m := newModel(5, 60, 0)
	s := openStore(t, testOptions(t.TempDir()))
	m.initStore(t, s)
	var old *View
	for h := uint64(1); h <= m.height(); h++ {
		commitRecord(t, s, m.records[h])
		if h == 10 {
			if err := s.FoldOnce(); err != nil {
				t.Fatal(err)
			}
			var err error
			if old, err = s.ViewAt(2); err != nil || old.Tree() != nil {
				t.Fatalf("height 2 is not on disk: %v", err)
			}
		}
		if h%5 == 0 {
			if err := s.FoldOnce(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var pruned ErrPruned
	if _, _, err := old.Scan([]byte{1}, nil, 10); !errors.As(err, &pruned) || pruned.First <= 2 {
		t.Errorf("a height that is gone: %v", err)
	}
}

// BenchmarkScan lists a page of 500 of 100,000 entries, which lie in flat keys, below 32 heights of 1,000 transfers
// and ten writes each.
func BenchmarkScan(b *testing.B) {
	o := testOptions(b.TempDir())
	o.KeepVersions = 32
	s := openStore(b, o)
	m := newModel(1, 0, 0)
	m.initStore(b, s)
	height, timeMS := uint64(0), m.records[0].TimeMS
	commit := func(keys ...[]byte) {
		height++
		timeMS++
		r := Record{Height: height, TimeMS: timeMS}
		for _, key := range keys {
			r.Changes = append(r.Changes, ledger.Change{Key: key, Value: make([]byte, 100)})
		}
		sortChanges(r.Changes)
		commitRecord(b, s, r)
	}
	entry := func(i int) []byte { return ledger.KeyEntry(crypto.Address{7}, fmt.Sprintf("entry-%06d", i)) }
	const many = 100_000
	for from := 0; from < many; from += 5000 {
		var keys [][]byte
		for i := range 5000 {
			keys = append(keys, entry(from+i))
		}
		commit(keys...)
	}
	for h := range 32 {
		if h == 31 {
			if err := s.FoldOnce(); err != nil {
				b.Fatal(err)
			}
		}
		var keys [][]byte
		for i := range 2000 {
			keys = append(keys, ledger.KeyAccount(crypto.Address(crypto.Sum(fmt.Appendf(nil, "%d %d", h, i)))))
		}
		for i := range 10 {
			keys = append(keys, entry((h*10+i)*311%many))
		}
		commit(keys...)
	}
	v := s.View()
	defer v.Close()
	prefix := ledger.KeyEntry(crypto.Address{7}, "")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		keys, next, err := v.Scan(prefix, entry(i*977%many), 500)
		if err != nil || len(keys) == 0 && next == nil {
			b.Fatal(err)
		}
	}
}
