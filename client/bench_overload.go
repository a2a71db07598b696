package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// OverloadOptions say by how much to overload a network.
type OverloadOptions struct {
	// Base is the rate that the network can take; 0: what a run without a rate reaches.
	Base float64
	// Factors multiply it, at least 1.
	Factors []float64
	// Step is told of every run; nil: nobody is.
	Step func(OverloadStep)
}

// What a network must do under overload.
const (
	overloadFactorsMax = 10
	overloadFactorMax  = 100
	// overloadGoodput is the part of what it can do that it must still do.
	overloadGoodput = 0.8
	// overloadInterval is the longest its blocks may be apart, at the 99th percentile.
	overloadInterval = 2 * time.Second
	// overloadConnections press harder than those of an ordinary run.
	overloadConnections = 32
)

// OverloadStep is one run.
type OverloadStep struct {
	Factor  float64     `json:"factor"`
	Goodput float64     `json:"goodput"` // committed transfers per second over those of the base
	Passed  bool        `json:"passed"`
	Why     string      `json:"why,omitempty"` // it did not
	Report  BenchReport `json:"report"`
}

// OverloadReport is the result of several runs above what a network can do.
type OverloadReport struct {
	Kind    string         `json:"kind"`
	Version int            `json:"version"`
	Base    float64        `json:"base"` // transfers per second
	Probe   *BenchReport   `json:"probe,omitempty"`
	Steps   []OverloadStep `json:"steps"`
	Passed  bool           `json:"passed"`
	Audit   string         `json:"audit"`
	Machine *Machine       `json:"machine,omitempty"`
	Labels  []string       `json:"labels,omitempty"`
}

func (v OverloadOptions) check() error {
	if !(v.Base >= 0) {
		return errors.New("the base rate is negative")
	}
	if len(v.Factors) == 0 || len(v.Factors) > overloadFactorsMax {
		return fmt.Errorf("an overload has 1 to %d factors, not %d", overloadFactorsMax, len(v.Factors))
	}
	for _, f := range v.Factors {
		if !(f >= 1 && f <= overloadFactorMax) {
			return fmt.Errorf("a factor is from 1 to %d, not %g", overloadFactorMax, f)
		}
	}
	return nil
}

// BenchOverload runs the load at multiples of what the network can do, and judges each run. o.Rate is ignored.
func BenchOverload(ctx context.Context, o BenchOptions, v OverloadOptions) (OverloadReport, error) {
	if err := v.check(); err != nil {
		return OverloadReport{}, err
	}
	if v.Step == nil {
		v.Step = func(OverloadStep) {}
	}
	r := OverloadReport{Kind: ReportOverload, Version: BenchReportVersion, Base: v.Base, Passed: true, Audit: "ok"}
	if r.Base == 0 {
		o.Rate = 0
		probe, err := Bench(ctx, o)
		if err != nil {
			return r, err
		}
		r.Probe, r.Base, r.Audit = &probe, probe.Rate, probe.Audit
	}
	if o.Connections == 0 {
		o.Connections = overloadConnections
	}
	for _, factor := range slices.Sorted(slices.Values(v.Factors)) {
		o.Rate = factor * r.Base
		report, err := Bench(ctx, o)
		if err != nil {
			return r, err
		}
		step := OverloadStep{Factor: factor, Report: report}
		if r.Base > 0 {
			step.Goodput = report.Rate / r.Base
		}
		step.Passed, step.Why = v.passed(step)
		r.Steps = append(r.Steps, step)
		r.Passed = r.Passed && step.Passed
		if r.Audit == "ok" {
			r.Audit = report.Audit
		}
		v.Step(step)
	}
	return r, nil
}

// passed judges a run, and says why it did not pass.
func (OverloadOptions) passed(s OverloadStep) (bool, string) {
	r := s.Report
	switch {
	case r.Lost > 0:
		return false, fmt.Sprintf("%d accepted transactions were lost", r.Lost)
	case r.Audit != "ok":
		return false, "audit: " + r.Audit
	case s.Goodput < overloadGoodput:
		return false, fmt.Sprintf("goodput is %.0f %% of the base", 100*s.Goodput)
	case r.BlockIntervalP99 > ms(overloadInterval):
		return false, fmt.Sprintf("blocks are %.0f ms apart at p99", r.BlockIntervalP99)
	case r.Refusals.WithoutRetry > 0:
		return false, fmt.Sprintf("%d refusals came without Retry-After", r.Refusals.WithoutRetry)
	}
	return true, ""
}
