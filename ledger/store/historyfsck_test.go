package store

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
)

// TestFsckHistories: a history with anything changed, missing or added in it is found, with checksums that hold.
func TestFsckHistories(t *testing.T) {
	whole, c := build(t)
	if n := runFsck(t, whole, c.doc.Hash()).Counts.History; n < 10 {
		t.Fatalf("%d groups were read", n)
	}
	bob := crypto.DevKey("bob").Public().Address()
	prefix := historyKey(bob, 0)[:33]
	change := func(t *testing.T, db *database, n int, fn func(g *group)) {
		key, value, time := pick(t, db, prefix, n)
		g, err := decodeGroup(key, value)
		if err != nil {
			t.Fatal(err)
		}
		fn(&g)
		rewrite(t, db, time+1, key, appendGroup(nil, value[0], g.head, g.entries))
	}
	for name, one := range map[string]struct {
		harm func(t *testing.T, db *database)
		what string
	}{
		"another transaction": {func(t *testing.T, db *database) {
			change(t, db, 1, func(g *group) { g.entries[1].TxID[3] ^= 1 })
		}, "its receipt cannot be read"},
		"transactions in another order": {func(t *testing.T, db *database) {
			change(t, db, 1, func(g *group) { g.entries[0].TxID, g.entries[1].TxID = g.entries[1].TxID, g.entries[0].TxID })
		}, "lead to the head"},
		"another height": {func(t *testing.T, db *database) {
			change(t, db, 1, func(g *group) { g.entries[0].Height-- })
		}, "its receipt says code"},
		"another head": {func(t *testing.T, db *database) {
			change(t, db, 0, func(g *group) { g.head[0] ^= 1 })
		}, "it says"},
		"the last transaction left out": {func(t *testing.T, db *database) {
			change(t, db, 1, func(g *group) { g.entries = g.entries[:len(g.entries)-1] })
		}, "are missing"},
		"a group left out": {func(t *testing.T, db *database) {
			key, _, time := pick(t, db, prefix, 1)
			remove(t, db, key, time+1)
		}, "are missing"},
		"a transaction too many": {func(t *testing.T, db *database) {
			change(t, db, 1, func(g *group) { g.entries = append(g.entries, g.entries[len(g.entries)-1]) })
		}, "is in it twice"},
		"a group that does not decode": {func(t *testing.T, db *database) {
			key, _, time := pick(t, db, prefix, 1)
			rewrite(t, db, time+1, key, []byte{9})
		}, "is of kind 9"},
		"a whole history left out": {func(t *testing.T, db *database) {
			id := crypto.DevKey("treasury").Public().Address()
			for n := len(keysUnder(t, db, historyKey(id, 0)[:33])); n > 0; n-- {
				key, _, time := pick(t, db, historyKey(id, 0)[:33], 0)
				remove(t, db, key, time+1)
			}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "ledger")
			copyDir(t, whole, dir)
			damage(t, dir, func(db *database) { one.harm(t, db) })
			report := runFsck(t, dir, c.doc.Hash())
			found := slices.ContainsFunc(report.Faults, func(f Fault) bool {
				return strings.HasPrefix(f.Where, "history ") && strings.Contains(f.What, one.what)
			})
			if !found {
				t.Errorf("no fault of a history says %q: %v", one.what, report.Faults)
			}
		})
	}
}

func remove(t *testing.T, db *database, key []byte, time uint64) {
	t.Helper()
	txn := db.of(key[0]).NewTransactionAt(newest, true)
	if err := errors.Join(txn.Delete(key), txn.CommitAt(time, nil)); err != nil {
		t.Fatal(err)
	}
}

func keysUnder(t *testing.T, db *database, prefix []byte) (keys [][]byte) {
	t.Helper()
	txn := db.at(newest)
	defer txn.discard()
	err := eachKey(txn, prefix, func(item *badger.Item) (bool, error) {
		keys = append(keys, item.KeyCopy(nil))
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// checkFsck compares a closed store with itself.
func (h *historyChain) checkFsck() {
	h.t.Helper()
	if err := h.store.Close(); err != nil {
		h.t.Fatal(err)
	}
	report := runFsck(h.t, h.options.Dir, h.doc.Hash())
	if len(report.Faults) > 0 {
		h.t.Errorf("%d groups, faults %v", report.Counts.History, report.Faults[:min(len(report.Faults), 5)])
	}
	h.store = openStore(h.t, h.options)
}
