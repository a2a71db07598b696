package store

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// historyChain is a chain of random transfers, with what every account's history should be, kept as dumbly as
// possible: whoever sends or receives in a transaction that was committed was touched by it.
type historyChain struct {
	*ledgerChain
	rng     *rand.Rand
	names   []string
	logs    map[crypto.Address][]ledger.LogEntry // oldest first
	counts  []map[crypto.Address]int             // by height
	options Options
}

func newHistoryChain(t *testing.T, seed uint64, o Options) *historyChain {
	t.Helper()
	h := &historyChain{
		ledgerChain: newLedgerChain(t, o), rng: rand.New(rand.NewPCG(seed, 7)), logs: map[crypto.Address][]ledger.LogEntry{},
		counts: []map[crypto.Address]int{{}}, options: o, names: []string{"alice", "bob", "treasury"},
	}
	h.options.Genesis = h.doc.Hash()
	for i := range 12 {
		h.names = append(h.names, fmt.Sprintf("payee%d", i))
	}
	return h
}

// grow makes and commits a block of so many transfers, some of which fail.
func (h *historyChain) grow(transfers int) {
	h.t.Helper()
	view := h.store.View()
	height := view.Height() + 1
	var txs []*ledger.Transaction
	for range transfers {
		from, to := h.names[h.rng.IntN(2)], h.names[h.rng.IntN(len(h.names))]
		if h.rng.IntN(3) > 0 {
			from = "alice" // one account is in most transactions
		}
		amount := uint64(1)
		switch h.rng.IntN(8) {
		case 0:
			from, amount = "payee11", 1<<60 // nobody has that much
		case 1:
			from = "payee0"
		}
		if from == to {
			to = "carol"
		}
		txs = append(txs, h.tx(from, height, transferOp(to, "usd", amount)))
		if h.rng.IntN(20) == 0 {
			txs[len(txs)-1].Fault = ledger.CodeBadSignature
		}
	}
	timeMS := uint64(fsckBegin) + height*1000
	out, err := ledger.Execute(view, ledger.Block{Height: height, TimeMS: timeMS, Txs: txs})
	if err != nil {
		h.t.Fatal(err)
	}
	view.Close()
	commitRecord(h.t, h.store, Record{Height: height, TimeMS: timeMS, Changes: out.Changes, Receipts: out.Receipts, Touched: out.Touched})
	for i, tx := range txs {
		if out.Receipts[i].Outcome() != ledger.CodeOK {
			continue
		}
		touched := map[crypto.Address]bool{tx.Actor(): true, crypto.Address(tx.Body.Ops[0].GetTransfer().To): true}
		for account := range touched {
			log := h.logs[account]
			h.logs[account] = append(log, ledger.LogEntry{Seq: uint64(len(log)) + 1, Height: height, TimeMS: timeMS, TxID: tx.ID})
		}
	}
	counts := map[crypto.Address]int{}
	for account, log := range h.logs {
		counts[account] = len(log)
	}
	h.counts = append(h.counts, counts)
}

func (h *historyChain) height() uint64 { return uint64(len(h.counts)) - 1 }

func (h *historyChain) reopen() {
	h.t.Helper()
	if err := h.store.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.store = openStore(h.t, h.options)
}

func (h *historyChain) account() crypto.Address {
	return crypto.DevKey(h.names[h.rng.IntN(len(h.names))]).Public().Address()
}

// check compares a random page at a random readable height with the model. Entries from height least on must be
// there; older ones may be missing, if the page says so.
func (h *historyChain) check(least uint64) {
	h.t.Helper()
	h.store.mu.RLock()
	first := h.store.first()
	h.store.mu.RUnlock()
	height := first + h.rng.Uint64N(h.height()-first+1)
	if h.rng.IntN(2) == 0 {
		height = h.height()
	}
	account, limit, before := h.account(), 1+h.rng.IntN(40), uint64(0)
	log := h.logs[account][:h.counts[height][account]]
	if h.rng.IntN(2) == 0 {
		before = h.rng.Uint64N(uint64(len(log)) + 3)
	}
	h.checkPage(account, height, before, limit, least)
}

