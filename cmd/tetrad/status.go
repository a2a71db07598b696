package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// nodeDocument is one node in the output of status.
type nodeDocument struct {
	Endpoint string `json:"endpoint,omitempty"`
	*rpc.Status
	Error string `json:"error,omitempty"`
}

func newStatus(c *cli) *cobra.Command {
	var all, watch, trust bool
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Heights, app hashes, lag and peers of one or all nodes",
		Long: `Heights, app hashes, lag and peers of one or all nodes. With --watch it is printed again and again, until
Ctrl-C; -o json then prints one document per line.`,
		Args: names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every < 100*time.Millisecond {
				return usagef("--every must be at least 100ms, not %s", every)
			}
			cl, err := c.newClient(rpc.ConsistencyEventual, 0)
			if err != nil {
				return err
			}
			if trust {
				return c.printTrust(cmd.Context(), cl)
			}
			if watch {
				return c.watchStatus(cmd.Context(), cl, all, every)
			}
			return c.printStatus(cmd.Context(), cl, all)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&all, "all", false, "ask all nodes of client.toml or --node; one that does not answer has an error")
	f.BoolVar(&trust, "trust", false, "print HEIGHT:HASH of a recent block that all nodes agree on, for 'tetrad start --state-sync'")
	f.BoolVarP(&watch, "watch", "w", false, "print again and again")
	f.DurationVar(&every, "every", time.Second, "how often with --watch")
	return cmd
}

func (c *cli) printStatus(ctx context.Context, cl *client.Client, all bool) error {
	nodes, err := c.askStatus(ctx, cl, all)
	if err != nil {
		return err
	}
	if all {
		return c.show(nodes, func(w io.Writer) { writeNodes(w, nodes) })
	}
	return c.show(nodes[0], func(w io.Writer) { writeNode(w, *nodes[0].Status) })
}

// askStatus asks the first node that answers, or all. It is an error if none does.
func (c *cli) askStatus(ctx context.Context, cl *client.Client, all bool) ([]nodeDocument, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	if !all {
		status, err := cl.Status(ctx)
		return []nodeDocument{{Status: &status}}, err
	}
	var documents []nodeDocument
	none := &client.NoNodeError{}
	for _, n := range cl.StatusAll(ctx) {
		d := nodeDocument{Endpoint: n.Endpoint, Status: &n.Status}
		if n.Err != nil {
			d.Status, d.Error = nil, statusError(n)
			none.Attempts = append(none.Attempts, &client.NodeError{Endpoint: n.Endpoint, Err: errors.New(d.Error)})
		}
		documents = append(documents, d)
	}
	if len(none.Attempts) == len(documents) {
		return nil, none
	}
	return documents, nil
}

// statusError is why a node has no status, without its address, which stands beside it.
func statusError(n client.NodeStatus) string {
	var silent *client.NodeError
	if errors.As(n.Err, &silent) {
		return silent.Err.Error()
	}
	return n.Err.Error()
}

func (c *cli) watchStatus(ctx context.Context, cl *client.Client, all bool, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		nodes, err := c.askStatus(ctx, cl, all)
		if ctx.Err() != nil {
			return nil // stopping is how watching ends
		}
		if err := c.printWatched(nodes, err, all); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// printWatched prints one look. Nodes that are down are what watching is for, so they do not end it.
func (c *cli) printWatched(nodes []nodeDocument, err error, all bool) error {
	if c.output == "json" {
		if err != nil {
			return c.writeLine(map[string]errorBody{"error": classify(err).body()})
		}
		if all {
			return c.writeLine(nodes)
		}
		return c.writeLine(nodes[0])
	}
	if isTerminal(c.out) {
		fmt.Fprint(c.out, "\x1b[H\x1b[2J") // cursor home, clear
	}
	if err != nil {
		fmt.Fprintln(c.out, classify(err).message)
		return nil
	}
	writeNodes(c.out, nodes)
	fmt.Fprintln(c.out)
	return nil
}

func writeNode(w io.Writer, s rpc.Status) {
	state := "up to date"
	if s.CatchingUp {
		state = fmt.Sprintf("catching up, %d blocks behind", s.Lag)
	}
	fields(w, "node", s.Node, "chain id", s.ChainID, "genesis hash", s.GenesisHash.String(),
		"height", fmt.Sprint(s.Height), "first height", firstHeights(s), "app hash", s.AppHash.String(),
		"last block", age(time.Duration(s.BlockAgeMS)*time.Millisecond)+" ago", "state", state,
		"partition", s.Partition, "power", powerText(s), "peers", fmt.Sprint(s.Peers), "app plane peers", fmt.Sprint(s.PlanePeers), "attests", attestsText(s), "validators", fmt.Sprint(s.Validators),
		"waiting", fmt.Sprintf("%d transactions", s.PoolTxs), "memory", bytesText(s.RSSBytes), "version", s.Version)
}

// attestsText says whether a node takes part in strong reads, and if not, why.
func attestsText(s rpc.Status) string {
	if s.NotAttesting != "" {
		return "no: " + s.NotAttesting
	}
	return "yes"
}

// stateText is what is not well with a node, or ok.
func stateText(s rpc.Status) string {
	var all []string
	if s.CatchingUp {
		all = append(all, "catching up")
	}
	if s.NotAttesting != "" {
		all = append(all, "attests nothing: "+s.NotAttesting)
	}
	return cmp.Or(strings.Join(all, "; "), "ok")
}

// powerText is the voting power a node hears from, of all there is.
func powerText(s rpc.Status) string { return fmt.Sprintf("%d of %d", s.Reachable, s.TotalPower) }

// firstHeights says how far back a node answers.
func firstHeights(s rpc.Status) string {
	text := fmt.Sprintf("%d, blocks from %d", s.FirstHeight, s.FirstBlock)
	if s.Snapshot > 0 {
		text += fmt.Sprintf(", snapshot at %d", s.Snapshot)
	}
	return text
}

// writeNodes is the table of all nodes; lag is counted from the highest of them.
func writeNodes(w io.Writer, nodes []nodeDocument) {
	top := uint64(0)
	for _, n := range nodes {
		if n.Status != nil {
			top = max(top, n.Status.Height)
		}
	}
	g := newGrid("node", "height", "lag", "app hash", "last block", "peers", "plane", "power", "partition", "queued", "state").right(1, 2, 4, 5, 6, 7, 9)
	for _, n := range nodes {
		if n.Status == nil {
			g.add(n.Endpoint, "-", "-", "-", "-", "-", "-", "-", "-", "-", n.Error)
			continue
		}
		s := n.Status
		g.add(s.Node, fmt.Sprint(s.Height), fmt.Sprint(top-s.Height), short(s.AppHash.String()),
			age(time.Duration(s.BlockAgeMS)*time.Millisecond), fmt.Sprint(s.Peers), fmt.Sprint(s.PlanePeers), powerText(*s), s.Partition,
			fmt.Sprint(s.OutboxTxs), stateText(*s))
	}
	g.write(w)
}

// codeText says a result code the way tables do.
func codeText(code uint32) string {
	if code == 0 {
		return "committed"
	}
	return fmt.Sprintf("failed: %s", ledger.Code(code))
}
