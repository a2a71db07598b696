package client

import (
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// TestSessionReadsOutrunFrozenNodes: a session read asks a node to wait for a height. That every node has the height already
// must not let a frozen one keep a read for as long as a wait may take.
func TestSessionReadsOutrunFrozenNodes(t *testing.T) {
	n := newNetwork(t, 4)
	n.Seal()
	c := n.client(t, Options{Policy: balance.RoundRobin})
	alice := rpctest.Address("alice").String()
	read := func() time.Duration {
		begun := time.Now()
		if _, err := c.Balance(within(t, soon), alice, "usd", ReadOptions{}); err != nil {
			t.Fatal(err)
		}
		return time.Since(begun)
	}
	for range 2 * len(n.servers) {
		read()
	}
	for _, b := range c.Backends() {
		if b.Latency == 0 {
			t.Errorf("nothing was learned of the latency of %s", b.Node)
		}
	}
	// Of as many reads as there are nodes, one begins at the frozen one, unless that is known to be frozen. The whole is
	// tried again in case that the machine is what is slow.
	least := time.Duration(0)
	for range 3 {
		n.servers[2].fails(hang)
		longest := time.Duration(0)
		for range n.servers {
			longest = max(longest, read())
		}
		if least == 0 || longest < least {
			least = longest
		}
		n.servers[2].recovers()
		c.endpoints.answered(n.servers[2].URL) // it gets its turn again
	}
	if least >= readWait {
		t.Errorf("reads beside a frozen node took %v", least)
	}
}

// TestConfirmedHeights: a height that no more nodes than may lie have shown may be false, so that those who do not have it
// are not thought less of.
func TestConfirmedHeights(t *testing.T) {
	n := newNetwork(t, 4)
	c := n.client(t, Options{Policy: balance.RoundRobin})
	c.session.saw(n.servers[0].URL, 1)
	if c.session.confirmed(1) {
		t.Error("one node's word is enough")
	}
	c.session.saw(n.servers[1].URL, 2)
	if !c.session.confirmed(1) || c.session.confirmed(2) {
		t.Error("two of four have shown height 1, and one of them height 2")
	}
}
