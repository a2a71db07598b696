package merkle

// Small records are grouped by size. A chunk of memory is cut into spans; a span holds slots of one
// size class, and a span whose slots are all free serves any class again. So memory follows the sizes
// in use: when accounts grow from 120 bytes to 200, the spans of the old size empty and change over.

const (
	granuleBits = 3 // a slot's size and place are multiples of 8 bytes
	granule     = 1 << granuleBits

	spanBytes    = 8 << 10 // four slots of the largest class, some sixty of the common one
	spanGranules = spanBytes / granule

	chunkBytes    = 1 << 20 // what the arena grows by once it is large
	chunkSpans    = chunkBytes / spanBytes
	chunkGranBits = 17
	chunkGranules = 1 << chunkGranBits
	chunkFirst    = spanBytes
	slotBytesMax  = 2048 // a larger record has memory of its own
	spanNone      = -1
)

// classes lists slot sizes: steps of 8 bytes up to 256, then of a sixteenth and less, so that at most
// one byte in eight is wasted, and much less on average.
var classes = func() (sizes []uint16) {
	for size, step := 16, 8; size <= slotBytesMax; size += step {
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

// span describes spanBytes of memory. A free slot's first two bytes hold the next free slot.
type span struct {
	class      uint8
	used       uint16 // slots in use
	touched    uint16 // slots ever handed out since the span got its class; those behind are untouched
	free       uint16 // the first free slot among the touched ones, plus one; 0 if there is none
	prev, next int32  // neighbours in the list of the class's spans with room, or in the list of empty spans
}

func (s *span) slotBytes() int { return int(classes[s.class]) }

func (s *span) slots() int { return spanBytes / s.slotBytes() }
