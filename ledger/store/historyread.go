package store

import (
	"errors"
	"math"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// History returns a page of an account's log as of the view's height, newest first: entries with numbers below
// before, or the newest if that is zero, at most limit of them. It reads what is written in the background and,
// for the newest blocks, the change records.
func (v *View) History(account crypto.Address, before uint64, limit int) (ledger.LogPage, error) {
	leaf, err := v.Get(ledger.KeyAccount(account))
	if err != nil || leaf == nil {
		return ledger.LogPage{}, err
	}
	a, err := ledger.DecodeAccount(leaf)
	if err != nil {
		return ledger.LogPage{}, err
	}
	r := &logReader{s: v.s, id: account, height: v.head.Height, count: a.LogCount}
	page := ledger.LogPage{Count: a.LogCount, Head: a.LogHead}
	top := a.LogCount
	if before > 0 {
		top = min(top, before-1)
	}
	limit = min(limit, historyPageMax)
	if top == 0 || limit <= 0 {
		return page, nil
	}
	return page, r.fill(&page, top, uint64(limit))
}

// logReader reads the log of one account.
type logReader struct {
	s      *Store
	id     crypto.Address
	height uint64 // of the view
	count  uint64 // entries at that height
}

// historyTries bounds how often a page is read again because records that it was being read from were written
// into the history and dropped meanwhile.
const historyTries = 3

// fill reads a page that begins with the entry of number top.
func (r *logReader) fill(page *ledger.LogPage, top, limit uint64) error {
	c, err := r.collect(top, max(top, limit)-limit+1)
	if err != nil {
		return err
	}
	page.Entries, page.Before, page.Pruned = c.page()
	if !page.Pruned {
		return nil
	}
	if n := len(page.Entries); n > 0 {
		page.First = page.Entries[n-1]
		return nil
	}
	page.First, err = r.first()
	return err
}

// collect reads the entries from number top down to low, and what is needed to know the head before them.
func (r *logReader) collect(top, low uint64) (c *logCollector, err error) {
	for range historyTries {
		c = &logCollector{low: low, next: top}
		r.s.mu.RLock()
		from := r.s.histories.from
		r.s.mu.RUnlock()
		err = r.s.read(newest, func(txn *reader) error { return r.segments(txn, from, top, c.take) })
		if err == nil || !errors.Is(err, errMissing) {
			break
		}
	}
	if err == nil && !c.done && c.record > 0 {
		// The histories do not begin with the chain, and the account's first group is not written yet.
		if head, ok, err := r.s.logAt(r.id, c.record-1, c.next); err != nil {
			return nil, err
		} else if ok {
			c.base(c.next, head)
			c.done = true
		}
	}
	return c, err
}

// segments calls fn for stretches of the log, newest first, from the one on that holds number top: those of
// change records from height from on, then the groups that are written.
func (r *logReader) segments(txn *reader, from, top uint64, fn func(g group, record uint64) bool) error {
	written, err := r.written(txn)
	if err != nil {
		return err
	}
	if top > written {
		more, err := r.recent(txn, from, written, fn)
		if err != nil || !more {
			return err
		}
	}
	return eachGroup(txn, r.id, top, func(g group) (bool, error) { return fn(g, 0), nil })
}

// written is the number of the last entry that is written.
func (r *logReader) written(txn *reader) (last uint64, err error) {
	err = eachGroup(txn, r.id, newest, func(g group) (bool, error) {
		last = g.last()
		return false, nil
	})
	return last, err
}

// recent goes through the change records that are not written yet, down to the entry after the last written.
func (r *logReader) recent(txn *reader, from, written uint64, fn func(g group, record uint64) bool) (more bool, err error) {
	heads, err := r.s.heads(txn, from, r.height, math.MaxInt)
	if err != nil {
		return false, err
	}
	key := ledger.KeyAccount(r.id)
	for _, e := range slices.Backward(heads) {
		value, found, err := findChange(txn, e, key)
		if err != nil {
			return false, err
		}
		if !found || value == nil || e.Chunks[sectionTouched] == 0 {
			continue
		}
		a, err := ledger.DecodeAccount(value)
		if err != nil {
			return false, err
		}
		ids, err := touchesOf(txn, e, r.id)
		if err != nil {
			return false, err
		}
		if len(ids) == 0 || uint64(len(ids)) > a.LogCount {
			continue
		}
		g := group{account: r.id, first: a.LogCount - uint64(len(ids)) + 1, head: a.LogHead, known: true}
		for i, id := range ids {
			g.entries = append(g.entries, ledger.LogEntry{Seq: g.first + uint64(i), Height: e.Height, TimeMS: e.TimeMS, TxID: id})
		}
		if !fn(g, e.Height) {
			return false, nil
		}
		if g.first <= written+1 {
			break
		}
	}
	return true, nil
}

// first is the oldest entry that can be given; zero if there is none.
func (r *logReader) first() (ledger.LogEntry, error) {
	known, found := uint64(0), false
	err := r.s.read(newest, func(txn *reader) error {
		return eachKey(txn, historyKey(r.id, 0)[:1+len(r.id)], func(item *badger.Item) (bool, error) {
			return withGroup(item, func(g group) (bool, error) {
				switch {
				case g.first == 1:
					found = true
				case g.known:
					known, found = g.last(), true
				}
				return !found, nil
			})
		})
	})
	if err != nil {
		return ledger.LogEntry{}, err
	}
	top, low := r.count, uint64(1) // nothing is written: what there is, is in few records
	if found {
		if known >= r.count {
			return ledger.LogEntry{}, nil
		}
		top, low = known+1, known+1
	}
	c, err := r.collect(top, low)
	if err != nil {
		return ledger.LogEntry{}, err
	}
	entries, _, _ := c.page()
	if len(entries) == 0 {
		return ledger.LogEntry{}, nil
	}
	return entries[len(entries)-1], nil
}

// logCollector gathers entries from the newest down, until it has those of a page and a head below them.
type logCollector struct {
	low     uint64            // the last entry of the page
	next    uint64            // the next entry wanted; zero: all are there
	entries []ledger.LogEntry // newest first, without gaps
	baseSeq uint64            // the entry behind which the lowest known head is
	head    crypto.Hash       // that head
	known   bool              // there is one
	done    bool              // the page is complete, and its head known
	record  uint64            // the height of the record that the last entries came from; zero: from the history
}

// take takes a segment and reports whether another one is needed.
func (c *logCollector) take(g group, record uint64) bool {
	if g.last() < c.next {
		return false // what is between is not there
	}
	if g.known && g.last() == c.next {
		c.base(c.next, g.head)
		if c.next < c.low {
			c.done = true
			return false
		}
	}
	for _, e := range slices.Backward(g.entries) {
		if e.Seq == c.next && c.next > 0 {
			c.entries = append(c.entries, e)
			c.next--
			c.record = record
		}
	}
	if c.next == 0 {
		c.base(0, crypto.Hash{})
		c.done = true
	}
	return !c.done
}

func (c *logCollector) base(seq uint64, head crypto.Hash) {
	c.baseSeq, c.head, c.known = seq, head, true
}

// page are the entries that are wanted and can be shown to be true: those above a known head.
func (c *logCollector) page() (entries []ledger.LogEntry, before crypto.Hash, pruned bool) {
	if !c.known {
		return nil, crypto.Hash{}, true
	}
	above := func(seq uint64) []ledger.LogEntry {
		n := 0
		for n < len(c.entries) && c.entries[n].Seq > seq {
			n++
		}
		return c.entries[:n]
	}
	if c.baseSeq >= c.low {
		return above(c.baseSeq), c.head, true
	}
	entries = above(c.low - 1)
	below := above(c.baseSeq)[len(entries):]
	return entries, ledger.FoldLog(c.head, below), false
}
