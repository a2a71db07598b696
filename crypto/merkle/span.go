package merkle

import "math/bits"

// Small records are grouped by size. A chunk of memory is cut into spans; a span holds slots of one
// size class, and a span whose slots are all free serves any class again. So memory follows the sizes
// in use: when accounts grow from 120 bytes to 200, the spans of the old size empty and change over.

const (
	granuleBits = 3 // a slot's size and place are multiples of 8 bytes
	granule     = 1 << granuleBits

	slotBytesMin = 32
	slotBytesMax = 2048 // a larger record has memory of its own

	spanBytes    = 8 << 10 // four slots of the largest class, some forty of the common one
	spanGranules = spanBytes / granule
	spanSlotsMax = spanBytes / slotBytesMin
	spanNone     = -1

	chunkGranuleBits = 17 // one megabyte: what the arena grows by once it is large
	chunkGranules    = 1 << chunkGranuleBits
	chunkBytes       = chunkGranules * granule
)

// classes lists slot sizes: steps of 8 bytes up to 256, then coarser ones, so that at most one byte in
// sixteen is lost to rounding from 128 bytes on.
var classes = func() (sizes []uint16) {
	for size, step := slotBytesMin, granule; size <= slotBytesMax; size += step {
		if size == 256 || size == 512 || size == 1024 {
			step *= 2
		}
		sizes = append(sizes, uint16(size))
	}
	return sizes
}()

// classOf maps a size in granules, rounded up, to the smallest class that holds it.
var classOf = func() (class [slotBytesMax/granule + 1]uint8) {
	c := 0
	for g := range class {
		if g*granule > int(classes[c]) {
			c++
		}
		class[g] = uint8(c)
	}
	return class
}()

// span describes spanBytes of memory. Which slots are free is kept here and not in the slots, so that
// taking a slot does not touch memory that is likely out of every cache.
type span struct {
	free       [spanSlotsMax / 64]uint64 // one bit per slot
	class      uint8
	used       uint16
	prev, next int32 // neighbours in the list of the class's spans with room, or of the empty spans
}

func newSpan(class uint8) span {
	s := span{class: class}
	for slot := range s.slots() {
		s.free[slot/64] |= 1 << (slot % 64)
	}
	return s
}

func (s *span) slotBytes() int { return int(classes[s.class]) }

func (s *span) slots() int { return spanBytes / s.slotBytes() }

func (s *span) full() bool { return int(s.used) == s.slots() }

// take returns a free slot, the lowest one, so that neighbours in a batch become neighbours in memory.
func (s *span) take() int {
	for i, free := range s.free {
		if free != 0 {
			s.free[i] = free & (free - 1)
			s.used++
			return i*64 + bits.TrailingZeros64(free)
		}
	}
	panic("merkle: a span with room has no free slot")
}

func (s *span) give(slot int) {
	if s.free[slot/64]&(1<<(slot%64)) != 0 {
		panic("merkle: a record is dropped twice")
	}
	s.free[slot/64] |= 1 << (slot % 64)
	s.used--
}
