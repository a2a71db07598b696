package merkle

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/tetradledger/tetrad/crypto"
)

// Change sets a key to a value, or deletes it if the value is empty: the layout cannot prove an empty
// value, and a list of changes then means the same after encodings that do not tell empty from nil.
type Change struct{ Key, Value []byte }

// Staged is an update that nobody can read yet. It ends with Commit or Discard.
type Staged struct {
	m        *Map
	parent   *version
	version  *version
	replaced replaced // what the parent refers to and this update does not
}

// Root is the root the map will have.
func (s *Staged) Root() crypto.Hash { return s.version.root.hash }

// Len is the number of keys the map will have.
func (s *Staged) Len() uint64 { return s.version.leaves }

// Version is the number s was staged with.
func (s *Staged) Version() uint64 { return s.version.number }

// claim ends the life of s: it is committed or discarded once, by the map that made it.
func (s *Staged) claim(m *Map) {
	if s.m != m {
		panic("merkle: a staged update ends once, in the map that made it")
	}
	s.m = nil
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
	}
	items := m.scratch.order(changes)
	root := u.apply(parent.root, 0, items)
	m.publishStats()
	return &Staged{
		m:        m,
		parent:   parent,
		version:  &version{number: number, seq: u.born, root: root, leaves: u.leaves},
		replaced: u.replaced,
	}
}

// item is one change on its way down the tree.
type item struct {
	path crypto.Hash
	n    uint32 // index into the changes
}

// scratch is memory that one update leaves to the next.
type scratch struct {
	items []item
	spare []replaced
}

// order returns the changes in path order. It panics at a change no caller may make.
func (s *scratch) order(changes []Change) []item {
	s.items = slices.Grow(s.items[:0], len(changes))
	for i := range changes {
		c := &changes[i]
		if len(c.Key) == 0 || len(c.Key) > KeyBytesMax || len(c.Value) > ValueBytesMax {
			panic(fmt.Sprintf("merkle: change of %d key bytes and %d value bytes", len(c.Key), len(c.Value)))
		}
		s.items = append(s.items, item{path: pathOf(c.Key), n: uint32(i)})
	}
	slices.SortFunc(s.items, func(a, b item) int { return bytes.Compare(a.path[:], b.path[:]) })
	for i := 1; i < len(s.items); i++ {
		if s.items[i].path == s.items[i-1].path {
			panic(fmt.Sprintf("merkle: two changes of key %x", changes[s.items[i].n].Key))
		}
	}
	return s.items
}

// take returns empty lists, with the memory of older ones if there is any.
func (s *scratch) take() replaced {
	last := len(s.spare) - 1
	if last < 0 {
		return replaced{}
	}
	r := s.spare[last]
	s.spare = s.spare[:last]
	return r
}

// recycle takes lists that are not needed any more.
func (s *scratch) recycle(r replaced) {
	s.spare = append(s.spare, replaced{nodes: r.nodes[:0], records: r.records[:0]})
}
