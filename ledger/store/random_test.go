package store

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

var (
	seedFlag = flag.Uint64("store.seed", 0, "use this seed where a test chooses what to try")
	fullFlag = flag.Bool("store.full", false, "try everything, where tests otherwise choose")
)

// testSeed is the seed of this run, which a test prints so that its choice can be repeated.
func testSeed(t *testing.T) uint64 {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())%1_000_000 + 1
	}
	t.Logf("go test ./ledger/store -run '^%s$' -store.seed=%d", t.Name(), seed)
	return seed
}

// notShort skips tests that restart a store many times, which says nothing about memory shared between
// goroutines: -short is what runs under the race detector.
func notShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("restarts a store many times")
	}
}

// testOptions keeps little of everything, so that short chains go through all of a store's life.
func testOptions(dir string) Options {
	return Options{
		Dir:           dir,
		Genesis:       modelGenesis,
		KeepVersions:  4,
		KeepHeights:   25,
		FoldInterval:  -1,
		MemTableBytes: memTableBytesMin,
		DiskFreeMin:   2,
		DiskStopMin:   1,
	}
}

// TestRandom runs chains of random blocks with random background work, restarts and abandoned updates
// between them, and compares every height that is readable with a map.
func TestRandom(t *testing.T) {
	seeds := []uint64{1, testSeed(t)}
	if *seedFlag != 0 || testing.Short() {
		seeds = seeds[1:]
	}
	for n := uint64(2); *fullFlag && n < 10; n++ {
		seeds = append(seeds, n)
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { runRandom(t, seed) })
	}
}

func runRandom(t *testing.T, seed uint64) {
	const heights = 220
	m := newModel(seed, heights, 0)
	rng := rand.New(rand.NewPCG(seed, 1))
	o := testOptions(t.TempDir())
	s := openStore(t, o)
	m.initStore(t, s)
	for h := uint64(1); h <= m.height(); {
		switch n := rng.IntN(100); {
		case n < 55:
			commitRecord(t, s, m.records[h])
			h++
		case n < 70:
			stageAside(t, s, m, h, rng)
			h++
		case n < 80:
			if err := s.FoldOnce(); err != nil {
				t.Fatal(err)
			}
		case n < 84 && h > 1:
			if err := s.tidy(); err != nil {
				t.Fatal(err)
			}
		case n < 88:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openStore(t, o)
			if h == 1 {
				m.initStore(t, s)
			}
		case n < 90 && h > 1:
			m.check(t, s, h-1, rng)
		}
	}
	m.check(t, s, m.height(), nil)
	if err := s.FoldOnce(); err != nil {
		t.Fatal(err)
	}
	m.check(t, s, m.height(), nil)
	stats := s.Stats()
	if stats.First == 0 || stats.BucketsKept == 0 || stats.Buckets == 0 {
		t.Errorf("the chain did not go through everything: %+v", stats)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	m.check(t, openStore(t, o), m.height(), nil)
}

// stageAside commits a height after others were staged beside it, one of them the next block's twin.
func stageAside(t *testing.T, s *Store, m *model, h uint64, rng *rand.Rand) {
	other := m.records[h]
	other.TimeMS++
	other.Changes = other.Changes[:rng.IntN(len(other.Changes)+1)]
	first, err := s.Stage(other)
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := s.Stage(m.records[h])
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Stage(other)
	if err != nil {
		t.Fatal(err)
	}
	if first.Root() != second.Root() {
		t.Fatalf("one block staged twice has roots %s and %s", first.Root(), second.Root())
	}
	s.Discard(second)
	if chosen.Root() != m.roots[h] {
		t.Fatalf("staged root of %d is %s, want %s", h, chosen.Root(), m.roots[h])
	}
	if err := s.Commit(chosen); err != nil {
		t.Fatal(err)
	}
	s.Discard(first)
}
