package merkle

import "unsafe"

// Leaf refs below bigFirst count granules from the start of the chunks, those from there on name big
// records. The first kind reaches 16 GiB less eight megabytes.
const (
	bigFirst = 1<<31 - 1<<20
	bigMax   = 1 << 20
)

// recordTable finds records by leaf ref. A version keeps the table it was committed with.
type recordTable struct {
	chunks [][]byte
	big    [][]byte
}

// at returns the memory of a leaf's record, which may extend past its end. It aliases the arena.
func (t *recordTable) at(r ref) record {
	g := uint32(r &^ leafFlag)
	if g >= bigFirst {
		return t.big[g-bigFirst]
	}
	return t.chunks[g>>chunkGranuleBits][g&(chunkGranules-1)<<granuleBits:]
}

// recordArena hands out memory for records. Only the writer touches it.
type recordArena struct {
	table     recordTable
	spans     []span
	room      [len(classOf)]int32 // by class: the list of spans with a free slot
	empty     int32               // the list of spans without a class
	bigFree   []uint32            // places in table.big to use again
	liveBytes uint64              // slots in use
	bigBytes  uint64              // memory of big records
}

func (a *recordArena) init() {
	a.empty = spanNone
	for c := range a.room {
		a.room[c] = spanNone
	}
}

// reserve finds memory for a record of size bytes. Slices taken from the arena before are stale
// afterwards: the first chunk moves when it grows.
func (a *recordArena) reserve(size int) ref {
	if size > slotBytesMax {
		return a.reserveBig(size)
	}
	class := classOf[(size+granule-1)>>granuleBits]
	i := a.room[class]
	if i == spanNone {
		i = a.open(class)
	}
	s := &a.spans[i]
	slot := s.take()
	a.liveBytes += uint64(s.slotBytes())
	if s.full() {
		a.unlink(&a.room[class], i)
	}
	return leafFlag | ref(i*spanGranules) + ref(slot*s.slotBytes()>>granuleBits)
}

// drop takes back the memory of a record. No version that can still be read refers to it. It does not
// read the record, which is out of the cache by now.
func (a *recordArena) drop(r ref) {
	g := uint32(r &^ leafFlag)
	if g >= bigFirst {
		a.bigBytes -= uint64(len(a.table.big[g-bigFirst]))
		a.table.big[g-bigFirst] = nil
		a.bigFree = append(a.bigFree, g-bigFirst)
		return
	}
	i := int32(g / spanGranules)
	s := &a.spans[i]
	if invariants {
		poison(a.table.at(r)[:s.slotBytes()])
	}
	if s.full() {
		a.push(&a.room[s.class], i)
	}
	a.liveBytes -= uint64(s.slotBytes())
	s.give(int(g%spanGranules) * granule / s.slotBytes())
	if s.used == 0 {
		a.unlink(&a.room[s.class], i)
		a.push(&a.empty, i)
	}
}

// open gives a class a span, one that fell empty if there is any.
func (a *recordArena) open(class uint8) int32 {
	i := a.empty
	if i == spanNone {
		i = a.extend()
	} else {
		a.unlink(&a.empty, i)
	}
	a.spans[i] = newSpan(class)
	a.push(&a.room[class], i)
	return i
}

// extend adds a span, growing the arena if need be: the first chunk doubles until it is as large as
// any, then chunks are added.
func (a *recordArena) extend() int32 {
	i := len(a.spans)
	if (i+1)*spanGranules > bigFirst {
		panic("merkle: the record arena is full")
	}
	if i*spanBytes == a.chunkedBytes() {
		a.grow()
	}
	a.spans = append(a.spans, span{})
	return int32(i)
}

func (a *recordArena) grow() {
	chunks := a.table.chunks
	switch {
	case len(chunks) == 0:
		a.table.chunks = [][]byte{make([]byte, spanBytes)}
	case len(chunks[0]) < chunkBytes:
		larger := make([]byte, 2*len(chunks[0]))
		copy(larger, chunks[0])
		a.table.chunks = [][]byte{larger} // a new table: readers keep the old one and the old chunk
	default:
		a.table.chunks = append(chunks, make([]byte, chunkBytes))
	}
}

// reserveBig gives a record memory of its own, which the garbage collector takes back after drop.
func (a *recordArena) reserveBig(size int) ref {
	a.bigBytes += uint64(size)
	memory := make([]byte, size)
	if last := len(a.bigFree) - 1; last >= 0 {
		i := a.bigFree[last]
		a.bigFree = a.bigFree[:last]
		a.table.big[i] = memory
		return leafFlag | ref(bigFirst+i)
	}
	i := len(a.table.big)
	if i == bigMax {
		panic("merkle: too many big records")
	}
	a.table.big = append(a.table.big, memory)
	return leafFlag | ref(bigFirst+i)
}

// push puts span i at the head of a list.
func (a *recordArena) push(head *int32, i int32) {
	s := &a.spans[i]
	s.prev, s.next = spanNone, *head
	if s.next != spanNone {
		a.spans[s.next].prev = i
	}
	*head = i
}

// unlink takes span i out of a list.
func (a *recordArena) unlink(head *int32, i int32) {
	s := &a.spans[i]
	if s.prev == spanNone {
		*head = s.next
	} else {
		a.spans[s.prev].next = s.next
	}
	if s.next != spanNone {
		a.spans[s.next].prev = s.prev
	}
}

// chunkedBytes is the memory of all chunks.
func (a *recordArena) chunkedBytes() int {
	if len(a.table.chunks) == 0 {
		return 0
	}
	return (len(a.table.chunks)-1)*chunkBytes + len(a.table.chunks[0])
}

// bytes is the memory of the arena but that of big records.
func (a *recordArena) bytes() int {
	return a.chunkedBytes() + cap(a.spans)*int(unsafe.Sizeof(span{}))
}
