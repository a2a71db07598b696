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

// auditAccountsMax bounds the accounts whose balances are read before and after a run. Of more, a sample is
// read: the first ones, which a skewed load uses most, and others at equal distances.
const (
	auditAccountsMax   = 10_000
	auditAccountsFirst = 1_000
)

// auditSample lists the accounts whose balances are audited, in order.
func auditSample(accounts int) []int {
	n := min(accounts, auditAccountsMax)
	list := make([]int, n)
	for k := range list {
		list[k] = k
		if accounts > auditAccountsMax && k >= auditAccountsFirst {
			list[k] = auditAccountsFirst + (k-auditAccountsFirst)*(accounts-auditAccountsFirst)/(n-auditAccountsFirst)
		}
	}
	return list
}

// books are what accounts have of one asset, and how much of it there is, after one height.
type books struct {
	height   uint64
	supply   ledger.Amount
	accounts []int // their numbers in the load, rising
	balances []ledger.Amount
}

// readBooks reads the audited accounts, some at a time, from all nodes in turn.
func (b *bench) readBooks(ctx context.Context) (*books, error) {
	asset, err := b.client.Asset(ctx, b.o.Asset, ReadOptions{})
	if err != nil {
		return nil, err
	}
	read := &books{height: asset.Height, accounts: auditSample(b.o.Accounts)}
	read.balances = make([]ledger.Amount, len(read.accounts))
	if read.supply, err = ledger.ParseAmount(asset.Supply, b.scale); err != nil {
		return nil, err
	}
	const readers = 16
	faults := make([]error, readers)
	var reading sync.WaitGroup
	for reader := range readers {
		reading.Go(func() {
			for k := reader; k < len(read.accounts) && faults[reader] == nil; k += readers {
				faults[reader] = b.readBalance(ctx, read, k)
			}
		})
	}
	reading.Wait()
	return read, errors.Join(faults...)
}

func (b *bench) readBalance(ctx context.Context, into *books, k int) error {
	id := b.load.accounts.at(into.accounts[k]).address
	balance, err := b.client.Balance(ctx, id.String(), b.o.Asset, ReadOptions{})
	if err != nil {
		return err
	}
	into.balances[k], err = ledger.ParseAmount(balance.Amount, b.scale)
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

// auditReceipts: what was accepted has exactly one receipt, and what was never sent has none.
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
	b.lost = lost
	if lost > 0 || twice > 0 || unasked > 0 {
		return fmt.Errorf("%d accepted transactions have no receipt, %d have more than one, %d were never sent and have one", lost, twice, unasked)
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

// auditBooks: every audited account has what it had, plus what it got, minus what it paid, to the smallest
// unit; and the supply is what it was.
func (b *bench) auditBooks(ctx context.Context) error {
	after, err := b.readBooks(ctx)
	if err != nil {
		return fmt.Errorf("the accounts cannot be read: %w", err)
	}
	if after.supply != b.before.supply {
		return fmt.Errorf("the supply was %s and is %s", b.before.supply.Format(b.scale), after.supply.Format(b.scale))
	}
	got, paid := b.movements()
	wrong := 0
	var example string
	for k, account := range after.accounts {
		should, _ := b.before.balances[k].Add(got[k])
		has, _ := after.balances[k].Add(paid[k])
		if should != has {
			wrong++
			example = fmt.Sprintf("%s had %s, got %s, paid %s and has %s", b.load.accounts.at(account).address,
				b.before.balances[k].Format(b.scale), got[k].Format(b.scale), paid[k].Format(b.scale), after.balances[k].Format(b.scale))
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d accounts do not have what they should, such as: %s", wrong, example)
	}
	return nil
}

// movements adds up what the audited accounts got and paid in the transactions that took effect.
func (b *bench) movements() (got, paid []ledger.Amount) {
	place := make(map[int]int, len(b.before.accounts))
	for k, account := range b.before.accounts {
		place[account] = k
	}
	got, paid = make([]ledger.Amount, len(place)), make([]ledger.Amount, len(place))
	for i, done := range b.follow.done {
		if !done {
			continue
		}
		payer, audited := place[b.load.payer(i)]
		for t := range b.load.perTx {
			if k, ok := place[b.load.payee(i, t)]; ok {
				got[k], _ = got[k].Add(b.amount)
			}
			if audited {
				paid[payer], _ = paid[payer].Add(b.amount)
			}
		}
	}
	return got, paid
}
