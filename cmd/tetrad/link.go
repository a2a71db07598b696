package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/node"
	"github.com/tetradledger/tetrad/rpc"
)

// link is this client home's connection to the network.
type link struct {
	*client.Client
	reads    reader           // answers queries
	verified *client.Verified // nil unless something is to be proven
	strong   *client.Strong   // nil unless validators are asked; then verified is its own
	chain    chainIdentity
	session  *session
}

// connect makes a link. It asks a node for the chain's identity only if client.toml does not have it.
func (c *cli) connect(ctx context.Context, consistency string) (*link, error) {
	home, err := c.loadClientHome()
	if err != nil {
		return nil, err
	}
	l := &link{}
	if l.chain, err = c.identity(ctx); err != nil {
		return nil, err
	}
	l.session = openSession(home, l.chain.genesis.String())
	l.Client, err = c.newClient(consistency, l.session.height())
	l.reads = l.Client
	return l, err
}

// close remembers how far the network was, for the next command's reads.
func (l *link) close() {
	height := l.Token()
	if l.verified != nil {
		height = max(height, l.verified.Client().Token())
	}
	l.session.saw(height)
	l.closeVerified()
}

func (c *cli) newClient(consistency string, minHeight uint64) (*client.Client, error) {
	if consistency == "" {
		consistency = rpc.ConsistencySession
	}
	o, err := c.clientOptions(consistency, minHeight)
	if err != nil {
		return nil, err
	}
	cl, err := client.New(o)
	if err != nil {
		return nil, usagef("%v", err)
	}
	return cl, nil
}

// deadline bounds everything a command asks of nodes by --timeout.
func (c *cli) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.v.GetDuration("timeout"))
}

// httpClient logs every request with --log-level debug; otherwise the client's own is as good.
func (c *cli) httpClient() (*http.Client, error) {
	format := c.v.GetString("log-format")
	if format == "" {
		format = "auto"
	}
	log, err := node.NewLogger(c.err, node.LogConfig{Level: c.v.GetString("log-level"), Format: format}, isTerminal(c.err))
	if err != nil {
		return nil, usagef("%v", err)
	}
	if !log.Enabled(context.Background(), slog.LevelDebug) {
		return nil, nil
	}
	return &http.Client{Transport: &tracedTransport{http.DefaultTransport.(*http.Transport).Clone(), log}}, nil
}

// tracedTransport logs what is asked of nodes, for people who wonder why a command takes so long.
type tracedTransport struct {
	http.RoundTripper
	log *slog.Logger
}

// RoundTrip does the request and logs how it went.
func (t *tracedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	begun := time.Now()
	response, err := t.RoundTripper.RoundTrip(r)
	status := ""
	if response != nil {
		status = response.Status
	}
	t.log.Debug("request", "method", r.Method, "url", r.URL.String(), "took", time.Since(begun), "status", status, "err", err)
	return response, err
}
