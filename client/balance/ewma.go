package balance

import (
	"math"
	"slices"
	"time"
)

// decay is how fast a latency that was seen is forgotten: after so long it weighs 1/e.
const decay = 10 * time.Second

// ewma is an average that forgets with time, not with the number of requests, and that jumps to a peak at
// once: a node that has become slow is avoided after one slow answer, and comes back little by little. (The
// peak-EWMA of Twitter's Finagle.)
type ewma struct {
	value time.Duration
	seen  time.Time // zero: nothing seen yet
}

// at is the average as of now: what was seen long ago counts for little, so that a node which was slow once
// is tried again.
func (e *ewma) at(now time.Time) time.Duration {
	return time.Duration(math.Exp(-float64(now.Sub(e.seen))/float64(decay)) * float64(e.value))
}

func (e *ewma) see(took time.Duration, now time.Time) {
	if e.seen.IsZero() || took > e.at(now) {
		e.value, e.seen = took, now
		return
	}
	keep := math.Exp(-float64(now.Sub(e.seen)) / float64(decay))
	// A node that answers often must come down, too, although no time passes between its answers.
	keep = min(keep, 1-1.0/64)
	e.value = time.Duration(keep*float64(e.value) + (1-keep)*float64(took))
	e.seen = now
}

// latencies are the last answers of all nodes together, for what most of them take.
type latencies struct {
	ring [256]time.Duration
	next int
	full bool
}

func (l *latencies) see(took time.Duration) {
	l.ring[l.next] = took
	l.next = (l.next + 1) % len(l.ring)
	l.full = l.full || l.next == 0
}

// enoughAnswers is how many make a percentile that means something.
const enoughAnswers = 20

// p95 is what 19 of 20 answers did not exceed; false while there are too few.
func (l *latencies) p95() (time.Duration, bool) {
	n := l.next
	if l.full {
		n = len(l.ring)
	}
	if n < enoughAnswers {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(l.ring[:n]))
	return sorted[n*95/100], true
}