func (h *historyChain) checkPage(account crypto.Address, height, before uint64, limit int, least uint64) {
	h.t.Helper()
	view, err := h.store.ViewAt(height)
	if err != nil {
		h.t.Fatal(err)
	}
	defer view.Close()
	page, err := view.History(account, before, limit)
	if err != nil {
		h.t.Fatalf("history of %s at %d before %d: %v", account, height, before, err)
	}
	log := h.logs[account][:h.counts[height][account]]
	where := fmt.Sprintf("history of %s at %d of %d, before %d, limit %d, of %d entries", account, height, h.height(), before, limit, len(log))
	heads := []crypto.Hash{{}}
	for _, e := range log {
		heads = append(heads, ledger.LogHead(heads[len(heads)-1], e.TxID, e.Height))
	}
	if page.Count != uint64(len(log)) || page.Head != heads[len(log)] {
		h.t.Fatalf("%s: count %d, head %s", where, page.Count, page.Head)
	}
	top := len(log)
	if before > 0 {
		top = int(min(uint64(top), before-1))
	}
	want := slices.Clone(log[max(0, top-limit):top])
	slices.Reverse(want)
	if len(page.Entries) > len(want) || len(page.Entries) > 0 && !slices.Equal(page.Entries, want[:len(page.Entries)]) {
		h.t.Fatalf("%s: %v, want %v", where, page.Entries, want)
	}
	if len(page.Entries) > 0 && page.Before != heads[page.Entries[len(page.Entries)-1].Seq-1] {
		h.t.Fatalf("%s: the head before is %s", where, page.Before)
	}
	if len(page.Entries) == len(want) && !page.Pruned {
		return
	}
	if !page.Pruned || page.Entries == nil && page.First.Seq == 0 && len(log) > 0 && log[len(log)-1].Height >= least {
		h.t.Fatalf("%s: %d entries, want %d: %+v", where, len(page.Entries), len(want), page)
	}
	for _, e := range want[len(page.Entries):] {
		if e.Height >= least {
			h.t.Fatalf("%s: entry %d of height %d is missing, heights from %d on are kept", where, e.Seq, e.Height, least)
		}
	}
	if page.First.Seq > 0 && page.First != log[page.First.Seq-1] {
		h.t.Fatalf("%s: the first is %v, want %v", where, page.First, log[page.First.Seq-1])
	}
}

// TestHistoryModel lets random blocks, background work and restarts follow each other, and compares pages of all
// accounts' histories with the model: in change records, in the histories, at old heights, and across them.
func TestHistoryModel(t *testing.T) {
	for name, keep := range map[string]uint64{"all": 0, "some": 40} {
		t.Run(name, func(t *testing.T) {
			o := testOptions(filepath.Join(t.TempDir(), "ledger"))
			o.KeepHistory = keep
			h := newHistoryChain(t, testSeed(t), o)
			heights := uint64(150)
			if testing.Short() {
				heights = 60
			}
			for h.height() < heights {
				least := uint64(1)
				if keep > 0 && h.height() > keep {
					least = h.height() - keep + 1
				}
				switch n := h.rng.IntN(100); {
				case n < 50:
					h.grow(h.rng.IntN(12))
				case n < 52:
					h.grow(historyGroupMax*2 + h.rng.IntN(100))
				case n < 60 && h.height() > 0:
					if err := h.store.FoldOnce(); err != nil {
						t.Fatal(err)
					}
				case n < 64 && h.height() > 0:
					h.reopen()
				case n < 66 && h.height() > 0:
					h.checkFsck()
				case h.height() > 0:
					h.check(least)
				}
			}
			for range 300 {
				h.check(max(heights-min(keep, heights), 0) + 1)
			}
			if err := h.store.FoldOnce(); err != nil {
				t.Fatal(err)
			}
			h.reopen()
			pruned := 0
			for range 300 {
				h.check(max(heights-min(keep, heights), 0) + 1)
			}
			for account, log := range h.logs {
				view := h.store.View()
				page, err := view.History(account, 2, 1)
				view.Close()
				if err != nil || len(page.Entries)+len(log) == 0 {
					t.Fatalf("%v %v", page, err)
				}
				if page.Pruned {
					pruned++
				}
			}
			if (pruned > 0) != (keep > 0) {
				t.Errorf("%d accounts have no first entry, keeping %d heights", pruned, keep)
			}
			h.checkFsck()
			stats := h.store.Stats()
			if stats.Histories != heights+1 || (stats.HistoryFirst > 1) != (keep > 0) {
				t.Errorf("%+v", stats)
			}
		})
	}
}

