package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/tetradledger/tetrad/node"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "liar:", err)
		os.Exit(1)
	}
}

func run() error {
	home := flag.String("home", "", "the validator's home")
	lies := flag.String("lies", "", "what to lie about, separated by commas")
	flag.Parse()

	config, err := node.Load(*home, nil)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()

	var parts node.Parts
	var votes *equivocator
	told := strings.Split(*lies, ",")
	for _, lie := range told {
		switch lie {
		case "votes":
			if votes, err = newEquivocator(config, log); err != nil {
				return err
			}
			parts.Signer = votes.wrap
		case "proposals":
			parts.Creator = wrapProposals(log)
		case "answers":
			parts.Backend = wrapAnswers
		case "pool":
		default:
			return fmt.Errorf("unknown lie %q", lie)
		}
	}
	n, err := node.New(config, log, node.WithParts(parts))
	if err != nil {
		return err
	}
	if votes != nil {
		votes.peers.Store(&peers{n.Switch()})
	}
	if err := n.Start(); err != nil {
		return err
	}
	if strings.Contains(*lies, "pool") {
		go floodPools(ctx, n.Switch(), log)
	}
	select {
	case <-ctx.Done():
	case <-n.Done():
	}
	return n.Stop()
}
