package store

import (
	"sync/atomic"
	"testing"
)

// outcomes counts what became of the points that a test damages a store at. A store that came up with a state it
// never had, or without one that was acknowledged, is none of them: there the test fails.
type outcomes struct{ tried, recovered, refused atomic.Int64 }

// countOutcomes prints the counts, as a row of the table in docs/, when the test and its subtests are over.
func countOutcomes(t *testing.T, what string) *outcomes {
	t.Helper()
	o := &outcomes{}
	t.Cleanup(func() {
		t.Logf("crash matrix | %s | %d | %d | %d |", what, o.tried.Load(), o.recovered.Load(), o.refused.Load())
		if lost := o.tried.Load() - o.recovered.Load() - o.refused.Load(); lost != 0 && !t.Failed() {
			t.Errorf("of %d points nobody knows what became", lost)
		}
	})
	return o
}

// try counts a point; the test counts what came of it.
func (o *outcomes) try() { o.tried.Add(1) }

// end counts what came of a point.
func (o *outcomes) end(recovered bool) {
	if recovered {
		o.recovered.Add(1)
	} else {
		o.refused.Add(1)
	}
}
