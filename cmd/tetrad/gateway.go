package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/gateway"
	"github.com/tetradledger/tetrad/node"
)

// gatewayListen is where a gateway listens unless it is told otherwise: below the ports of the first node.
const gatewayListen = "127.0.0.1:26650"

func newGateway(c *cli) *cobra.Command {
	var listen string
	var noHedge bool
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "One address for all nodes, for clients that know only one",
		Long: `Relay the HTTP API over whichever nodes of client.toml or --node are fit, until Ctrl-C. Reads that one node cannot
answer are asked of another, slow ones of a second one beside it; the bytes of a transaction may go to several nodes,
and take effect once. X-Tetrad-Min-Height steers to nodes that have that height. A stream of events goes on when the
node behind it dies. Pages, such as the documentation, are redirected to a node. GET /gateway/backends says how the nodes
are. Logs go to standard error.

A gateway keeps nothing: run two, and list both in client.toml. It is not to be trusted any more than a node: ask with
proof=true, or with 'tetrad query', which verifies.`,
		Example: "  tetrad gateway --listen 127.0.0.1:8080 --policy nearest --region eu\n  tetrad gateway export --format haproxy > haproxy.cfg",
		Args:    names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			nodes, err := c.endpoints()
			if err != nil {
				return err
			}
			r, err := c.routing()
			if err != nil {
				return err
			}
			log, err := c.logger()
			if err != nil {
				return err
			}
			g, err := gateway.New(gateway.Options{
				Nodes: nodes, Policy: r.policy, Region: r.region, StrictRegion: r.strict, NoHedge: noHedge, Logger: log,
			})
			if err != nil {
				return usagef("%s", strings.TrimPrefix(err.Error(), "gateway: "))
			}
			return serveGateway(cmd.Context(), g, listen, nodes, log)
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", gatewayListen, "`HOST:PORT` to listen on")
	addRoutingFlags(f)
	f.BoolVar(&noHedge, "no-hedge", false, "ask no second node beside one that is slow")
	cmd.AddCommand(newGatewayExport(c))
	return cmd
}

// serveGateway runs a gateway until the context ends, which is success.
func serveGateway(ctx context.Context, g *gateway.Gateway, listen string, nodes []string, log *slog.Logger) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", listen, err)
	}
	address, _ := l.Addr().(*net.TCPAddr)
	if address != nil && !address.IP.IsLoopback() {
		log.Warn("the gateway can be reached from other machines: it asks nobody who they are, and it speaks no TLS", "listen", address)
	}
	log.Info("gateway started", "listen", "http://"+l.Addr().String(), "nodes", strings.Join(nodes, ","))
	if err := g.Serve(ctx, l); err != nil {
		return err
	}
	log.Info("gateway stopped")
	return nil
}

func newGatewayExport(c *cli) *cobra.Command {
	var format, listen string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write a configuration of haproxy, nginx or envoy in a gateway's place",
		Long: `Write a complete configuration of another program to standard output: it listens on --listen, spreads requests over
the nodes of client.toml or --node, and leaves nodes that /v1/ready says are not fit. These programs know nothing of
session tokens, and they break streams of events when a node dies, which clients then resume.

Formats: ` + strings.Join(gateway.Formats(), ", ") + `.`,
		Example: "  tetrad gateway export --format haproxy --listen 0.0.0.0:8080 > haproxy.cfg",
		Args:    names(),
		RunE: func(*cobra.Command, []string) error {
			if format == "" {
				return usagef("missing --format").next("one of: %s", strings.Join(gateway.Formats(), ", "))
			}
			nodes, err := c.endpoints()
			if err != nil {
				return err
			}
			if err := gateway.Export(c.out, format, listen, nodes); err != nil {
				return usagef("%v", err)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", "", "`haproxy|nginx|envoy`")
	f.StringVar(&listen, "listen", gatewayListen, "`HOST:PORT` or unix:PATH for the other program to listen on")
	return cmd
}

// logger is for commands that run until they are stopped.
func (c *cli) logger() (*slog.Logger, error) {
	format := c.v.GetString("log-format")
	if format == "" {
		format = "auto"
	}
	log, err := node.NewLogger(c.err, node.LogConfig{Level: c.v.GetString("log-level"), Format: format}, isTerminal(c.err))
	if err != nil {
		return nil, usagef("%v", err)
	}
	return log, nil
}
