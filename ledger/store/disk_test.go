package store

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDiskFull fills a small file system until the store refuses, and goes on once there is space again.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	mount := t.TempDir()
	if err := unix.Mount("tmpfs", mount, "tmpfs", 0, "size=96m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(mount, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	o := testOptions(filepath.Join(mount, "store"))
	o.DiskFreeMin, o.DiskStopMin = 48<<20, 24<<20
	m := newModel(8, 120, 0)
	s := openStore(t, o)
	m.initStore(t, s)
	ballast := filepath.Join(mount, "ballast")
	h := commitUntilFull(t, s, m, ballast)
	if !s.DiskLow() {
		t.Error("the disk is full but not low")
	}
	if err := s.FoldOnce(); !errors.Is(err, ErrDiskFull) {
		t.Errorf("background work on a full disk: %v", err)
	}
	m.check(t, s, h, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(o); !errors.Is(err, ErrDiskFull) || !strings.Contains(err.Error(), "free some space") {
		t.Fatalf("open on a full disk: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, o)
	m.check(t, s, h, nil)
	if err := runChain(m, s, func(uint64, bool) {}); err != nil {
		t.Fatal(err)
	}
	if s.DiskLow() {
		t.Error("the disk is low after it was freed")
	}
	m.check(t, s, m.height(), nil)
}

// commitUntilFull commits while something else fills the disk, and returns the last height that went
// through. The one after it is refused and can be discarded.
func commitUntilFull(t *testing.T, s *Store, m *model, ballast string) uint64 {
	t.Helper()
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	wasLow := false
	for h := uint64(1); h <= m.height(); h++ {
		p, err := s.Stage(m.records[h])
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(p); errors.Is(err, ErrDiskFull) {
			if !wasLow {
				t.Error("the disk was full before it was low")
			}
			s.Discard(p)
			return h - 1
		} else if err != nil {
			t.Fatal(err)
		}
		wasLow = wasLow || s.DiskLow()
		if _, err := f.Write(make([]byte, 1<<20)); err != nil {
			t.Fatalf("the disk filled up unnoticed: %v", err)
		}
	}
	t.Fatal("the disk never filled up")
	return 0
}

func TestDiskBounds(t *testing.T) {
	free := uint64(0)
	g := newDiskGuard(Options{Dir: "somewhere", DiskFreeMin: 100, DiskStopMin: 10})
	g.freeSeen = func(string) (uint64, error) { return free, nil }
	s := &Store{disk: g}
	for _, c := range []struct {
		free      uint64
		low, full bool
	}{{100, false, false}, {99, true, false}, {10, true, false}, {9, true, true}} {
		free = c.free
		err := g.check()
		if errors.Is(err, ErrDiskFull) != c.full || s.DiskLow() != c.low {
			t.Errorf("with %d bytes free: low %v, %v", c.free, s.DiskLow(), err)
		}
	}
	broken := errors.New("no such disk")
	g.freeSeen = func(string) (uint64, error) { return 0, broken }
	if err := g.check(); !errors.Is(err, broken) {
		t.Errorf("a disk that cannot be asked: %v", err)
	}
}
