package app

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/tetradledger/tetrad/ledger"
)

// Status is what a node knows of a transaction.
type Status uint8

const (
	StatusUnknown   Status = iota // not here; it may be elsewhere
	StatusPending                 // it waits here for a block
	StatusCommitted               // in a block, and it did what it says
	StatusFailed                  // in a block, and it did nothing
	StatusNeverWill               // in no block, and its validity has ended
)

// String is the status as the API says it.
func (s Status) String() string {
	switch s {
	case StatusPending:
		return "pending"
	case StatusCommitted:
		return "committed"
	case StatusFailed:
		return "failed"
	case StatusNeverWill:
		return "never_will"
	}
	return "unknown"
}

// Decided reports whether the status can no longer change.
func (s Status) Decided() bool { return s >= StatusCommitted }

// Outcome is what became of a transaction. Receipt is there when it is in a block.
type Outcome struct {
	Status  Status
	Receipt ledger.Receipt
}

// final reports whether a receipt decides its transaction for good. A transaction that was refused before its
// operations left no trace: it may be in a later block, with other signatures or at another time, unless what
// refused it can never change.
func final(r *ledger.Receipt) bool {
	code := ledger.Code(r.Code)
	if code == ledger.CodeOK || r.Op > 0 {
		return true
	}
	info := code.Info()
	return info.Class == ledger.ClassReplay && !info.Retryable
}

func outcomeOf(r ledger.Receipt) Outcome {
	switch {
	case r.Code == uint32(ledger.CodeOK):
		return Outcome{StatusCommitted, r}
	case final(&r):
		return Outcome{StatusFailed, r}
	}
	return Outcome{StatusUnknown, r}
}

// Outcome reports what this node knows of a transaction.
func (a *App) Outcome(id ledger.TxID) (Outcome, error) {
	// The pool is asked first: what leaves it in between is in the store by then.
	pooled := a.pool.has(id)
	receipt, found, err := a.store().Receipt(id)
	switch {
	case err != nil:
		return Outcome{}, fmt.Errorf("look up the receipt of %s: %w", id, err)
	case found && final(&receipt):
		return outcomeOf(receipt), nil
	case pooled:
		return Outcome{Status: StatusPending}, nil
	case a.expired.has(id):
		return Outcome{Status: StatusNeverWill}, nil
	case found:
		return outcomeOf(receipt), nil
	}
	return Outcome{}, nil
}

// Receipts are those of a block, in its order; they must not be changed. It fails like ViewAt.
func (a *App) Receipts(height uint64) ([]ledger.Receipt, error) { return a.store().Receipts(height) }

// ErrBusy is returned when more callers wait than a node can serve.
var ErrBusy = errors.New("too many callers are waiting for outcomes")

// Wait returns a transaction's outcome once it is decided, or what is known when ctx ends, with ctx's error.
func (a *App) Wait(ctx context.Context, id ledger.TxID) (Outcome, error) {
	w, ok := a.waiters.join(id)
	if !ok {
		return Outcome{}, ErrBusy
	}
	defer a.waiters.leave(id, w)
	for {
		// Having joined first, we cannot miss the commit between asking and waiting.
		outcome, err := a.Outcome(id)
		if err != nil || outcome.Status.Decided() {
			return outcome, err
		}
		select {
		case decided := <-w.decided:
			return decided, nil
		case <-ctx.Done():
			return outcome, ctx.Err()
		case <-a.closed:
			return outcome, errClosed
		}
	}
}

// waiters are the callers who wait for outcomes.
type waiters struct {
	mu    sync.Mutex
	byID  map[ledger.TxID][]*waiter
	count int
}

// waiter gets at most one outcome, so that whoever tells it never waits.
type waiter struct{ decided chan Outcome }

func (ws *waiters) join(id ledger.TxID) (*waiter, bool) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.count >= waitersMax {
		return nil, false
	}
	ws.count++
	w := &waiter{decided: make(chan Outcome, 1)}
	ws.byID[id] = append(ws.byID[id], w)
	return w, true
}

func (ws *waiters) leave(id ledger.TxID, w *waiter) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.count--
	rest := ws.byID[id]
	for i := range rest {
		if rest[i] == w {
			rest[i] = rest[len(rest)-1]
			ws.byID[id] = rest[:len(rest)-1]
			break
		}
	}
	if len(ws.byID[id]) == 0 {
		delete(ws.byID, id)
	}
}

// tell wakes those who wait for a transaction that is decided: by its receipt, by having been refused in the
// very form in which it waited here, or by its time having passed.
func (ws *waiters) tell(receipts []ledger.Receipt, refused, expired []ledger.TxID) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.count == 0 {
		return
	}
	turnedAway := map[ledger.TxID]bool{}
	for _, id := range refused {
		turnedAway[id] = true
	}
	for i := range receipts {
		id := receipts[i].ID()
		switch {
		case turnedAway[id]:
			ws.tellOne(id, Outcome{StatusFailed, receipts[i]})
		case final(&receipts[i]) && receipts[i].Code != uint32(ledger.CodeDuplicate):
			ws.tellOne(id, outcomeOf(receipts[i]))
		}
	}
	for _, id := range expired {
		ws.tellOne(id, Outcome{Status: StatusNeverWill})
	}
}

func (ws *waiters) tellOne(id ledger.TxID, o Outcome) {
	for _, w := range ws.byID[id] {
		select {
		case w.decided <- o:
		default: // told already, and not gone yet
		}
	}
}
