package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
)

// Proposal is a block that is not decided. Prepare is given MaxBytes and makes Txs; Process is given the rest.
type Proposal struct {
	Height, TimeMS uint64
	// MaxBytes bounds the transactions as the engine encodes them, tags and lengths included.
	MaxBytes     int64
	Hash         []byte // of the block
	Proposer     []byte // consensus address
	Txs          [][]byte
	Misbehaviour []ledger.Misbehaviour
}

// Prepare fills a block from the pool. With nothing in the pool it waits until Idle has passed since the last
// commit, so that an idle network makes few blocks and the first transaction makes one at once; a proposer
// whose turn comes late, since the one before it is down, does not add its wait to that. It stays within
// MaxBytes and within what can be executed in a block's time, and holds nothing twice, nothing that is in a
// block already, and nothing whose validity has ended.
func (a *App) Prepare(ctx context.Context, p Proposal) ([][]byte, error) {
	idle := time.NewTimer(a.idleLeft())
	defer idle.Stop()
	for {
		made, err := a.pick(p)
		if err != nil {
			return nil, fmt.Errorf("prepare a proposal for height %d: %w", p.Height, err)
		}
		if len(made.inner) == 0 && a.options.Idle >= 0 && a.waitForWork(ctx, idle.C) {
			continue
		}
		a.prepared = made
		a.observer.Proposed(p.Height, len(made.inner), made.bytes)
		return made.txs, nil
	}
}

// idleLeft is how long an empty proposal still has to wait.
func (a *App) idleLeft() time.Duration {
	idle := max(0, a.options.Idle)
	if a.committedAt.IsZero() {
		return idle
	}
	return min(idle, max(0, idle-a.options.Now().Sub(a.committedAt)))
}

// waitForWork reports whether something came into the pool before the time was up.
func (a *App) waitForWork(ctx context.Context, idle <-chan time.Time) bool {
	select {
	case <-a.pool.arrived:
		return true
	case <-idle:
	case <-ctx.Done():
	case <-a.closed:
	}
	return false
}

// smallestTx is less than any transaction takes: with fewer bytes left, a block is full.
const smallestTx = 128

// pick chooses transactions in the order in which they came.
func (a *App) pick(p Proposal) (*block, error) {
	view := a.store().View()
	defer view.Close()
	params, err := paramsOf(view)
	if err != nil {
		return nil, err
	}
	lanes := newLaneOrder(view)
	pack := newPacker(int(min(max(0, p.MaxBytes), math.MaxInt32)), a.options.FrameTxs)
	txsMax := a.pace.txsMax()
	a.pool.each(func(e *entry) bool {
		until := e.tx.ValidUntilMS()
		switch {
		case until != 0 && until <= p.TimeMS:
			return true // gone with the next commit
		case e.tx.Body.Lane == nil:
			if until > p.TimeMS+params.ValidForMaxMS {
				return true // its time has not come
			}
			pack.add(e)
			return pack.count() < txsMax && pack.budget >= smallestTx
		}
		for _, next := range lanes.ready(e) {
			if pack.count() >= txsMax || !pack.add(next) {
				return false // what follows it in its lane must not pass it
			}
		}
		return lanes.err == nil
	})
	if lanes.err != nil {
		return nil, lanes.err
	}
	if len(lanes.past) > 0 {
		a.giveUp(lanes.past)
	}
	return pack.done(), nil
}

// giveUp drops transactions whose place in a lane another one has taken.
func (a *App) giveUp(ids []ledger.TxID) {
	a.expired.add(ids...)
	a.pool.drop(ids)
	a.waiters.tell(nil, nil, ids)
}

func paramsOf(view *store.View) (ledger.Params, error) {
	leaf, err := view.Get(ledger.KeyParams())
	if err != nil {
		return ledger.Params{}, fmt.Errorf("read the parameters: %w", err)
	}
	return ledger.DecodeParams(leaf)
}

// Process judges a proposal. It refuses what is wrong in any state: bytes that do not decode, a frame out of
// bounds, a signature that does not verify, a transaction that stands twice or whose validity has ended by
// the block's own time. Whatever depends on state is settled by receipts, so that an honest proposer is
// never refused for knowing another height. A proposal of our own is accepted without looking into it.
func (a *App) Process(p Proposal) (ok bool, reason string) {
	made := a.prepared
	if !a.isOwn(p) {
		var err error
		if made, err = a.parse(p.Txs, &strict{timeMS: p.TimeMS}); err != nil {
			return false, err.Error()
		}
	}
	a.parsed.keep(p.Hash, made)
	a.speculate(p, made)
	return true, ""
}

// isOwn reports whether a proposal is what Prepare returned last. Nothing is hashed: the engine hands back
// the very slices, which are compared by their addresses first.
func (a *App) isOwn(p Proposal) bool {
	return a.prepared != nil && len(a.options.SelfAddress) > 0 &&
		bytes.Equal(p.Proposer, a.options.SelfAddress) && sameTxs(p.Txs, a.prepared.txs)
}

// sameTxs compares lists of transactions; equal slices cost nothing, since bytes.Equal compares addresses.
func sameTxs(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// strict is how a proposal is judged; it collects what is known of it so far.
type strict struct {
	timeMS uint64
	seen   map[ledger.TxID]struct{}
}

// check refuses a transaction that is wrong in any state.
func (s *strict) check(t *ledger.Transaction) error {
	if s.seen == nil {
		s.seen = map[ledger.TxID]struct{}{}
	}
	if _, twice := s.seen[t.ID]; twice {
		return fmt.Errorf("transaction %s stands in the block twice", t.ID)
	}
	s.seen[t.ID] = struct{}{}
	if until := t.ValidUntilMS(); until != 0 && until <= s.timeMS {
		return fmt.Errorf("transaction %s is valid until %d, the block's time is %d", t.ID, until, s.timeMS)
	}
	if t.Fault != ledger.CodeOK {
		return fmt.Errorf("transaction %s: %w", t.ID, &ledger.Reject{Code: t.Fault})
	}
	return nil
}

var errNoState = errors.New("there is no state yet: the chain was not initialised")
