package e2e

import (
	"context"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// funded are the accounts that `tetrad testnet` gives a million each.
var funded = []string{"alice", "bob", "carol", "dave"}

// audit compares what all the given validators hold, block by block, and checks what must always be true:
// one app hash per height, supply equal to the sum of balances, and every acknowledged transaction committed
// in exactly one block. It returns the height up to which it looked.
func (n *network) audit(acknowledged []crypto.Hash, indexes ...int) uint64 {
	n.t.Helper()
	nodes := n.pick(indexes)
	top := uint64(0)
	for _, p := range nodes {
		top = max(top, n.answers(p.index))
	}
	n.untilHeight(top, indexes...)

	seen := map[crypto.Hash]uint64{}
	for h := uint64(1); h <= top; h++ {
		var first rpc.Block
		for i, p := range nodes {
			b := n.block(p.index, h)
			if i == 0 {
				first = b
				for _, r := range b.Receipts {
					if at, twice := seen[r.TxID]; twice && r.Code == 0 && at != 0 {
						n.t.Errorf("transaction %s is committed at height %d and again at %d", r.TxID, at, h)
					}
					if r.Code == 0 {
						seen[r.TxID] = h
					}
				}
			} else if b.AppHash != first.AppHash || b.Hash != first.Hash {
				n.t.Fatalf("fork at height %d: node%d has block %s and app hash %s, node%d has %s and %s",
					h, nodes[0].index, first.Hash, first.AppHash, p.index, b.Hash, b.AppHash)
			}
		}
	}
	lost := 0
	for _, id := range acknowledged {
		if seen[id] == 0 {
			lost++
			n.t.Errorf("transaction %s was acknowledged as committed and is in no block", id)
		}
	}
	for _, p := range nodes {
		n.auditSupply(p.index)
	}
	n.t.Logf("audited %d blocks on %d nodes: %d transactions committed, %d acknowledged, %d lost",
		top, len(nodes), len(seen), len(acknowledged), lost)
	return top
}

// block reads a block with its receipts from one validator.
func (n *network) block(i int, height uint64) rpc.Block {
	n.t.Helper()
	c := n.client(i)
	var b rpc.Block
	n.ask(fmt.Sprintf("block %d of node%d", height, i), func(ctx context.Context) (err error) {
		b, err = c.Block(ctx, height, client.ReceiptsList)
		return err
	})
	return b
}

// answers is validator i's height, for which it waits.
func (n *network) answers(i int) (height uint64) {
	n.t.Helper()
	n.until(fmt.Sprintf("node%d answers", i), func() bool { height = n.height(i); return height > 0 })
	return height
}

// auditSupply checks on one validator, at one height, that the asset's supply is what its holders have.
func (n *network) auditSupply(i int) {
	n.t.Helper()
	c := n.client(i)
	height := n.answers(i)
	var asset rpc.Asset
	n.ask(fmt.Sprintf("asset usd of node%d", i), func(ctx context.Context) (err error) {
		asset, err = c.Asset(ctx, "usd", client.ReadOptions{Height: height})
		return err
	})
	sum := new(big.Rat)
	for _, name := range append([]string{"treasury"}, funded...) {
		var b rpc.Balance
		n.ask(fmt.Sprintf("balance of %s at node%d", name, i), func(ctx context.Context) (err error) {
			b, err = c.Balance(ctx, address(name).String(), "usd", client.ReadOptions{Height: height})
			return err
		})
		sum.Add(sum, decimal(n, b.Amount))
	}
	if supply := decimal(n, asset.Supply); supply.Cmp(sum) != 0 {
		n.t.Errorf("node%d at height %d: the supply is %s and the holders have %s", i, height, asset.Supply, sum.FloatString(2))
	}
}

func decimal(n *network, text string) *big.Rat {
	n.t.Helper()
	v, ok := new(big.Rat).SetString(text)
	if !ok || strings.HasPrefix(text, "-") {
		n.t.Fatalf("%q is not an amount", text)
	}
	return v
}

// address is the account of one of the fixed keys of a dev network.
func address(name string) crypto.Address { return crypto.DevKey(name).Public().Address() }

// transfer signs a payment between two of the funded accounts, in cents.
func (n *network) transfer(from, to string, cents uint64) client.Signed {
	n.t.Helper()
	tx, err := client.NewTx(n.chainID, n.genesis, address(from)).
		Transfer(address(to), "usd", amount(cents)).
		ValidFor(5 * time.Minute).
		Sign(crypto.DevKey(from))
	if err != nil {
		n.t.Fatalf("sign a transfer: %v", err)
	}
	return tx
}

// mustCommit submits a transaction through the given validators and waits until it is committed. The same
// bytes may be sent again and again.
func (n *network) mustCommit(tx client.Signed, indexes ...int) (status rpc.TxStatus) {
	n.t.Helper()
	c := n.client(indexes...)
	n.ask(fmt.Sprintf("commit %s at %v", tx.TxID, indexes), func(ctx context.Context) (err error) {
		if _, err = c.Submit(ctx, tx.Raw); err == nil {
			status, err = c.WaitCommitted(ctx, tx)
		}
		return err
	})
	if status.Status != rpc.StatusCommitted {
		n.t.Fatalf("%s at %v ended as %+v", tx.TxID, indexes, status)
	}
	return status
}

func amount(cents uint64) ledger.Amount { return ledger.Amount{Lo: cents} }
