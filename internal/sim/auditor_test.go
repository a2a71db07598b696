package sim

import (
	"math/big"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
)

// TestAuditorNotices breaks one thing at a time in what the auditor believes, which is to it what a broken
// node would be, and expects the run to end with an error that names it and the seed.
func TestAuditorNotices(t *testing.T) {
	alice := crypto.DevKey("alice").Public().Address()
	usd := assetID(genesis.DevAsset)
	ghost := crypto.Sum([]byte("ghost"))
	for name, c := range map[string]struct {
		breakIt func(*cluster)
		want    string
	}{
		"a balance":  {func(c *cluster) { c.audit.model.add(alice, usd, big.NewInt(1)) }, "account"},
		"a lane":     {func(c *cluster) { c.audit.model.account(alice).lanes[77] = 1 }, "account"},
		"a log":      {func(c *cluster) { c.audit.model.account(alice).logCount++ }, "account"},
		"a log head": {func(c *cluster) { c.audit.model.account(alice).logHead[0]++ }, "account"},
		"a key":      {func(c *cluster) { c.audit.model.account(alice).key = nobody.Public().Bytes }, "tet1"},
		"a supply": {func(c *cluster) {
			a := c.audit.model.assets[usd]
			a.supply = new(big.Int).Add(a.supply, big.NewInt(1))
		}, "asset usd"},
		"an entry": {func(c *cluster) {
			c.audit.model.entries[entryName{alice, "ghost"}] = entry{version: 1, value: []byte("boo")}
		}, "entry ghost"},
		"a validator": {func(c *cluster) {
			for id, v := range c.audit.model.validators {
				v.power++
				c.audit.model.validators[id] = v
			}
		}, "validator"},
		"something acknowledged and forgotten": {func(c *cluster) {
			n := c.nodes[0]
			c.acked[ghost] = []ack{{n, n.life}}
		}, "does not know what became of it"},
		"something decided and forgotten": {func(c *cluster) {
			c.audit.decided[ghost] = verdict{id: ghost, height: 1}
		}, "should say"},
		"a transaction that nobody made": {func(c *cluster) {
			elsewhere := *c.audit
			elsewhere.known = map[crypto.Hash]*tx{}
			c.load.audit = &elsewhere
		}, "made by nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			c2, err := newCluster(Options{Seed: 5, Blocks: 12, Nodes: 2, Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			c2.sabotage = func(cl *cluster) {
				if cl.height() == 12 || cl.height() == 4 && strings.Contains(name, "made") {
					c.breakIt(cl)
				}
			}
			err = c2.run()
			for _, n := range c2.nodes {
				if n.app != nil {
					_ = n.stop()
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the run ends with %v, should name %q", err, c.want)
			}
		})
	}
}

// TestNodesAreCompared: a node that executes something else than the others is caught at once.
func TestNodesAreCompared(t *testing.T) {
	c, err := newCluster(Options{Seed: 5, Nodes: 2, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range c.nodes {
		if err := n.start(nil); err != nil {
			t.Fatal(err)
		}
		defer n.stop()
	}
	b := c.block("node0", [][]byte{c.load.sensible().raw})
	one := &decided{block: b}
	if err := c.nodes[0].apply(one); err != nil {
		t.Fatal(err)
	}
	one.block.Txs = [][]byte{c.load.sensible().raw}
	if err := c.nodes[1].apply(one); err == nil {
		t.Error("two nodes that executed different transactions agree")
	}
}

func TestCompareReceipts(t *testing.T) {
	id := crypto.Sum([]byte("x"))
	good := ledger.Receipt{Txid: id[:], Height: 3, Index: 1, Code: 300, Op: 2}
	want := verdict{id: id, height: 3, index: 1, code: 300, op: 2}
	if err := compareReceipts([]verdict{want}, []ledger.Receipt{good}); err != nil {
		t.Error(err)
	}
	if err := compareReceipts([]verdict{want}, nil); err == nil {
		t.Error("a missing receipt passes")
	}
	for i, change := range []func(*ledger.Receipt){
		func(r *ledger.Receipt) { r.Code = 0 }, func(r *ledger.Receipt) { r.Op = 1 }, func(r *ledger.Receipt) { r.Height++ },
		func(r *ledger.Receipt) { r.Index++ }, func(r *ledger.Receipt) { r.Txid = make([]byte, 32) },
	} {
		bad := good
		change(&bad)
		if err := compareReceipts([]verdict{want}, []ledger.Receipt{bad}); err == nil {
			t.Errorf("change %d passes", i)
		}
	}
}
