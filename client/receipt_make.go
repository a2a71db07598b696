package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// receiptPause is between two attempts to prove an outcome that is in a block whose header is yet to come.
const receiptPause = 50 * time.Millisecond

// errPruned is what a node says that no longer keeps what a proof would need.
var errPruned = rpc.NewError(ledger.CodePruned, "")

// Receipt makes the receipt of a transaction whose outcome can be proven now; otherwise the error is an
// ErrUndecided. With tx.Raw the receipt holds the transaction's body, which never_will cannot be proven
// without. The receipt was verified before it is returned.
func (v *Verified) Receipt(ctx context.Context, tx Signed) (*Receipt, error) {
	var body []byte
	if len(tx.Raw) > 0 {
		t, err := ledger.DecodeTransaction(tx.Raw)
		if err != nil {
			return nil, fmt.Errorf("read the transaction: %w", err)
		}
		if t.ID != tx.TxID {
			return nil, fmt.Errorf("the bytes are those of the transaction %s, not of %s", t.ID, tx.TxID)
		}
		body = t.Tx.Body
		tx.ValidUntilMS, tx.InLane = t.ValidUntilMS(), t.Body.Lane != nil
	} else {
		tx.ValidUntilMS = 0 // without the body, nobody could check it
	}
	status, p, node, err := v.outcome(ctx, tx)
	if err != nil {
		return nil, err
	}
	r := &Receipt{
		Format: receiptFormat, TxID: tx.TxID, Status: status.Status, Code: status.Code, Body: body, Height: p.height, Proof: p.used,
	}
	if r.Lineage, err = v.light.lineage(ctx, node, r.Height+1); err != nil {
		return nil, err
	}
	data, err := r.Encode()
	if err == nil {
		_, err = VerifyReceipt(data, v.light.genesisHash, v.now())
	}
	if err != nil {
		return nil, fmt.Errorf("check the new receipt: %w", err)
	}
	return r, nil
}

// WaitReceipt waits until a transaction's outcome can be proven, and makes the receipt. When the context ends
// first, the error is an ErrUnknownOutcome.
func (v *Verified) WaitReceipt(ctx context.Context, tx Signed) (*Receipt, error) {
	return awaitProof(ctx, v, tx, v.Receipt)
}

// WaitOutcome waits until a transaction's outcome can be proven, and checks the proof. When the context ends
// first, the error is an ErrUnknownOutcome.
func (v *Verified) WaitOutcome(ctx context.Context, tx Signed) (rpc.TxStatus, error) {
	return awaitProof(ctx, v, tx, v.Outcome)
}

// awaitProof waits until a node says that the transaction is decided, and then until it can prove that.
func awaitProof[T any](ctx context.Context, v *Verified, tx Signed, try func(context.Context, Signed) (T, error)) (T, error) {
	var nothing T
	if _, err := v.client.WaitCommitted(ctx, tx); err != nil {
		return nothing, err
	}
	for {
		out, err := try(ctx, tx)
		if err == nil || errors.Is(err, ErrLie) || errors.Is(err, errPruned) {
			return out, err
		}
		var refused *rpc.Error
		later := errors.As(err, &refused) && refused.Retryable
		if !later && !errors.Is(err, ErrUndecided) && !errors.Is(err, ErrNoNode) {
			return nothing, err
		}
		if !pause(ctx, receiptPause) {
			return nothing, &UnknownOutcomeError{TxID: tx.TxID, Last: err}
		}
	}
}
