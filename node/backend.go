package node

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
	"github.com/tetradledger/tetrad/ledger/store/outbox"
	"github.com/tetradledger/tetrad/rpc"
)

// backend is what the HTTP API talks to: the application for state and transactions, CometBFT for blocks.
type backend struct{ n *Node }

var _ rpc.Backend = backend{}

// Submit hands a client's transactions to the pool. A node that is cut off queues them or refuses them. One that
// is catching up takes none: it would judge them by old state, and nobody would hear of them before it is done.
func (b backend) Submit(ctx context.Context, raws [][]byte) []rpc.SubmitResult {
	if state := b.n.reach.partition(); cut(state) {
		return b.n.submitCut(ctx, raws, state)
	}
	out := make([]rpc.SubmitResult, len(raws))
	if b.n.catchingUp() {
		for i := range out {
			out[i].Code = ledger.CodeSyncing
		}
		return out
	}
	for i, a := range b.n.app.Submit(app.WithClient(ctx, rpc.ClientOf(ctx)), raws) {
		out[i] = rpc.SubmitResult{TxID: a.ID, Code: a.Code, Detail: a.Detail, Known: a.Known}
	}
	return out
}

// Outcome tells what became of a transaction.
func (b backend) Outcome(ctx context.Context, id crypto.Hash, wait bool) (rpc.TxStatus, error) {
	outcome, err := b.outcome(ctx, id, wait)
	switch {
	case errors.Is(err, app.ErrBusy):
		return rpc.TxStatus{}, rpc.NewError(ledger.CodeRateLimited, "Too many callers are waiting at this node.")
	case err != nil && b.n.stopping.Load():
		return rpc.TxStatus{}, rpc.NewError(ledger.CodeUnavailable, "The node is stopping.")
	case err != nil:
		return rpc.TxStatus{}, err
	}
	switch outcome.Status {
	case app.StatusCommitted, app.StatusFailed:
		return rpc.DecidedStatus(outcome.Receipt), nil
	case app.StatusUnknown, app.StatusPending:
		if status, ok := b.n.promised(id, outcome.Status == app.StatusPending); ok {
			return status, nil
		}
	}
	return rpc.TxStatus{TxID: id, Status: outcome.Status.String()}, nil
}

// outcome asks the application, and waits if that is wanted.
func (b backend) outcome(ctx context.Context, id crypto.Hash, wait bool) (app.Outcome, error) {
	if !wait {
		return b.n.app.Outcome(id)
	}
	for {
		outcome, err := b.n.app.Wait(ctx, id)
		if ctx.Err() != nil {
			return outcome, nil // what is known when the time is over is the answer
		}
		if err != nil || outcome.Status != app.StatusFailed {
			return outcome, err
		}
		// A block may have refused the very bytes for now, such as the first one after a cut, whose time may be from
		// before the cut. What the outbox keeps is offered again, so that this is not the end of it.
		now, err := b.n.app.Outcome(id)
		if _, final, kept := b.n.outbox.Find(id); err != nil || now.Status.Decided() || !kept || final.Status != outbox.Waiting {
			return outcome, err
		}
	}
}

// Read opens the state at a height.
func (b backend) Read(ctx context.Context, o rpc.ReadOptions) (rpc.Snapshot, error) {
	if !b.n.app.Ready() {
		return nil, rpc.NewError(ledger.CodeSyncing, "The node has no state yet.")
	}
	if o.MinHeight > 0 {
		if err := b.n.app.WaitHeight(ctx, o.MinHeight); err != nil {
			return nil, rpc.ErrBehind(o.MinHeight, b.n.Height())
		}
	}
	if o.Height == 0 {
		return b.n.app.View(), nil
	}
	view, err := b.n.app.ViewAt(o.Height)
	if err != nil {
		return nil, heightError(o.Height, err)
	}
	return view, nil
}

// Pending opens the newest state, and lists what waits here to be merged into an entry.
func (b backend) Pending(ctx context.Context, name ledger.EntryName, minHeight uint64) (rpc.Snapshot, []*ledger.Transaction, bool, error) {
	if !b.n.app.Ready() {
		return nil, nil, false, rpc.NewError(ledger.CodeSyncing, "The node has no state yet.")
	}
	if minHeight > 0 {
		if err := b.n.app.WaitHeight(ctx, minHeight); err != nil {
			return nil, nil, false, rpc.ErrBehind(minHeight, b.n.Height())
		}
	}
	view, txs, all := b.n.app.Pending(name)
	return view, txs, all, nil
}

// Equivocations are what the pool has seen.
func (b backend) Equivocations(context.Context) ([][2]*ledger.Transaction, error) {
	var out [][2]*ledger.Transaction
	for _, e := range b.n.app.Equivocations() {
		out = append(out, [2]*ledger.Transaction{e.A, e.B})
	}
	return out, nil
}

// heightError tells the caller which heights there are.
func heightError(asked uint64, err error) error {
	var pruned store.ErrPruned
	var future store.ErrFuture
	switch {
	case errors.As(err, &pruned):
		return rpc.ErrPruned(asked, pruned.First)
	case errors.As(err, &future):
		return rpc.ErrFuture(asked, future.Head)
	}
	return fmt.Errorf("open the state at height %d: %w", asked, err)
}

