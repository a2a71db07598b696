package client

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// TestEndpointsAreOneEach: a node that is given twice, or with a slash, is one node.
func TestEndpointsAreOneEach(t *testing.T) {
	c, err := New(Options{Endpoints: []string{"http://a", "http://b/", "http://c", "http://a"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Endpoints(); !slices.Equal(got, []string{"http://a", "http://b", "http://c"}) {
		t.Errorf("the nodes are %v", got)
	}
}

// TestOutcomesOfRefusals: what nobody can do is no fault, too much to do is one that passes, the rest makes a
// node no use for now.
func TestOutcomesOfRefusals(t *testing.T) {
	for code, want := range map[ledger.Code]balance.Outcome{
		ledger.CodeNotFound: balance.Answered, ledger.CodeBadSignature: balance.Answered,
		ledger.CodePoolFull: balance.Refused, ledger.CodeRateLimited: balance.Refused,
		ledger.CodeSyncing: balance.Silent, ledger.CodeBehind: balance.Silent, ledger.CodeInternal: balance.Silent,
	} {
		if got := outcome(rpc.NewError(code, "")); got != want {
			t.Errorf("%s is outcome %d, not %d", code.Info().Slug, got, want)
		}
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
