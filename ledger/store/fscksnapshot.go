package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
)

// unfinished comes last in a directory that says a restore did not end. Without a head it did not: then that is
// the fault, whatever else was found in what nobody will read. With one, Open removes the file that says so.
func (f *fsck) unfinished() {
	if len(f.heads) == 0 {
		f.Faults, f.Unlisted = nil, 0
		f.fault("file "+restoringName, "%v", ErrHalfRestored)
	}
}

// checkOrigin reads which snapshot the store began with. The head of that height may have been given up since.
func (f *fsck) checkOrigin() error {
	return eachKey(f.txn, []byte{kindOrigin}, func(item *badger.Item) (bool, error) {
		height := numberOf(item.Key())
		where := fmt.Sprintf("origin %d", height)
		if f.restored > 0 {
			f.fault(where, "the store began with another snapshot, of height %d", f.restored)
		}
		if height > f.Head.Height {
			f.fault(where, "the store began with a snapshot above its newest height %d", f.Head.Height)
		}
		if len(f.heads) > 0 && f.heads[0].Height < height {
			f.fault(where, "the store began with a snapshot, and has a head %d below it", f.heads[0].Height)
		}
		if item.ValueSize() != crypto.HashSize {
			f.fault(where, "it has %d bytes", item.ValueSize())
		}
		f.restored = height
		return true, nil
	})
}

// restored reports whether the record is that of a snapshot: the replay records of all buckets that were open,
// and neither changes nor receipts.
func (r *recordCheck) restored() bool { return r.f.restored > 0 && r.e.Height == r.f.restored }

// place is what a replay record's key is ordered by: itself, or in the record of a snapshot the bucket and then
// the path, as the leaves of a tree are.
func (r *recordCheck) place(key []byte) []byte {
	if !r.restored() {
		return key
	}
	path := crypto.Sum(key[replayLeafLen-crypto.HashSize:])
	return append(bytes.Clone(key[:replayLeafLen-crypto.HashSize]), path[:]...)
}

// checkSnapshots checks a directory of snapshots: every chunk has the hash that its manifest says, all of them
// together are the whole state under its root, and that is the root the store had at that height.
func (f *fsck) checkSnapshots() error {
	dir := f.options.Snapshots
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	heights, err := snapshotHeights(dir)
	if err != nil {
		return fmt.Errorf("check snapshots: %w", err)
	}
	for _, height := range heights {
		m, err := LoadManifest(dir, height)
		if err == nil {
			err = f.checkSnapshot(m)
		}
		var damaged ErrDamaged
		switch {
		case errors.As(err, &damaged):
			name, relErr := filepath.Rel(dir, damaged.Path)
			if relErr != nil {
				name = damaged.Path
			}
			f.fault("snapshot file "+name, "%s", damaged.What)
		case errors.Is(err, ErrBadSnapshot):
			f.fault(fmt.Sprintf("snapshot %d", height), "%v", err)
		case err != nil:
			return fmt.Errorf("check snapshots: %w", err)
		}
	}
	return nil
}

// checkSnapshot checks one snapshot.
func (f *fsck) checkSnapshot(m Manifest) error {
	f.Counts.Snapshots++
	where := fmt.Sprintf("snapshot %d", m.Height)
	if want := f.options.Genesis; !want.IsZero() && m.Genesis != want {
		f.fault(where, "it belongs to the chain of genesis %s, not to that of genesis %s", m.Genesis, want)
	}
	if e := f.headAt(m.Height); e != nil && (e.Root != m.Root || e.TimeMS != m.TimeMS) {
		f.fault(where, "its manifest says root %s and time %d, the head of that height root %s and time %d", m.Root, m.TimeMS, e.Root, e.TimeMS)
	}
	check := newAssembly(m.Root)
	for i := range m.Chunks {
		if err := f.step("snapshots", uint64(i), uint64(len(m.Chunks))); err != nil {
			return err
		}
		chunk, err := loadChunk(f.options.Snapshots, m, i)
		if err != nil {
			return err
		}
		err = check.take(chunk, func(p part, _ bool) error {
			f.Counts.SnapshotLeaves += uint64(len(p.leaves.Leaves))
			return nil
		})
		if err != nil {
			return fmt.Errorf("chunk %d: %w", i, err)
		}
	}
	return check.complete(m)
}
