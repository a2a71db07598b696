package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
)

// checkRoots goes through all readable heights: it begins with the lowest, applies record after record, and
// compares the root of each height with its head, and the flat keys of each fold with the state they stand for.
func (f *fsck) checkRoots() error {
	if len(f.heads) == 0 || len(f.bounds) == 0 {
		return nil
	}
	base := f.headAt(f.First)
	if base == nil {
		f.fault(fmt.Sprintf("height %d", f.First), "the state of the lowest readable height has no head")
		return nil
	}
	f.tree.Keep(1)
	if f.bounds[0] > 0 {
		if err := f.loadFlat(base.Height); err != nil {
			return err
		}
		f.compareRoot(*base)
	}
	total := f.Head.Height - base.Height + 1
	for _, e := range f.heads {
		if e.Height < base.Height || e.Height == base.Height && f.bounds[0] > 0 {
			continue
		}
		if err := f.step("roots", e.Height-base.Height, total); err != nil {
			return err
		}
		f.applyRecord(e)
		if f.isBoundary(e.Height + 1) {
			if err := f.compareFlat(e.Height); err != nil {
				return err
			}
		}
		f.compareRoot(e)
	}
	return f.step("roots", total, total)
}

func (f *fsck) isBoundary(b uint64) bool {
	for _, bound := range f.bounds {
		if bound == b {
			return true
		}
	}
	return false
}

// applyRecord makes a height the current state. What does not decode is left out: that was said already, and
// the root will say it again.
func (f *fsck) applyRecord(e headEntry) {
	l := f.loader(e.Height)
	for i := range e.Chunks[sectionState] {
		_ = readValue(f.txn, recordKey(e.Height, e.Root, sectionState, i), func(chunk []byte) error {
			return eachItem(chunk, func(key, value []byte) error { return f.add(l, key, value) })
		})
	}
	f.commit(l, e.Height)
}

// loader is what Open gathers changes with: it also keeps count of bucket leaves.
func (f *fsck) loader(height uint64) *loader {
	return &loader{height: height, leaves: f.leaves}
}

// add takes a change, but for a bucket leaf that does not decode, which was said already.
func (f *fsck) add(l *loader, key, value []byte) error {
	if l.add(key, value) != nil {
		l.batch = append(l.batch, merkle.Change{Key: l.copy(key), Value: l.copy(value)})
	}
	return nil
}

// commit makes what a loader gathered a version of the tree. The last of two changes of one key counts: that
// there are two was said already.
func (f *fsck) commit(l *loader, number uint64) {
	last := make(map[string]int, len(l.batch))
	for i, c := range l.batch {
		last[string(c.Key)] = i
	}
	batch := l.batch[:0]
	for i, c := range l.batch {
		if last[string(c.Key)] == i {
			batch = append(batch, c)
		}
	}
	f.tree.Commit(f.tree.Stage(treeNumber(number), batch))
}

// compareRoot compares the tree with a head. After the first difference all others follow from it.
func (f *fsck) compareRoot(e headEntry) {
	view := f.tree.Current()
	defer view.Close()
	if root := view.Root(); root != e.Root && !f.rootLost {
		f.fault(fmt.Sprintf("height %d", e.Height), "the root of the state is %s, its head says %s", root, e.Root)
		f.rootLost = true
	}
	if !f.rootLost {
		f.Counts.Roots++
	}
}

// loadFlat makes the flat keys as of a height the current state, a part at a time.
func (f *fsck) loadFlat(height uint64) error {
	l := f.loader(height)
	part := uint64(0)
	err := f.eachFlat(height, func(key, value []byte) error {
		if err := ledger.CheckLeaf(key, value); err != nil {
			f.fault(flatName(key, height), "%v", err)
		}
		f.Counts.FlatKeys++
		if err := f.add(l, key, value); err != nil || len(l.batch) < loadKeysMax {
			return err
		}
		part++ // below the number of any height
		f.tree.Commit(f.tree.Stage(part, l.batch))
		l.batch, l.arena = l.batch[:0], l.arena[:0]
		return f.step("flat keys", f.Counts.FlatKeys, 0)
	})
	f.commit(l, height)
	return err
}

func flatName(key []byte, height uint64) string {
	return fmt.Sprintf("flat key %x at height %d", key, height)
}

// eachFlat calls fn for the flat keys that are there at a height.
func (f *fsck) eachFlat(height uint64, fn func(key, value []byte) error) error {
	l := &loader{s: &Store{db: f.db}}
	return l.eachFlat(height, fn)
}

// compareFlat compares the flat keys of a fold with the state the records led to.
func (f *fsck) compareFlat(height uint64) error {
	view := f.tree.Current()
	defer view.Close()
	var same uint64
	err := f.eachFlat(height, func(key, value []byte) error {
		want, ok := view.Get(key)
		switch {
		case !ok:
			f.fault(flatName(key, height), "the change records say that there is no such key")
		case !bytes.Equal(value, want):
			f.fault(flatName(key, height), "it has value %s, the change records say %s", shortHex(value), shortHex(want))
			same++
		default:
			same++
		}
		f.Counts.FlatKeys++
		return f.ctx.Err()
	})
	if err != nil || same == view.Len() {
		return err
	}
	return f.missingFlat(height, view)
}

// missingFlat names the flat keys that are not there.
func (f *fsck) missingFlat(height uint64, view *merkle.View) error {
	txn := f.db.keys.NewTransactionAt(flatTime(height), false)
	defer txn.Discard()
	view.Range([32]byte{}, func(key, _ []byte) bool {
		item, err := txn.Get(flatKey(key))
		if errors.Is(err, badger.ErrKeyNotFound) || err == nil && item.ValueSize() == 0 {
			f.fault(flatName(key, height), "it is missing")
		} else if err != nil {
			f.fault(flatName(key, height), "%v", err)
		}
		return f.ctx.Err() == nil
	})
	return f.ctx.Err()
}

// shortHex is a value as a sentence can hold it.
func shortHex(b []byte) string {
	const most = 48
	if len(b) > most {
		return fmt.Sprintf("%x… (%d bytes)", b[:most], len(b))
	}
	return fmt.Sprintf("%x", b)
}