// TestHistoryHoldsRecords: records that no readable height needs stay until they are in the histories.
func TestHistoryHoldsRecords(t *testing.T) {
	h := newHistoryChain(t, 5, testOptions(filepath.Join(t.TempDir(), "ledger")))
	work := func(steps ...func() error) {
		for _, step := range steps {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
	}
	drop := func() error { _, err := h.store.dropOld(); return err }
	for range 6 {
		for range 10 {
			h.grow(3)
		}
		work(h.store.indexBlocks, h.store.writeFrozen, h.store.foldAll, drop)
	}
	first := h.store.Stats().First
	if first < 10 || h.store.lowest > 1 {
		t.Fatalf("the lowest record is %d, the first height %d", h.store.lowest, first)
	}
	for range 100 {
		h.check(1)
	}
	work(h.store.FoldOnce)
	if h.store.lowest < 10 {
		t.Errorf("the lowest record is %d", h.store.lowest)
	}
	for range 100 {
		h.check(1)
	}
}

// TestHistoryBounds: limits and places at and beyond the ends.
func TestHistoryBounds(t *testing.T) {
	h := newHistoryChain(t, 1, testOptions(filepath.Join(t.TempDir(), "ledger")))
	for range 4 {
		h.grow(historyPageMax / 2)
	}
	alice := crypto.DevKey("alice").Public().Address()
	n := uint64(len(h.logs[alice]))
	if n <= historyPageMax {
		t.Fatalf("alice has %d transactions", n)
	}
	for range 2 {
		for _, limit := range []int{1, historyGroupMax - 1, historyGroupMax, historyGroupMax + 1, historyPageMax} {
			for _, before := range []uint64{0, 1, 2, 3, historyGroupMax, historyGroupMax + 1, historyGroupMax + 2, n, n + 1, n + 2, newest} {
				h.checkPage(alice, h.height(), before, limit, 1)
			}
		}
		view := h.store.View()
		for limit, want := range map[int]int{-1: 0, 0: 0, historyPageMax: historyPageMax, historyPageMax + 1: historyPageMax} {
			if page, err := view.History(alice, 0, limit); err != nil || len(page.Entries) != want {
				t.Errorf("limit %d: %d entries, %v", limit, len(page.Entries), err)
			}
		}
		if page, err := view.History(crypto.Address{1}, 0, 10); err != nil || page.Count != 0 || page.Entries != nil || page.Pruned {
			t.Errorf("nobody: %+v, %v", page, err)
		}
		view.Close()
		if err := h.store.FoldOnce(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHistoryBegins: of the heights that an older program wrote, or of a state that came from elsewhere, there are
// no histories. Everything above is given with its proof, whether it is written or not.
func TestHistoryBegins(t *testing.T) {
	o := testOptions(filepath.Join(t.TempDir(), "ledger"))
	h := newHistoryChain(t, 3, o)
	for h.height() < 30 {
		h.grow(6)
	}
	if err := h.store.FoldOnce(); err != nil {
		t.Fatal(err)
	}
	const base = 22
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	damage(t, o.Dir, func(db *database) { olderBelow(t, db, base) })
	h.store = openStore(t, h.options)
	for range 3 {
		for range 200 {
			h.check(base)
		}
		if first := h.store.Stats().HistoryFirst; first != base {
			t.Fatalf("histories begin at %d", first)
		}
		if err := h.store.FoldOnce(); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			h.grow(3)
		}
	}
	h.reopen()
	for range 100 {
		h.check(base)
	}
}

// TestHistoryOff: a node that keeps no histories drops its records all the same. Once it keeps them again, they
// begin anew, with proof.
func TestHistoryOff(t *testing.T) {
	o := testOptions(filepath.Join(t.TempDir(), "ledger"))
	h := newHistoryChain(t, 4, o)
	phase := func(heights int) {
		for range heights {
			h.grow(4)
			if h.height()%7 == 0 {
				if err := h.store.FoldOnce(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	phase(10)
	h.options.NoHistory = true
	h.reopen()
	phase(50)
	if s := h.store.Stats(); h.store.lowest < 12 || s.Histories < h.height()-7 {
		t.Errorf("the lowest record is %d: %+v", h.store.lowest, s)
	}
	h.options.NoHistory = false
	h.reopen()
	base := h.store.Stats().HistoryFirst
	if base < h.store.lowest || base > h.height()-20 {
		t.Errorf("histories begin at %d, records at %d", base, h.store.lowest)
	}
	for range 3 {
		for range 200 {
			h.check(base)
		}
		phase(9)
	}
	h.checkFsck()
	for range 200 {
		h.check(base)
	}
}

// olderBelow makes a store one whose heights below the base an older program wrote.
func olderBelow(t *testing.T, db *database, base uint64) {
	t.Helper()
	txn := db.at(newest)
	defer txn.discard()
	var keys, values [][]byte
	err := eachKey(txn, []byte{kindHead}, func(item *badger.Item) (bool, error) {
		return true, item.Value(func(value []byte) error {
			e, err := decodeHeadEntry(value)
			if e.Height < base {
				e.Format = FormatFirst
				keys, values = append(keys, item.KeyCopy(nil)), append(values, e.encode())
			}
			return err
		})
	})
	for _, kind := range []byte{kindHistory, kindWritten} {
		if err == nil {
			err = eachKey(txn, []byte{kind}, func(item *badger.Item) (bool, error) {
				keys, values = append(keys, item.KeyCopy(nil)), append(values, nil)
				return true, nil
			})
		}
	}
	if err != nil || len(keys) == 0 {
		t.Fatal(len(keys), err)
	}
	for i, key := range keys {
		if values[i] == nil {
			remove(t, db, key, flatTime(1000))
		} else {
			rewrite(t, db, flatTime(1000), key, values[i])
		}
	}
}

// FuzzHistoryGroup: what decodes is what would be written, and nothing panics.
func FuzzHistoryGroup(f *testing.F) {
	id := crypto.Address{1}
	entries := []ledger.LogEntry{{Seq: 5, Height: 3, TimeMS: 1000, TxID: crypto.Hash{1}}, {Seq: 6, Height: 9, TimeMS: 900, TxID: crypto.Hash{2}}}
	for kind := range byte(5) {
		f.Add(uint64(5), appendGroup(nil, kind, crypto.Hash{9}, entries))
		f.Add(uint64(5), appendGroup(nil, kind, crypto.Hash{9}, nil))
	}
	f.Fuzz(func(t *testing.T, first uint64, value []byte) {
		g, err := decodeGroup(historyKey(id, first), value)
		if err != nil {
			return
		}
		again, err := decodeGroup(historyKey(id, first), appendGroup(nil, value[0], g.head, g.entries))
		if err != nil || !reflect.DeepEqual(again, g) || g.account != id {
			t.Fatalf("%+v, again %+v, %v", g, again, err)
		}
	})
}
