package merkle

import (
	"bytes"

	"github.com/tetradledger/tetrad/crypto"
)

// View is one committed version, pinned: it does not change, and its memory is not used again before
// Close. Any number of goroutines may read one View; Close must come after them all.
type View struct {
	m  *Map
	at *version // nil once closed: a late read panics rather than see another version's memory
}

// Version is the number the version was staged with.
func (v *View) Version() uint64 { return v.at.number }

// Root is the root hash; zero if the map is empty.
func (v *View) Root() crypto.Hash { return v.at.root.hash }

// Len is the number of keys.
func (v *View) Len() uint64 { return v.at.leaves }

// Close unpins the version. What the view handed out must not be used any more. Closing again does
// nothing.
func (v *View) Close() {
	if v.at == nil {
		return
	}
	v.m.unpin(v.at)
	v.at = nil
}

// Get returns the value of a key. It aliases the arena: it must not be changed, and it is valid until
// Close.
func (v *View) Get(key []byte) ([]byte, bool) {
	at := v.at
	path := pathOf(key)
	if at.index != nil {
		if rec, ok := at.index.find(indexPath(&path), key, at.seq, &at.records); ok {
			return rec.value(), true
		}
	}
	r := at.root.ref
	for depth := 0; r != none && !r.isLeaf(); depth++ {
		r = at.nodes.branches(r).child[bit(&path, depth)]
	}
	if r == none {
		return nil, false
	}
	rec := at.records.at(r)
	if !bytes.Equal(rec.key(), key) {
		return nil, false
	}
	return rec.value(), true
}

// Prefetch brings what Get will read for keys into the processor's caches. Before a loop over some
// hundreds of keys of a large map it saves more than half of the loop's time; it has no other effect.
func (v *View) Prefetch(keys [][]byte) {
	var items [warmItems]item
	touched := uint32(0)
	for len(keys) > 0 {
		group := keys[:min(len(keys), warmItems)]
		for i, key := range group {
			items[i].path = pathOf(key)
		}
		touched += v.at.warm(items[:len(group)])
		keys = keys[len(group):]
	}
	keep(touched)
}

// warm brings the ways to a group of keys into the cache: that by the index, and down the tree for those whose
// place in the index has nothing.
func (at *version) warm(items []item) (touched uint32) {
	var ends [warmItems]ref
	if at.index != nil {
		for i := range items {
			touched += at.index.touch(indexPath(&items[i].path))
		}
		known := 0
		for i := range items {
			r := at.index.guess(indexPath(&items[i].path), at.seq)
			if r == none {
				continue
			}
			ends[known] = r
			items[i], items[known] = items[known], items[i]
			known++
		}
		touched += at.records.warm(ends[:known])
		items = items[known:]
	}
	touched += at.nodes.warm(at.root.ref, 0, items, &ends, false)
	return touched + at.records.warm(ends[:len(items)])
}

// Range calls fn for every key whose path is from or comes after it, in path order, until fn returns
// false. Keys and values alias the arena: they must not be changed, and they are valid until Close.
func (v *View) Range(from [32]byte, fn func(key, value []byte) bool) {
	v.at.scan(v.at.root.ref, 0, (*crypto.Hash)(&from), fn)
}

// scan visits the leaves below r. from is nil where every path lies behind it.
func (at *version) scan(r ref, depth int, from *crypto.Hash, fn func(key, value []byte) bool) bool {
	if r == none {
		return true
	}
	if r.isLeaf() {
		rec := at.records.at(r)
		if from != nil {
			path := rec.path()
			if bytes.Compare(path[:], from[:]) < 0 {
				return true
			}
		}
		return fn(rec.key(), rec.value())
	}
	b := at.nodes.branches(r)
	if from != nil && bit(from, depth) == 1 {
		return at.scan(b.child[1], depth+1, from, fn)
	}
	return at.scan(b.child[0], depth+1, from, fn) && at.scan(b.child[1], depth+1, nil, fn)
}
