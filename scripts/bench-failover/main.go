package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := start(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench-failover:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("say run, page or raft-node")
	}
	switch args[0] {
	case "run":
		return run(ctx, args[1:])
	case "page":
		return page(args[1:])
	case "raft-node":
		return raftNode(ctx, args[1:])
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// plan is what is measured, and for how long.
type plan struct {
	systems, faults, targets, extras []string

	reps, rounds      int
	calm, hurt, after time.Duration // before the fault, during it, and after its end
	rate              float64
	patience          time.Duration
	deadline          time.Duration

	port         int
	tetrad, etcd string
	out, commit  string
	resume       bool
	keepLogs     string
}

// list is a flag of names from a fixed set.
type list struct {
	value *[]string
	known []string
}

func (l list) String() string {
	if l.value == nil {
		return ""
	}
	return strings.Join(*l.value, ",")
}

// Set takes names separated by commas; an empty text empties the list.
func (l list) Set(text string) error {
	*l.value = nil
	if text == "" {
		return nil
	}
	for _, name := range strings.Split(text, ",") {
		if !slices.Contains(l.known, name) {
			return fmt.Errorf("%q is not one of %s", name, strings.Join(l.known, ", "))
		}
		*l.value = append(*l.value, name)
	}
	return nil
}

// choice makes a flag whose default is everything.
func choice(f *flag.FlagSet, into *[]string, name, usage string, known []string) {
	*into = slices.Clone(known)
	f.Var(list{into, known}, name, usage)
}

func readPlan(args []string) (plan, error) {
	var p plan
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	choice(f, &p.systems, "systems", "which, separated by commas", systemNames())
	choice(f, &p.faults, "faults", "which faults; none is a run without", faultNames)
	choice(f, &p.targets, "targets", "whom the fault hits", targetNames)
	choice(f, &p.extras, "extras", "what to measure besides faults", extraNames)
	f.IntVar(&p.reps, "reps", 10, "repetitions of each cell")
	f.IntVar(&p.rounds, "rounds", 3, "how often each of the extras is measured")
	f.DurationVar(&p.calm, "calm", 2*time.Second, "load before the fault")
	f.DurationVar(&p.hurt, "fault", 5*time.Second, "how long the fault lasts")
	f.DurationVar(&p.after, "after", 3*time.Second, "load after the fault's end")
	f.Float64Var(&p.rate, "rate", 200, "requests per second, half of them writes")
	f.DurationVar(&p.patience, "patience", 5*time.Second, "after how long a request without success is an error")
	f.DurationVar(&p.deadline, "deadline", 3*time.Hour, "when everything ends, finished or not")
	f.IntVar(&p.port, "base-port", 30100, "the first of a hundred ports")
	f.StringVar(&p.tetrad, "tetrad", "bin/tetrad", "Tetrad's binary")
	f.StringVar(&p.etcd, "etcd", "bin/bench-etcd", "the binary of scripts/bench-peers/etcd")
	f.StringVar(&p.out, "out", "docs/failover", "where the raw data goes")
	f.StringVar(&p.commit, "commit", "", "Tetrad's commit, for the record")
	f.BoolVar(&p.resume, "resume", false, "keep the repetitions that are in the raw data, and add those that are missing or could not be measured")
	f.StringVar(&p.keepLogs, "logs", "", "copy the logs of nodes into this directory after a failure")
	if err := f.Parse(args); err != nil {
		return p, err
	}
	if f.NArg() > 0 {
		return p, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if p.reps < 0 || p.rate < 4 || p.rate > 10_000 || p.calm < time.Second || p.hurt < time.Second || p.after < 0 {
		return p, errors.New("repetitions must not be negative, the rate is 4 to 10,000, calm and fault last a second at least")
	}
	return p, nil
}
