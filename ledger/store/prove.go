package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
)

// ErrNoTree says that no block's state below the newest has its tree in memory. That is so
// before the second block of a ledger; for a moment, beside a commit, where only two heights are kept; and where
// Open found only one that could be kept.
var ErrNoTree = errors.New("no height below the newest is in memory with its tree yet")

// TreeAt returns the state at a height below the newest, with its tree: what can be proven, since a block's
// header promises the state before it. Height 0 chooses the newest such height, which is a block's: the genesis
// state has neither a time nor validators that anybody signed. It fails with ErrFuture, ErrPruned or ErrNoTree.
func (s *Store) TreeAt(height uint64) (*View, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	head := s.current().Height
	below := s.recent[:len(s.recent)-1]
	if len(below) > 0 && below[0].Height == 0 {
		below = below[1:]
	}
	switch {
	case height > 0 && height >= head:
		return nil, ErrFuture{Head: max(head, 1) - 1}
	case len(below) == 0 || !s.durable:
		return nil, ErrNoTree
	case height > 0 && height < below[0].Height:
		return nil, ErrPruned{First: below[0].Height}
	}
	at := below[len(below)-1]
	if height > 0 {
		at = below[height-below[0].Height] // heights in memory have no gaps
	}
	if tree, ok := s.main.At(at.number); ok {
		return &View{s: s, head: at.Head, tree: tree}, nil
	}
	// A commit that is under way has let go of the tree, and will say so in a moment.
	if at.Height+1 < head {
		return nil, ErrPruned{First: at.Height + 1}
	}
	return nil, ErrNoTree
}

// triedVersions bounds how many heights are tried for the tree of a bucket; a bucket keeps two versions, and
// more only while somebody reads them.
const triedVersions = 64

// ReplayTree returns the tree of a replay bucket as the view's height knows it, if it is in memory. Its keys
// are the ids of transactions. Nil means that it is not: the bucket is on disk, or was changed since. The caller
// closes it.
func (v *View) ReplayTree(bucket uint64, leaf ledger.Bucket) *merkle.View {
	records, _ := v.s.bucketNow(bucket)
	if records == nil {
		return nil
	}
	tree := records.Current()
	if tree.Root() == leaf.Root {
		return tree
	}
	tree.Close()
	for height := v.head.Height; height > 0 && v.head.Height-height < triedVersions; height-- {
		if tree, ok := records.At(height); ok {
			if tree.Root() == leaf.Root {
				return tree
			}
			tree.Close()
		}
	}
	return nil
}

// RebuildReplayTree makes the tree of a replay bucket, as the view's height knows it, from its records. It
// takes about a microsecond and 270 bytes for each; the caller bounds how many it lets work at once. Closing
// the result and dropping it frees the memory.
func (v *View) RebuildReplayTree(bucket uint64, leaf ledger.Bucket) (*merkle.View, error) {
	b := rebuild{height: v.head.Height, tree: merkle.New()}
	b.tree.Keep(1)
	err := v.s.eachRecord(bucket, b.add)
	if err == nil {
		b.flush()
		tree := b.tree.Current()
		if tree.Root() == leaf.Root {
			return tree, nil
		}
		err = fmt.Errorf("its %d records have root %s, its leaf says %s", tree.Len(), tree.Root(), leaf.Root)
		tree.Close()
	}
	return nil, fmt.Errorf("rebuild replay bucket %d at height %d: %w", bucket, v.head.Height, err)
}

// rebuild fills a tree with the records that a height knows.
type rebuild struct {
	height  uint64
	tree    *merkle.Map
	changes []merkle.Change
	version uint64
}

// add takes a record, which is valid during the call only.
func (b *rebuild) add(id, value []byte) error {
	record, err := ledger.DecodeRecord(value)
	if err != nil || record.Height > b.height {
		return err
	}
	b.changes = append(b.changes, merkle.Change{Key: bytes.Clone(id), Value: bytes.Clone(value)})
	if len(b.changes) == loadKeysMax {
		b.flush()
	}
	return nil
}

func (b *rebuild) flush() {
	b.version++
	b.tree.Commit(b.tree.Stage(b.version, b.changes))
	b.changes = b.changes[:0]
}

// bucketNow tells where a bucket's records are: in a map, or on disk if that is nil.
func (s *Store) bucketNow(number uint64) (*merkle.Map, bucketEntry) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b := s.buckets[number]
	if b == nil {
		return nil, bucketEntry{}
	}
	return b.records, b.disk
}

// eachRecord calls fn for every record of a bucket.
func (s *Store) eachRecord(number uint64, fn func(id, record []byte) error) error {
	records, disk := s.bucketNow(number)
	if records != nil {
		view := records.Current()
		defer view.Close()
		var err error
		view.Range([32]byte{}, func(id, record []byte) bool {
			err = fn(id, record)
			return err == nil
		})
		return err
	}
	return s.read(newest, func(txn *reader) error {
		for i := range disk.Chunks {
			err := readValue(txn, replayKey(number, i), func(chunk []byte) error { return eachItem(chunk, fn) })
			if err != nil {
				return err
			}
		}
		return nil
	})
}
