package client

import (
	"context"
	"fmt"
	"time"

	"github.com/tetradledger/tetrad/rpc"
)

// waitSlice is how long one node is asked to wait for a transaction before another one is tried: several
// blocks, so that the usual case takes one request, and short enough that a node which is frozen or keeps
// the transaction to itself costs little.
const waitSlice = 2 * time.Second

// waitGrace is how long a node that has waited may take to say so.
const waitGrace = time.Second

// waitPause is between rounds in which no node could be asked at all.
const waitPause = 200 * time.Millisecond

// WaitCommitted waits until a transaction is decided: the status is then committed, failed or never_will. It
// outlives nodes: when one does not answer, the next is asked, and a transaction that is still not decided
// is handed to that one as well, if tx.Raw is there, since the node that took it in may have lost it or be
// keeping it back. When the context ends first, the error is an ErrUnknownOutcome.
func (c *Client) WaitCommitted(ctx context.Context, tx Signed) (rpc.TxStatus, error) {
	last := rpc.TxStatus{TxID: tx.TxID, Status: rpc.StatusUnknown}
	var cause error
	resend := false
	for {
		asked := false
		for _, node := range c.endpoints.order() {
			status, err := c.waitAt(ctx, node, tx, resend)
			resend = true
			switch {
			case err == nil && status.Decided():
				return status, nil
			case ctx.Err() != nil:
				return last, &UnknownOutcomeError{TxID: tx.TxID, Last: cause}
			case err == nil:
				asked, last, cause = true, status, nil
			case refusedForGood(err):
				return last, err
			default:
				cause = err
			}
		}
		if !asked && !pause(ctx, waitPause) {
			return last, &UnknownOutcomeError{TxID: tx.TxID, Last: cause}
		}
	}
}

// waitAt asks one node once. What it says to the transaction being sent again is of no interest: its outcome
// is asked for next.
func (c *Client) waitAt(ctx context.Context, node string, tx Signed, resend bool) (rpc.TxStatus, error) {
	if resend && len(tx.Raw) > 0 {
		if _, err := c.SubmitTo(ctx, node, tx.Raw); neverSent(err) {
			return rpc.TxStatus{}, err
		}
	}
	wait := waitSlice
	if deadline, ok := ctx.Deadline(); ok {
		wait = max(min(wait, time.Until(deadline)), time.Millisecond)
	}
	r := outcomeRequest(tx.TxID, tx.tellUntilMS(), wait)
	r.grace = min(c.timeout, waitGrace)
	var status rpc.TxStatus
	if err := c.ask(ctx, node, r, &status); err != nil {
		return status, err
	}
	if status.TxID != tx.TxID {
		return status, &NodeError{Endpoint: node, Err: fmt.Errorf("it answered for another transaction: %s", status.TxID)}
	}
	return status, nil
}
