package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// auditWait is how long a node may take to have the block that the audit is about.
const auditWait = 10 * time.Second

// books are what accounts have of one asset, and how much of it there is, after one height.
type books struct {
	height   uint64
	supply   ledger.Amount
	balances []ledger.Amount
}

// readBooks reads all accounts, some at a time, from all nodes in turn.
func readBooks(ctx context.Context, c *Client, keys []crypto.PrivateKey, code string, scale uint8) (*books, error) {
	asset, err := c.Asset(ctx, code, ReadOptions{})
	if err != nil {
		return nil, err
	}
	b := &books{height: asset.Height, balances: make([]ledger.Amount, len(keys))}
	if b.supply, err = ledger.ParseAmount(asset.Supply, scale); err != nil {
		return nil, err
	}
	const readers = 16
	faults := make([]error, readers)
	var reading sync.WaitGroup
	for reader := range readers {
		reading.Go(func() {
			for i := reader; i < len(keys); i += readers {
				if faults[reader] = b.read(ctx, c, i, keys[i].Public().Address(), code, scale); faults[reader] != nil {
					return
				}
			}
		})
	}
	reading.Wait()
	return b, errors.Join(faults...)
}

func (b *books) read(ctx context.Context, c *Client, i int, id crypto.Address, code string, scale uint8) error {
	balance, err := c.Balance(ctx, id.String(), code, ReadOptions{})
	if err != nil {
		return err
	}
	b.balances[i], err = ledger.ParseAmount(balance.Amount, scale)
	return err
}

// audit checks the ledger against what the run did, and returns ok or what is wrong.
func (b *bench) audit(ctx context.Context) string {
	b.o.Progress(BenchProgress{Phase: BenchAudit})
	for _, check := range []func(context.Context) error{b.auditReceipts, b.auditNodes, b.auditBooks} {
		if err := check(ctx); err != nil {
			return err.Error()
		}
	}
	b.o.Progress(BenchProgress{Phase: BenchAudit, Done: 1})
	return "ok"
}

// auditReceipts: what was accepted has exactly one receipt, what was refused or never sent has none.
func (b *bench) auditReceipts(context.Context) error {
	var lost, twice, unasked int
	for batch := range b.load.batches {
		l := &b.load.batches[batch]
		from, to := b.load.span(batch)
		for i := from; i < to; i++ {
			n := b.follow.receipts[i]
			switch {
			case n > 1:
				twice++
			case l.sentAt.Load() == 0:
				unasked += int(n)
			case n == 0 && !l.refused[i-from] && !l.unsure:
				lost++
			}
		}
	}
	if lost > 0 || twice > 0 || unasked > 0 {
		return fmt.Errorf("%d accepted transfers have no receipt, %d have more than one, %d were never sent and have one", lost, twice, unasked)
	}
	return nil
}

// auditNodes: all nodes that answer have the same state after the same block.
func (b *bench) auditNodes(ctx context.Context) error {
	height := b.follow.next - 1
	hashes := map[crypto.Hash][]string{}
	for _, node := range b.client.Endpoints() {
		block, err := b.client.BlockAt(ctx, node, height, ReceiptsNone, auditWait)
		if neverSent(err) || errors.Is(err, errNoAnswer) {
			continue // a node that is down is behind, not wrong
		}
		if err != nil {
			return fmt.Errorf("%s cannot be asked for block %d: %w", node, height, err)
		}
		hashes[block.AppHash] = append(hashes[block.AppHash], node)
	}
	if len(hashes) == 0 {
		return fmt.Errorf("no node can be asked for block %d", height)
	}
	if len(hashes) == 1 {
		return nil
	}
	var parts []string
	for hash, nodes := range hashes {
		parts = append(parts, fmt.Sprintf("%s has %s", strings.Join(nodes, ", "), hash))
	}
	return fmt.Errorf("nodes differ after block %d: %s", height, strings.Join(parts, "; "))
}

// auditBooks: every account has what it had, plus what it got, minus what it paid, to the smallest unit; and
// the supply is what it was.
func (b *bench) auditBooks(ctx context.Context) error {
	after, err := readBooks(ctx, b.client, b.o.Keys, b.o.Asset, b.scale)
	if err != nil {
		return fmt.Errorf("the accounts cannot be read: %w", err)
	}
	if after.supply != b.before.supply {
		return fmt.Errorf("the supply was %s and is %s", b.before.supply.Format(b.scale), after.supply.Format(b.scale))
	}
	got, paid := make([]ledger.Amount, len(after.balances)), make([]ledger.Amount, len(after.balances))
	for i, done := range b.follow.done {
		if done {
			got[b.load.payee(i)], _ = got[b.load.payee(i)].Add(b.amount)
			paid[b.load.payer(i)], _ = paid[b.load.payer(i)].Add(b.amount)
		}
	}
	wrong := 0
	var example string
	for i := range after.balances {
		should, _ := b.before.balances[i].Add(got[i])
		has, _ := after.balances[i].Add(paid[i])
		if should != has {
			wrong++
			example = fmt.Sprintf("%s had %s, got %s, paid %s and has %s", b.load.ids[i], b.before.balances[i].Format(b.scale),
				got[i].Format(b.scale), paid[i].Format(b.scale), after.balances[i].Format(b.scale))
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d accounts do not have what they should, such as: %s", wrong, example)
	}
	return nil
}
