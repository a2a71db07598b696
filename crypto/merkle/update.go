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
	indexed  bool // there is an index, which is to follow
	moves    []move
}

// apply changes the subtree at `at`, whose paths agree in their first depth bits, by items. Where
// nothing changes it leaves `at` alone. cold says that what lies below is likely out of the cache.
func (u *update) apply(at *link, depth int, items []item, cold bool) {
	switch {
	case len(items) == 0:
		return
	case at.ref == none:
		u.build(at, nil, depth, items)
		return
	case at.ref.isLeaf():
		u.applyLeaf(at, depth, items)
		return
	}
	if cold && len(items) <= warmItems {
		u.warm(at.ref, depth, items)
		cold = false
	}
	n := u.m.nodes.chunks.load(at.ref)
	left, right := n.child[0].ref, n.child[1].ref
	s := split(items, depth)
	u.apply(&n.child[0], depth+1, items[:s], cold)
	u.apply(&n.child[1], depth+1, items[s:], cold)
	if n.child[0].ref == left && n.child[1].ref == right {
		return
	}
	u.replaced.nodes = append(u.replaced.nodes, at.ref)
	u.join(at, &n)
}

// split returns how many of the items go left at depth.
func split(items []item, depth int) int {
	return sort.Search(len(items), func(i int) bool { return bit(&items[i].path, depth) == 1 })
}

// applyLeaf changes a subtree of a single leaf.
func (u *update) applyLeaf(at *link, depth int, items []item) {
	rec := u.m.records.table.at(at.ref)
	for i := range items {
		c := &u.changes[items[i].n]
		if !bytes.Equal(c.Key, rec.key()) {
			continue
		}
		if bytes.Equal(c.Value, rec.value()) {
			u.release(&items[i])
			stays := leaf{*at, items[i].path}
			copy(items[1:i+1], items[:i])
			u.build(at, &stays, depth, items[1:])
			return
		}
		u.replaced.records = append(u.replaced.records, at.ref)
		u.move(&items[i], at.ref, false)
		u.leaves--
		u.build(at, nil, depth, items)
		return
	}
	u.build(at, &leaf{*at, rec.path()}, depth, items)
}

// leaf is a leaf of the parent that other keys come to share a place with.
type leaf struct {
	link link
	path crypto.Hash
}

// build sets at to a subtree of a leaf that is there already, or nil, and of the items, none of which
// is of that leaf's key. Deleting what is not there changes nothing.
func (u *update) build(at *link, old *leaf, depth int, items []item) {
	if len(items) == 0 || len(items) == 1 && len(u.changes[items[0].n].Value) == 0 {
		*at = link{}
		if old != nil {
			*at = old.link
		}
		return
	}
	if len(items) == 1 && old == nil {
		u.newLeaf(at, &items[0])
		return
	}
	if depth == depthMax {
		panic("merkle: two keys of one path") // would be a collision of SHA-256
	}
	var n node
	var oldLeft, oldRight *leaf
	if old != nil && bit(&old.path, depth) == 0 {
		oldLeft = old
	} else {
		oldRight = old
	}
	s := split(items, depth)
	u.build(&n.child[0], oldLeft, depth+1, items[:s])
	u.build(&n.child[1], oldRight, depth+1, items[s:])
	u.join(at, &n)
}

// newLeaf stores a record.
func (u *update) newLeaf(at *link, it *item) {
	c := &u.changes[it.n]
	if it.slot == none {
		it.slot = u.m.records.reserve(recordBytes(c.Key, c.Value))
	}
	u.m.records.table.at(it.slot).fill(u.born, c.Key, c.Value)
	u.leaves++
	u.move(it, it.slot, true)
	valueHash := crypto.Hash(sha256.Sum256(c.Value))
	*at = link{hash: leafHash(&it.path, &valueHash), ref: it.slot}
}

// move notes what the index will have to follow.
func (u *update) move(it *item, r ref, add bool) {
	if u.indexed {
		u.moves = append(u.moves, move{indexPath(&it.path), r, add})
	}
}

// release gives back the memory reserved for a record that is not needed.
func (u *update) release(it *item) {
	if it.slot != none {
		u.m.records.drop(it.slot)
	}
}

// join sets at to the node n, whose children are in place. A leaf beside nothing needs no node and
// moves up: this is what keeps the tree compact when leaves are deleted.
func (u *update) join(at *link, n *node) {
	left, right := &n.child[0], &n.child[1]
	switch {
	case left.ref == none && (right.ref == none || right.ref.isLeaf()):
		*at = *right
	case right.ref == none && left.ref.isLeaf():
		*at = *left
	default:
		*at = link{hash: innerHash(&left.hash, &right.hash), ref: u.m.nodes.put(n, u.born)}
	}
}
