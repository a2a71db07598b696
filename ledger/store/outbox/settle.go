package outbox

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/ledger"
)

// Settle ends the promise for transactions, in one step for each: what waited is gone and how it ended is known, or,
// after a crash, it waits still and is settled again. Those that did not wait are left alone.
func (b *Outbox) Settle(nowMS uint64, finals ...Final) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	known, err := b.known(nowMS, finals)
	if err != nil || len(known) == 0 {
		return err
	}
	err = b.write(2*len(known), func(txn *badger.Txn, i int) error {
		// How it ended goes first: a crash between two transactions of Badger leaves one that waits and has
		// ended, which load takes as waiting.
		if f := known[i/2]; i%2 == 0 {
			return txn.Set(key(kindFinal, f.ID), f.append(nil))
		}
		return txn.Delete(key(kindWaiting, known[i/2].ID))
	})
	if err != nil {
		return fmt.Errorf("settle in the outbox: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range known {
		b.remove(b.index[f.ID])
		b.finals[f.ID] = f
		b.ended = append(b.ended, f)
	}
	return nil
}

// known picks those that wait, once each.
func (b *Outbox) known(nowMS uint64, finals []Final) ([]Final, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errClosed
	}
	seen := map[ledger.TxID]bool{}
	var out []Final
	for _, f := range finals {
		if b.index[f.ID] != nil && !seen[f.ID] {
			seen[f.ID], f.AtMS = true, nowMS
			out = append(out, f)
		}
	}
	return out, nil
}

// Forget drops what is known of transactions that ended long ago, or are more than are kept.
func (b *Outbox) Forget(nowMS uint64) error {
	b.writing.Lock()
	defer b.writing.Unlock()
	old, err := b.old(nowMS)
	if err != nil || len(old) == 0 {
		return err
	}
	err = b.write(len(old), func(txn *badger.Txn, i int) error { return txn.Delete(key(kindFinal, old[i].ID)) })
	if err != nil {
		return fmt.Errorf("forget in the outbox: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = b.ended[len(old):]
	for _, f := range old {
		if b.finals[f.ID] == f {
			delete(b.finals, f.ID)
		}
	}
	return nil
}

func (b *Outbox) old(nowMS uint64) ([]Final, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, errClosed
	}
	n := max(0, len(b.ended)-FinalsMax)
	for n < len(b.ended) && b.ended[n].AtMS+FinalsKeptMS <= nowMS {
		n++
	}
	return b.ended[:n:n], nil
}
