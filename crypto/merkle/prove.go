package merkle

import (
	"bytes"
	"crypto/sha256"

	"github.com/tetradledger/tetrad/crypto"
)

// Prove shows the value of a key, or that there is none. The proof shares no memory with the view. An
// error means that no map can hold such a key.
func (v *View) Prove(key []byte) (*Proof, error) {
	if len(key) == 0 || len(key) > KeyBytesMax {
		return nil, errProofKeySize
	}
	path := pathOf(key)
	var w walk
	w.descend(v.at, v.at.root.ref, &path)
	p := &Proof{Kind: ProofAbsentEmpty, Siblings: w.siblings}
	if w.end == none {
		return p, nil
	}
	rec := v.at.records.at(w.end)
	if bytes.Equal(rec.key(), key) {
		p.fill(rec)
		return p, nil
	}
	p.Kind = ProofAbsentOther
	p.OtherPath = rec.path()
	p.OtherValueHash = sha256.Sum256(rec.value())
	return p, nil
}

// fill makes p a proof of presence of rec.
func (p *Proof) fill(rec record) {
	p.Kind = ProofPresent
	p.Key = bytes.Clone(rec.key())
	p.Value = bytes.Clone(rec.value())
}

// Neighbours proves the presence of the leaf before the key's place, in path order, and of the one
// behind it; nil where there is none. Such a pair is the proof of absence that ics23 knows: if the
// key is absent, the two stand side by side. The proofs share no memory with the view.
func (v *View) Neighbours(key []byte) (left, right *Proof) {
	path := pathOf(key)
	var w walk
	w.descend(v.at, v.at.root.ref, &path)
	if w.end != none {
		other := v.at.records.at(w.end)
		otherPath := other.path()
		p := &Proof{Siblings: w.siblings}
		p.fill(other)
		switch bytes.Compare(otherPath[:], path[:]) {
		case -1:
			left = p
		case 1:
			right = p
		}
	}
	if left == nil {
		left = v.at.beside(&w, &path, 0)
	}
	if right == nil {
		right = v.at.beside(&w, &path, 1)
	}
	return left, right
}

// walk is a descent and what it passes.
type walk struct {
	nodes    []ref
	siblings []crypto.Hash
	end      ref // none or a leaf
}

// descend follows path from r down.
func (w *walk) descend(at *version, r ref, path *crypto.Hash) {
	const usual = 40 // the depth of a few hundred million leaves; deeper ones cost an allocation
	w.nodes = make([]ref, 0, usual)
	w.siblings = make([]crypto.Hash, 0, usual)
	for r != none && !r.isLeaf() {
		side := bit(path, len(w.nodes))
		n := at.nodes.load(r)
		w.nodes = append(w.nodes, r)
		w.siblings = append(w.siblings, n.child[1-side].hash)
		r = n.child[side].ref
	}
	w.end = r
}

// beside proves the leaf nearest to the walked path on one side (0 left, 1 right) that is not the
// walk's end; nil if there is none.
func (at *version) beside(w *walk, path *crypto.Hash, side int) *Proof {
	for depth := len(w.nodes) - 1; depth >= 0; depth-- {
		n := at.nodes.load(w.nodes[depth])
		if bit(path, depth) == side || n.child[side].ref == none {
			continue
		}
		p := &Proof{Siblings: make([]crypto.Hash, depth, depth+8)}
		copy(p.Siblings, w.siblings)
		p.Siblings = append(p.Siblings, n.child[1-side].hash)
		r := n.child[side].ref
		for !r.isLeaf() { // towards the path: all the way to the other side
			n := at.nodes.load(r)
			turn := 1 - side
			if n.child[turn].ref == none {
				turn = side
			}
			p.Siblings = append(p.Siblings, n.child[1-turn].hash)
			r = n.child[turn].ref
		}
		p.fill(at.records.at(r))
		return p
	}
	return nil
}
