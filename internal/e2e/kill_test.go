package e2e

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestKills ends validators at random moments under load, mostly one, at times all of them, and starts them
// again at once: also in the middle of their start, of their catching up, and of writes of ours.
func TestKills(t *testing.T) {
	rng := rand.New(rand.NewPCG(seedOf(t), 2))
	n := newNetwork(t, 4, nil)
	n.start()
	l := n.startLoad(2)
	kills := 0
	for range 10 {
		l.untilMore(10)
		victims := []int{rng.IntN(4)}
		if rng.IntN(5) == 0 {
			victims = []int{0, 1, 2, 3}
		}
		for range 1 + rng.IntN(3) {
			// The moment is what chance is about: nothing is asserted that depends on how long this is.
			time.Sleep(time.Duration(rng.IntN(700)) * time.Millisecond)
			n.kill(victims...)
			n.start(victims...)
			kills += len(victims)
		}
	}
	l.untilMore(10)
	for _, p := range n.nodes {
		n.rejoined(p, 0)
	}
	n.audit(l.stop())
	n.nobodySignedTwice()
	t.Logf("%d validators were killed", kills)
	for _, p := range n.nodes {
		n.fsck(p)
	}
}
