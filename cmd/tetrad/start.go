package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/node"
)

func newStart(c *cli) *cobra.Command {
	var withStdin bool
	var overrides []string
	var sync syncFlags
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Run the node of a home until Ctrl-C",
		Long: `Run the node of a home (--home DIR) until SIGINT or SIGTERM; it stops cleanly within seconds. Logs go to
standard error.

Any setting can be overridden for this run: --set consensus.timeout_propose=1s. 'tetrad config show' lists them.

With --state-sync a node without blocks begins from a snapshot of its peers instead of executing all blocks:

  tetrad start --state-sync --rpc http://10.0.0.1:26657,http://10.0.0.2:26657 --trust 5000:3f...e1

--rpc are two or more nodes' CometBFT RPC addresses, from which it learns headers, verified from the block that
--trust names on; 'tetrad status --trust' prints one. A node that has blocks already starts as usual. Keep
data/priv_validator_state.json when you empty a validator's data directory: it says what was signed.`,
		Args: names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings := c.logOverrides()
			if err := sync.into(settings); err != nil {
				return err
			}
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
			return c.runNode(ctx, settings, sync.newState)
		},
	}
	cmd.Flags().StringArrayVar(&overrides, "set", nil, "override one setting, `KEY=VALUE`; may be repeated")
	sync.add(cmd)
	cmd.Flags().BoolVar(&withStdin, "stop-with-stdin", false, "stop when standard input ends")
	_ = cmd.Flags().MarkHidden("stop-with-stdin") // how dev ties its validators to itself
	return cmd
}

// syncFlags say how a node begins from a snapshot.
type syncFlags struct {
	on       bool
	rpc      []string
	trust    string
	newState bool
}

func (s *syncFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&s.on, "state-sync", false, "begin from a snapshot of the peers, if this node has no blocks")
	f.StringSliceVar(&s.rpc, "rpc", nil, "with --state-sync: CometBFT RPC `URL,URL` of two or more nodes")
	f.StringVar(&s.trust, "trust", "", "with --state-sync: `HEIGHT:HASH` of a block you trust, as 'tetrad status --trust' prints it")
	f.BoolVar(&s.newState, "new-validator-state", false, "with --state-sync: the record of what this validator signed is lost; begin a new one")
}

// into makes settings of the flags.
func (s *syncFlags) into(settings node.Overrides) error {
	if !s.on {
		if len(s.rpc) > 0 || s.trust != "" || s.newState {
			return usagef("--rpc, --trust and --new-validator-state go with --state-sync")
		}
		return nil
	}
	if len(s.rpc) < 2 {
		return usagef("--state-sync needs --rpc URL,URL: the CometBFT RPC addresses of two nodes or more (B+1, for example http://10.0.0.1:26657)")
	}
	if s.trust == "" {
		return usagef("--state-sync needs --trust HEIGHT:HASH").next("'tetrad status --trust' prints one; ask somebody you trust, and more than one node")
	}
	height, hash, err := parseTrust(s.trust)
	if err != nil {
		return err
	}
	servers, err := rpcServers(s.rpc)
	if err != nil {
		return err
	}
	settings["statesync.enable"] = "true"
	settings["statesync.rpc_servers"] = strings.Join(servers, ",")
	settings["statesync.trust_height"] = strconv.FormatUint(height, 10)
	settings["statesync.trust_hash"] = hash.String()
	return nil
}

// rpcServers checks addresses of CometBFT's RPC; one without a scheme is http.
func rpcServers(list []string) ([]string, error) {
	servers := make([]string, len(list))
	for i, server := range list {
		if !strings.Contains(server, "://") {
			server = "http://" + server
		}
		u, err := url.Parse(server)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "tcp" {
			return nil, usagef("--rpc %s: write http://HOST:PORT", quote(list[i]))
		}
		servers[i] = server
	}
	return servers, nil
}

// runNode runs a node until the context ends, which is success, or until it fails.
func (c *cli) runNode(ctx context.Context, settings node.Overrides, newState bool) error {
	config, err := node.Load(c.home, settings)
	if err != nil {
		return badConfig(err)
	}
	config.NewValidatorState = newState
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
