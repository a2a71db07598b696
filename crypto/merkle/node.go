package merkle

import (
	"math/bits"
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
	hash crypto.Hash
	ref  ref
}

// node is an inner node as code handles it: what it knows of its children. A node knows their hashes
// rather than its own, so that a changed path is hashed again from the nodes on it, without a visit to
// any sibling.
type node struct{ child [2]link }

// In the arena a node is kept in two parts. The hashes fill a cache line of their own. The rest, of
// which a walk down the tree needs nothing else, is small enough that the walk mostly stays within the
// processor's caches at a million keys.
type (
	hashes   [2]crypto.Hash
	branches struct {
		child [2]ref
		born  uint32 // sequence number of the version that made the node
	}
)

const nodeBytes = int(unsafe.Sizeof(hashes{}) + unsafe.Sizeof(branches{}))

const (
	nodeChunkBits  = 14 // 16,384 nodes of 76 bytes: what the arena grows by once it is large
	nodeChunkLen   = 1 << nodeChunkBits
	nodeChunkMask  = nodeChunkLen - 1
	nodeChunkFirst = 64 // one word of the free map
)

type nodeChunk struct {
	hashes   []hashes
	branches []branches
}

func newNodeChunk(slots int) nodeChunk {
	return nodeChunk{make([]hashes, slots), make([]branches, slots)}
}

// nodeTable finds nodes by slot. A version keeps the table it was committed with: the writer adds
// chunks behind its end and replaces nothing a committed node lies in.
type nodeTable []nodeChunk

// hashes and branches return the parts of node r. They alias the arena.
func (t nodeTable) hashes(r ref) *hashes { return &t[r>>nodeChunkBits].hashes[r&nodeChunkMask] }

func (t nodeTable) branches(r ref) *branches { return &t[r>>nodeChunkBits].branches[r&nodeChunkMask] }

// load puts the parts of node r together.
func (t nodeTable) load(r ref) node {
	h, b := t.hashes(r), t.branches(r)
	return node{[2]link{{h[0], b.child[0]}, {h[1], b.child[1]}}}
}

// store takes node n apart.
func (t nodeTable) store(r ref, n *node, born uint32) {
	*t.hashes(r) = hashes{n.child[0].hash, n.child[1].hash}
	*t.branches(r) = branches{[2]ref{n.child[0].ref, n.child[1].ref}, born}
}

// nodeArena hands out slots for nodes. Only the writer touches it.
//
// Free slots are taken in the order of their addresses, round and round. Nodes that one batch writes
// one after the other then share pages and often cache lines; with slots scattered at random, the
// processor would spend more time waiting for memory than hashing.
type nodeArena struct {
	chunks nodeTable
	free   []uint64 // one bit per slot
	count  int      // bits set in free
	hand   int      // the word of free to look at next
	ready  []ref    // slots taken out of free, next one last
}

// growBelow: the arena grows when fewer than one slot in growBelow is free, which bounds the search
// for a free one.
const growBelow = 16

// readySlots is how many slots are taken out of the free map, and brought into the cache, together.
const readySlots = 64

// put stores n and returns its name. Pointers into the arena taken before are stale afterwards: the
// first chunk moves when it grows.
func (a *nodeArena) put(n *node, born uint32) ref {
	if len(a.ready) == 0 {
		a.refill()
	}
	last := len(a.ready) - 1
	r := a.ready[last]
	a.ready = a.ready[:last]
	a.chunks.store(r, n, born)
	return r
}

// refill takes slots out of the free map. It reads them all before the first is written, in a loop
// that lets the processor wait for many of them at once.
func (a *nodeArena) refill() {
	if a.count*growBelow <= a.slots() {
		a.grow()
	}
	want := min(readySlots, a.count)
	if cap(a.ready) < want {
		a.ready = make([]ref, 0, want)
	}
	a.ready = a.ready[:want]
	touched := uint32(0)
	for i := want - 1; i >= 0; {
		word := a.free[a.hand]
		for ; word != 0 && i >= 0; i-- {
			r := ref(a.hand*64 + bits.TrailingZeros64(word))
			a.ready[i] = r
			touched += a.chunks.branches(r).born + uint32(a.chunks.hashes(r)[0][0])
			word &= word - 1
		}
		a.free[a.hand] = word
		if word == 0 {
			a.hand = (a.hand + 1) % len(a.free)
		}
	}
	a.count -= want
	keep(touched)
}

// grow doubles the first chunk until it is as large as any, then adds chunks. A small map is small,
// and a lookup needs no more than a shift and a mask. Slot 0 is never free, because the ref 0 means
// none.
func (a *nodeArena) grow() {
	slots := a.slots()
	switch {
	case slots == 0:
		a.chunks = nodeTable{newNodeChunk(nodeChunkFirst)}
	case slots < nodeChunkLen:
		larger := newNodeChunk(2 * slots)
		copy(larger.hashes, a.chunks[0].hashes)
		copy(larger.branches, a.chunks[0].branches)
		a.chunks = nodeTable{larger} // a new table: readers keep the old one and the old chunk
	default:
		if ref(slots).isLeaf() {
			panic("merkle: the node arena is full")
		}
		a.chunks = append(a.chunks, newNodeChunk(nodeChunkLen))
	}
	a.hand = len(a.free)
	for len(a.free)*64 < a.slots() {
		a.free = append(a.free, ^uint64(0))
	}
	a.count += a.slots() - slots
	if slots == 0 {
		a.free[0] &^= 1
		a.count--
	}
}

// drop takes a slot back. No version that can still be read refers to it.
func (a *nodeArena) drop(r ref) {
	if invariants {
		a.chunks.store(r, &poisonNode, 0)
	}
	word, mask := &a.free[r/64], uint64(1)<<(r%64)
	if *word&mask != 0 {
		panic("merkle: a node is dropped twice")
	}
	*word |= mask
	a.count++
}

// slots is the number of slots there is memory for.
func (a *nodeArena) slots() int {
	if len(a.chunks) == 0 {
		return 0
	}
	return (len(a.chunks)-1)*nodeChunkLen + len(a.chunks[0].branches)
}

// live is the number of nodes in use, by committed versions and staged ones together.
func (a *nodeArena) live() int {
	return max(0, a.slots()-1-a.count-len(a.ready))
}

// bytes is the memory of the arena.
func (a *nodeArena) bytes() int {
	return a.slots()*nodeBytes + 8*cap(a.free)
}
