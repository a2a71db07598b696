package store

import (
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
)

const (
	// sweepKeysMax bounds the groups looked at in one step of a sweep, some ten milliseconds.
	sweepKeysMax = 16 << 10
	// sweepShare is the share of the kept heights that must have passed before a sweep begins: each looks at all
	// groups, so an entry is looked at that many times before it is dropped.
	sweepShare = 8
)

// sweep drops the groups of old heights. Keys are in order of accounts, so it goes through all of them, some at a
// time. Guarded by tidying.
type sweep struct {
	done    uint64 // the horizon that was swept to the end
	horizon uint64 // of the sweep under way; zero: there is none
	cursor  []byte // where it goes on
}

// nextHorizon is the height below which histories may be dropped, from the next mark on. It moves in large steps.
func (s *Store) nextHorizon(h histories, head uint64) uint64 {
	keep := s.options.KeepHistory
	if keep == KeepAll || head < keep {
		return h.horizon
	}
	if next := head - keep + 1; next >= h.horizon+max(1, keep/sweepShare) {
		return next
	}
	return h.horizon
}

// dropHistories goes on with the sweep that is due. The horizon is durable before anything is dropped; a crash
// leaves some groups below it, which the next sweep drops.
func (s *Store) dropHistories() (more bool, err error) {
	s.mu.RLock()
	h := s.histories
	s.mu.RUnlock()
	w := &s.sweep
	if w.horizon == 0 {
		if h.horizon <= w.done {
			return false, nil
		}
		w.horizon, w.cursor = h.horizon, []byte{kindHistory}
	}
	old, err := s.sweepStep(w)
	if err != nil {
		return false, fmt.Errorf("drop histories below height %d: %w", w.horizon, err)
	}
	for len(old) > 0 {
		n := min(len(old), backgroundKeysMax)
		// At a time after all that any of them was written at.
		if err := s.dropAll("history.drop", flatTime(h.from), old[:n]); err != nil {
			return false, err
		}
		old = old[n:]
	}
	if w.cursor == nil {
		w.done, w.horizon = w.horizon, 0
	}
	return w.horizon > 0, nil
}

// sweepStep lists the groups that go, among some, and moves the cursor; to nil at the end. Of each account the
// newest group below the horizon stays: its head is what the ones above are checked against.
func (s *Store) sweepStep(w *sweep) (old [][]byte, err error) {
	err = s.read(newest, func(txn *reader) error {
		it := txn.of(kindHistory).NewIterator(badger.IteratorOptions{Prefix: []byte{kindHistory}})
		defer it.Close()
		var account crypto.Address
		var kept [][]byte // of the account: the newest group with a head below the horizon, and what follows it
		seen := 0
		for it.Seek(w.cursor); it.Valid(); it.Next() {
			item := it.Item()
			if seen++; seen > sweepKeysMax {
				w.cursor = item.KeyCopy(nil)
				if len(kept) > 0 && crypto.Address(w.cursor[1:33]) == account {
					w.cursor = kept[0] // what becomes of it is decided by what follows
				}
				return nil
			}
			_, err := withGroup(item, func(g group) (bool, error) {
				if g.account != account {
					account, kept = g.account, nil
				}
				switch n := len(g.entries); {
				case n > 0 && g.entries[n-1].Height >= w.horizon:
					kept = nil
				case g.known:
					old = append(old, kept...)
					kept = [][]byte{item.KeyCopy(nil)}
				default:
					kept = append(kept, item.KeyCopy(nil))
				}
				return true, nil
			})
			if err != nil {
				return err
			}
		}
		w.cursor = nil
		return nil
	})
	return old, err
}

func isPruned(err error) bool {
	var pruned ErrPruned
	return errors.As(err, &pruned)
}
