package client

import (
	"testing"
	"time"
)

func blocksAt(step time.Duration, committed ...int) []seenBlock {
	var out []seenBlock
	for i, n := range committed {
		at := time.Duration(i+1) * step
		out = append(out, seenBlock{at: at, timeMS: uint64(1000 + at.Milliseconds()), ours: n, committed: n})
	}
	return out
}

// TestSteady: the rate is taken between blocks, so that neither the block in which the window begins nor what
// comes after its end is counted.
func TestSteady(t *testing.T) {
	blocks := blocksAt(100*time.Millisecond, 5, 7, 10, 10, 10, 500)
	for _, c := range []struct {
		from, to time.Duration
		want     float64
	}{
		{0, 550 * time.Millisecond, 37 / 0.4},
		{150 * time.Millisecond, 550 * time.Millisecond, 30 / 0.3},
		{150 * time.Millisecond, 300 * time.Millisecond, 10 / 0.1},
		{0, time.Second, 537 / 0.5},
		{500 * time.Millisecond, 550 * time.Millisecond, 0},
		{2 * time.Second, 3 * time.Second, 0},
	} {
		if got := steady(blocks, c.from, c.to); got < c.want*0.9999 || got > c.want*1.0001 {
			t.Errorf("from %s to %s: %g per second, want %g", c.from, c.to, got, c.want)
		}
	}
	if steady(nil, 0, time.Second) != 0 {
		t.Error("no blocks have a rate")
	}
	same := []seenBlock{{at: 1, committed: 3}, {at: 1, committed: 3}}
	if steady(same, 0, time.Second) != 0 {
		t.Error("two blocks seen at once have a rate")
	}
}

func TestIntervals(t *testing.T) {
	blocks := blocksAt(100*time.Millisecond, 1, 1, 1, 1, 1)
	blocks[3].timeMS += 50 // late, and the next one sooner after it
	got := intervals(blocks, 150*time.Millisecond, 550*time.Millisecond)
	want := []time.Duration{50, 100, 100, 150}
	if len(got) != len(want) {
		t.Fatalf("%v", got)
	}
	for i := range want {
		if got[i] != want[i]*time.Millisecond {
			t.Errorf("%v", got)
		}
	}
	if q := atQuantile(got, 0.99); q != 150*time.Millisecond {
		t.Errorf("p99 is %s", q)
	}
	if atQuantile(got, 1) != 150*time.Millisecond || atQuantile(got, 0) != 50*time.Millisecond || atQuantile(nil, 0.5) != 0 {
		t.Error("quantiles at the ends are wrong")
	}
}

func TestSlope(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{5}, 0}, {[]float64{1, 3, 5, 7}, 2}, {[]float64{9, 9, 9}, 0}, {[]float64{4, 2, 0}, -2}, {[]float64{0, 10, 0, 10, 0}, 0}} {
		if got := slope(c.values); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("%v grow by %g, want %g", c.values, got, c.want)
		}
	}
}
