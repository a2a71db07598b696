package client

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// LadderOptions say how to look for the highest rate that a network sustains. A zero field takes its default.
type LadderOptions struct {
	// Start is the first rate; 0: 60 % of what a short run without a rate reaches.
	Start float64
	// Factor is from one rate to the next; 0: 1.15.
	Factor float64
	// Steps bounds the rates that are tried; 0: 12.
	Steps int
	// P99Max is the latency that a sustained rate does not exceed; 0: a second.
	P99Max time.Duration
	// Step is told of every rate that was tried; nil: nobody is.
	Step func(LadderStep)
}

// Bounds and defaults of a ladder.
const (
	ladderStart    = 0.6
	ladderFactor   = 1.15
	ladderSteps    = 12
	ladderStepsMax = 100
	ladderP99      = time.Second
	// ladderBacklog is the part of the rate by which the backlog may grow per second: less than what the
	// blocks' own rhythm makes of a few samples, and more than nothing, or no rate would ever pass.
	ladderBacklog = 0.02
	// ladderShort is the part of what was offered that may be missing from what was committed, for the same
	// reason.
	ladderShort = 0.03
)

// LadderStep is one rate that was tried.
type LadderStep struct {
	Rate      float64     `json:"rate"` // transfers per second
	Sustained bool        `json:"sustained"`
	Why       string      `json:"why,omitempty"` // it was not
	Report    BenchReport `json:"report"`
}

// LadderReport is the result of a ladder.
type LadderReport struct {
	Kind        string       `json:"kind"`
	Version     int          `json:"version"`
	Sustainable float64      `json:"sustainable"` // the highest rate that was sustained; 0: none
	P99MaxMS    float64      `json:"p99_max_ms"`
	Probe       *BenchReport `json:"probe,omitempty"` // the run without a rate that the first one was taken from
	Steps       []LadderStep `json:"steps"`
	Audit       string       `json:"audit"` // ok, or the first thing that was wrong
	Machine     *Machine     `json:"machine,omitempty"`
	Labels      []string     `json:"labels,omitempty"`
}

func (l LadderOptions) withDefaults() LadderOptions {
	if l.Factor == 0 {
		l.Factor = ladderFactor
	}
	if l.Steps == 0 {
		l.Steps = ladderSteps
	}
	if l.P99Max == 0 {
		l.P99Max = ladderP99
	}
	if l.Step == nil {
		l.Step = func(LadderStep) {}
	}
	return l
}

func (l LadderOptions) check() error {
	switch {
	case !(l.Start >= 0):
		return errors.New("the first rate is negative")
	case l.Factor != 0 && !(l.Factor >= 1.01 && l.Factor <= 10):
		return fmt.Errorf("the factor between rates is from 1.01 to 10, not %g", l.Factor)
	case l.Steps < 0 || l.Steps > ladderStepsMax:
		return fmt.Errorf("a ladder has 1 to %d steps, not %d", ladderStepsMax, l.Steps)
	case l.P99Max < 0:
		return errors.New("the bound of the latency is negative")
	}
	return nil
}

// BenchLadder runs the load at one rate after another until one is not sustained, twice in a row: the first
// failure may be the machine's. o.Rate is ignored.
func BenchLadder(ctx context.Context, o BenchOptions, l LadderOptions) (LadderReport, error) {
	if err := l.check(); err != nil {
		return LadderReport{}, err
	}
	l = l.withDefaults()
	r := LadderReport{Kind: ReportLadder, Version: BenchReportVersion, P99MaxMS: ms(l.P99Max), Audit: "ok"}
	rate := l.Start
	if rate == 0 {
		o.Rate = 0
		probe, err := Bench(ctx, o)
		if err != nil {
			return r, err
		}
		r.Probe = &probe
		r.noteAudit(probe)
		rate = ladderStart * probe.Rate
	}
	for len(r.Steps) < l.Steps && rate > 0 && r.Audit == "ok" {
		o.Rate = rate
		report, err := Bench(ctx, o)
		if err != nil {
			return r, err
		}
		r.noteAudit(report)
		step := LadderStep{Rate: rate, Report: report}
		step.Sustained, step.Why = l.sustained(report)
		r.Steps = append(r.Steps, step)
		l.Step(step)
		if rate = l.next(r.Steps); step.Sustained {
			r.Sustainable = step.Rate
		}
	}
	return r, nil
}

func (r *LadderReport) noteAudit(run BenchReport) {
	if r.Audit == "ok" {
		r.Audit = run.Audit
	}
}

// next is the rate to try after these; 0: none. A rate that failed is tried once more.
func (l LadderOptions) next(steps []LadderStep) float64 {
	last := steps[len(steps)-1]
	if last.Sustained {
		return last.Rate * l.Factor
	}
	if len(steps) > 1 && steps[len(steps)-2].Rate == last.Rate {
		return 0
	}
	return last.Rate
}

// sustained judges a run at a rate, and says why it is not sustained.
func (l LadderOptions) sustained(r BenchReport) (bool, string) {
	perTx := float64(max(1, r.Load.TransfersPerTx))
	switch {
	case r.Audit != "ok":
		return false, "audit: " + r.Audit
	case r.Lost > 0 || r.Failed > 0:
		return false, fmt.Sprintf("%d lost, %d failed", r.Lost, r.Failed)
	case r.Refused > 0:
		return false, fmt.Sprintf("%d refused", r.Refused)
	case r.Unsent > 0 || r.Unsure > 0:
		return false, fmt.Sprintf("%d not sent in time, %d unsure", r.Unsent, r.Unsure)
	case r.P99MS > ms(l.P99Max):
		return false, fmt.Sprintf("p99 is %.0f ms", r.P99MS)
	case r.Backlog*perTx > ladderBacklog*r.TargetRate:
		return false, fmt.Sprintf("the backlog grows by %.0f transactions per second", r.Backlog)
	case r.Rate < (1-ladderShort)*r.TargetRate:
		return false, fmt.Sprintf("only %.0f transfers/s were committed", r.Rate)
	}
	return true, ""
}
