package node

import (
	"testing"
	"time"
)

// TestStallIsPatient: peers are dropped when no block comes, less and less often, and a single block between two
// attempts does not make the node impatient again. Blocks that come for a while do.
func TestStallIsPatient(t *testing.T) {
	now := time.Unix(1000, 0)
	s := stall{height: 7, since: now, patience: stalledAfter}
	height := uint64(7)
	after := func(what string, d time.Duration, want bool) {
		t.Helper()
		now = now.Add(d)
		if got := s.due(now, height, false); got != want {
			t.Errorf("%s: due is %v", what, got)
		}
	}
	after("just before", stalledAfter-1, false)
	after("at five seconds", 1, true)
	after("it waits twice as long", 2*stalledAfter-1, false)
	after("ten seconds later", 1, true)
	height++
	after("one block comes", time.Second, false)
	after("and no other for less than twenty seconds", 4*stalledAfter-1, false)
	after("for twenty seconds", 1, true)
	for range 90 { // blocks for longer than twice the patience of forty seconds
		height++
		after("blocks come", time.Second, false)
	}
	after("they stop", stalledAfter, true)
	for range 20 {
		now = now.Add(stalledAgainMax)
		s.due(now, height, false)
	}
	after("at most a minute between attempts", stalledAgainMax, true)
	now = now.Add(stalledAgainMax)
	if s.due(now, height, true) {
		t.Error("a node that waits for something else drops its peers")
	}
}
