package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() {
	runtime.LockOSThread() // the kernel ends a child with the thread that made it
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench-peers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("say rounds, measure or node")
	}
	switch args[0] {
	case "rounds":
		return rounds(ctx, args[1:])
	case "measure":
		return measureOne(ctx, args[1:])
	case "node":
		return runNode(ctx, args[1:])
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// plan is how long and how much to measure.
type plan struct {
	seconds   int     // at full load
	light     int     // seconds at light load
	lightRate float64 // transactions per second at light load
	port      int     // the first of a hundred that may be used
	tetrad    string  // Tetrad's binary
	etcd      string  // the binary of the etcd module
	accounts  int     // of Tetrad
}

func (p *plan) flags(f *flag.FlagSet) {
	f.IntVar(&p.seconds, "seconds", 20, "how long to measure at full load, per system and round")
	f.IntVar(&p.light, "light", 10, "how long to measure latency at light load; 0: not at all")
	f.Float64Var(&p.lightRate, "light-rate", 20, "transactions per second at light load")
	f.IntVar(&p.port, "base-port", 28100, "the first of a hundred ports")
	f.StringVar(&p.tetrad, "tetrad", "bin/tetrad", "Tetrad's binary")
	f.StringVar(&p.etcd, "etcd", "bin/bench-etcd", "the binary of the etcd module")
	f.IntVar(&p.accounts, "accounts", 1000, "accounts of Tetrad's network")
}

// warmup is how long load runs before anything is counted.
const warmup = 4 * time.Second

// measureOne measures one system once and prints the result.
func measureOne(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("measure", flag.ContinueOnError)
	var p plan
	p.flags(f)
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() != 1 {
		return fmt.Errorf("measure takes one of %s", strings.Join(systemNames(), ", "))
	}
	r, err := measure(ctx, f.Arg(0), p)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	fmt.Println(string(text))
	return nil
}
