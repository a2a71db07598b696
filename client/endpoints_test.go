package client

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEndpointsRest(t *testing.T) {
	now := time.Unix(0, 0)
	e, err := newEndpoints([]string{"http://a", "http://b/", "http://c", "http://a"}, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	want := func(step string, order ...string) {
		t.Helper()
		for i := range order {
			order[i] = "http://" + order[i]
		}
		if got := e.order(); !slices.Equal(got, order) {
			t.Errorf("%s: order is %v, want %v", step, got, order)
		}
	}
	want("at first", "a", "b", "c")
	e.failed("http://a")
	want("a failed", "b", "c", "a")
	e.answered("http://c")
	want("answering does not change whose turn it is", "b", "c", "a")
	e.failed("http://b")
	want("b failed", "c", "a", "b")
	now = now.Add(restMin)
	want("both have rested", "c", "a", "b")
	e.failed("http://c")
	e.failed("http://a")
	want("a failed a second time", "b", "c", "a")
	now = now.Add(restMin)
	want("it rests longer for that", "b", "c", "a")
	e.failed("http://b")
	want("b failed a second time", "c", "a", "b")
	e.failed("http://c")
	want("nobody is left: ask whoever has rested longest", "a", "b", "c")
	e.answered("http://b")
	want("b is back", "b", "a", "c")
	for range 100 {
		e.failed("http://b")
	}
	if rest := e.list[1].restUntil.Sub(now); rest != restMax {
		t.Errorf("after many failures a node rests %s, want %s", rest, restMax)
	}
}

func TestEndpointsThatAreNone(t *testing.T) {
	for _, urls := range [][]string{nil, {"127.0.0.1:26658"}, {"ftp://a"}, {"http://"}, {"http://a", ""}, {"://"}} {
		if _, err := New(Options{Endpoints: urls}); err == nil || !strings.Contains(err.Error(), "endpoint") {
			t.Errorf("%q: %v", urls, err)
		}
	}
	many := make([]string, endpointsMax)
	for i := range many {
		many[i] = fmt.Sprintf("http://node%d", i)
	}
	if _, err := New(Options{Endpoints: many}); err != nil {
		t.Errorf("%d endpoints: %v", len(many), err)
	}
	if _, err := New(Options{Endpoints: append(many, "http://one.more")}); err == nil {
		t.Errorf("%d endpoints are too many", len(many)+1)
	}
}

func TestOptionsThatAreWrong(t *testing.T) {
	for _, o := range []Options{{Consistency: "strong"}, {Consistency: "x"}, {Timeout: -1}} {
		o.Endpoints = []string{"http://a"}
		if _, err := New(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestSessionIgnoresHeightsNobodyConfirms(t *testing.T) {
	s := newSession(5, []string{"a", "b", "c", "d"})
	s.saw("a", 100)
	if s.token() != 100 {
		t.Fatalf("token %d", s.token())
	}
	s.saw("b", 1<<40)
	if s.token() != 1<<40 {
		t.Fatalf("one node's word counts until it is contradicted: %d", s.token())
	}
	s.short("c", 101)
	if s.token() != 1<<40 {
		t.Fatalf("one node alone contradicts nobody: %d", s.token())
	}
	s.short("d", 102)
	if s.token() != 100 {
		t.Fatalf("two of four contradict the liar: %d", s.token())
	}
	s.saw("b", 1<<41)
	if s.token() != 100 {
		t.Fatalf("the liar is believed again: %d", s.token())
	}
	s.saw("c", 103)
	if s.token() != 103 {
		t.Fatalf("token %d", s.token())
	}
}

// TestSessionKeepsHeightsThatAreOnlyRecent: honest nodes that are a little behind do not take a token away.
func TestSessionKeepsHeightsThatAreOnlyRecent(t *testing.T) {
	s := newSession(0, []string{"a", "b", "c", "d"})
	s.saw("a", lieHeights+10)
	s.short("b", 10)
	s.short("c", 10)
	s.short("d", 10)
	if s.token() != lieHeights+10 {
		t.Fatalf("token %d", s.token())
	}
	s.short("b", 9)
	s.short("c", 9)
	if s.token() != 0 {
		t.Fatalf("token %d after two nodes that are further away", s.token())
	}
}
