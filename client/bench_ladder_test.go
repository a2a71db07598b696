package client

import (
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// sustainable is a run that passes.
func sustainable() BenchReport {
	return BenchReport{Audit: "ok", TargetRate: 1000, Rate: 1000, P99MS: 900, Load: BenchLoad{TransfersPerTx: 1}}
}

// TestLadderDecision: each reason against a rate counts by itself, and its edge is where it is said to be.
func TestLadderDecision(t *testing.T) {
	l := LadderOptions{}.withDefaults()
	for name, c := range map[string]struct {
		change func(*BenchReport)
		why    string // empty: sustained
	}{
		"fine":                      {func(*BenchReport) {}, ""},
		"audit":                     {func(r *BenchReport) { r.Audit = "nodes differ" }, "audit: nodes differ"},
		"lost":                      {func(r *BenchReport) { r.Lost = 1 }, "1 lost"},
		"failed":                    {func(r *BenchReport) { r.Failed = 2 }, "2 failed"},
		"refused":                   {func(r *BenchReport) { r.Refused = 1 }, "1 refused"},
		"unsent":                    {func(r *BenchReport) { r.Unsent = 1 }, "1 not sent in time"},
		"unsure":                    {func(r *BenchReport) { r.Unsure = 1 }, "1 unsure"},
		"as slow as may be":         {func(r *BenchReport) { r.P99MS = 1000 }, ""},
		"too slow":                  {func(r *BenchReport) { r.P99MS = 1000.1 }, "p99 is 1000 ms"},
		"backlog at its edge":       {func(r *BenchReport) { r.Backlog = 20 }, ""},
		"backlog":                   {func(r *BenchReport) { r.Backlog = 20.1 }, "the backlog grows"},
		"backlog of transactions":   {func(r *BenchReport) { r.Backlog, r.Load.TransfersPerTx = 2, 16 }, "the backlog grows"},
		"backlog that shrinks":      {func(r *BenchReport) { r.Backlog = -500 }, ""},
		"nearly as much as offered": {func(r *BenchReport) { r.Rate = 970 }, ""},
		"less than offered":         {func(r *BenchReport) { r.Rate = 969 }, "only 969"},
	} {
		r := sustainable()
		c.change(&r)
		ok, why := l.sustained(r)
		if ok != (c.why == "") || !strings.Contains(why, c.why) {
			t.Errorf("%s: %t, %q; want %q", name, ok, why, c.why)
		}
	}
}

// TestLadderSteps: up by the factor while it goes well, once more where it did not, and then no further.
func TestLadderSteps(t *testing.T) {
	l := LadderOptions{Factor: 2}.withDefaults()
	at := func(rate float64, ok bool) LadderStep { return LadderStep{Rate: rate, Sustained: ok} }
	for _, c := range []struct {
		steps []LadderStep
		want  float64
	}{
		{[]LadderStep{at(100, true)}, 200},
		{[]LadderStep{at(100, false)}, 100},
		{[]LadderStep{at(100, false), at(100, true)}, 200},
		{[]LadderStep{at(100, false), at(100, false)}, 0},
		{[]LadderStep{at(100, true), at(200, false)}, 200},
		{[]LadderStep{at(100, true), at(200, false), at(200, false)}, 0},
	} {
		if got := l.next(c.steps); got != c.want {
			t.Errorf("after %+v: %g, want %g", c.steps, got, c.want)
		}
	}
}

func TestLaddersThatAreWrong(t *testing.T) {
	for name, l := range map[string]LadderOptions{
		"start": {Start: -1}, "factor": {Factor: 1}, "large factor": {Factor: 10.1}, "steps": {Steps: -1},
		"many steps": {Steps: ladderStepsMax + 1}, "p99": {P99Max: -1},
	} {
		if l.check() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := (LadderOptions{Start: 1, Factor: 10, Steps: ladderStepsMax, P99Max: time.Hour}).check(); err != nil {
		t.Error(err)
	}
}

func TestOverloadDecision(t *testing.T) {
	good := OverloadStep{Goodput: 0.8, Report: BenchReport{Audit: "ok", BlockIntervalP99: 2000, Refused: 5_000_000}}
	for name, c := range map[string]struct {
		change func(*OverloadStep)
		why    string
	}{
		"fine":         {func(*OverloadStep) {}, ""},
		"lost":         {func(s *OverloadStep) { s.Report.Lost = 1 }, "1 accepted transactions were lost"},
		"audit":        {func(s *OverloadStep) { s.Report.Audit = "the supply" }, "the supply"},
		"goodput":      {func(s *OverloadStep) { s.Goodput = 0.79 }, "goodput is 79 %"},
		"blocks":       {func(s *OverloadStep) { s.Report.BlockIntervalP99 = 2001 }, "2001 ms apart"},
		"without time": {func(s *OverloadStep) { s.Report.Refusals.WithoutRetry = 3 }, "3 refusals came without"},
	} {
		s := good
		c.change(&s)
		if ok, why := (OverloadOptions{}).passed(s); ok != (c.why == "") || !strings.Contains(why, c.why) {
			t.Errorf("%s: %t, %q", name, ok, why)
		}
	}
}

func TestOverloadsThatAreWrong(t *testing.T) {
	many := make([]float64, overloadFactorsMax+1)
	for i := range many {
		many[i] = 2
	}
	for name, v := range map[string]OverloadOptions{
		"none": {}, "many": {Factors: many}, "less than one": {Factors: []float64{0.9}},
		"large": {Factors: []float64{overloadFactorMax + 1}}, "base": {Base: -1, Factors: []float64{2}},
	} {
		if v.check() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := (OverloadOptions{Factors: append(many[:overloadFactorsMax-1:overloadFactorsMax-1], overloadFactorMax)}).check(); err != nil {
		t.Error(err)
	}
}

// TestTally: 429 is told apart from other refusals, and from one that names no time to come back.
func TestTally(t *testing.T) {
	var b bench
	for _, after := range []time.Duration{300 * time.Millisecond, 100 * time.Millisecond, 0} {
		e := rpc.NewError(ledger.CodePoolFull, "").RetryAfter(after)
		b.tally.noteRequest(e)
		b.tally.note(e, 10)
	}
	b.tally.noteRequest(rpc.NewError(ledger.CodeTimeout, ""))
	b.tally.note(nil, 1)
	var r BenchRefusals
	b.tally.fill(&r)
	if r.Requests429 != 3 || r.WithoutRetry != 1 || r.RetryAfterMinMS != 100 || r.RetryAfterMaxMS != 300 || r.BySlug["pool_full"] != 30 || r.BySlug["unknown"] != 1 {
		t.Errorf("%+v", r)
	}
}
