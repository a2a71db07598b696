package client

import (
	"slices"
	"time"
)

// steady is how many transactions were committed per second while load was on: from the first block at or
// after from to the last one at or before to. Both ends are blocks, so that no part of a block is counted as
// time without transactions or the other way round. It is 0 if there are not two such blocks.
func steady(blocks []seenBlock, from, to time.Duration) float64 {
	first, last, committed := -1, -1, 0
	for i, b := range blocks {
		switch {
		case b.at < from || b.at > to:
		case first < 0:
			first = i
		default:
			last = i
			committed += b.committed
		}
	}
	if last < 0 || blocks[last].at <= blocks[first].at {
		return 0
	}
	return float64(committed) / (blocks[last].at - blocks[first].at).Seconds()
}

// intervals are the times between blocks by the blocks' own clock, sorted, of those blocks that were seen
// while load was on.
func intervals(blocks []seenBlock, from, to time.Duration) []time.Duration {
	var out []time.Duration
	for i := 1; i < len(blocks); i++ {
		if blocks[i].at >= from && blocks[i].at <= to && blocks[i].timeMS >= blocks[i-1].timeMS {
			out = append(out, time.Duration(blocks[i].timeMS-blocks[i-1].timeMS)*time.Millisecond)
		}
	}
	slices.Sort(out)
	return out
}

// atQuantile is the value below which a part of sorted values lies.
func atQuantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// slope is by how much a series of one value per second grows per second, by least squares.
func slope(values []float64) float64 {
	n := float64(len(values))
	if n < 2 {
		return 0
	}
	var sumX, sumY, sumXX, sumXY float64
	for i, y := range values {
		x := float64(i)
		sumX, sumY, sumXX, sumXY = sumX+x, sumY+y, sumXX+x*x, sumXY+x*y
	}
	return (n*sumXY - sumX*sumY) / (n*sumXX - sumX*sumX)
}
