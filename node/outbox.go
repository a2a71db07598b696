package node

import (
	"context"
	"fmt"
	"time"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
	"github.com/tetradledger/tetrad/ledger/store/outbox"
)

const (
	// passOnEvery is how often the outbox is looked through. What was passed on and is not in a block yet is passed
	// on again every other second; see package outbox.
	passOnEvery = time.Second
	// passOnTxs is how many transactions are passed on in one step: a frame's worth.
	passOnTxs = ledger.FrameTxsMax
	// passOnWait bounds a step, which waits for signatures to be checked.
	passOnWait = 10 * time.Second
)

// openOutbox opens what this node has promised to pass on.
func (n *Node) openOutbox() error {
	dir := n.config.outboxDir()
	var err error
	n.outbox, err = outbox.Open(outbox.Options{Dir: dir, Genesis: n.doc.Hash(), Logger: n.log.With("module", "outbox")})
	if err != nil {
		return fmt.Errorf("%w; to do without what waits there, move %s away", err, dir)
	}
	if waiting := n.outbox.Stats(); waiting.Txs > 0 {
		n.log.Info("transactions wait to be passed on", "txs", waiting.Txs, "bytes", waiting.Bytes)
	}
	return nil
}

// passOn offers what waits in the outbox to the pool again and again, until each transaction is in a block or can no
// longer be in one. A pool forgets with its process; the transaction's id sees to it that it takes effect once.
func (n *Node) passOn() {
	tick := time.NewTicker(passOnEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.running.Done():
			return
		case <-n.reach.turned:
			if !cut(n.reach.partition()) {
				n.outbox.Hurry()
			}
		case <-tick.C:
		}
		if err := n.passOnAll(); err != nil && n.running.Err() == nil {
			n.log.Error("passing on what waits in the outbox failed; it is tried again", "err", err)
		}
	}
}

// passOnAll goes through what is due, and ends early where the pool has no room.
func (n *Node) passOnAll() error {
	if !n.app.Ready() {
		return nil
	}
	if err := n.outbox.Forget(nowMS()); err != nil {
		return err
	}
	for n.running.Err() == nil {
		items, err := n.outbox.Due(nowMS(), passOnTxs)
		if err != nil || len(items) == 0 {
			return err
		}
		items, err = n.settle(items)
		if err != nil {
			return err
		}
		if full := n.offer(items); full {
			return nil
		}
	}
	return nil
}

// settle ends the promise for those that are decided and returns the others.
func (n *Node) settle(items []outbox.Item) (open []outbox.Item, err error) {
	view := n.app.View()
	defer view.Close()
	var finals []outbox.Final
	for _, item := range items {
		final, err := n.final(view, item)
		switch {
		case err != nil:
			return nil, fmt.Errorf("what became of %s: %w", item.ID, err)
		case final.Status == outbox.Waiting:
			open = append(open, item)
		default:
			finals = append(finals, final)
		}
	}
	if err := n.outbox.Settle(nowMS(), finals...); err != nil {
		return nil, err
	}
	for _, f := range finals {
		n.metrics.outbox.WithLabelValues(outcomeName(f.Status)).Inc()
		n.log.Debug("a transaction of the outbox is decided", "txid", f.ID, "outcome", outcomeName(f.Status), "height", f.Height)
	}
	return open, nil
}

// final finds out how a transaction ended, if it did. That its time is over is judged by the time of blocks, never by
// this node's clock: as long as no block carries a later time, another could still hold it.
func (n *Node) final(view *store.View, item outbox.Item) (outbox.Final, error) {
	f := outbox.Final{ID: item.ID}
	outcome, err := n.app.Outcome(item.ID)
	if err != nil {
		return f, err
	}
	switch outcome.Status {
	case app.StatusCommitted, app.StatusFailed:
		return finalOf(f, outcome.Receipt), nil
	case app.StatusNeverWill:
		f.Status = outbox.NeverWill
		return f, nil
	}
	if view.TimeMS() < item.ValidUntilMS {
		return f, nil
	}
	return overdue(view, f, item.ValidUntilMS)
}

// overdue decides a transaction whose time is over by its replay record, or by there being none.
func overdue(view *store.View, f outbox.Final, untilMS uint64) (outbox.Final, error) {
	raw, err := view.Get(ledger.KeyParams())
	if err != nil {
		return f, err
	}
	params, err := ledger.DecodeParams(raw)
	if err != nil {
		return f, err
	}
	bucket := params.Bucket(untilMS)
	if view.TimeMS() >= params.BucketDropMS(bucket) {
		f.Status = outbox.Lost
		return f, nil
	}
	if raw, err = view.Get(ledger.KeyRecord(bucket, f.ID)); err != nil {
		return f, err
	}
	if raw == nil {
		f.Status = outbox.NeverWill
		return f, nil
	}
	record, err := ledger.DecodeRecord(raw)
	if err != nil {
		return f, err
	}
	return finalOf(f, record.Receipt(f.ID)), nil
}

func finalOf(f outbox.Final, r ledger.Receipt) outbox.Final {
	f.Status = outbox.Failed
	if r.Code == uint32(ledger.CodeOK) {
		f.Status = outbox.Committed
	}
	f.Height, f.Index, f.Code, f.Op = r.Height, r.Index, r.Code, r.Op
	return f
}

// offer hands transactions to the pool, and tells whether that had no room for all of them. What it says otherwise is
// not final: a node that is cut off, or is catching up, judges by an old state.
func (n *Node) offer(items []outbox.Item) (full bool) {
	if len(items) == 0 {
		return false
	}
	raws := make([][]byte, len(items))
	for i := range items {
		raws[i] = items[i].Raw
	}
	ctx, cancel := context.WithTimeout(n.running, passOnWait)
	defer cancel()
	for i, a := range n.app.Submit(ctx, raws) {
		switch a.Code {
		case ledger.CodePoolFull, ledger.CodeDiskLow, ledger.CodeSyncing:
			full = true
		default:
			n.outbox.Tried(nowMS(), items[i].ID, a.Code == ledger.CodeOK)
		}
	}
	return full
}

// outcomeName is how a promise ended, as metrics and logs say it.
func outcomeName(s outbox.Status) string {
	switch s {
	case outbox.Waiting:
		return "queued"
	case outbox.Committed:
		return app.StatusCommitted.String()
	case outbox.Failed:
		return app.StatusFailed.String()
	case outbox.NeverWill:
		return app.StatusNeverWill.String()
	}
	return "lost"
}

// nowMS is this machine's clock. The outbox orders and paces by it and decides nothing else.
func nowMS() uint64 { return uint64(max(0, time.Now().UnixMilli())) }
