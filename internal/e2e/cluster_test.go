package e2e

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/rpc"
)

// transports are both ways in which CometBFT carries its messages. The whole test runs on each.
var transports = []struct {
	name string
	edit func(t *testing.T) func(home string)
}{
	{"classic", func(*testing.T) func(string) { return nil }},
	{"libp2p", useLibp2p},
}

// TestFaults takes one network of four through the faults that it must survive, and one that it need not.
func TestFaults(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			n := newNetwork(t, 4, transport.edit(t))
			n.start()
			n.untilHeight(1)
			acked := everyNodeTakesWrites(n)
			acked = append(acked, oneIsKilledUnderLoad(n)...)
			acked = append(acked, twoAreDown(n)...)
			acked = append(acked, allAreKilled(n)...)
			n.audit(acked)
			for i := range n.nodes {
				if err := n.terminate(i); err != nil {
					t.Errorf("node%d did not stop cleanly on SIGTERM: %v", i, err)
				}
			}
		})
	}
}

// everyNodeTakesWrites sends payments round robin and looks for each of them on all four.
func everyNodeTakesWrites(n *network) []crypto.Hash {
	n.t.Helper()
	var acked []crypto.Hash
	for i := range 12 {
		tx := n.transfer(funded[i%4], funded[(i+1)%4], uint64(i+1))
		n.mustCommit(tx, i%len(n.nodes))
		acked = append(acked, tx.TxID)
		for j := range n.nodes {
			n.until("the payment is seen on every node", func() bool {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				defer cancel()
				s, err := n.client(j).Tx(ctx, tx.TxID, tx.ValidUntilMS)
				return err == nil && s.Status == rpc.StatusCommitted
			})
		}
	}
	n.audit(acked)
	return acked
}

// oneIsKilledUnderLoad kills one validator while all of them take payments: the rest go on, and the one that
// comes back catches up.
func oneIsKilledUnderLoad(n *network) []crypto.Hash {
	n.t.Helper()
	l := n.startLoad(2)
	l.untilMore(40)
	before := n.height(0)
	n.kill(3)
	l.untilMore(80)
	n.logGaps("with node3 dead", before, n.height(0))
	n.start(3)
	started := time.Now()
	n.until("node3 has caught up", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s, err := n.client(3).Status(ctx)
		return err == nil && !s.CatchingUp && s.Height+3 >= n.height(0)
	})
	n.t.Logf("node3 was back %d ms after its start", time.Since(started).Milliseconds())
	l.untilMore(40)
	acked := l.stop()
	n.audit(acked)
	return acked
}

// logGaps reports the longest time between blocks. It is a measurement, not an assertion.
func (n *network) logGaps(what string, from, to uint64) {
	n.t.Helper()
	var longest, last uint64
	over := 0
	for h := from; h <= to; h++ {
		b := n.block(0, h)
		if last != 0 && b.TimeMS > last {
			longest = max(longest, b.TimeMS-last)
			if b.TimeMS-last > 300 {
				over++
			}
		}
		last = b.TimeMS
	}
	n.t.Logf("%s: longest time between blocks %d ms, %d of %d above 300 ms", what, longest, over, to-from)
}

// twoAreDown takes away more than the network tolerates. Writes must stop with a clear status and reads must
// go on at the last height; nothing may be committed, and all of it goes on when one is back.
func twoAreDown(n *network) []crypto.Hash {
	n.t.Helper()
	n.kill(2, 3)
	// One block may still be decided, with votes that were under way; for another the dead would have to vote.
	stuck := max(n.answers(0), n.answers(1)) + 1
	tx := n.transfer("alice", "bob", 99)
	c := n.client(0, 1)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := c.Submit(ctx, tx.Raw); err != nil {
		var refused *rpc.Error
		if !errors.As(err, &refused) || !refused.Retryable {
			n.t.Errorf("a payment without quorum must be taken in or refused as retryable, not: %v", err)
		}
	}
	short, done := context.WithTimeout(ctx, 3*time.Second)
	defer done()
	if s, err := c.WaitCommitted(short, tx); !errors.Is(err, client.ErrUnknownOutcome) {
		n.t.Errorf("a payment without quorum ended as %+v, %v; want an unknown outcome", s, err)
	}
	n.until("the nodes say that they are cut off", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s, err := n.client(0).Status(ctx)
		return err == nil && s.Partition != rpc.PartitionOK
	})
	if h := max(n.answers(0), n.answers(1)); h > stuck {
		n.t.Errorf("two of four committed height %d", h)
	}
	n.start(2, 3)
	n.untilHeight(stuck + 2)
	n.mustCommit(tx) // the same bytes again: at most once
	return []crypto.Hash{tx.TxID}
}

// allAreKilled ends all four at once under load: what was acknowledged must be there after the restart.
func allAreKilled(n *network) []crypto.Hash {
	n.t.Helper()
	l := n.startLoad(3)
	l.untilMore(60)
	n.kill()
	n.start()
	l.untilMore(20)
	acked := l.stop()
	n.audit(acked)
	return acked
}

func TestSevenValidators(t *testing.T) {
	n := newNetwork(t, 7, nil)
	n.start()
	n.untilHeight(1)
	l := n.startLoad(1)
	l.untilMore(30)
	n.kill(5, 6)
	l.untilMore(30)
	n.start(5, 6)
	n.untilHeight(n.height(0), 5, 6)
	n.audit(l.stop())
}

// useLibp2p switches a home to CometBFT's libp2p transport.
func useLibp2p(t *testing.T) func(home string) {
	return func(home string) {
		replaceInFile(t, filepath.Join(home, "config", "config.toml"), "enabled = false", "enabled = true")
	}
}

// replaceInFile changes one setting; it fails if the setting is not there exactly once.
func replaceInFile(t *testing.T, path, old, new string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(data), old) != 1 {
		t.Fatalf("%s holds %q %d times, want once", path, old, strings.Count(string(data), old))
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), old, new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}
