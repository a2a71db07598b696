package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// run measures everything in turn and saves after each repetition: one repetition of every cell of every system, then
// the next, so that a machine that gets slower does so for all, and a run that is cut short is short for all.
func run(ctx context.Context, args []string) error {
	p, err := readPlan(args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, p.deadline)
	defer cancel()
	d := newDocument(p)
	if p.resume {
		old, found, err := readDocument(p.out)
		if err != nil {
			return err
		}
		if found {
			d.Repetitions, d.Lines, d.Extras = old.Repetitions, old.Lines, old.Extras
			d.Repetitions = slices.DeleteFunc(d.Repetitions, func(r repetition) bool { return r.Fail != "" })
		}
	}
	if w, why := newWires(1); why != "" {
		d.NoPartitions = why
		fmt.Fprintf(os.Stderr, "partitions are left out: %s\n", why)
	} else {
		w.close()
	}
	for number := 1; number <= p.reps; number++ {
		for _, c := range p.cells(d.NoPartitions == "") {
			for _, name := range p.systems {
				if d.has(name, c, number) {
					continue
				}
				if ctx.Err() != nil {
					return d.save(p.out)
				}
				r, line := repeat(ctx, p, name, c, number)
				if ctx.Err() != nil {
					return d.save(p.out) // what was cut short says nothing
				}
				d.add(r, line)
				if err := d.save(p.out); err != nil {
					return err
				}
			}
		}
	}
	if err := measureExtras(ctx, p, &d); err != nil && ctx.Err() == nil {
		return err
	}
	return d.save(p.out)
}

// cell is a fault and whom it hits.
type cell struct{ fault, target string }

func (p plan) cells(partitions bool) (all []cell) {
	for _, fault := range p.faults {
		switch {
		case fault == faultNone:
			all = append(all, cell{faultNone, ""})
		case fault != faultPartition || partitions:
			for _, target := range p.targets {
				all = append(all, cell{fault, target})
			}
		}
	}
	return all
}

func (d *document) has(system string, c cell, number int) bool {
	return slices.ContainsFunc(d.Repetitions, func(r repetition) bool {
		return r.System == system && r.Fault == c.fault && r.Target == c.target && r.Number == number
	})
}

func (d *document) add(r repetition, line timeline) {
	d.Repetitions = append(d.Repetitions, r)
	if r.Number == 1 && line.Counts != nil {
		d.Lines = append(d.Lines, line)
	}
	words := r.Fail
	if words == "" {
		words = fmt.Sprintf("without writes %5.0f ms, local reads %4.0f, strong %5.0f; errors %d/%d/%d, stale %d/%d, acked %d, lost %d, doubled %d",
			r.Write.GapMS, r.Local.GapMS, r.Strong.GapMS, r.Write.Errors, r.Local.Errors, r.Strong.Errors, r.Local.Stale, r.Strong.Stale,
			r.Acked, r.Lost, r.Doubled)
	}
	fmt.Fprintf(os.Stderr, "%2d %-10s %-9s %-6s %s\n", r.Number, r.System, r.Fault, r.Target, words)
}

// slack is what a network may take beside the load: to come up, to recover, and to be audited.
const slack = 3 * time.Minute

// repeat is one repetition. What went wrong with the measurement itself stands in Fail.
func repeat(ctx context.Context, p plan, name string, c cell, number int) (repetition, timeline) {
	r := repetition{System: name, Fault: c.fault, Target: c.target, Number: number, Time: time.Now().UTC().Truncate(time.Second), Load: loadAverage()}
	line := timeline{System: name, Fault: c.fault, Target: c.target}
	ctx, cancel := context.WithTimeout(ctx, p.calm+p.hurt+p.after+slack)
	defer cancel()
	s := systems[systemIndex(name)]
	l, _, err := newLab(p, name, s.nodes)
	if err == nil {
		sys := s.make(l)
		var outcomes []outcome
		if outcomes, r.verdict, err = trial(ctx, l, sys, c); err == nil {
			end := p.calm + p.hurt + p.after
			healed := p.calm + p.hurt
			r.Write = measureGauge(outcomes, write, p.calm, healed, end)
			r.Local = measureGauge(outcomes, local, p.calm, healed, end)
			r.Strong = measureGauge(outcomes, strong, p.calm, healed, end)
			line.Counts = counts(outcomes, end)
			if t, ok := sys.(*tetrad); ok {
				r.Behind = int(t.behind.Load())
			}
		}
		sys.close()
		words := l.close(err != nil)
		if err != nil {
			err = fmt.Errorf("%w%s", err, words)
		}
	}
	if err != nil {
		r.Fail = err.Error()
	}
	return r, line
}

// trial brings a network up, puts load on it, injures it, and audits it.
func trial(ctx context.Context, l *lab, sys system, c cell) ([]outcome, verdict, error) {
	if err := sys.start(ctx); err != nil {
		return nil, verdict{}, err
	}
	p := l.plan
	span := p.calm + p.hurt + p.after
	requests, err := sys.chain().sign(0, int(p.rate*span.Seconds()/2)+2)
	if err != nil {
		return nil, verdict{}, err
	}
	watched, stop := context.WithCancel(ctx)
	defer stop()
	go sys.watch(watched)
	if err := warm(ctx, sys, requests[len(requests)-1]); err != nil {
		return nil, verdict{}, err
	}
	load := &load{sys: sys, requests: requests, begun: time.Now(), patience: p.patience}
	hurt := make(chan error, 1)
	go func() { hurt <- injureDuring(ctx, l, sys, c, load.begun) }()
	load.run(ctx, p.rate, span)
	if err := <-hurt; err != nil {
		return nil, verdict{}, err
	}
	used := requests[:len(requests)-1]
	amounts, err := audit(ctx, sys, used)
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(os.Stderr, "no audit: %v%s\n", err, l.words())
		return load.outcomes, verdict{Dead: true}, nil // a system that does not recover is a result
	}
	return load.outcomes, judge(load.outcomes, amounts), ctx.Err()
}

// warm does one request of each kind, so that the load does not begin with the first connections.
func warm(ctx context.Context, sys system, r request) error {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	if err := sys.write(ctx, r); err != nil {
		return fmt.Errorf("the first write: %w", err)
	}
	for _, k := range []kind{local, strong} {
		if _, err := sys.read(ctx, k, r); err != nil {
			return fmt.Errorf("the first %s: %w", kindNames[k], err)
		}
	}
	return nil
}

// injureDuring inflicts the cell's fault after the calm part of the load and ends it when its time is over.
func injureDuring(ctx context.Context, l *lab, sys system, c cell, begun time.Time) error {
	at := begun.Add(l.plan.calm)
	if c.fault == faultNone {
		return nil
	}
	if !sleep(ctx, time.Until(at)-tenth) {
		return ctx.Err()
	}
	leader, err := sys.leader(ctx)
	if err != nil {
		return fmt.Errorf("who leads: %w", err)
	}
	victim := leader
	if c.target == targetOther {
		victim = (leader + 1) % len(l.nodes)
	}
	if !sleep(ctx, time.Until(at)) {
		return ctx.Err()
	}
	end, err := injure(l, sys, c.fault, victim)
	if err != nil {
		return fmt.Errorf("%s node %d: %w", c.fault, victim, err)
	}
	if !sleep(ctx, time.Until(at.Add(l.plan.hurt))) {
		return ctx.Err()
	}
	if err := end(); err != nil {
		return fmt.Errorf("end %s of node %d: %w", c.fault, victim, err)
	}
	return nil
}
