package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// CometBFT calls fail.Fail at eleven points of every height: after each of its own two votes is in the log,
// five times around saving the block and ending the height, and four times while the block is executed,
// committed and the engine's state is saved. A process with FAIL_TEST_INDEX=k exits at its k-th call.
const failPoints = 11

// tally is what the tests of crash points print: what stood on disk when a validator died, and how often it
// died and came back there.
type tally struct {
	tried, recovered map[string]int
	blocks           map[uint64]bool // heights at which somebody died
}

func newTally() *tally {
	return &tally{tried: map[string]int{}, recovered: map[string]int{}, blocks: map[uint64]bool{}}
}

// died notes where a validator died, and back that it came back from there.
func (c *tally) died(at deathbed) {
	c.tried[at.point]++
	c.blocks[at.height] = true
}

func (c *tally) back(at deathbed) { c.recovered[at.point]++ }

// print writes the table. The audit has passed when it is called, so there are no divergences.
func (c *tally) print(n *network) {
	n.t.Helper()
	full := 0
	for h := range c.blocks {
		if h <= n.height(0) && len(n.block(0, h).Receipts) > 0 {
			full++
		}
	}
	tried, recovered := 0, 0
	var rows strings.Builder
	for _, point := range points {
		fmt.Fprintf(&rows, "  %-46s %5d %9d\n", point, c.tried[point], c.recovered[point])
		tried, recovered = tried+c.tried[point], recovered+c.recovered[point]
	}
	n.t.Logf("crash points, in %d heights of which %d hold payments\n  %-46s %5s %9s\n%s  %-46s %5d %9d, 0 divergences",
		len(c.blocks), full, "on disk when the process died", "tried", "recovered", rows.String(), "all", tried, recovered)
	if tried != recovered {
		n.t.Errorf("%d of %d crashes were recovered from", recovered, tried)
	}
}

// crashAt starts a validator that exits at its k-th fail point, and waits until it has.
func (n *network) crashAt(p *process, k int) deathbed {
	n.t.Helper()
	n.arm(p, k)
	return n.crashed(p, k)
}

// arm starts a validator that exits at its k-th fail point.
func (n *network) arm(p *process, k int) {
	n.t.Helper()
	n.run(p, []string{fmt.Sprintf("FAIL_TEST_INDEX=%d", k)}, "--log-level", "info,engine:error,consensus:info,state:info")
}

// crashed waits until a validator has exited at its k-th fail point, and looks at what it left.
func (n *network) crashed(p *process, k int) deathbed {
	n.t.Helper()
	err := n.ended(p)
	if !strings.Contains(n.said(p), fmt.Sprintf("*** fail-test %d ***", k)) {
		n.t.Fatalf("node%d was to exit at fail point %d and ended otherwise: %v\n%s", p.index, k, err, n.tail(p))
	}
	return n.look(p)
}

// TestCrashPointsAlone is a network of one, whose order of events is fixed: it dies at every point of three
// heights that are empty and of three that are not. Each start recovers from the death before it. Nothing
// that was acknowledged may be missing, since nobody else has it.
func TestCrashPointsAlone(t *testing.T) {
	n := newNetwork(t, 1, nil)
	c := newTally()
	p := n.nodes[0]
	dieEverywhere := func() {
		for k := range 3 * failPoints {
			at := n.crashAt(p, k)
			c.died(at)
			c.back(at) // or the next start would not get to its own point
		}
	}
	dieEverywhere()
	for _, point := range points {
		if c.tried[point] == 0 {
			t.Errorf("nobody died at the point %q", point)
		}
	}
	l := n.startLoad(4)
	dieEverywhere()
	n.start()
	l.untilMore(20)
	acked := l.stop()
	n.audit(acked)
	c.print(n)
	n.fsck(p)
}

// TestCrashPointsOfOne is a network of four under load of which one after the other dies, while it executes
// what it was behind with or when it takes part again. It must come back each time.
func TestCrashPointsOfOne(t *testing.T) {
	n := newNetwork(t, 4, nil)
	c := newTally()
	n.start()
	n.untilHeight(2)
	l := n.startLoad(1)
	l.untilMore(10)
	for i, k := range []int{0, 1, 2, 3, 20, 31, 42, 53, 64, 75} {
		p := n.nodes[i%len(n.nodes)]
		n.kill(p.index)
		at := n.crashAt(p, k)
		c.died(at)
		n.start(p.index)
		n.rejoined(p, at.height)
		c.back(at)
	}
	l.untilMore(10)
	n.audit(l.stop())
	n.nobodySignedTwice()
	c.print(n)
}

// TestCrashPointsOfAll lets all four die at the same point, and recover from it together on the way to the
// next one. One that is behind the others cannot get to its point once they are gone: it is killed.
func TestCrashPointsOfAll(t *testing.T) {
	n := newNetwork(t, 4, nil)
	c := newTally()
	var open []deathbed // deaths from which it is not known yet whether they were recovered from
	l := n.startLoad(1)
	for k := range failPoints + 5 {
		for _, p := range n.nodes {
			n.arm(p, k)
		}
		dead := n.untilQuorumIsGone()
		for _, at := range open {
			c.back(at)
		}
		open = nil
		for _, p := range n.nodes {
			if !slices.Contains(dead, p) && !n.killUnlessDead(p) {
				continue
			}
			at := n.look(p)
			c.died(at)
			open = append(open, at)
		}
	}
	n.start()
	l.untilMore(20)
	for _, p := range n.nodes {
		n.rejoined(p, 0)
	}
	for _, at := range open {
		c.back(at)
	}
	n.audit(l.stop())
	n.nobodySignedTwice()
	c.print(n)
}

// untilQuorumIsGone waits until two of four have exited, and returns them, or more if more are gone by then.
func (n *network) untilQuorumIsGone() (dead []*process) {
	n.t.Helper()
	for deadline := time.Now().Add(patience); len(dead) < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			for _, p := range n.nodes {
				n.t.Logf("node%d said\n%s", p.index, n.tail(p))
			}
			n.t.Fatalf("only %d validators have come to their fail point", len(dead))
		}
		for _, p := range n.nodes {
			if p.cmd == nil {
				continue
			}
			select {
			case <-p.done:
				p.cmd = nil
				dead = append(dead, p)
			default:
			}
		}
	}
	return dead
}

// killUnlessDead ends a validator and tells whether it had come to its fail point before.
func (n *network) killUnlessDead(p *process) bool {
	_ = p.cmd.Process.Kill()
	<-p.done
	p.cmd = nil
	return strings.Contains(n.said(p), "*** fail-test ")
}

// rejoined waits until a validator takes part again: it has passed the given height and those of the others.
func (n *network) rejoined(p *process, height uint64) {
	n.t.Helper()
	for i := range n.nodes {
		height = max(height, n.height(i))
	}
	n.until(fmt.Sprintf("node%d takes part again", p.index), func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s, err := n.client(p.index).Status(ctx)
		return err == nil && !s.CatchingUp && s.Height > height
	})
}

// nobodySignedTwice checks that no validator was proven to have double-signed.
func (n *network) nobodySignedTwice() {
	n.t.Helper()
	for i := range n.nodes {
		if name := fmt.Sprintf("node%d", i); n.faults(0, name) > 0 {
			n.t.Errorf("%s has signed twice", name)
		}
	}
}
