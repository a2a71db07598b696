package node

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store/outbox"
	"github.com/tetradledger/tetrad/rpc"
)

// queueing is one request to take transactions in while this node is cut off. It refuses those that are not to wait,
// and keeps the others on disk before it says so.
type queueing struct {
	n       *Node
	how     string // what the caller wants: rpc.OnPartition...
	state   string
	checker *ledger.Prechecker
	out     []rpc.SubmitResult
	keep    []*ledger.Transaction
	place   []int // of each among the transactions of the request
}

// submitCut takes transactions in where nothing can be committed: each waits in the outbox, or is refused at once.
func (n *Node) submitCut(ctx context.Context, raws [][]byte, state string) []rpc.SubmitResult {
	q := &queueing{n: n, how: rpc.OnPartitionOf(ctx), state: state, out: make([]rpc.SubmitResult, len(raws))}
	closed := ledger.CodeOK
	switch {
	case n.app.DiskLow():
		closed = ledger.CodeDiskLow
	case !n.app.Ready():
		closed = ledger.CodeSyncing
	}
	if closed != ledger.CodeOK {
		for i := range q.out {
			q.out[i].Code = closed
		}
		return q.out
	}
	view := n.app.View()
	defer view.Close()
	var err error
	if q.checker, err = ledger.NewPrechecker(view, max(nowMS(), view.TimeMS())); err != nil {
		n.log.Error("cannot judge transactions by the state", "height", view.Height(), "err", err)
		for i := range q.out {
			q.out[i].Code = ledger.CodeInternal
		}
		return q.out
	}
	for i, raw := range raws {
		if tx := q.judge(&q.out[i], raw); tx != nil {
			q.keep, q.place = append(q.keep, tx), append(q.place, i)
		}
	}
	q.put(ctx)
	return q.out
}

// judge decides what becomes of one transaction, and returns it if it is to be kept.
func (q *queueing) judge(out *rpc.SubmitResult, raw []byte) *ledger.Transaction {
	if len(raw) > ledger.TxBytesMax {
		out.Code = ledger.CodeTooLarge
		return nil
	}
	tx, err := ledger.DecodeTransaction(bytes.Clone(raw)) // not to keep a whole batch in memory
	if err != nil {
		refuse(out, err)
		return nil
	}
	out.TxID = tx.ID
	if err := tx.CheckChain(q.n.doc.ChainID); err != nil {
		refuse(out, err)
		return nil
	}
	fault := q.checker.Check(tx)
	var reject *ledger.Reject
	again := errors.As(fault, &reject) && reject.Code == ledger.CodeDuplicate
	if q.known(out, tx) || !again && !q.mayWait(out, tx) {
		return nil
	}
	if fault != nil {
		refuse(out, fault)
		return nil
	}
	for _, s := range tx.Signed(q.n.doc.Hash()) {
		if !crypto.Verify(s.Type, s.Public, s.Message, s.Signature) {
			out.Code = ledger.CodeBadSignature
			return nil
		}
	}
	return tx
}

// known answers for a transaction that this node has already.
func (q *queueing) known(out *rpc.SubmitResult, tx *ledger.Transaction) bool {
	if item, final, ok := q.n.outbox.Find(tx.ID); ok && final.Status == outbox.Waiting {
		q.queued(out, item)
		out.Known = true
		return true
	}
	outcome, err := q.n.app.Outcome(tx.ID)
	switch {
	case err != nil:
		q.n.log.Error("what became of a transaction cannot be read", "txid", tx.ID, "err", err)
		out.Code = ledger.CodeInternal
	case outcome.Status == app.StatusCommitted, outcome.Status == app.StatusFailed:
		out.Code, out.Known = ledger.CodeDuplicate, true
	case outcome.Status == app.StatusPending && !q.wanted(tx):
		out.Known = true // it was taken in before the network was cut, and may still be committed
	default:
		return false
	}
	return true
}

