package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// touched checks the lists of touched accounts: one for each receipt, of accounts that the record changes, and
// empty exactly where the transaction did nothing.
func (r *recordCheck) touched(receipts []ledger.Receipt) {
	if r.e.Chunks[sectionTouched] == 0 {
		return
	}
	whole := !r.broken
	accounts := r.accounts()
	tx := 0
	r.chunks(sectionTouched, func(_ uint32, chunk []byte) error {
		return eachTouched(chunk, func(names []byte, width int) error {
			if whole && tx < len(receipts) && (len(names) > 0) != (receipts[tx].Outcome() == ledger.CodeOK) {
				r.f.fault(r.where, "transaction %d touched %d accounts; its receipt says code %s", tx, len(names)/width, receipts[tx].Outcome())
			}
			tx++
			for ; len(names) > 0; names = names[width:] {
				if accounts.find(names[:width]) < 0 && whole {
					return fmt.Errorf("it names account %x, which did not change", names[:width])
				}
			}
			return nil
		})
	})
	if whole && !r.broken && tx != len(receipts) {
		r.f.fault(r.where, "it has %d receipts and %d lists of touched accounts", len(receipts), tx)
	}
}

// accounts lists the accounts that the record changes. What does not decode was said already.
func (r *recordCheck) accounts() *blockTouches {
	b := &blockTouches{}
	for i := range r.e.Chunks[sectionState] {
		_ = readValue(r.f.txn, recordKey(r.e.Height, r.e.Root, sectionState, i), func(chunk []byte) error {
			return eachItem(chunk, func(key, value []byte) error {
				if bytes.HasPrefix(key, []byte{ledger.PrefixAccount}) {
					_ = b.addEnd(key, value)
				}
				return nil
			})
		})
	}
	return b
}

// historyCheck goes through the histories of all accounts and compares them with the heads of their logs.
type historyCheck struct {
	f       *fsck
	mark    historyMark
	recent  map[crypto.Address][]group // of the records that are not written yet, in order of heights
	seen    map[crypto.Address]bool
	account crypto.Address
	seq     uint64      // the last entry of the account so far
	head    crypto.Hash // after it
	known   bool        // the head is
	height  uint64      // of it
}

