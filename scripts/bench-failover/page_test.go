package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/scripts/bench-plot/figure"
)

// sample is a document in which everything was measured, with figures that tests look for.
func sample() document {
	d := document{Kind: "failover", Version: 1, FaultS: 6, AfterS: 4, CalmS: 3, Rate: 200}
	for number := 1; number <= 3; number++ {
		for _, s := range systems {
			cells := []cell{{faultNone, ""}}
			for _, fault := range []string{faultKill, faultStop, faultPartition} {
				cells = append(cells, cell{fault, targetLeader}, cell{fault, targetOther})
			}
			for _, c := range cells {
				r := repetition{System: s.name, Fault: c.fault, Target: c.target, Number: number}
				r.Write.GapMS, r.Write.P50MS, r.Write.P99MS = float64(100*number), 50, 90
				r.Acked, r.Lost = 1000, number
				if s.name == "raft" {
					r.Write.P50MS = 5
				}
				d.Repetitions = append(d.Repetitions, r)
			}
			d.Lines = append(d.Lines, timeline{System: s.name, Fault: faultKill, Target: targetLeader, Counts: map[string][]int{"write": make([]int, 130)}})
			for n := 1; n <= s.nodes; n++ {
				d.Extras = append(d.Extras, extra{Table: extraScaling, System: s.name, Level: "some", Nodes: n, Value: float64(1000 * n)})
			}
			d.Extras = append(
				d.Extras, extra{Table: extraThroughput, System: s.name, Value: 5000},
				extra{Table: extraWire, System: s.name, Level: wirePerWrite, Value: 4321},
				extra{Table: extraLies, System: s.name, Level: "some", Value: 70, Tried: 200, Stale: 2, Refused: 3},
			)
		}
	}
	return d
}

// TestPage fills the real page: nothing it asks for is missing, and the figures are where they belong.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "FAILOVER.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	at := filepath.Join(dir, "page.md")
	if err := errors.Join(os.WriteFile(at, text, 0o644), sample().save(dir), page([]string{"-out", dir, "-page", at})); err != nil {
		t.Fatal(err)
	}
	filled, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| leader, proposer, active | aa | 3 | 200 / 300 |", "| 3,000 | 6 | 0 |", "| etcd | some | 600 | 210 | 6 | 9 |",
		"| write latency without faults, p50 | 50 ms | 5 ms, raft | **raft wins**, by 10 times |", "| 4,321 |", "| 1,000 | 2,000 | 3,000 | – |",
	} {
		if !strings.Contains(string(filled), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(string(filled), "Not measured"); n != 0 {
		t.Errorf("%d parts are not filled", n)
	}
	for name, c := range sample().charts() {
		if err := figure.Check(c.SVG()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	rows, err := os.ReadFile(filepath.Join(dir, "repetitions.csv"))
	if err != nil || strings.Count(string(rows), "\n") != 1+3*7*len(systems) {
		t.Errorf("%v: repetitions.csv has %d lines", err, strings.Count(string(rows), "\n"))
	}
}

// TestNothingMeasured: an empty run leaves no figure of another one.
func TestNothingMeasured(t *testing.T) {
	for name, table := range (document{}).tables() {
		if name != "machine" && table != "" {
			t.Errorf("%s: %s", name, table)
		}
	}
}

// TestUnended: a gap that the end of the load cut off is said to be longer.
func TestUnended(t *testing.T) {
	d := document{FaultS: 6, AfterS: 4}
	r := repetition{System: "aa", Fault: faultKill, Target: targetLeader}
	r.Write = gauge{GapMS: 10_000}
	d.Repetitions = []repetition{r}
	take := func(r repetition) gauge { return r.Write }
	if got := d.gapText("aa", cell{faultKill, targetLeader}, take); got != "10,000 / 10,000 or more" {
		t.Error(got)
	}
	d.Repetitions[0].Write.GapMS = 5000
	if got := d.gapText("aa", cell{faultKill, targetLeader}, take); got != "5,000 / 5,000" {
		t.Error(got)
	}
}

// TestGauge: what counts as a gap, a latency, an error, and a calm time.
func TestGauge(t *testing.T) {
	at := func(n int) time.Duration { return time.Duration(n) * ms }
	outcomes := []outcome{
		{kind: write, due: at(0), done: at(10)},
		{kind: write, due: at(100), done: at(105)},
		{kind: write, due: at(200), done: at(290)},
		{kind: write, due: at(300), done: at(700)},
		{kind: write, due: at(400), done: at(720), err: io.EOF},
		{kind: local, due: at(1), done: at(2), stale: true},
	}
	g := measureGauge(outcomes, write, at(250), at(600), at(1000))
	if g.Sent != 5 || g.Errors != 1 || g.GapMS != 410 || g.GapAtMS != 40 || g.WorstMS != 400 || g.HealMS != 410 || g.CalmP99 != 10 {
		t.Errorf("%+v", g)
	}
	if g := measureGauge(outcomes, local, at(250), at(600), at(1000)); g.Stale != 1 || g.Sent != 1 {
		t.Errorf("%+v", g)
	}
}

// TestLiar: the proxy changes what each system says of balances, and nothing else.
func TestLiar(t *testing.T) {
	for _, c := range []struct {
		sys          system
		honest, want string
	}{
		{&tetrad{}, `{"account":"a","amount":"0.01","available":"0.01","height":7}`, `{"account":"a","amount":"7.77","available":"7.77","height":7}`},
		{&raftSystem{}, `{"amount":1}`, `{"amount":777}`},
		{&etcdSystem{}, `{"kvs":[{"key":"dy8x","version":"1","value":"AAAA"}]}`, `{"kvs":[{"key":"dy8x","version":"1","value":"Nzc3"}]}`},
	} {
		node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, c.honest)
		}))
		liar, err := newLiar(node.URL, c.sys.lie)
		if err != nil {
			t.Fatal(err)
		}
		answer, _, err := exchange(context.Background(), http.DefaultClient, liar.URL, http.MethodGet, "/", nil)
		if err != nil || string(answer) != c.want {
			t.Errorf("%s, %v, want %s", answer, err, c.want)
		}
		liar.Close()
		node.Close()
	}
}
