package sim

import (
	"flag"
	"testing"
	"time"
)

var (
	seedFlag   = flag.Uint64("seed", 0, "run this seed only; 0: some fixed ones and one that is new each time")
	blocksFlag = flag.Int("blocks", 80, "blocks per run")
)

func TestCluster(t *testing.T) {
	seeds := []uint64{1, 2, uint64(time.Now().UnixNano())}
	if *seedFlag != 0 {
		seeds = []uint64{*seedFlag}
	}
	for _, seed := range seeds {
		report, err := Run(Options{Seed: seed, Blocks: *blocksFlag, Dir: t.TempDir()})
		t.Logf("seed %d: %+v", seed, report)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestSameSeedSameRun: a failure can be looked at as often as one likes.
func TestSameSeedSameRun(t *testing.T) {
	seed := max(1, *seedFlag)
	one, err := Run(Options{Seed: seed, Blocks: 25, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	two, err := Run(Options{Seed: seed, Blocks: 25, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if one.Trace != two.Trace {
		t.Errorf("seed %d: %+v, then %+v", seed, one, two)
	}
}
