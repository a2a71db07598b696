package merkle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/tetradledger/tetrad/crypto"
)

// item is one change on its way down the tree.
type item struct {
	path crypto.Hash
	n    uint32 // index into the changes
	slot ref    // memory for the record, if it is reserved already
}

// scratch is memory that one update leaves to the next.
type scratch struct {
	unordered []item
	ordered   []item
	ends      []uint32 // by bucket
	spare     []replaced
	moves     []move
}

// scratchMax is as many items as are kept room for between updates: those of a large batch, not those of a
// whole map that was built in one.
const scratchMax = 1 << 16

// trim gives room back that no usual update needs.
func (s *scratch) trim() {
	if cap(s.unordered) > scratchMax {
		s.unordered, s.ordered = nil, nil
	}
}

// bucketBitsMax bounds the buckets of order to what a batch fills.
const bucketBitsMax = 16

// order returns the changes in path order. It panics at a change no caller may make.
//
// Paths are hashes, so that their first bits spread a batch over buckets of one or two items; what is
// left to sort is next to nothing. Keys chosen to share their first bits make it slower by the time of
// an ordinary sort, and no more.
func (s *scratch) order(changes []Change) []item {
	bucketBits := min(bits.Len(uint(len(changes))), bucketBitsMax)
	bucket := func(it *item) uint32 { return binary.BigEndian.Uint32(it.path[:]) >> (32 - bucketBits) }

	s.ends = slices.Grow(s.ends[:0], 1<<bucketBits)[:1<<bucketBits]
	clear(s.ends)
	s.unordered = slices.Grow(s.unordered[:0], len(changes))
	for i := range changes {
		c := &changes[i]
		if len(c.Key) == 0 || len(c.Key) > KeyBytesMax || len(c.Value) > ValueBytesMax {
			panic(fmt.Sprintf("merkle: change of %d key bytes and %d value bytes", len(c.Key), len(c.Value)))
		}
		it := item{path: pathOf(c.Key), n: uint32(i)}
		s.unordered = append(s.unordered, it)
		s.ends[bucket(&it)]++
	}

	// From the number of items in each bucket to the place of its first one, then, as the items come
	// in, to the place behind its last one.
	sum := uint32(0)
	for b, count := range s.ends {
		s.ends[b], sum = sum, sum+count
	}
	s.ordered = slices.Grow(s.ordered[:0], len(changes))[:len(changes)]
	for i := range s.unordered {
		end := &s.ends[bucket(&s.unordered[i])]
		s.ordered[*end] = s.unordered[i]
		*end++
	}
	from := uint32(0)
	for _, end := range s.ends {
		s.sortBucket(s.ordered[from:end], changes)
		from = end
	}
	return s.ordered
}

// sortBucket sorts what shares its first bits. Equal paths are in one bucket.
func (s *scratch) sortBucket(items []item, changes []Change) {
	if len(items) < 2 {
		return
	}
	slices.SortFunc(items, func(a, b item) int { return bytes.Compare(a.path[:], b.path[:]) })
	for i := 1; i < len(items); i++ {
		if items[i].path == items[i-1].path {
			panic(fmt.Sprintf("merkle: two changes of key %x", changes[items[i].n].Key))
		}
	}
}

// take returns empty lists, with the memory of older ones if there is any.
func (s *scratch) take() replaced {
	last := len(s.spare) - 1
	if last < 0 {
		return replaced{}
	}
	r := s.spare[last]
	s.spare = s.spare[:last]
	return r
}

// recycle takes lists that are not needed any more.
func (s *scratch) recycle(r replaced) {
	s.spare = append(s.spare, replaced{nodes: r.nodes[:0], records: r.records[:0]})
}

// takeMoves and recycleMoves do the same for the changes of the index, of which one list is kept.
func (s *scratch) takeMoves() []move {
	moves := s.moves
	s.moves = nil
	return moves
}

func (s *scratch) recycleMoves(moves []move) {
	if cap(moves) <= 2*scratchMax {
		s.moves = moves[:0]
	}
}
