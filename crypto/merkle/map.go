package merkle

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// keepDefault is how many committed versions stay readable: the current one, and the one before it,
// whose root is what the newest block header promises.
const keepDefault = 2

// Map is the authenticated map: a window of committed versions and what is staged on the last.
type Map struct {
	// Touched by the writer alone; writing catches a second one.
	writing atomic.Bool
	nodes   nodeArena
	records recordArena
	index   *index // of the current version, once that has indexFrom leaves
	keep    int

	// indexLeaves and segmentBits, but for tests.
	indexFrom   uint64
	segmentBits int
	scratch     scratch

	// Guarded by mu, which is held for moments only. The writer alone changes the list, so it may
	// read it without.
	mu       sync.Mutex
	versions []*version // oldest first, the last is the current one, never empty
	stats    Stats
}

// Stats tells what a Map holds.
type Stats struct {
	Leaves     uint64 // of the current version
	Nodes      uint64 // inner nodes of all readable versions and staged updates
	ValueBytes uint64 // memory in use for keys and values of the same
	ArenaBytes uint64 // memory of the arenas, used or not, and of the index
	Versions   int    // committed versions still in memory
	Pinned     int    // views not closed and staged updates not ended
}

// New returns an empty map at version 0. It takes no arena memory until something is staged.
func New() *Map {
	m := &Map{keep: keepDefault, versions: []*version{{}}, indexFrom: indexLeaves, segmentBits: segmentBits}
	m.records.init()
	return m
}

// Keep sets how many committed versions stay readable, the current one among them.
func (m *Map) Keep(n int) {
	defer m.write()()
	if n < 1 {
		panic(fmt.Sprintf("merkle: keep %d versions: the current one is always kept", n))
	}
	m.keep = n
	m.collect()
}

// Commit makes s the current version. Updates staged beside it on the same parent can only be
// discarded from then on.
func (m *Map) Commit(s *Staged) {
	defer m.write()()
	s.belongsTo(m)
	if s.parent != m.current() {
		panic(fmt.Sprintf("merkle: commit version %d: it was staged on version %d, the current one is %d",
			s.version.number, s.parent.number, m.current().number))
	}
	s.m = nil
	s.version.nodes = m.nodes.chunks
	s.version.records = m.records.table
	s.version.replaced = s.replaced
	m.indexVersion(s)
	m.mu.Lock()
	m.versions = append(m.versions, s.version)
	s.parent.pins--
	m.mu.Unlock()
	m.collect()
	m.publishStats()
}

// indexVersion brings the index to the version that is about to be committed.
func (m *Map) indexVersion(s *Staged) {
	switch {
	case m.index != nil:
		m.index.apply(s.moves, s.version.seq, &s.version.records)
		m.scratch.recycleMoves(s.moves)
	case s.version.leaves >= m.indexFrom:
		m.index = newIndex(s.version, m.segmentBits)
	}
	s.version.index = m.index
}

// Discard gives back what s allocated.
func (m *Map) Discard(s *Staged) {
	defer m.write()()
	s.belongsTo(m)
	s.m = nil
	m.dropBorn(s.version.root.ref, s.version.seq)
	m.scratch.recycle(s.replaced)
	m.scratch.recycleMoves(s.moves)
	m.unpin(s.parent)
	m.collect()
	m.publishStats()
}

// dropBorn drops what a version made and no other version can refer to: the subtree at r down to
// where it shares with its parent.
func (m *Map) dropBorn(r ref, seq uint32) {
	switch {
	case r == none:
	case r.isLeaf():
		if m.records.table.at(r).born() == seq {
			m.records.drop(r)
		}
	default:
		b := *m.nodes.chunks.branches(r)
		if b.born != seq {
			return
		}
		m.nodes.drop(r)
		m.dropBorn(b.child[0], seq)
		m.dropBorn(b.child[1], seq)
	}
}

// Current returns the newest committed version. The caller must close it.
func (m *Map) Current() *View {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pin(m.current())
}

// At returns a committed version that is still in memory. The caller must close it.
func (m *Map) At(number uint64) (*View, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := len(m.versions) - 1; i >= 0; i-- {
		if m.versions[i].number == number {
			return m.pin(m.versions[i]), true
		}
	}
	return nil, false
}

// pin needs mu.
func (m *Map) pin(at *version) *View {
	at.pins++
	return &View{m: m, at: at}
}

// unpin leaves freeing to the writer, who comes by with every Stage and Commit.
func (m *Map) unpin(at *version) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at.pins--
}

// Stats is safe to call beside the writer.
func (m *Map) Stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stats
	s.Versions = len(m.versions)
	for _, v := range m.versions {
		s.Pinned += v.pins
	}
	return s
}

// publishStats lets readers see what the writer's arenas hold by now.
func (m *Map) publishStats() {
	s := Stats{
		Leaves:     m.current().leaves,
		Nodes:      uint64(m.nodes.live()),
		ValueBytes: m.records.liveBytes + m.records.bigBytes,
		ArenaBytes: uint64(m.nodes.bytes()+m.records.bytes()+m.index.bytes()) + m.records.bigBytes,
	}
	m.mu.Lock()
	m.stats = s
	m.mu.Unlock()
}

func (m *Map) current() *version { return m.versions[len(m.versions)-1] }

// write marks the writer's presence; what it returns ends it. Two writers would corrupt the arenas
// silently, so the second one fails loudly.
func (m *Map) write() func() {
	if m.writing.Swap(true) {
		panic("merkle: two writers at once")
	}
	return m.written
}

func (m *Map) written() { m.writing.Store(false) }
