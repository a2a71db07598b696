package merkle

import (
	"unsafe"

	"github.com/tetradledger/tetrad/crypto"
)

// ref names a subtree: nothing, an inner node by its slot in the node arena, or a leaf by its place in
// the record arena. A leaf has no node: its parent holds its hash, its record holds the rest.
type ref uint32

const (
	none     ref = 0
	leafFlag ref = 1 << 31
)

func (r ref) isLeaf() bool { return r&leafFlag != 0 }

// link is what a parent knows of a subtree. The hash of the empty link is zero, as the layout wants.
type link struct {
	ref  ref
	hash crypto.Hash
}

// node is an inner node. It holds its children's hashes rather than its own: a changed path is then
// hashed again from the nodes on it, without a visit to any sibling.
type node struct {
	hash  [2]crypto.Hash
	child [2]ref
	born  uint32 // sequence number of the version that made the node
}

func (n *node) link(side int) link { return link{n.child[side], n.hash[side]} }

const (
	nodeChunkBits  = 14 // 16,384 nodes of 76 bytes: what the arena grows by once it is large
	nodeChunkLen   = 1 << nodeChunkBits
	nodeChunkMask  = nodeChunkLen - 1
	nodeChunkFirst = 32
)

// nodeTable finds nodes by slot. A version keeps the table it was committed with: the writer adds
// chunks behind its end and replaces nothing a committed node lies in.
type nodeTable [][]node

func (t nodeTable) at(r ref) *node {
	return &t[r>>nodeChunkBits][r&nodeChunkMask]
}

// nodeArena hands out slots for nodes. Only the writer touches it.
type nodeArena struct {
	chunks nodeTable
	next   uint32   // the first slot never handed out
	free   []uint32 // slots to use again, last in first out
}

// put stores n and returns its name. Pointers into the arena taken before are stale afterwards: the
// first chunk moves when it grows.
func (a *nodeArena) put(n *node) ref {
	var r ref
	if last := len(a.free) - 1; last >= 0 {
		r = ref(a.free[last])
		a.free = a.free[:last]
	} else {
		r = a.extend()
	}
	*a.chunks.at(r) = *n
	return r
}

// extend hands out a slot that was never used, growing the arena if need be. Slot 0 is never handed
// out, because the ref 0 means none.
func (a *nodeArena) extend() ref {
	if int(a.next) == a.slots() {
		a.grow()
	}
	if a.next == 0 {
		a.next = 1
	}
	r := ref(a.next)
	if r.isLeaf() {
		panic("merkle: the node arena is full")
	}
	a.next++
	return r
}

// grow doubles the first chunk until it is as large as any, then adds chunks. A small map is small,
// and a lookup needs no more than a shift and a mask.
func (a *nodeArena) grow() {
	if len(a.chunks) == 0 {
		a.chunks = nodeTable{make([]node, nodeChunkFirst)}
		return
	}
	if first := a.chunks[0]; len(first) < nodeChunkLen {
		larger := make([]node, 2*len(first))
		copy(larger, first)
		a.chunks = nodeTable{larger} // a new table: readers keep the old one and the old chunk
		return
	}
	a.chunks = append(a.chunks, make([]node, nodeChunkLen))
}

// drop takes slots back. No version that can still be read refers to them.
func (a *nodeArena) drop(r ref) {
	if invariants {
		n := a.chunks.at(r)
		for side := range n.hash {
			n.hash[side] = poisonHash
			n.child[side] = poisonRef
		}
	}
	a.free = append(a.free, uint32(r))
}

// slots is the number of slots there is memory for.
func (a *nodeArena) slots() int {
	if len(a.chunks) == 0 {
		return 0
	}
	return (len(a.chunks)-1)*nodeChunkLen + len(a.chunks[0])
}

// live is the number of nodes in use, by committed versions and staged ones together.
func (a *nodeArena) live() uint64 {
	if a.next == 0 {
		return 0
	}
	return uint64(a.next) - 1 - uint64(len(a.free))
}

// bytes is the memory of the arena.
func (a *nodeArena) bytes() int {
	return a.slots()*int(unsafe.Sizeof(node{})) + 4*cap(a.free)
}
