package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/node"
)

func newStart(c *cli) *cobra.Command {
	var withStdin bool
	var overrides []string
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Run the node of a home until Ctrl-C",
		Long: `Run the node of a home (--home DIR) until SIGINT or SIGTERM; it stops cleanly within seconds. Logs go to
standard error.

Any setting can be overridden for this run: --set consensus.timeout_propose=1s. 'tetrad config show' lists them.`,
		Args: names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings := c.logOverrides()
			if err := addOverrides(settings, overrides); err != nil {
				return err
			}
			ctx := cmd.Context()
			if withStdin {
				var stop context.CancelFunc
				ctx, stop = context.WithCancel(ctx)
				defer stop()
				go func() {
					_, _ = io.Copy(io.Discard, c.in) // ends when whoever started us is gone
					stop()
				}()
			}
			return c.runNode(ctx, settings)
		},
	}
	cmd.Flags().StringArrayVar(&overrides, "set", nil, "override one setting, `KEY=VALUE`; may be repeated")
	cmd.Flags().BoolVar(&withStdin, "stop-with-stdin", false, "stop when standard input ends")
	_ = cmd.Flags().MarkHidden("stop-with-stdin") // how dev ties its validators to itself
	return cmd
}

// runNode runs a node until the context ends, which is success, or until it fails.
func (c *cli) runNode(ctx context.Context, settings node.Overrides) error {
	config, err := node.Load(c.home, settings)
	if err != nil {
		return badConfig(err)
	}
	logger, err := node.NewLogger(c.err, config.Log, isTerminal(c.err))
	if err != nil {
		return badConfig(err)
	}
	n, err := openNode(ctx, config, logger)
	if n == nil || err != nil {
		return err
	}
	if err := n.Start(); err != nil {
		return errors.Join(err, n.Stop())
	}
	select {
	case <-ctx.Done():
		return n.Stop()
	case <-n.Done():
		return errors.Join(n.Err(), n.Stop())
	}
}

// openPatience is how long opening may go on after the user asked to stop.
const openPatience = 4500 * time.Millisecond

// openNode opens a node, which takes long where many blocks have to be replayed. If the context ends before
// that, there is no node and no error: files are then as after a crash, which the next start repairs.
func openNode(ctx context.Context, config node.Config, logger *slog.Logger) (*node.Node, error) {
	type result struct {
		node *node.Node
		err  error
	}
	opened := make(chan result, 1)
	go func() {
		n, err := node.New(config, logger, node.WithVersion(buildVersion()))
		opened <- result{n, err}
	}()
	select {
	case r := <-opened:
		return r.node, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-opened:
		if r.err != nil {
			return nil, r.err
		}
		return nil, r.node.Stop()
	case <-time.After(openPatience):
		logger.Warn("stopped while opening the node")
		return nil, nil
	}
}

// addOverrides reads --set KEY=VALUE.
func addOverrides(settings node.Overrides, list []string) error {
	for _, item := range list {
		key, value, found := strings.Cut(item, "=")
		if !found || key == "" {
			return usagef("--set %s: write KEY=VALUE", item)
		}
		settings[key] = value
	}
	return nil
}
