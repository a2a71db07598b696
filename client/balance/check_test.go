package balance

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestChecks: two good ones raise a node, two bad ones let it fall, and a request that fails lets it fall at once.
func TestChecks(t *testing.T) {
	b, c := balancer(t, Options{Policy: Listed, Probe: probed})
	good := func() { c.move(probeIntervalDefault); b.Reported("a", Report{}, time.Millisecond) }
	bad := func() { c.move(probeIntervalDefault); b.Unreported("a") }
	fit := func() bool { return slices.Contains(b.Fit(), "a") }
	for i, step := range []struct {
		what func()
		fit  bool
	}{
		{good, true},
		{bad, true},
		{good, true},
		{bad, true},
		{bad, false},
		{good, false},
		{bad, false},
		{good, false},
		{good, true},
		{func() { b.Note("a", Silent) }, false},
		{func() { c.move(restMin) }, false}, // the rest is over, and no check has seen the node since
		{good, false},
		{good, true},
		{func() { b.Note("a", Silent); b.Note("a", Answered) }, true},
		{func() { b.Note("a", Silent); c.move(reportLife) }, true}, // nobody checks any more
	} {
		if step.what(); fit() != step.fit {
			t.Errorf("after step %d the node's fitness is %v", i, fit())
		}
	}
	b.Reported("b", Report{NotReady: true}, time.Millisecond)
	if why := b.Backends()[1].Why; why != "not ready" || !b.Reached(0) || b.Reached(1) {
		t.Errorf("a node that is not ready: %q", why)
	}
}

// TestGrayNodesAreEjected: a node that passes every check and answers no request is not tried again for ever.
func TestGrayNodesAreEjected(t *testing.T) {
	b, c := balancer(t, Options{Policy: Listed, Probe: probed})
	for range refusalsMax {
		for range checksNeeded {
			c.move(probeIntervalDefault)
			b.Reported("a", Report{}, time.Millisecond)
		}
		if why := b.Backends()[0].Why; why != "" {
			t.Fatalf("ejected too soon: %s", why)
		}
		for range 10 { // as many requests fail together as were under way: that is one failure
			b.Note("a", Silent)
		}
	}
	for range checksNeeded {
		b.Reported("a", Report{}, time.Millisecond)
	}
	if one := b.Backends()[0]; !strings.HasPrefix(one.Why, "ejected") || !one.Until.After(c.now()) {
		t.Errorf("%+v is still tried", one)
	}
}