// Simulate executes a transaction on the newest state, alone and for nobody else to see.
func (b backend) Simulate(_ context.Context, raw []byte) (rpc.TxStatus, error) {
	if !b.n.app.Ready() {
		return rpc.TxStatus{}, rpc.NewError(ledger.CodeSyncing, "The node has no state yet.")
	}
	tx, err := ledger.DecodeTransaction(raw)
	if err != nil {
		return rpc.TxStatus{}, err
	}
	if err := tx.CheckChain(b.n.doc.ChainID); err != nil {
		return rpc.TxStatus{}, err
	}
	for _, s := range tx.Signed(b.n.doc.Hash()) {
		if !crypto.Verify(s.Type, s.Public, s.Message, s.Signature) {
			return rpc.TxStatus{}, rpc.NewError(ledger.CodeBadSignature, "")
		}
	}
	view := b.n.app.View()
	defer view.Close()
	now := max(uint64(time.Now().UnixMilli()), view.TimeMS()+1)
	if err := ledger.Precheck(view, tx, now); err != nil {
		return rpc.TxStatus{}, err
	}
	out, err := ledger.Execute(view, ledger.Block{Height: view.Height() + 1, TimeMS: now, Txs: []*ledger.Transaction{tx}})
	if err != nil {
		return rpc.TxStatus{}, fmt.Errorf("simulate %v: %w", tx.ID, err)
	}
	status := rpc.DecidedStatus(out.Receipts[0])
	status.Height, status.Index = 0, 0 // it is in no block
	return status, nil
}

// Block describes a block, and what became of its transactions if asked.
func (b backend) Block(_ context.Context, height uint64, receipts bool) (rpc.Block, error) {
	out, block, err := b.describe(height)
	if err == nil && receipts {
		out.Receipts, err = b.receipts(out.Height, signedTxs(block))
	}
	return out, err
}

// describe reads a block and makes an answer without receipts of it.
func (b backend) describe(height uint64) (rpc.Block, *cmttypes.Block, error) {
	head := b.n.Height()
	if height == 0 {
		height = head
	}
	if height == 0 || height > head {
		return rpc.Block{}, nil, rpc.ErrFuture(height, head)
	}
	blocks := b.n.engine.BlockStore()
	block, meta := blocks.LoadBlock(int64(height)), blocks.LoadBlockMeta(int64(height))
	if block == nil || meta == nil {
		return rpc.Block{}, nil, rpc.ErrPruned(height, b.n.firstBlock())
	}
	out := rpc.Block{
		Height: height, Hash: crypto.Hash(meta.BlockID.Hash), TimeMS: uint64(block.Time.UnixMilli()),
		Time: block.Time.UTC().Format(time.RFC3339Nano), Proposer: hex.EncodeToString(block.ProposerAddress),
		TxCount: len(signedTxs(block)),
	}
	var err error
	out.AppHash, err = b.rootAfter(height)
	return out, block, err
}

// rootAfter is the state's root after a block. It stands in the next header, if there is one.
func (b backend) rootAfter(height uint64) (crypto.Hash, error) {
	if next := b.n.engine.BlockStore().LoadBlockMeta(int64(height) + 1); next != nil && len(next.Header.AppHash) == crypto.HashSize {
		return crypto.Hash(next.Header.AppHash), nil
	}
	view, err := b.n.app.ViewAt(height)
	if err != nil {
		return crypto.Hash{}, heightError(height, err)
	}
	defer view.Close()
	return view.Root(), nil
}

// signedTxs lists the signed transactions of a block, those inside frames included. What is neither a frame nor
// a transaction counts as one, as it does for the ledger; a frame that does not decode holds none.
func signedTxs(block *cmttypes.Block) [][]byte {
	var out [][]byte
	for _, tx := range block.Txs {
		out = append(out, innerTxs(tx)...)
	}
	return out
}

// innerTxs are the signed transactions of one CometBFT transaction. They alias it. A frame that does not decode
// holds none.
func innerTxs(tx []byte) [][]byte {
	if ledger.IsFrame(tx) {
		inner, _ := ledger.DecodeFrame(tx) // no inner ones if it fails, as the ledger has it
		return inner
	}
	return [][]byte{tx}
}

// receipts finds what became of each transaction of a block.
func (b backend) receipts(height uint64, txs [][]byte) ([]rpc.BlockReceipt, error) {
	out := make([]rpc.BlockReceipt, len(txs))
	for i, raw := range txs {
		tx, err := ledger.DecodeTransaction(raw)
		if err != nil {
			var reject *ledger.Reject
			if !errors.As(err, &reject) {
				return nil, err
			}
			tx = ledger.UndecodableTransaction(raw, reject.Code)
		}
		outcome, err := b.n.app.Outcome(tx.ID)
		if err != nil {
			return nil, err
		}
		out[i] = rpc.BlockReceipt{TxID: tx.ID, Code: outcome.Receipt.Code, Op: outcome.Receipt.Op}
		if r := outcome.Receipt; r.Height != height || int(r.Index) != i {
			out[i].Code, out[i].Op = uint32(ledger.CodeDuplicate), 0 // its outcome stands elsewhere
		}
	}
	return out, nil
}
