package ledger

import (
	"bytes"
)

// cell is one object of the state during a block: as it was read, and as it is now.
type cell[K comparable, T any] struct {
	id     K
	key    []byte // of the leaf
	origin []byte // the leaf as read, aliasing the Reader's memory; nil: absent
	value  T
	exists bool
	dirty  bool   // changed by some transaction of the block, perhaps one that failed
	saved  uint64 // the transaction that last saved it for undoing
}

// saved is a cell as it was before the transaction that is being executed.
type saved[K comparable, T any] struct {
	cell   *cell[K, T]
	value  T
	exists bool
}

// layout is how a kind of leaf is found, read, written and copied.
type layout[K comparable, T any] struct {
	appendKey func(dst []byte, id K) []byte
	decode    func(value *T, leaf []byte) error
	append    func(value *T, dst []byte) []byte
	// copy makes dst equal to src without sharing what is changed in place, reusing dst's room.
	copy func(dst, src *T)
}

// table holds the objects of one kind that a block has asked for. An object is parsed once per block, and
// encoded once at its end if it changed. Before a transaction changes an object it saves it, so that
// a transaction that fails leaves nothing behind.
type table[K comparable, T any] struct {
	layout layout[K, T]
	cells  map[K]*cell[K, T]
	dirty  []*cell[K, T] // in order of first change
	undo   []saved[K, T] // of the current transaction; keeps the room of earlier ones
	fresh  []cell[K, T]  // cells not yet handed out
}

// cellsPerSlab cells are allocated at once.
const cellsPerSlab = 128

func newTable[K comparable, T any](l layout[K, T], size int) table[K, T] {
	return table[K, T]{layout: l, cells: make(map[K]*cell[K, T], size)}
}

// get returns the object, which may not exist. The error is the Reader's, or a damaged leaf.
func (t *table[K, T]) get(s *state, id K) (*cell[K, T], error) {
	if c := t.cells[id]; c != nil {
		return c, nil
	}
	if len(t.fresh) == 0 {
		t.fresh = make([]cell[K, T], cellsPerSlab)
	}
	c := &t.fresh[0]
	t.fresh = t.fresh[1:] // even if reading fails: what a damaged leaf left in the cell must not reach another
	c.id = id
	c.key = s.bytes.keep(t.layout.appendKey(s.bytes.room(), id))
	leaf, err := s.reader.Get(c.key)
	if err != nil {
		return nil, err
	}
	if leaf != nil {
		if err := t.layout.decode(&c.value, leaf); err != nil {
			return nil, err
		}
		c.origin, c.exists = leaf, true
	}
	t.cells[id] = c
	return c, nil
}

// change announces that the current transaction is about to change the object.
func (t *table[K, T]) change(s *state, c *cell[K, T]) {
	if c.saved == s.txSeq {
		return
	}
	c.saved = s.txSeq
	if !c.dirty {
		c.dirty = true
		t.dirty = append(t.dirty, c)
	}
	n := len(t.undo)
	if n < cap(t.undo) {
		t.undo = t.undo[:n+1]
	} else {
		t.undo = append(t.undo, saved[K, T]{})
	}
	u := &t.undo[n]
	u.cell, u.exists = c, c.exists
	t.layout.copy(&u.value, &c.value)
}

// keep makes the current transaction's changes final.
func (t *table[K, T]) keep() { t.undo = t.undo[:0] }

// restore takes the current transaction's changes back.
func (t *table[K, T]) restore() {
	for i := range t.undo {
		u := &t.undo[i]
		u.cell.exists = u.exists
		t.layout.copy(&u.cell.value, &u.value)
	}
	t.undo = t.undo[:0]
}

// collect appends a change for every leaf that is not what was read.
func (t *table[K, T]) collect(s *state, changes []Change) []Change {
	for _, c := range t.dirty {
		if !c.exists {
			if c.origin != nil {
				changes = append(changes, Change{Key: c.key})
			}
			continue
		}
		leaf := t.layout.append(&c.value, s.bytes.room())
		if c.origin != nil && bytes.Equal(leaf, c.origin) {
			continue
		}
		changes = append(changes, Change{Key: c.key, Value: s.bytes.keep(leaf)})
	}
	return changes
}

// arena gives out small byte strings from large pieces, since a block makes tens of thousands of them.
type arena struct{ free []byte }

const arenaPiece = 64 << 10

// room is where the next byte string is appended to; keep says that it is complete.
func (a *arena) room() []byte {
	if cap(a.free) < arenaPiece/16 {
		a.free = make([]byte, 0, arenaPiece)
	}
	return a.free
}

// keep takes what was appended to room out of the arena. What outgrew the room has its own memory already.
func (a *arena) keep(b []byte) []byte {
	if n := len(b); n <= cap(a.free) {
		a.free = a.free[n:n]
	}
	return b[:len(b):len(b)]
}
