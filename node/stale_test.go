package node

import (
	"testing"
	"time"
)

// TestStall: something is done when no block comes, less and less often up to a bound, and each block makes the
// node as attentive as at first. A node that waits for something else is not stalled.
func TestStall(t *testing.T) {
	now := time.Unix(1000, 0)
	var s stall
	height := uint64(7)
	after := func(what string, d time.Duration, want bool) {
		t.Helper()
		now = now.Add(d)
		if got := s.due(now, height, false); got != want {
			t.Errorf("%s: due is %v", what, got)
		}
	}
	after("the first look", time.Hour, false)
	after("just before", stalledAfter-1, false)
	after("at five seconds", 1, true)
	after("it waits twice as long", 2*stalledAfter-1, false)
	after("ten seconds later", 1, true)
	height++
	after("one block comes", time.Hour, false)
	after("just before again", stalledAfter-1, false)
	after("five seconds after it", 1, true)
	for range 20 {
		now = now.Add(stalledAgainMax)
		s.due(now, height, false)
	}
	after("at most twenty seconds pass", stalledAgainMax-1, false)
	after("between attempts", 1, true)
	now = now.Add(time.Hour)
	if s.due(now, height, true) {
		t.Error("a node that waits for something else is stalled")
	}
	after("what it waited does not count", stalledAfter-1, false)
}
