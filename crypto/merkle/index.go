package merkle

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"

	"github.com/tetradledger/tetrad/crypto"
)

// index finds records by path without a walk down the tree: two cache lines instead of one for every level. It
// knows the leaves of the newest version, and with each of them the version that made it. A leaf of the newest
// version is one of an older version, too, if it was made no later than that; for all others the reader of an older
// version walks. So what a reader finds is true, and what it does not find says nothing.
//
// The writer changes it when a version is committed, before anyone can read that version. Readers need no lock: a
// place is read and written as one word, and a segment that grows is copied, the old one staying as it was. Whatever
// a reader goes to is a record of the version it has pinned, whose memory nobody uses again.
type index struct {
	// Segments grow one by one: about at the same size, since paths are hashes, but not in one moment.
	segments []segment
	shift    int // of a path, for its segment
	count    int // places of all segments
}

const (
	segmentBits = 10

	// indexLeaves is where an index begins to pay: a smaller tree stays within the processor's caches.
	indexLeaves = 1 << 14
)

// segment is a table with open addressing. Readers see its places alone.
type segment struct {
	places atomic.Pointer[places]
	taken  int // places that are not free
	live   int // those that name a record
}

// places are as many as a power of two, at least half of them free.
type places []atomic.Uint64

// What a place holds: a record's ref, and in the upper half the sequence number of the version that made it. Refs of
// records are larger than the other two.
const (
	placeFree uint64 = iota // ends a search
	placeGone               // a record was here; a search goes on
)

func placeOf(r ref, born uint32) uint64 { return uint64(born)<<32 | uint64(r) }

// names returns the record of a place, if it has one that the version with number seq has, too.
func names(place uint64, seq uint32) ref {
	if uint32(place>>32) > seq || place <= placeGone {
		return none
	}
	return ref(place)
}

// move is what an update does to the index: it adds a record or removes one.
type move struct {
	path   uint64
	record ref
	add    bool
}

// indexPath is as much of a path as the index uses.
func indexPath(path *crypto.Hash) uint64 { return binary.BigEndian.Uint64(path[:]) }

func (x *index) segment(path uint64) *segment { return &x.segments[path>>x.shift] }

// first is where a search for a path begins, next where it goes on.
func (p places) first(path uint64) int { return int(path>>16) & (len(p) - 1) }

func (p places) next(i int) int { return (i + 1) & (len(p) - 1) }

// find returns the record of a key in the version with number seq, if the index knows it.
func (x *index) find(path uint64, key []byte, seq uint32, records *recordTable) (record, bool) {
	p := x.segment(path).places.Load()
	if p == nil {
		return nil, false
	}
	for i := p.first(path); ; i = p.next(i) {
		place := (*p)[i].Load()
		if place == placeFree {
			return nil, false
		}
		if r := names(place, seq); r != none {
			if rec := records.at(r); string(rec.key()) == string(key) {
				return rec, true
			}
		}
	}
}

// guess returns the record that find will look at first, or none if it may have to go on.
func (x *index) guess(path uint64, seq uint32) ref {
	p := x.segment(path).places.Load()
	if p == nil {
		return none
	}
	return names((*p)[p.first(path)].Load(), seq)
}

// touch brings the place where a search begins into the cache.
func (x *index) touch(path uint64) uint32 {
	p := x.segment(path).places.Load()
	if p == nil {
		return 0
	}
	return uint32((*p)[p.first(path)].Load())
}

// newIndex makes an index of a version, with 1<<bits segments.
func newIndex(v *version, bits int) *index {
	x := &index{segments: make([]segment, 1<<bits), shift: 64 - bits}
	v.each(v.root.ref, func(r ref) {
		rec := v.records.at(r)
		path := rec.path()
		x.add(indexPath(&path), r, rec.born(), &v.records)
	})
	return x
}

// each calls fn for the leaves below r.
func (at *version) each(r ref, fn func(ref)) {
	switch {
	case r == none:
	case r.isLeaf():
		fn(r)
	default:
		b := at.nodes.branches(r)
		at.each(b.child[0], fn)
		at.each(b.child[1], fn)
	}
}

// apply follows an update whose records are born in version seq.
func (x *index) apply(moves []move, seq uint32, records *recordTable) {
	for len(moves) > 0 {
		group := moves[:min(len(moves), warmItems)]
		touched := uint32(0)
		for i := range group {
			touched += x.touch(group[i].path)
		}
		keep(touched)
		for i := range group {
			m := &group[i]
			if m.add {
				x.add(m.path, m.record, seq, records)
			} else {
				x.remove(m.path, m.record)
			}
		}
		moves = moves[len(group):]
	}
}

// add takes the first place without a record. None of the records in the index has the same key.
func (x *index) add(path uint64, r ref, born uint32, records *recordTable) {
	s := x.segment(path)
	p := s.places.Load()
	if p == nil || 2*(s.taken+1) > len(*p) {
		p = x.rebuild(s, records)
	}
	s.put(*p, path, placeOf(r, born))
}

func (s *segment) put(p places, path, place uint64) {
	i := p.first(path)
	for p[i].Load() > placeGone {
		i = p.next(i)
	}
	if p[i].Load() == placeFree {
		s.taken++
	}
	s.live++
	p[i].Store(place)
}

// remove forgets a record, which the index has.
func (x *index) remove(path uint64, r ref) {
	s := x.segment(path)
	p := *s.places.Load()
	for i := p.first(path); ; i = p.next(i) {
		switch place := p[i].Load(); {
		case place == placeFree:
			panic("merkle: a record that is removed is not in the index")
		case ref(place) == r:
			p[i].Store(placeGone)
			s.live--
			return
		}
	}
}

// rebuild makes room for one more, and drops the places of what is gone.
func (x *index) rebuild(s *segment, records *recordTable) *places {
	size := 8 // a cache line
	for size < 3*(s.live+1) {
		size *= 2
	}
	larger := make(places, size)
	x.count += size
	s.taken, s.live = 0, 0
	if old := s.places.Load(); old != nil {
		x.count -= len(*old)
		for i := range *old {
			place := (*old)[i].Load()
			if place <= placeGone {
				continue
			}
			path := records.at(ref(place)).path()
			s.put(larger, indexPath(&path), place)
		}
	}
	s.places.Store(&larger)
	return &larger
}

// bytes is the memory of the index.
func (x *index) bytes() int {
	if x == nil {
		return 0
	}
	return len(x.segments)*int(unsafe.Sizeof(segment{})) + 8*x.count
}
