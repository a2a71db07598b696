package store

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestOneDatabase: a store that was begun before there was a journal has all keys in one database, and stays so; it
// does what others do.
func TestOneDatabase(t *testing.T) {
	m := crashModel()
	o := testOptions(t.TempDir())
	rng := rand.New(rand.NewPCG(testSeed(t), 1))
	old := o
	old.oneDatabase = true
	half := *m
	half.records = m.records[:crashHeights/2]
	s := openStore(t, old)
	if err := runChain(&half, s, func(uint64, bool) {}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // in the second round there is nothing left to commit
		s = openStore(t, o)
		if s.db.split() {
			t.Fatal("a store of one database was opened as one of two")
		}
		if err := runChain(m, s, func(uint64, bool) {}); err != nil {
			t.Fatal(err)
		}
		if err := s.FoldOnce(); err != nil {
			t.Fatal(err)
		}
		m.check(t, s, m.height(), rng)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(o.Dir, journalName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it has a journal: %v", err)
	}
}

// TestFsckOneDatabase: nothing is wrong with such a store.
func TestFsckOneDatabase(t *testing.T) {
	o := fsckOptions(filepath.Join(t.TempDir(), "ledger"))
	o.oneDatabase = true
	c := newLedgerChain(t, o)
	for range fsckHeight {
		c.block()
	}
	if err := errors.Join(c.store.FoldOnce(), c.store.Close()); err != nil {
		t.Fatal(err)
	}
	report := runFsck(t, o.Dir, c.doc.Hash())
	if len(report.Faults) > 0 || report.Head.Height != fsckHeight || report.Counts.FlatKeys == 0 {
		t.Errorf("%+v", report)
	}
}

// TestLostHalf: what is left when one of the two databases lost something is refused, never taken for less.
func TestLostHalf(t *testing.T) {
	m := crashModel()
	base := t.TempDir()
	o := testOptions(filepath.Join(base, "whole"))
	s := openStore(t, o)
	if err := runChain(m, s, func(uint64, bool) {}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, one := range map[string]struct {
		harm func(t *testing.T, dir string)
		want error
	}{
		"the journal": {func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, journalName)); err != nil {
				t.Fatal(err)
			}
		}, errNoHead},
		"what is in the journal": {func(t *testing.T, dir string) {
			if err := errors.Join(os.RemoveAll(filepath.Join(dir, journalName)), os.Mkdir(filepath.Join(dir, journalName), 0o700)); err != nil {
				t.Fatal(err)
			}
		}, errNoHead},
		"the keys": {func(t *testing.T, dir string) {
			names, err := dataFiles(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				if name == journalName {
					continue
				}
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}, errLost},
		"the last of the flat keys": {func(t *testing.T, dir string) {
			damage(t, dir, func(db *database) { remove(t, db, sealKey(kindMark), flatTime(crashHeights)) })
		}, errLost},
		"the last of the histories": {func(t *testing.T, dir string) {
			damage(t, dir, func(db *database) { remove(t, db, sealKey(kindWritten), flatTime(crashHeights)) })
		}, errLost},
	} {
		t.Run(name, func(t *testing.T) {
			o := o
			o.Dir = filepath.Join(t.TempDir(), "ledger")
			copyDir(t, filepath.Join(base, "whole"), o.Dir)
			one.harm(t, o.Dir)
			if s, err := Open(o); !errors.Is(err, one.want) {
				t.Errorf("it opens with %v, want %v", err, one.want)
				if err == nil {
					_ = s.Close()
				}
			}
		})
	}
}

// TestStaggered: limits that validators choose by themselves differ, by a quarter at most and never upwards.
func TestStaggered(t *testing.T) {
	const n = 1000
	seen := map[uint64]bool{}
	for range n {
		got := staggered[uint64](n)
		if got > n || got < n-n/4 {
			t.Fatalf("%d of %d", got, n)
		}
		seen[got] = true
	}
	if len(seen) < 2 {
		t.Errorf("always the same: %v", seen)
	}
}

// TestCloseIndexes: a store that is closed in order has the receipts of all its blocks in the index, however short it
// was open.
func TestCloseIndexes(t *testing.T) {
	o := fsckOptions(filepath.Join(t.TempDir(), "ledger"))
	o.FoldInterval = time.Hour
	c := newLedgerChain(t, o)
	c.block()
	if err := c.store.Close(); err != nil {
		t.Fatal(err)
	}
	damage(t, o.Dir, func(db *database) {
		if len(keysUnder(t, db, []byte{kindOutcome})) == 0 {
			t.Error("the index is empty")
		}
	})
}

// TestDamagedRegistry: a file that Badger reads before all others is damaged in either database: an error, and the other
// one is closed again.
func TestDamagedRegistry(t *testing.T) {
	m := crashModel()
	o := testOptions(t.TempDir())
	s := openStore(t, o)
	m.initStore(t, s)
	commitRecord(t, s, m.records[1])
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	dirs, err := dataDirs(o.Dir)
	if err != nil || len(dirs) != 2 {
		t.Fatal(dirs, err)
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, "KEYREGISTRY")
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, make([]byte, len(good)), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(o); err == nil {
			_ = s.Close()
			t.Errorf("%s is damaged, and the store opens", path)
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err = Open(o); err != nil {
			t.Fatalf("%s is whole again: %v", path, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSealComesLate: marks are believed as far as the seal goes, and no further.
func TestSealComesLate(t *testing.T) {
	s := openStore(t, Options{InMemory: true, FoldInterval: -1})
	b := s.newBatch("test", flatTime(7))
	if err := b.seal(kindMark); err != nil {
		t.Fatal(err)
	}
	txn := s.db.at(newest)
	defer txn.discard()
	for height, want := range map[uint64]error{6: nil, 7: nil, 8: errLost} {
		if err := checkSeal(txn, kindMark, height); !errors.Is(err, want) {
			t.Errorf("height %d: %v, want %v", height, err, want)
		}
	}
	if err := checkSeal(txn, kindWritten, 1); !errors.Is(err, errLost) {
		t.Errorf("another kind of mark: %v", err)
	}
}
