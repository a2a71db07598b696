package app

import (
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
)

// mergeIndex finds pooled transactions by the entries that their merging operations write. The pool's lock guards
// it. Coming and going take constant time for each entry that a transaction names.
type mergeIndex struct {
	byEntry  map[ledger.EntryName]map[*entry]struct{}
	bytes    int
	bytesMax int
	missing  int // transactions that found no room here
}

func newMergeIndex(bytesMax int) mergeIndex {
	return mergeIndex{byEntry: map[ledger.EntryName]map[*entry]struct{}{}, bytesMax: bytesMax}
}

// mergeBytes is about what a name takes in memory: of its key, and of the transaction in its set.
func mergeBytes(names []ledger.EntryName) (n int) {
	for i := range names {
		n += mergeRefBytes + len(names[i].Path)
	}
	return n
}

// insert takes in a transaction that writes the entries, if there is room for all of them.
func (x *mergeIndex) insert(e *entry, names []ledger.EntryName) {
	if len(names) == 0 {
		return
	}
	if n := mergeBytes(names); x.bytes+n > x.bytesMax {
		x.missing++
		e.unlisted = true
		return
	}
	x.bytes += mergeBytes(names)
	e.merges = names
	for _, name := range names {
		pending := x.byEntry[name]
		if pending == nil {
			pending = map[*entry]struct{}{}
			x.byEntry[name] = pending
		}
		pending[e] = struct{}{}
	}
}

func (x *mergeIndex) remove(e *entry) {
	if e.unlisted {
		x.missing--
		return
	}
	x.bytes -= mergeBytes(e.merges)
	for _, name := range e.merges {
		pending := x.byEntry[name]
		if delete(pending, e); len(pending) == 0 {
			delete(x.byEntry, name)
		}
	}
}

// pending lists the pooled transactions that write an entry and whose validity has not ended, in no order. It is
// false if there may be others, which found no room in the index.
func (p *pool) pending(name ledger.EntryName, nowMS uint64) (txs []*ledger.Transaction, all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	nowMS = max(nowMS, p.timeMS)
	of := p.merges.byEntry[name]
	txs = make([]*ledger.Transaction, 0, len(of))
	for e := range of {
		if until := e.tx.ValidUntilMS(); until == 0 || until > nowMS {
			txs = append(txs, e.tx)
		}
	}
	return txs, p.merges.missing == 0
}

// Pending is the newest committed state, which the caller closes, and the transactions with merging operations on an
// entry that wait here for a block, in no order; all says whether they are all that wait here. The state holds
// whatever has left the pool for a block. Where block time stands still, a validity ends by this node's clock:
// another node would not take the transaction any more.
func (a *App) Pending(name ledger.EntryName) (view *store.View, txs []*ledger.Transaction, all bool) {
	// The pool is asked first: what leaves it in between is in the state by then.
	txs, all = a.pool.pending(name, uint64(max(0, a.options.Now().UnixMilli())))
	return a.store().View(), txs, all
}