// mayWait refuses a transaction that is not to wait, or could not be known never to be committed.
func (q *queueing) mayWait(out *rpc.SubmitResult, tx *ledger.Transaction) bool {
	switch {
	case !q.wanted(tx):
		out.Code, out.Detail = ledger.CodeNoQuorum, "this node is cut off: "+q.state+"; nothing was queued"
	case tx.Body.Lane != nil:
		out.Code, out.Detail = ledger.CodeNoQuorum, "this node is cut off: "+q.state+"; a transaction of a lane cannot be queued, since it leaves nothing that could be missed"
	default:
		return true
	}
	return false
}

// wanted tells whether a transaction is to wait. Left to us, it does if it cannot conflict with anything that happens
// meanwhile on the other side.
func (q *queueing) wanted(tx *ledger.Transaction) bool {
	if q.how == rpc.OnPartitionDefault {
		return onlyMerges(tx)
	}
	return q.how == rpc.OnPartitionQueue
}

// merging names the operations that never conflict with any other.
var merging = map[string]bool{"add": true, "set_add": true, "set_remove": true, "write_last": true, "write_multi": true}

// onlyMerges reports whether a transaction holds no other operations. Another one may fail or not, depending on what
// comes before it, and would take the merging ones with it.
func onlyMerges(tx *ledger.Transaction) bool {
	for i := range tx.Body.Ops {
		if !merging[tx.Body.Ops[i].Name()] {
			return false
		}
	}
	return true
}

// put makes the promises: on disk first, then to the pool, so that this side of the cut knows of them at once.
func (q *queueing) put(ctx context.Context) {
	if len(q.keep) == 0 {
		return
	}
	now := nowMS()
	codes, err := q.n.outbox.Put(now, q.keep...)
	if err != nil {
		q.n.log.Error("nothing can be queued", "err", err)
		for _, i := range q.place {
			q.out[i].Code = ledger.CodeInternal
		}
		return
	}
	var items []outbox.Item
	for k, tx := range q.keep {
		out := &q.out[q.place[k]]
		if out.Code = codes[k]; out.Code != ledger.CodeOK {
			continue
		}
		item := outbox.Item{ID: tx.ID, Raw: tx.Raw, ReceivedMS: now, ValidUntilMS: tx.ValidUntilMS()}
		q.queued(out, item)
		items = append(items, item)
	}
	q.n.metrics.outbox.WithLabelValues(outcomeName(outbox.Waiting)).Add(float64(len(items)))
	q.n.offer(items)
}

// queued answers for a transaction that waits in the outbox.
func (q *queueing) queued(out *rpc.SubmitResult, item outbox.Item) {
	out.Queued = &rpc.Queued{Partition: q.state, QueuedAt: rfc3339(item.ReceivedMS), ExpiresAt: rfc3339(item.ValidUntilMS)}
}

func rfc3339(ms uint64) string {
	return time.UnixMilli(int64(min(ms, 1<<53))).UTC().Format(time.RFC3339Nano)
}

// refuse writes a reject into a result; any other error is a fault of this node.
func refuse(out *rpc.SubmitResult, err error) {
	var reject *ledger.Reject
	if !errors.As(err, &reject) {
		out.Code = ledger.CodeInternal
		return
	}
	out.Code, out.Detail, out.Known = reject.Code, reject.Detail, reject.Code == ledger.CodeDuplicate
}

// promised is what the outbox knows of a transaction that the ledger has not decided; false if it knows nothing.
func (n *Node) promised(id crypto.Hash, pooled bool) (rpc.TxStatus, bool) {
	item, final, ok := n.outbox.Find(id)
	status := rpc.TxStatus{TxID: id}
	switch {
	case !ok || final.Status == outbox.Lost:
		return status, false
	case final.Status == outbox.NeverWill:
		status.Status = rpc.StatusNeverWill
	case final.Status != outbox.Waiting:
		return rpc.DecidedStatus(ledger.Receipt{
			Txid: id[:], Height: final.Height, Index: final.Index, Code: final.Code, Op: final.Op,
		}), true
	case pooled && n.reach.partition() == rpc.PartitionOK:
		return status, false // it is on its way like any other
	default:
		status.Status = rpc.StatusQueued
		status.QueuedAt, status.ExpiresAt = rfc3339(item.ReceivedMS), rfc3339(item.ValidUntilMS)
	}
	return status, true
}
