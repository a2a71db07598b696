package store

import (
	"errors"
	"testing"

	"github.com/tetradledger/tetrad/ledger"
)

// commitEmpty commits one more height with nothing in it.
func commitEmpty(t *testing.T, s *Store) {
	t.Helper()
	head, _ := s.Head()
	p, err := s.Stage(Record{Height: head.Height + 1, TimeMS: head.TimeMS + 1000})
	if err == nil {
		err = s.Commit(p)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTreeAt: what can be proven is below the newest height and in memory. A ledger that was opened again can prove at once.
func TestTreeAt(t *testing.T) {
	dir := t.TempDir()
	o := testOptions(dir)
	o.KeepVersions = 3
	s := openStore(t, o)
	want := func(height, first, newest uint64, wantErr error) {
		t.Helper()
		v, err := s.TreeAt(height)
		if wantErr != nil {
			if !errors.Is(err, wantErr) {
				t.Fatalf("tree at %d: %v, want %v", height, err, wantErr)
			}
			return
		}
		if err != nil {
			t.Fatalf("tree at %d: %v", height, err)
		}
		defer v.Close()
		if v.Tree() == nil || v.Tree().Root() != v.Root() || v.Height() < first || v.Height() > newest {
			t.Fatalf("tree at %d is of height %d", height, v.Height())
		}
	}
	want(0, 0, 0, ErrNoTree)
	want(1, 0, 0, ErrFuture{Head: 0})
	if _, err := s.Init(modelGenesis, ledger.Outcome{Changes: []ledger.Change{{Key: []byte{1}, Value: []byte{1}}}}, 1); err != nil {
		t.Fatal(err)
	}
	commitEmpty(t, s)
	want(0, 0, 0, ErrNoTree) // the genesis state does not count
	commitEmpty(t, s)
	want(0, 1, 1, nil)
	want(1, 1, 1, nil)
	want(2, 0, 0, ErrFuture{Head: 1})
	for range 4 {
		commitEmpty(t, s)
	}
	want(0, 5, 5, nil)
	want(4, 4, 4, nil)
	want(3, 0, 0, ErrPruned{First: 4})
	want(6, 0, 0, ErrFuture{Head: 5})
	want(7, 0, 0, ErrFuture{Head: 5})
	if err := s.FoldOnce(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, o)
	want(0, 5, 5, nil) // Open goes through the newest heights again
	want(6, 0, 0, ErrFuture{Head: 5})
	commitEmpty(t, s)
	want(0, 6, 6, nil)
}
