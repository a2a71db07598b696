package node

import "testing"

// TestCollectorShare: the heap grows by a share of what lives, and by no more than the bound in bytes.
func TestCollectorShare(t *testing.T) {
	if Default("", ProfileLAN).Memory.HeadroomBytes == 0 {
		t.Error("there is no bound by default")
	}
	c := collector{percent: 200, headroom: 200 << 20}
	for live, want := range map[uint64]int{
		0: 200, 1 << 20: 200, 100 << 20: 200, 101 << 20: 198, 400 << 20: 50, 2000 << 20: 10, 1 << 40: collectorLeast,
	} {
		if got := c.share(live); got != want {
			t.Errorf("%d MiB live: %d %%, want %d", live>>20, got, want)
		}
	}
	c.headroom = 0
	if got := c.share(1 << 40); got != 200 {
		t.Errorf("without a bound: %d", got)
	}
}

// TestCollectorQuiet: a process that holds much garbage and collects nothing is made to, once in a while; one that
// collects by itself, or has little to gain, is left alone.
func TestCollectorQuiet(t *testing.T) {
	const live = 100 << 20
	c := collector{}
	for i := range 10 * collectorQuiet {
		if c.due(live, 10*live, uint64(i)) {
			t.Fatal("asked for a collection of a process that collects by itself")
		}
	}
	asked := 0
	for range 2 * collectorQuiet {
		if c.due(live, live+collectorGain, c.cycles) {
			asked++
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times, want 2", asked)
	}
	c.quiet = 0
	for range 2 * collectorQuiet {
		if c.due(live, live+collectorGain-1, c.cycles) {
			t.Fatal("asked for a collection that gains little")
		}
	}
}
