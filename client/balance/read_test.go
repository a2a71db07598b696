package balance

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestReadAsksTheNext: what fails on one node is asked of another, once each.
func TestReadAsksTheNext(t *testing.T) {
	b, _ := balancer(t, Options{Policy: Listed})
	var asked []string
	ask := func(good string) func(context.Context, string) (string, bool, error) {
		asked = nil
		return func(_ context.Context, node string) (string, bool, error) {
			asked = append(asked, node)
			if node == good {
				return "yes", false, nil
			}
			return "", true, errors.New("no: " + node)
		}
	}
	if answer, node, err := Read(t.Context(), b, Want{}, ask("c")); answer != "yes" || node != "c" || err != nil || len(asked) != 3 {
		t.Errorf("%q of %s after %v: %v", answer, node, asked, err)
	}
	if _, _, err := Read(t.Context(), b, Want{}, ask("none")); err == nil || err.Error() != "no: d" || len(asked) != 4 {
		t.Errorf("all failed: %v after %v", err, asked)
	}
	final := errors.New("nobody can")
	_, node, err := Read(t.Context(), b, Want{}, func(context.Context, string) (int, bool, error) { return 0, false, final })
	if !errors.Is(err, final) || node != "a" {
		t.Errorf("a refusal for good: %v of %s", err, node)
	}
}

// TestReadHedges: a node that is frozen costs its reader the time most answers take, and no more.
func TestReadHedges(t *testing.T) {
	b, _ := balancer(t, Options{Policy: Listed})
	b.o.Now = time.Now
	for range enoughAnswers {
		b.hedges.answers.see(time.Microsecond)
	}
	var abandoned sync.WaitGroup
	abandoned.Add(1)
	ask := func(ctx context.Context, node string) (string, bool, error) {
		trip := b.Begin(node)
		if node == "a" {
			<-ctx.Done()
			trip.Abandon(0)
			abandoned.Done()
			return "", true, ctx.Err()
		}
		trip.Done(Answered, 0)
		return "from " + node, false, nil
	}
	answer, node, err := Read(t.Context(), b, Want{}, ask)
	if answer != "from b" || node != "b" || err != nil {
		t.Fatalf("%q of %s: %v", answer, node, err)
	}
	abandoned.Wait()
	if b.nodes[0].abandoned != 1 || b.nodes[0].downUntil.After(time.Now()) {
		t.Error("one request that was given up is not silence")
	}
	b.Begin("a").Abandon(0)
	if slices.Contains(b.Fit(), "a") {
		t.Error("two in a row are")
	}
}

// TestHedgesAreBounded: one in twenty in the long run, and none when most are slow.
func TestHedgesAreBounded(t *testing.T) {
	h := newHedges()
	granted := 0
	for range 10_000 {
		h.request()
		if h.credit >= 1 && granted*10 < int(h.requests) { // few ask
			if h.take() {
				granted++
			}
		}
	}
	if most := hedgeBurst + 10_000*hedgeShare; float64(granted) > most {
		t.Errorf("%d hedges of 10,000 requests, at most %v", granted, most)
	}
	h = newHedges()
	granted = 0
	for range 1000 {
		h.request()
		if h.take() { // everything is slow
			granted++
		}
	}
	if most := hedgeBurst + 1000*hedgeShare; float64(granted) > most {
		t.Errorf("%d hedges of 1,000 slow requests", granted)
	}
	h = newHedges()
	h.requests, h.hedged = hedgeWindow/2, hedgeSick*hedgeWindow/2+1
	if h.take() {
		t.Error("hedged although a fifth of the requests already were")
	}
}

// TestProbes: real probes, on real time; what they bring to light counts.
func TestProbes(t *testing.T) {
	var frozen atomic.Bool
	probe := func(ctx context.Context, node string) (Report, error) {
		if node == "b" && frozen.Load() {
			<-ctx.Done()
			return Report{}, ctx.Err()
		}
		return Report{Height: 5}, nil
	}
	b, err := New(Options{Nodes: four(), Probe: probe, ProbeInterval: time.Millisecond, ProbeTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { b.Run(ctx); close(done) }()
	until(t, func() bool { return len(b.Fit()) == 4 && b.Backends()[1].Height == 5 })
	frozen.Store(true)
	cancel()
	<-done
	short, stop := context.WithCancel(t.Context())
	defer stop()
	b.o.ProbeTimeout = time.Millisecond
	b.ProbeNow(short, "b")
	if !slices.Contains(b.Fit(), "b") {
		t.Error("a node that was late once is unfit")
	}
	b.ProbeNow(short, "b")
	if slices.Contains(b.Fit(), "b") {
		t.Error("a node that does not answer two probes is fit")
	}
}

func until(t *testing.T, what func() bool) {
	t.Helper()
	for !what() {
		if t.Context().Err() != nil {
			t.Fatal("the test ended before it came to be")
		}
		time.Sleep(time.Millisecond)
	}
}

// TestLook: where it matters where nodes stand, the first request asks all of them, and those beside it wait; where it does
// not matter, nobody is asked.
func TestLook(t *testing.T) {
	regions := map[string]string{"a": "us", "b": "eu", "c": "eu/de"} // d is gone
	for name, o := range map[string]struct {
		Options
		asked int32
		nodes []string
	}{
		"any":     {Options{}, 0, four()},
		"region":  {Options{Region: "eu"}, 4, []string{"b", "c"}},
		"strict":  {Options{Region: "eu", StrictRegion: true}, 4, []string{"b", "c"}},
		"nearest": {Options{Policy: Nearest}, 4, four()},
	} {
		var asked atomic.Int32
		o.Probe = func(_ context.Context, node string) (Report, error) {
			asked.Add(1)
			if regions[node] == "" {
				return Report{}, errors.New("gone")
			}
			return Report{Region: regions[node]}, nil
		}
		b, _ := balancer(t, o.Options)
		ended, end := context.WithCancel(t.Context())
		end()
		b.Look(ended) // has no time, and is not the one look
		asked.Store(0)
		var readers sync.WaitGroup
		for range 8 {
			readers.Go(func() {
				_, node, err := Read(t.Context(), b, Want{}, func(context.Context, string) (int, bool, error) { return 0, false, nil })
				if err != nil || !slices.Contains(o.nodes, node) {
					t.Errorf("%s: %q is asked, %v; want one of %v", name, node, err, o.nodes)
				}
			})
		}
		readers.Wait()
		if asked.Load() != o.asked {
			t.Errorf("%s: nodes were looked at %d times, want %d", name, asked.Load(), o.asked)
		}
	}
}
