package store

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// ErrDiskFull says that the disk has too little free space to go on safely. Nothing was written.
var ErrDiskFull = errors.New("the disk is full")

// diskGuard looks at the free space of the file system that holds the store.
type diskGuard struct {
	dir      string // empty: in memory, nothing to guard
	low      uint64
	stop     uint64
	free     atomic.Uint64 // as last seen
	freeSeen func(dir string) (uint64, error)
}

func newDiskGuard(o Options) *diskGuard {
	return &diskGuard{dir: o.Dir, low: o.DiskFreeMin, stop: o.DiskStopMin, freeSeen: diskFree}
}

// check looks at the disk and refuses when it is too full for Badger's memory-mapped files: a page that has
// no room on disk is not an error but a SIGBUS, which ends the process in the middle of a write.
func (g *diskGuard) check() error {
	if g.dir == "" {
		g.free.Store(math.MaxUint64)
		return nil
	}
	free, err := g.freeSeen(g.dir)
	if err != nil {
		return fmt.Errorf("ask for the free space of %s: %w", g.dir, err)
	}
	g.free.Store(free)
	if free < g.stop {
		return fmt.Errorf("%w: %s has %d MiB free, the store needs %d MiB to go on: free some space and start again",
			ErrDiskFull, g.dir, free>>20, g.stop>>20)
	}
	return nil
}

// DiskLow reports whether the disk is so nearly full that a node should take no new transactions. It looks
// at what the last commit or background step saw, so it costs nothing.
func (s *Store) DiskLow() bool { return s.disk.free.Load() < s.disk.low }

// diskFree is what a process without privileges may still write.
func diskFree(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return uint64(st.Bavail) * uint64(st.Bsize), nil
}
