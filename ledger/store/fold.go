package store

import (
	"bytes"
	"container/heap"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// foldStep folds change records into flat keys: of every key that changed at a height from the last
// boundary on, the last value, at the time of the highest height folded. It reports whether it did
// anything.
//
// Heights whose trees are in memory are left alone, so that Open, which starts at the boundary and goes
// through the records above it, has their trees again.
//
// Flat keys are written first, in any number of transactions, then the seal, and the mark last. A crash in between
// leaves flat keys at times above the mark: Open reads at the time of the mark, and the next fold writes the same
// values again or later ones.
func (s *Store) foldStep() (bool, error) {
	from, to, ok := s.foldable()
	if !ok {
		return false, nil
	}
	var cursors cursorHeap
	var size uint64
	err := s.read(newest, func(txn *reader) error {
		heads, err := s.heads(txn, from, to, foldHeightsMax)
		if err != nil {
			return err
		}
		for _, e := range heads {
			to = e.Height
			size += e.Bytes
			c := &cursor{txn: txn, record: e}
			more, err := c.next()
			if err != nil {
				return err
			}
			if more {
				cursors = append(cursors, c)
			}
		}
		return s.foldRecords(cursors, to)
	})
	if err != nil {
		return false, fmt.Errorf("fold heights %d to %d: %w", from, to, err)
	}
	mark := badger.NewEntry(markKey(to+1), nil)
	if err := s.commitOne("fold.mark", putTime, []*badger.Entry{mark}); err != nil {
		return false, fmt.Errorf("fold heights %d to %d: %w", from, to, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bounds = append(s.bounds[:len(s.bounds):len(s.bounds)], to+1)
	s.unfolded -= size
	return true, nil
}

// foldable says which heights can be folded: those below the trees in memory, as far as a restart needs
// nothing else of them. It fills neither the index from below the boundary, nor buckets that lost their leaf
// there.
func (s *Store) foldable() (from, to uint64, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	from, to = s.boundary(), s.recent[0].Height
	if len(s.blocks) > 0 {
		to = min(to, s.blocks[0].height-1)
	}
	for _, b := range s.buckets {
		if b.records != nil && b.dropped > 0 {
			to = min(to, b.dropped-1)
		}
	}
	return from, to, s.durable && from <= to
}

// foldRecords merges the state sections of records and writes the last value of each key at the time of
// height to.
func (s *Store) foldRecords(cursors cursorHeap, to uint64) error {
	heap.Init(&cursors)
	b := s.newBatch("fold.flat", flatTime(to))
	var last []byte
	for len(cursors) > 0 {
		c := cursors[0]
		if !bytes.Equal(c.key, last) { // the highest height of a key comes first
			last = append(last[:0], c.key...)
			if err := b.add(kindFlat, c.key, c.value, true); err != nil {
				return err
			}
		}
		more, err := c.next()
		if err != nil {
			return err
		}
		if more {
			heap.Fix(&cursors, 0)
		} else {
			heap.Pop(&cursors)
		}
	}
	return b.seal(kindMark)
}

// cursor walks through the state section of one record.
type cursor struct {
	txn    *reader
	record headEntry
	chunk  uint32 // the next to read
	memory []byte // of the current chunk
	rest   []byte // what is left of it
	key    []byte
	value  []byte // nil: deleted
}

// next moves to the next change; false if there is none.
func (c *cursor) next() (bool, error) {
	for len(c.rest) == 0 {
		if c.chunk == c.record.Chunks[sectionState] {
			return false, nil
		}
		key := recordKey(c.record.Height, c.record.Root, sectionState, c.chunk)
		err := readValue(c.txn, key, func(chunk []byte) error {
			c.memory = append(c.memory[:0], chunk...)
			return nil
		})
		if err != nil {
			return false, err
		}
		c.rest = c.memory
		c.chunk++
	}
	var err error
	c.key, c.value, c.rest, err = nextItem(c.rest)
	return err == nil, err
}

// cursorHeap orders cursors by key, and those at one key from the highest height down.
type cursorHeap []*cursor

func (h cursorHeap) Len() int      { return len(h) }
func (h cursorHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h cursorHeap) Less(i, j int) bool {
	if order := bytes.Compare(h[i].key, h[j].key); order != 0 {
		return order < 0
	}
	return h[i].record.Height > h[j].record.Height
}

func (h *cursorHeap) Push(c any) { *h = append(*h, c.(*cursor)) }

func (h *cursorHeap) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	*h = (*h)[:last]
	return c
}

// heads reads the heads from one height to another, both included, at most n.
func (s *Store) heads(txn *reader, from, to uint64, n int) ([]headEntry, error) {
	var out []headEntry
	it := txn.of(kindHead).NewIterator(badger.IteratorOptions{Prefix: []byte{kindHead}})
	defer it.Close()
	for it.Seek(headKey(from)); it.Valid() && len(out) < n; it.Next() {
		height := numberOf(it.Item().Key())
		if height > to {
			break
		}
		err := it.Item().Value(func(value []byte) error {
			e, err := decodeHeadEntry(value)
			out = append(out, e)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read head %d: %w", height, err)
		}
	}
	return out, nil
}
