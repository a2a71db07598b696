package merkle

import (
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
)

// Change sets a key to a value, or deletes it if the value is empty: the layout cannot prove an empty
// value, and a list of changes then means the same after encodings that do not tell empty from nil.
type Change struct{ Key, Value []byte }

// Staged is an update that nobody can read yet. It ends with Commit or Discard.
type Staged struct {
	m        *Map // nil once it ended
	parent   *version
	version  *version
	replaced replaced // what the parent refers to and this update does not
	moves    []move   // what Commit does to the index
}

// Root is the root the map will have.
func (s *Staged) Root() crypto.Hash { return s.version.root.hash }

// Len is the number of keys the map will have.
func (s *Staged) Len() uint64 { return s.version.leaves }

// Version is the number s was staged with.
func (s *Staged) Version() uint64 { return s.version.number }

// belongsTo panics unless s was made by m and is still to be committed or discarded.
func (s *Staged) belongsTo(m *Map) {
	if s.m != m {
		panic("merkle: a staged update ends once, in the map that made it")
	}
}

// Stage applies changes to the current version without touching it. Several updates may be staged on
// one version, of which at most one is committed. Changes come in any order, at most one for a key;
// keys and values are copied.
//
// Version numbers grow with every commit; the first may be any number.
func (m *Map) Stage(number uint64, changes []Change) *Staged {
	defer m.write()()
	m.collect()
	parent := m.current()
	if parent.seq > 0 && number <= parent.number {
		panic(fmt.Sprintf("merkle: stage version %d on version %d", number, parent.number))
	}
	u := update{
		m:        m,
		changes:  changes,
		born:     parent.seq + 1,
		leaves:   parent.leaves,
		replaced: m.scratch.take(),
		indexed:  m.index != nil,
		moves:    m.scratch.takeMoves(),
	}
	items := m.scratch.order(changes)
	root := parent.root
	u.apply(&root, 0, items, true)
	m.scratch.trim()
	m.publishStats()
	m.mu.Lock()
	parent.pins++ // Discard has to tell what is shared with the parent, so the parent must last
	m.mu.Unlock()
	return &Staged{
		m:        m,
		parent:   parent,
		version:  &version{number: number, seq: u.born, root: root, leaves: u.leaves},
		replaced: u.replaced,
		moves:    u.moves,
	}
}
