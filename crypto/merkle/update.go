package merkle

import (
	"bytes"
	"crypto/sha256"
	"sort"

	"github.com/tetradledger/tetrad/crypto"
)

// update walks down the parent's tree once with all changes, in path order, and builds what changes on
// the way back. It hashes every new node once and leaves the parent's nodes as they are.
type update struct {
	m        *Map
	changes  []Change
	born     uint32
	leaves   uint64
	replaced replaced
	warmed bool
	sink uint32
}
const warmItems = 32
func (u *update) warm(r ref, depth int, items []item) {
	var at [warmItems]ref
	for i := range items { at[i] = r }
	sum := uint32(0)
	for going := true; going; depth++ {
		going = false
		for i := range items {
			r := at[i]
			if r == none || r.isLeaf() { continue }
			n := u.m.nodes.chunks.at(r)
			sum += uint32(n.hash[0][0])
			at[i] = n.child[bit(&items[i].path, depth)]
			going = true
		}
	}
	for i := range items {
		if r := at[i]; r.isLeaf() {
			rec := u.m.records.table.at(r)
			sum += uint32(rec[0])+uint32(rec[60])
		}
	}
	free := u.m.nodes.free
	if want := 8*len(items); len(free) > want { free = free[len(free)-want:] }
	for _, r := range free {
		n := u.m.nodes.chunks.at(ref(r))
		sum += uint32(n.hash[0][0])+n.born
	}
	u.sink += sum
}

// apply returns the subtree at `at`, whose paths agree in their first depth bits, with the items
// applied. Where nothing changes it returns at itself.
func (u *update) apply(at link, depth int, items []item) link {
	switch {
	case len(items) == 0:
		return at
	case at.ref == none:
		return u.build(nil, depth, items)
	case at.ref.isLeaf():
		return u.applyLeaf(at, depth, items)
	}
	if len(items) <= warmItems && !u.warmed {
		u.warm(at.ref, depth, items)
		u.warmed = true
		defer func() { u.warmed = false }()
	}
	n := *u.m.nodes.chunks.at(at.ref) // a copy: the arena may move below
	s := split(items, depth)
	left := u.apply(n.link(0), depth+1, items[:s])
	right := u.apply(n.link(1), depth+1, items[s:])
	if left.ref == n.child[0] && right.ref == n.child[1] {
		return at
	}
	u.replaced.nodes = append(u.replaced.nodes, at.ref)
	return u.join(&left, &right)
}

// split returns how many of the items go left at depth.
func split(items []item, depth int) int {
	return sort.Search(len(items), func(i int) bool { return bit(&items[i].path, depth) == 1 })
}

// applyLeaf applies items where a single leaf stands.
func (u *update) applyLeaf(at link, depth int, items []item) link {
	rec := u.m.records.table.at(at.ref)
	for i := range items {
		c := &u.changes[items[i].n]
		if !bytes.Equal(c.Key, rec.key()) {
			continue
		}
		if len(items) == 1 && bytes.Equal(c.Value, rec.value()) {
			return at
		}
		u.replaced.records = append(u.replaced.records, at.ref)
		u.leaves--
		return u.build(nil, depth, items)
	}
	return u.build(&leaf{at, rec.path()}, depth, items)
}

// leaf is a leaf of the parent that other keys come to share a place with.
type leaf struct {
	link link
	path crypto.Hash
}

// build makes a subtree of a leaf that is there already, or nil, and of the items, none of which is
// of that leaf's key. Deleting what is not there changes nothing.
func (u *update) build(old *leaf, depth int, items []item) link {
	if len(items) == 0 {
		if old == nil {
			return link{}
		}
		return old.link
	}
	if len(items) == 1 {
		switch c := &u.changes[items[0].n]; {
		case old == nil && len(c.Value) == 0:
			return link{}
		case old == nil:
			return u.newLeaf(&items[0].path, c)
		case len(c.Value) == 0:
			return old.link
		}
	}
	if depth == depthMax {
		panic("merkle: two keys of one path") // would be a collision of SHA-256
	}
	s := split(items, depth)
	var oldLeft, oldRight *leaf
	if old != nil && bit(&old.path, depth) == 0 {
		oldLeft = old
	} else {
		oldRight = old
	}
	left := u.build(oldLeft, depth+1, items[:s])
	right := u.build(oldRight, depth+1, items[s:])
	return u.join(&left, &right)
}

// newLeaf stores a record.
func (u *update) newLeaf(path *crypto.Hash, c *Change) link {
	valueHash := crypto.Hash(sha256.Sum256(c.Value))
	u.leaves++
	return link{
		ref:  u.m.records.put(u.born, c.Key, c.Value),
		hash: leafHash(path, &valueHash),
	}
}

// join makes a node of two subtrees. A leaf beside nothing needs no node and moves up: this is what
// keeps the tree compact when leaves are deleted.
func (u *update) join(left, right *link) link {
	switch {
	case left.ref == none && (right.ref == none || right.ref.isLeaf()):
		return *right
	case right.ref == none && left.ref.isLeaf():
		return *left
	}
	n := node{
		hash:  [2]crypto.Hash{left.hash, right.hash},
		child: [2]ref{left.ref, right.ref},
		born:  u.born,
	}
	return link{ref: u.m.nodes.put(&n), hash: innerHash(&left.hash, &right.hash)}
}
