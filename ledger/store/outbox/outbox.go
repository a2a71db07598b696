package outbox

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// Item is a transaction that waits.
type Item struct {
	ID           ledger.TxID
	Raw          []byte // nil where only the rest was asked for
	ReceivedMS   uint64 // when it was accepted, by this node's clock
	ValidUntilMS uint64
}

// Stats say how full an outbox is.
type Stats struct {
	Txs, Bytes int
	Finals     int
}

// Put accepts transactions. The verdicts are in their order: CodeOK for what is on disk now or was before, and
// otherwise why there is no room. After an error some may have been kept.
func (b *Outbox) Put(nowMS uint64, txs ...*ledger.Transaction) ([]ledger.Code, error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	verdicts, fresh, err := b.choose(txs)
	if err != nil || len(fresh) == 0 {
		return verdicts, err
	}
	err = b.write(len(fresh), func(txn *badger.Txn, i int) error {
		return txn.Set(key(kindWaiting, fresh[i].ID), appendWaiting(nil, nowMS, fresh[i].Raw))
	})
	if err != nil {
		return nil, fmt.Errorf("write to the outbox: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, tx := range fresh {
		b.insert(tx, nowMS)
	}
	return verdicts, nil
}

// choose finds out which transactions are new and have room. The caller holds writing, so the room stays theirs.
func (b *Outbox) choose(txs []*ledger.Transaction) ([]ledger.Code, []*ledger.Transaction, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, nil, errClosed
	}
	verdicts := make([]ledger.Code, len(txs))
	var fresh []*ledger.Transaction
	seen := map[ledger.TxID]ledger.Code{}
	bytes, accounts := b.bytes, map[crypto.Address]int{}
	for i, tx := range txs {
		if b.index[tx.ID] != nil {
			continue
		}
		if code, twice := seen[tx.ID]; twice {
			verdicts[i] = code
			continue
		}
		account := tx.Actor()
		switch {
		case len(b.index)+len(fresh) >= b.options.TxsMax, bytes+len(tx.Raw) > b.options.BytesMax:
			verdicts[i] = ledger.CodeOutboxFull
		case b.held[account]+accounts[account] >= b.options.AccountTxsMax:
			verdicts[i] = ledger.CodeAccountQuota
		default:
			bytes += len(tx.Raw)
			accounts[account]++
			fresh = append(fresh, tx)
		}
		seen[tx.ID] = verdicts[i]
	}
	return verdicts, fresh, nil
}

// insert takes a transaction into the index. It is passed on at once.
func (b *Outbox) insert(tx *ledger.Transaction, receivedMS uint64) {
	w := &waiting{id: tx.ID, account: tx.Actor(), size: len(tx.Raw), receivedMS: receivedMS, untilMS: tx.ValidUntilMS()}
	b.index[w.id] = w
	b.order = append(b.order, w)
	b.bytes += w.size
	b.held[w.account]++
	delete(b.finals, w.id)
}

// remove takes one out.
func (b *Outbox) remove(w *waiting) {
	w.gone = true
	delete(b.index, w.id)
	b.bytes -= w.size
	if b.held[w.account]--; b.held[w.account] == 0 {
		delete(b.held, w.account)
	}
}

// Due lists transactions that are to be passed on now, those that have waited longest first, at most n.
func (b *Outbox) Due(nowMS uint64, n int) ([]Item, error) {
	items := b.due(nowMS, n)
	err := b.db.View(func(txn *badger.Txn) error {
		for i := range items {
			item, err := txn.Get(key(kindWaiting, items[i].ID))
			if errors.Is(err, badger.ErrKeyNotFound) {
				continue // it has just ended
			}
			if err == nil {
				err = item.Value(func(value []byte) error {
					if len(value) < 9 {
						return errFormat
					}
					items[i].Raw = slices.Clone(value[9:])
					return nil
				})
			}
			if err != nil {
				return fmt.Errorf("read transaction %s of the outbox: %w", items[i].ID, err)
			}
		}
		return nil
	})
	return slices.DeleteFunc(items, func(i Item) bool { return i.Raw == nil }), err
}

func (b *Outbox) due(nowMS uint64, n int) (out []Item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.order = slices.DeleteFunc(b.order, func(w *waiting) bool { return w.gone })
	for _, w := range b.order {
		if len(out) == n {
			break
		}
		if w.nextMS <= nowMS {
			out = append(out, Item{ID: w.id, ReceivedMS: w.receivedMS, ValidUntilMS: w.untilMS})
		}
	}
	return out
}

// Tried says that a transaction was passed on, and whether it was taken. It is due again after a while.
func (b *Outbox) Tried(nowMS uint64, id ledger.TxID, taken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.index[id]
	if w == nil {
		return
	}
	if taken {
		w.tries = 0
	}
	w.nextMS = nowMS + pause(w.tries)
	if !taken {
		w.tries++
	}
}

// pause is how long to wait after so many refusals.
func pause(tries int) uint64 {
	if tries > 8 {
		return retryMaxMS
	}
	return min(uint64(retryFirstMS)<<tries, retryMaxMS)
}

// Hurry makes everything due at once: what was in the way is gone.
func (b *Outbox) Hurry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.order {
		w.tries, w.nextMS = 0, 0
	}
}

// Find says how the promise for a transaction stands; false if none was made, or it is forgotten.
func (b *Outbox) Find(id ledger.TxID) (Item, Final, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.index[id]; w != nil {
		return Item{ID: id, ReceivedMS: w.receivedMS, ValidUntilMS: w.untilMS}, Final{ID: id}, true
	}
	final, ok := b.finals[id]
	return Item{ID: id}, final, ok
}

// Stats tell how full the outbox is.
func (b *Outbox) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Stats{Txs: len(b.index), Bytes: b.bytes, Finals: len(b.finals)}
}

// write makes n small changes, in as many transactions as they need. Each is on disk when write returns.
func (b *Outbox) write(n int, change func(txn *badger.Txn, i int) error) error {
	txn := b.db.NewTransaction(true)
	defer func() { txn.Discard() }()
	for i := 0; i < n; i++ {
		err := change(txn, i)
		if errors.Is(err, badger.ErrTxnTooBig) {
			if err = txn.Commit(); err != nil {
				return err
			}
			txn = b.db.NewTransaction(true)
			err = change(txn, i)
		}
		if err != nil {
			return err
		}
	}
	return txn.Commit()
}
