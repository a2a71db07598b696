package main

import (
	"slices"
	"time"
)

// stretch is the longest time without a success that began or ended within a span, and when it began. Times count
// from the beginning of the load.
//
// done are the times of successes, in any order. The gap that reaches into the span from before counts from the last
// success before it: who asks how long the service was away does not care when the fault was injected. If no
// success follows, the gap ends with the span, and is at least that long.
func stretch(done []time.Duration, from, to time.Duration) (longest, begun time.Duration) {
	sorted := slices.Sorted(slices.Values(done))
	last := time.Duration(0) // the load begins as if something had just succeeded
	for _, at := range sorted {
		if at > to {
			break
		}
		if gap := at - last; at >= from && gap > longest {
			longest, begun = gap, last
		}
		last = at
	}
	if gap := to - last; gap > longest {
		longest, begun = gap, last
	}
	return longest, begun
}

// quantile is the value below which the part q of all lies, by rank; 0 of nothing.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// median of figures; of an even number the mean of the two in the middle. ok is false where there are none.
func median(values []float64) (m float64, ok bool) {
	if len(values) == 0 {
		return 0, false
	}
	sorted := slices.Sorted(slices.Values(values))
	m = sorted[len(sorted)/2]
	if len(sorted)%2 == 0 {
		m = (m + sorted[len(sorted)/2-1]) / 2
	}
	return m, true
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
