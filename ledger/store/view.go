package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
)

// ErrPruned says that a height is not readable any more.
type ErrPruned struct {
	First uint64 // the lowest height that is
}

func (e ErrPruned) Error() string {
	return fmt.Sprintf("the height is no longer kept; the first that is kept is %d", e.First)
}

// ErrFuture says that a height has not been reached.
type ErrFuture struct {
	Head uint64 // the newest height there is
}

func (e ErrFuture) Error() string {
	return fmt.Sprintf("the height has not been reached; the newest is %d", e.Head)
}

// View is the state at one height. It does not change, and any number of goroutines may read it.
type View struct {
	s    *Store
	head Head
	tree *merkle.View // nil: the height is read from disk
}

var _ ledger.Prefetcher = (*View)(nil)

// View returns the current state: the newest height, or the genesis state, or nothing at height 0. It never
// waits for a commit. The caller closes it.
func (s *Store) View() *View {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v := s.current()
	tree, ok := s.main.At(v.number)
	if !ok {
		panic(fmt.Sprintf("store: the tree of the current height %d is not in memory", v.Height))
	}
	return &View{s: s, head: v.Head, tree: tree}
}

// ViewAt returns the state at a height. The newest heights are in memory with their trees; older ones are
// read from disk. It fails with ErrFuture or ErrPruned if the height is not there.
func (s *Store) ViewAt(height uint64) (*View, error) {
	s.mu.RLock()
	head, first := s.current().Height, s.first()
	for i := len(s.recent) - 1; i >= 0 && s.recent[i].Height >= height; i-- {
		if v := s.recent[i]; v.Height == height {
			if tree, ok := s.main.At(v.number); ok {
				s.mu.RUnlock()
				return &View{s: s, head: v.Head, tree: tree}, nil
			}
		}
	}
	s.mu.RUnlock()
	switch {
	case height > head:
		return nil, ErrFuture{Head: head}
	case height < first:
		return nil, ErrPruned{First: first}
	}
	var e headEntry
	err := s.read(newest, func(txn *reader) (err error) {
		e, err = readHead(txn, height)
		return err
	})
	if err != nil {
		return nil, s.orPruned(height, err)
	}
	return &View{s: s, head: e.Head}, nil
}

// Height is the view's height.
func (v *View) Height() uint64 { return v.head.Height }

// TimeMS is the time of the block that made the state.
func (v *View) TimeMS() uint64 { return v.head.TimeMS }

// Root is the root of the state.
func (v *View) Root() crypto.Hash { return v.head.Root }

// Tree is the state tree, for proofs; nil if the height is not in memory. It is closed with the view.
func (v *View) Tree() *merkle.View { return v.tree }

// Close lets go of the state. Values that Get returned must not be used afterwards.
func (v *View) Close() {
	if v.tree != nil {
		v.tree.Close()
	}
}

// Get returns the value of a key, nil if there is none. It must not be changed, and is valid until Close.
func (v *View) Get(key []byte) ([]byte, error) {
	if len(key) == replayLeafLen && key[0] == ledger.PrefixRecord {
		return v.replayRecord(key)
	}
	if v.tree != nil {
		value, _ := v.tree.Get(key)
		return value, nil
	}
	return v.s.valueAt(v.head.Height, key)
}

// Prefetch brings what Get will read for keys into the processor's caches, where that is in memory.
func (v *View) Prefetch(keys [][]byte) {
	if v.tree == nil {
		return
	}
	leaves := make([][]byte, 0, len(keys))
	records := map[uint64][][]byte{}
	for _, key := range keys {
		if len(key) == replayLeafLen && key[0] == ledger.PrefixRecord {
			number := binary.BigEndian.Uint64(key[1:])
			records[number] = append(records[number], key[replayLeafLen-crypto.HashSize:])
		} else {
			leaves = append(leaves, key)
		}
	}
	v.tree.Prefetch(leaves)
	for number, ids := range records {
		v.s.prefetchRecords(number, ids)
	}
}

// replayRecord reads a replay record, which counts as long as its bucket's leaf is there.
func (v *View) replayRecord(key []byte) ([]byte, error) {
	number := binary.BigEndian.Uint64(key[1:])
	value, err := v.s.replayRecord(number, key[replayLeafLen-crypto.HashSize:], v.head.Height)
	if value == nil || err != nil {
		if err != nil && v.tree == nil {
			err = v.s.orPruned(v.head.Height, err)
		}
		return nil, err
	}
	leaf, err := v.Get(ledger.KeyBucket(number))
	if leaf == nil || err != nil {
		return nil, err
	}
	return value, nil
}

// valueAt reads a key as of a height from disk: the newest change in the records above the last boundary
// that is not later than the height, or else the flat key at that boundary.
func (s *Store) valueAt(height uint64, key []byte) ([]byte, error) {
	s.mu.RLock()
	base, next := uint64(0), uint64(0)
	for _, b := range s.bounds {
		if b > height+1 {
			next = b
			break
		}
		base = b
	}
	s.mu.RUnlock()
	var value []byte
	err := s.read(newest, func(txn *reader) (err error) {
		if next > 0 {
			// The fold after the height has a version of every key that changed since the fold before it.
			flat, at, err := s.readFlat(next-1, key)
			if err != nil {
				return err
			}
			if at < base {
				value = flat
				return nil
			}
		}
		value, err = s.searchRecords(txn, base, height, key)
		return err
	})
	if err != nil {
		return nil, s.orPruned(height, err)
	}
	// What was read is whole unless the height was given up meanwhile.
	return value, s.orPruned(height, nil)
}

// orPruned is the error of a read from disk at a height: that the height is gone, if it is, explains all
// others.
func (s *Store) orPruned(height uint64, err error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if first := s.first(); height < first {
		return ErrPruned{First: first}
	}
	return err
}

// searchRecords reads a key from the change records of the heights from base on, or else from the flat keys
// below base.
func (s *Store) searchRecords(txn *reader, base, height uint64, key []byte) ([]byte, error) {
	heads, err := s.heads(txn, base, height, math.MaxInt)
	if err != nil {
		return nil, err
	}
	for _, e := range slices.Backward(heads) {
		value, found, err := findChange(txn, e, key)
		if err != nil || found {
			return value, err
		}
	}
	if base == 0 {
		return nil, nil
	}
	value, _, err := s.readFlat(base-1, key)
	return value, err
}

// readFlat reads a flat key as of a height that is a boundary's, and says at which height it was written.
// Both are zero if there is none; a deleted key has no value and a height. It needs reading.
func (s *Store) readFlat(height uint64, key []byte) (value []byte, at uint64, err error) {
	txn := s.db.keys.NewTransactionAt(flatTime(height), false)
	defer txn.Discard()
	item, err := txn.Get(flatKey(key))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("read flat key %x: %w", key, err)
	}
	err = item.Value(func(b []byte) error {
		if len(b) > 0 {
			value = bytes.Clone(b)
		}
		return nil
	})
	return value, flatHeight(item.Version()), err
}

// readHead reads one head.
func readHead(txn *reader, height uint64) (e headEntry, err error) {
	err = readValue(txn, headKey(height), func(value []byte) error {
		e, err = decodeHeadEntry(value)
		return err
	})
	if err != nil {
		return headEntry{}, fmt.Errorf("read head %d: %w", height, err)
	}
	return e, nil
}
