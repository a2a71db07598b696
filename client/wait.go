package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tetradledger/tetrad/client/balance"
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

// waitBeside is after how long a second node is asked beside the first, and handed the transaction: about three
// blocks of an idle network, in which an honest node would have had it in one.
const waitBeside = time.Second

// WaitCommitted waits until a transaction is decided: the status is then committed, failed or never_will. It
// outlives nodes: when one does not answer, the next is asked, and a transaction that is not decided soon is
// handed to others as well, if tx.Raw is there, to so many that one of them is honest, since the node that took
// it in may have lost it or be keeping it back. When the context ends first, the error is an ErrUnknownOutcome, and the
// status says what was known last, such as queued.
func (c *Client) WaitCommitted(ctx context.Context, tx Signed) (rpc.TxStatus, error) {
	w := waiting{c: c, tx: tx, last: rpc.TxStatus{TxID: tx.TxID, Status: rpc.StatusUnknown}}
	for {
		w.mu.Lock()
		w.answered = false
		w.mu.Unlock()
		status, _, err := balance.Read(ctx, c.endpoints.Balancer, balance.Want{Patience: waitBeside}, w.ask)
		w.mu.Lock()
		last, cause, answered := w.last, w.cause, w.answered
		w.mu.Unlock()
		switch {
		case err == nil:
			return status, nil
		case ctx.Err() == nil && refusedForGood(err):
			return last, err
		case ctx.Err() != nil, !answered && !pause(ctx, waitPause):
			return last, &UnknownOutcomeError{TxID: tx.TxID, Last: cause}
		}
	}
}

// waiting is what came of waiting so far. Two nodes may be asked at the same time.
type waiting struct {
	c  *Client
	tx Signed

	mu       sync.Mutex // guards everything below
	asked    []string   // nodes, again and again
	answered bool       // in this round, if only that it is not decided
	last     rpc.TxStatus
	cause    error // of the last answer, if it was none
}

// errOpen says that a transaction is not decided yet.
var errOpen = errors.New("it is not decided yet")

// ask asks one node, and hands it the transaction if another was asked before.
func (w *waiting) ask(ctx context.Context, node string) (rpc.TxStatus, bool, error) {
	w.mu.Lock()
	w.asked = append(w.asked, node)
	asked := slices.Clone(w.asked)
	w.mu.Unlock()
	if len(asked) == 2 {
		w.c.spread(ctx, w.tx, asked)
	}
	status, err := w.c.waitAt(ctx, node, w.tx, len(asked) > 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil && status.Decided():
		return status, false, nil
	case err == nil:
		w.answered, w.cause = true, nil
		if tells(status) >= tells(w.last) || tells(status) == 1 {
			w.last = status // one that does not know it does not take back what another knows
		}
		return status, true, errOpen
	case ctx.Err() == nil:
		w.cause = err
	}
	return status, !refusedForGood(err), err
}

// spread hands a transaction to other nodes, so that with the two that have it or get it next they are one more
// than may be faulty. What they say to it is of no interest.
func (c *Client) spread(ctx context.Context, tx Signed, have []string) {
	if len(tx.Raw) == 0 {
		return
	}
	more := (len(c.Endpoints())-1)/3 + 1 - len(have)
	for _, node := range c.endpoints.order(ctx) { // those that are fit come first
		if more <= 0 {
			return
		}
		if !slices.Contains(have, node) {
			more--
			go func() { _, _ = c.SubmitTo(ctx, node, tx.Raw) }()
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
