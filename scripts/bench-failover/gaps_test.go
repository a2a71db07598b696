package main

import (
	"errors"
	"testing"
	"time"
)

const ms = time.Millisecond

func TestStretch(t *testing.T) {
	for _, c := range []struct {
		name           string
		done           []time.Duration
		from, to       time.Duration
		longest, begun time.Duration
	}{
		{"nothing ever succeeds", nil, 300 * ms, 1000 * ms, 1000 * ms, 0},
		{"one gap within the span", []time.Duration{100 * ms, 310 * ms, 800 * ms, 900 * ms, 1000 * ms}, 300 * ms, 1000 * ms, 490 * ms, 310 * ms},
		{"a gap that reaches in counts from its beginning", []time.Duration{200 * ms, 700 * ms, 1000 * ms}, 300 * ms, 1000 * ms, 500 * ms, 200 * ms},
		{"a gap before the span does not count", []time.Duration{10 * ms, 290 * ms, 400 * ms, 500 * ms}, 295 * ms, 500 * ms, 110 * ms, 290 * ms},
		{"no success until the end", []time.Duration{100 * ms, 350 * ms}, 300 * ms, 1000 * ms, 650 * ms, 350 * ms},
		{"what comes after the end does not shorten it", []time.Duration{350 * ms, 1200 * ms}, 300 * ms, 1000 * ms, 650 * ms, 350 * ms},
		{"order does not matter", []time.Duration{1000 * ms, 100 * ms, 600 * ms}, 300 * ms, 1000 * ms, 500 * ms, 100 * ms},
	} {
		longest, begun := stretch(c.done, c.from, c.to)
		if longest != c.longest || begun != c.begun {
			t.Errorf("%s: %v from %v, want %v from %v", c.name, longest, begun, c.longest, c.begun)
		}
	}
}

func TestJudge(t *testing.T) {
	unknown := errors.New("no answer")
	outcomes := []outcome{
		{number: 0, kind: write},                // acknowledged and there
		{number: 1, kind: write},                // acknowledged and lost
		{number: 2, kind: write},                // acknowledged and there twice
		{number: 3, kind: write, err: unknown},  // not acknowledged, and there
		{number: 4, kind: write, err: unknown},  // not acknowledged, not there
		{number: 5, kind: write, err: unknown},  // not acknowledged, there three times
		{number: 6, kind: local},                // a read is not part of it
		{number: 7, kind: strong, err: unknown}, // nor is one that failed
		{number: 8, kind: write},                // acknowledged and there
	}
	got := judge(outcomes, map[int]uint64{0: 1, 2: 2, 3: 1, 5: 3, 8: 1})
	if want := (verdict{Acked: 4, Lost: 1, Doubled: 2, Unsaid: 2}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestQuantile(t *testing.T) {
	values := []time.Duration{5 * ms, ms, 3 * ms, 2 * ms, 4 * ms}
	for q, want := range map[float64]time.Duration{0: ms, 0.5: 3 * ms, 0.99: 5 * ms, 1: 5 * ms} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
	if quantile(nil, 0.5) != 0 {
		t.Error("a quantile of nothing is not 0")
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{5, 1, 100}, 5}} {
		if got, ok := median(c.values); got != c.want || !ok {
			t.Errorf("median of %v: %v, want %v", c.values, got, c.want)
		}
	}
	if _, ok := median(nil); ok {
		t.Error("nothing has a median")
	}
}
