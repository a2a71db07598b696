package store

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

func runFsck(t *testing.T, dir string, want crypto.Hash) *FsckReport {
	t.Helper()
	before := listing(t, dir)
	report, err := Fsck(context.Background(), FsckOptions{Dir: dir, Scratch: t.TempDir(), Genesis: want})
	if err != nil {
		t.Fatal(err)
	}
	if after := listing(t, dir); after != before {
		t.Errorf("the check changed the store: before\n%safter\n%s", before, after)
	}
	return report
}

// listing names all files of a directory with their times and contents.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(&out, "%s %d %s %s\n", relativeTo(dir, path), info.Size(), info.ModTime(), crypto.Sum(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestFsckClean: a store in order has no fault, closed or left by a crash, folded or not, and with heights
// dropped; and everything in it was looked at.
func TestFsckClean(t *testing.T) {
	dir, c := build(t)
	report := runFsck(t, dir, c.doc.Hash())
	if len(report.Faults) > 0 {
		t.Fatalf("faults: %v", report.Faults)
	}
	if report.Head.Height != fsckHeight || report.First == 0 || len(report.Heads) == 0 {
		t.Errorf("head %d, first %d, %d heads", report.Head.Height, report.First, len(report.Heads))
	}
	n := report.Counts
	if n.Roots != fsckHeight-report.First+1 || n.Records < n.Roots || n.Tables == 0 || n.Leaves == 0 || n.FlatKeys <= n.Leaves ||
		n.Replay == 0 || n.Buckets < 3 || n.Receipts < 7*n.Roots || n.Index < 6*30 {
		t.Errorf("counts: %+v", n)
	}
	// A process killed while Badger makes its files leaves empty ones.
	for _, name := range []string{"00099.mem", "000099.vlog"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if again := runFsck(t, dir, c.doc.Hash()); len(again.Faults) > 0 || again.Counts != n {
		t.Errorf("with empty logs: %+v", again)
	}
	if other := runFsck(t, dir, crypto.Hash{1}); len(other.Faults) == 0 || !strings.Contains(other.Faults[0].What, "belongs to the chain of genesis") {
		t.Errorf("another genesis: %v", other.Faults)
	}
}

// TestFsckYoung: nothing at all, genesis alone, the first blocks, never folded; and a copy of an open store,
// which is what a crash leaves.
func TestFsckYoung(t *testing.T) {
	base := t.TempDir()
	o := fsckOptions(filepath.Join(base, "ledger"))
	c := newLedgerChain(t, o)
	for h := range 4 {
		dir := filepath.Join(base, fmt.Sprint(h))
		copyDir(t, o.Dir, dir)
		report := runFsck(t, dir, c.doc.Hash())
		if len(report.Faults) > 0 || report.Head.Height != uint64(h) || h > 0 && report.Counts.Roots != uint64(h)+1 {
			t.Errorf("height %d: %+v", h, report)
		}
		c.block()
	}
	if report := runFsck(t, t.TempDir(), c.doc.Hash()); len(report.Faults) > 0 || len(report.Heads) > 0 {
		t.Errorf("an empty directory: %+v", report)
	}
	if _, err := Fsck(context.Background(), FsckOptions{Dir: filepath.Join(base, "nothing")}); err == nil {
		t.Error("no directory is no error")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Fsck(ctx, FsckOptions{Dir: o.Dir, Scratch: base}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// damage opens the databases of a store and changes them behind the store's back: checksums hold afterwards.
func damage(t *testing.T, dir string, fn func(db *database)) {
	t.Helper()
	o := fsckOptions(dir).withDefaults()
	db, err := openDatabase(o)
	if err != nil {
		t.Fatal(err)
	}
	fn(db)
	if err := db.close(); err != nil {
		t.Fatal(err)
	}
}

// rewrite writes another value for a key at a time.
func rewrite(t *testing.T, db *database, time uint64, key, value []byte) {
	t.Helper()
	rewriteIn(t, db.of(key[0]), time, key, value)
}

func rewriteIn(t *testing.T, db *badger.DB, time uint64, key, value []byte) {
	t.Helper()
	txn := db.NewTransactionAt(newest, true)
	defer txn.Discard()
	if err := txn.Set(key, value); err != nil {
		t.Fatal(err)
	}
	if err := txn.CommitAt(time, nil); err != nil {
		t.Fatal(err)
	}
}

// pick finds a key under a prefix and returns it with its value and time; n counts from the last.
func pick(t *testing.T, db *database, prefix []byte, n int) (key, value []byte, time uint64) {
	t.Helper()
	txn := db.at(newest)
	defer txn.discard()
	var keys [][]byte
	err := eachKey(txn, prefix, func(item *badger.Item) (bool, error) {
		keys = append(keys, item.KeyCopy(nil))
		return true, nil
	})
	if err != nil || len(keys) <= n {
		t.Fatalf("%d keys under %x (%v)", len(keys), prefix, err)
	}
	key = keys[len(keys)-1-n]
	item, err := txn.of(key[0]).Get(key)
	if err != nil {
		t.Fatal(err)
	}
	if value, err = item.ValueCopy(nil); err != nil {
		t.Fatal(err)
	}
	return key, value, item.Version()
}

func flipped(value []byte, at int) []byte {
	out := bytes.Clone(value)
	out[(at+len(out))%len(out)] ^= 1
	return out
}

// TestFsckFindsDamage: one value changed in each kind of place, with checksums that hold. The fault must name
// the place.
func TestFsckFindsDamage(t *testing.T) {
	whole, c := build(t)
	bob := crypto.DevKey("bob").Public().Address()
	state := func(height uint64) []byte { return append(heightKey(kindRecord, height), []byte{}...) }
	for name, one := range map[string]struct {
		harm func(db *database) (named string)
		what string
	}{
		"a flat value": {func(db *database) string {
			key, value, time := pick(t, db, flatKey(ledger.KeyAccount(bob)), 0)
			rewrite(t, db, time, key, flipped(value, -1))
			return fmt.Sprintf("flat key %x at height %d", key[1:], flatHeight(time))
		}, "the change records say"},
		"a flat value of the lowest height": {func(db *database) string {
			key, value, time := pick(t, db, flatKey([]byte{ledger.PrefixValidator}), 0)
			rewrite(t, db, time, key, append(value, 0))
			return hex.EncodeToString(key[1:])
		}, "bytes left over"},
		"a flat key too many": {func(db *database) string {
			key := ledger.KeyAccount(crypto.Address{5})
			account := ledger.Account{}
			rewrite(t, db, flatTime(fsckHeight-10), flatKey(key), account.Append(nil))
			return hex.EncodeToString(key)
		}, "there is no such key"},
		"a change in a record": {func(db *database) string {
			key, value, _ := pick(t, db, state(fsckHeight), 3)
			at := bytes.Index(value, ledger.KeyAccount(bob))
			rewrite(t, db, dropTime, key, flipped(value, at+33+30))
			return fmt.Sprintf("height %d", fsckHeight)
		}, "the root of the state is"},
		"a leaf in a record": {func(db *database) string {
			key, value, _ := pick(t, db, state(fsckHeight-2), 3)
			at := bytes.Index(value, ledger.KeyAccount(bob))
			rewrite(t, db, dropTime, key, flipped(value, at+33+2)) // behind its length: the leaf's version
			return fmt.Sprintf("change record %d", fsckHeight-2)
		}, hex.EncodeToString(ledger.KeyAccount(bob))},
		"a replay record": {func(db *database) string {
			key, value, _ := pick(t, db, state(fsckHeight), 2)
			rewrite(t, db, dropTime, key, flipped(value, -1))
			return fmt.Sprintf("change record %d", fsckHeight)
		}, "does not say what its receipt says"},
		"a receipt": {func(db *database) string {
			key, value, _ := pick(t, db, state(fsckHeight), 1)
			rewrite(t, db, dropTime, key, flipped(value, 10))
			return fmt.Sprintf("change record %d", fsckHeight)
		}, ""},
		"a chunk that is gone": {func(db *database) string {
			key, _, _ := pick(t, db, state(fsckHeight-5), 1)
			remove(t, db, key, dropTime)
			return fmt.Sprintf("change record %d, receipt chunk 0", fsckHeight-5)
		}, "it is missing"},
		"a head's root": {func(db *database) string {
			key, value, _ := pick(t, db, headKey(fsckHeight), 0)
			rewrite(t, db, dropTime, key, flipped(value, 51))
			return fmt.Sprintf("height %d", fsckHeight)
		}, "the root of the state is"},
		"a head that is gone": {func(db *database) string {
			remove(t, db, headKey(fsckHeight-1), dropTime)
			return fmt.Sprintf("head %d", fsckHeight-1)
		}, "it is missing"},
		"a record of a frozen bucket": {func(db *database) string {
			key, value, _ := pick(t, db, []byte{kindReplay}, 0)
			rewrite(t, db, dropTime, key, flipped(value, -1))
			return fmt.Sprintf("replay bucket %d", numberOf(key))
		}, "have root"},
		"the entry of a frozen bucket": {func(db *database) string {
			key, value, _ := pick(t, db, []byte{kindBucket}, 0)
			rewrite(t, db, dropTime, key, flipped(value, 3))
			return fmt.Sprintf("replay bucket %d", numberOf(key))
		}, "its entry says"},
		"a receipt in the index": {func(db *database) string {
			key := txKey(kindOutcome, c.txs[5*(fsckHeight-20)].ID)
			_, value, _ := pick(t, db, key, 0)
			rewrite(t, db, dropTime, key, flipped(value, 1))
			return fmt.Sprintf("index of transaction %x", key[1:])
		}, "says code"},
		"a receipt missing in the index": {func(db *database) string {
			key := txKey(kindOutcome, c.txs[5*(fsckHeight-20)].ID)
			remove(t, db, key, dropTime)
			return fmt.Sprintf("index of transaction %x", key[1:])
		}, fmt.Sprintf("the receipt of height %d is missing", fsckHeight-19)},
		"a receipt too many in the index": {func(db *database) string {
			r := ledger.Receipt{Height: fsckHeight - 20, Index: 9}
			rewrite(t, db, putTime, txKey(kindOutcome, crypto.Hash{9}), r.Encode())
			return fmt.Sprintf("height %d", fsckHeight-20)
		}, "the index has 6 receipts of it, its record 5"},
		"a head among the keys": {func(db *database) string {
			key := headKey(fsckHeight)
			rewriteIn(t, db.keys, putTime, key, []byte{1})
			return fmt.Sprintf("key %x", key)
		}, "has such a key there"},
		"the seal of the fold": {func(db *database) string {
			remove(t, db, sealKey(kindMark), flatTime(fsckHeight))
			return "seal"
		}, "fold mark"},
		"the seal of the histories": {func(db *database) string {
			remove(t, db, sealKey(kindWritten), flatTime(fsckHeight))
			return "seal"
		}, "history mark"},
		"a key of no kind": {func(db *database) string {
			rewrite(t, db, putTime, []byte("zebra"), []byte("x"))
			return "key 7a65627261"
		}, "no store of format 2"},
		"a list of touched accounts": {func(db *database) string {
			key, value, _ := pick(t, db, state(fsckHeight), 0)
			rewrite(t, db, dropTime, key, flipped(value, -1))
			return fmt.Sprintf("change record %d", fsckHeight)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "ledger")
			copyDir(t, whole, dir)
			var named string
			damage(t, dir, func(db *database) { named = one.harm(db) })
			report := runFsck(t, dir, c.doc.Hash())
			found := slices.ContainsFunc(report.Faults, func(f Fault) bool {
				return strings.Contains(f.Where, named) && strings.Contains(f.What, one.what)
			})
			if !found {
				t.Errorf("no fault names %q with %q: %v", named, one.what, report.Faults)
			}
		})
	}
}

// TestFsckFlippedFiles flips bits of tables as a bad disk does: whatever the bit, there is a fault, and the
// file is named.
func TestFsckFlippedFiles(t *testing.T) {
	whole, c := build(t)
	rng := rand.New(rand.NewPCG(3, 3))
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for range rounds {
		dir := filepath.Join(t.TempDir(), "ledger")
		copyDir(t, whole, dir)
		tables, err := tablePaths(dir)
		if err != nil || len(tables) == 0 {
			t.Fatal(tables, err)
		}
		path := tables[rng.IntN(len(tables))]
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := rng.IntN(len(data))
		if rng.IntN(3) == 0 {
			at = len(data) - 1 - rng.IntN(64) // lengths, checksums
		}
		data[at] ^= 1 << rng.IntN(8)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		report := runFsck(t, dir, c.doc.Hash())
		if len(report.Faults) == 0 || report.Faults[0].Where != "file "+relativeTo(dir, path) || strings.Contains(fmt.Sprint(report.Faults), "MANIFEST") {
			t.Errorf("bit at %d of %d in %s: %v", at, len(data), filepath.Base(path), report.Faults)
		}
	}
}

// TestFsckInvariants: states that are wrong in themselves, though every hash is right, as a fault of the
// program would leave them.
func TestFsckInvariants(t *testing.T) {
	bob, usd := crypto.DevKey("bob").Public().Address(), ledger.AssetIDOf("usd")
	account := func(v *View) ledger.Account {
		value, err := v.Get(ledger.KeyAccount(bob))
		if err != nil {
			t.Fatal(err)
		}
		a, err := ledger.DecodeAccount(value)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for name, one := range map[string]struct {
		changes func(v *View) []ledger.Change
		want    []string
	}{
		"money from nothing": {func(v *View) []ledger.Change {
			a := account(v)
			for i := range a.Balances {
				if a.Balances[i].Asset == usd {
					a.Balances[i].Amount.Lo++
				}
			}
			return []ledger.Change{{Key: ledger.KeyAccount(bob), Value: a.Append(nil)}}
		}, []string{"the supply of usd is"}},
		"an asset that does not exist": {func(v *View) []ledger.Change {
			a := account(v)
			a.Balances[0].Asset = crypto.Hash{1}
			return []ledger.Change{{Key: ledger.KeyAccount(bob), Value: a.Append(nil)}}
		}, []string{"which does not exist"}},
		"a page that is gone": {func(v *View) []ledger.Change {
			return []ledger.Change{{Key: ledger.KeyPage(bob, 0)}}
		}, []string{"page 0 of account " + bob.String(), "it is missing"}},
		"a page that is not full": {func(v *View) []ledger.Change {
			return []ledger.Change{{Key: ledger.KeyPage(bob, 0), Value: ledger.AppendPage(nil, []ledger.Balance{{Asset: usd, Amount: ledger.Amount{Lo: 1}}})}}
		}, []string{"it holds 1 balances", "two balances"}},
		"a page too many": {func(v *View) []ledger.Change {
			return []ledger.Change{{Key: ledger.KeyPage(bob, 7), Value: ledger.AppendPage(nil, []ledger.Balance{{Asset: usd, Amount: ledger.Amount{Lo: 1}}})}}
		}, []string{"page 7 of account " + bob.String(), "the account says it has 2 pages"}},
		"a page of nobody": {func(v *View) []ledger.Change {
			return []ledger.Change{{Key: ledger.KeyPage(crypto.Address{1}, 0), Value: ledger.AppendPage(nil, []ledger.Balance{{Asset: usd, Amount: ledger.Amount{Lo: 1}}})}}
		}, []string{"there is no such account"}},
		"an entry of the future": {func(v *View) []ledger.Change {
			e := ledger.Entry{Version: 1 << 40, ModifiedHeight: 1, Value: []byte{1}}
			return []ledger.Change{{Key: ledger.KeyEntry(bob, "x"), Value: e.Append(nil)}}
		}, []string{"entry \"x\" of account " + bob.String(), "the newest version is", "namespace of account " + bob.String(), "it counts 0 entries, there are 1"}},
		"a namespace of nothing": {func(v *View) []ledger.Change {
			n := ledger.Namespace{Entries: 2}
			return []ledger.Change{{Key: ledger.KeyNamespace(bob), Value: n.Append(nil)}}
		}, []string{"it counts 2 entries, there are none"}},
		"a validator without a list": {func(v *View) []ledger.Change {
			k := crypto.DevKey("stranger").Public()
			leaf := ledger.Validator{KeyType: k.Type, PublicKey: k.Bytes, Power: 1}
			return []ledger.Change{{Key: ledger.KeyValidator(leaf.ID()), Value: leaf.Append(nil)}}
		}, []string{"the list of validators does not name it"}},
		"a node of nobody": {func(v *View) []ledger.Change {
			n := ledger.Node{ServiceKey: make([]byte, 32), Claimed: "eu", Approvals: []crypto.ValidatorID{{7}}}
			return []ledger.Change{
				{Key: ledger.KeyNode(crypto.ValidatorID{1}), Value: n.Append(nil)}, {Key: ledger.KeyNode(crypto.ValidatorID{2}), Value: n.Append(nil)},
			}
		}, []string{"node of validator " + crypto.ValidatorID{1}.String(), "there is no such validator", "approved by " + crypto.ValidatorID{7}.String(), "it has the service key of the node of"}},
		"a leaf that is not canonical": {func(v *View) []ledger.Change {
			return []ledger.Change{{Key: ledger.KeyAccount(crypto.Address{3}), Value: []byte{9, 9}}}
		}, []string{"version 9 is not known"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "ledger")
			c := newLedgerChain(t, fsckOptions(dir))
			for range 50 {
				c.block()
			}
			v := c.store.View()
			changes := one.changes(v)
			v.Close()
			commitRecord(t, c.store, Record{Height: 51, TimeMS: fsckBegin + 51_000, Changes: changes})
			if err := c.store.Close(); err != nil {
				t.Fatal(err)
			}
			report := runFsck(t, dir, c.doc.Hash())
			all := fmt.Sprint(report.Faults)
			for _, want := range one.want {
				if !strings.Contains(all, want) {
					t.Errorf("no fault says %q: %s", want, all)
				}
			}
		})
	}
}

// TestFsckListsABoundedNumber of faults and counts the rest.
func TestFsckListsABoundedNumber(t *testing.T) {
	f := &fsck{}
	for range faultsMax {
		f.fault("here", "something")
	}
	if len(f.Faults) != faultsMax || f.Unlisted != 0 {
		t.Errorf("%d faults, %d unlisted", len(f.Faults), f.Unlisted)
	}
	f.fault("here", "something")
	if len(f.Faults) != faultsMax || f.Unlisted != 1 {
		t.Errorf("%d faults, %d unlisted", len(f.Faults), f.Unlisted)
	}
}