// checkHistories checks that the entries of every account's history lead to the heads that stand between them and
// to the one in the account's leaf, and that each is a transaction that was committed at that height. What the
// marks say is not kept may be missing.
func (f *fsck) checkHistories() error {
	if len(f.heads) == 0 {
		return nil
	}
	h := &historyCheck{f: f, recent: map[crypto.Address][]group{}, seen: map[crypto.Address]bool{}}
	if err := h.readMarks(); err != nil {
		return err
	}
	if err := h.readRecent(); err != nil {
		return err
	}
	err := eachKey(f.txn, []byte{kindHistory}, func(item *badger.Item) (bool, error) {
		key := item.Key()
		err := item.Value(func(value []byte) error {
			g, err := decodeGroup(key, value)
			if err != nil {
				return err
			}
			kind := value[0]
			if again := appendGroup(nil, kind, g.head, g.entries); !bytes.Equal(again, value) {
				return errors.New("it is not encoded as this version would")
			}
			h.group(g)
			return nil
		})
		if err != nil {
			f.fault(fmt.Sprintf("history key %x", key), "%v", err)
		}
		if f.Counts.History++; f.Counts.History%stepEvery == 0 {
			return true, f.step("histories", f.Counts.History, 0)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	h.finish()
	for id := range h.recent {
		if !h.seen[id] {
			h.begin(id)
			h.finish()
		}
	}
	h.missing()
	return f.step("histories", f.Counts.History, f.Counts.History)
}

// readMarks finds out what is written, as Open does.
func (h *historyCheck) readMarks() error {
	l := &loader{s: &Store{lowest: h.f.heads[0].Height, bounds: []uint64{0}}, txn: h.f.txn}
	if len(h.f.bounds) > 0 {
		l.s.bounds = h.f.bounds
	}
	err := l.readHistories()
	if err == nil {
		if lost := checkSeals(h.f.db, h.f.txn, 0, l.s.histories.marks); lost != nil {
			h.f.fault("seal", "%v", lost)
		}
	}
	h.mark = historyMark{from: l.s.histories.from, base: l.s.histories.base, horizon: l.s.histories.horizon}
	return err
}

// readRecent gathers what the records say that are not written yet. Those that cannot be read were named already.
func (h *historyCheck) readRecent() error {
	for _, e := range h.f.heads {
		if e.Height < h.mark.from {
			continue
		}
		b, err := readTouches(h.f.txn, e)
		if err != nil {
			continue
		}
		lists := map[int][]ledger.LogEntry{}
		for _, t := range b.touches {
			lists[t.account] = append(lists[t.account], ledger.LogEntry{Height: e.Height, TimeMS: e.TimeMS, TxID: b.ids[t.tx]})
		}
		for at, entries := range lists {
			end := b.ends[at]
			g := group{account: end.id, first: end.count - uint64(len(entries)) + 1, entries: entries, head: end.head, known: true}
			h.recent[end.id] = append(h.recent[end.id], g)
		}
		if err := h.f.ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (h *historyCheck) where() string { return fmt.Sprintf("history of account %s", h.account) }

// whole reports whether histories begin with the chain and nothing was dropped.
func (h *historyCheck) whole() bool { return h.mark.base <= 1 && h.mark.horizon == 0 }

func (h *historyCheck) begin(id crypto.Address) {
	h.account, h.seq, h.head, h.known, h.height = id, 0, crypto.Hash{}, true, 0
	h.seen[id] = true
}

// group checks one group that is written. Those of a step that a crash ended say what records say.
func (h *historyCheck) group(g group) {
	if len(g.entries) > 0 && g.entries[0].Height >= h.mark.from {
		return
	}
	if g.account != h.account || len(h.seen) == 0 {
		h.finish()
		h.begin(g.account)
	}
	for _, e := range g.entries {
		h.receipt(e)
	}
	h.follow(g)
}

// follow goes on with a stretch of the log.
func (h *historyCheck) follow(g group) {
	f := h.f
	switch {
	case g.first <= h.seq:
		f.fault(h.where(), "transaction %d is in it twice", g.first)
		return
	case g.first > h.seq+1:
		if h.whole() {
			f.fault(h.where(), "transactions %d to %d are missing", h.seq+1, g.first-1)
		}
		h.known = false
	}
	for _, e := range g.entries {
		if e.Height < h.height {
			f.fault(h.where(), "transaction %d is of height %d, the one before of height %d", e.Seq, e.Height, h.height)
		}
		h.height = e.Height
		h.head = ledger.LogHead(h.head, e.TxID, e.Height)
	}
	h.seq = g.first + uint64(len(g.entries)) - 1
	if !g.known {
		return
	}
	if h.known && h.head != g.head {
		f.fault(h.where(), "transactions up to %d lead to the head %s, it says %s", h.seq, h.head, g.head)
	}
	h.head, h.known = g.head, true
}

// receipt compares an entry with the index of transactions.
func (h *historyCheck) receipt(e ledger.LogEntry) {
	item, err := h.f.txn.of(kindOutcome).Get(txKey(kindOutcome, e.TxID))
	if err != nil {
		h.f.fault(h.where(), "transaction %s, number %d: its receipt cannot be read: %v", e.TxID, e.Seq, err)
		return
	}
	err = item.Value(func(value []byte) error {
		r, err := decodeIndexed(value)
		if err == nil && (r.Outcome() != ledger.CodeOK || r.Height != e.Height) {
			h.f.fault(h.where(), "transaction %s, number %d of height %d: its receipt says code %s at height %d", e.TxID, e.Seq, e.Height, r.Outcome(), r.Height)
		}
		return nil // what does not decode was said already
	})
	if err != nil {
		h.f.fault(h.where(), "transaction %s, number %d: its receipt cannot be read: %v", e.TxID, e.Seq, err)
	}
}

// finish ends an account: what is not written yet follows, and then the log must be the one in the leaf.
func (h *historyCheck) finish() {
	if len(h.seen) == 0 {
		return
	}
	for _, g := range h.recent[h.account] {
		h.follow(g)
	}
	if h.f.rootLost {
		return
	}
	view := h.f.tree.Current()
	defer view.Close()
	var a ledger.Account
	if value, ok := view.Get(ledger.KeyAccount(h.account)); ok {
		var err error
		if a, err = ledger.DecodeAccount(value); err != nil {
			return // said already
		}
	}
	if a.LogCount != h.seq || h.known && a.LogHead != h.head {
		h.f.fault(h.where(), "it ends with transaction %d and the head %s, the account says %d and %s", h.seq, h.head, a.LogCount, a.LogHead)
	}
}

// missing names accounts whose whole history is not there.
func (h *historyCheck) missing() {
	if !h.whole() || h.f.rootLost {
		return
	}
	view := h.f.tree.Current()
	defer view.Close()
	view.Range([32]byte{}, func(key, value []byte) bool {
		if !isAccount(key) || h.seen[crypto.Address(key[1:])] {
			return true
		}
		if a, err := ledger.DecodeAccount(value); err == nil && a.LogCount > 0 {
			h.account = crypto.Address(key[1:])
			h.f.fault(h.where(), "it is missing; the account says it has %d transactions", a.LogCount)
		}
		return h.f.ctx.Err() == nil
	})
}
