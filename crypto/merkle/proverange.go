package merkle

import "github.com/tetradledger/tetrad/crypto"

// ProveRange proves the leaves from a path on, in path order: as many as take leafBytesMax bytes in the encoding,
// and one at least. It returns the path to go on from; more is false behind the last leaf. The range is nil if
// there is no leaf from that path on. Its leaves alias the arena: they are valid until Close.
func (v *View) ProveRange(from [32]byte, leafBytesMax int) (r *Range, next [32]byte, more bool) {
	r = &Range{}
	size := 0
	v.Range(from, func(key, value []byte) bool {
		size += LeafBytes(key, value)
		if size > leafBytesMax && len(r.Leaves) > 0 {
			return false
		}
		r.Leaves = append(r.Leaves, Leaf{key, value})
		return true
	})
	if len(r.Leaves) == 0 {
		return nil, next, false
	}
	first, last := pathOf(r.Leaves[0].Key), pathOf(r.Leaves[len(r.Leaves)-1].Key)
	r.Left, r.Right = v.at.beyond(&first, 0), v.at.beyond(&last, 1)
	return r, following(last), lowest(r.Right) >= 0
}

// beyond returns the hashes on one side (0 left, 1 right) of the path of a leaf that is there.
func (at *version) beyond(path *crypto.Hash, side int) []crypto.Hash {
	var w walk
	w.descend(at, at.root.ref, path)
	for depth := range w.siblings {
		if bit(path, depth) == side {
			w.siblings[depth] = crypto.Hash{}
		}
	}
	return w.siblings
}

// following is the path behind another. Behind the very last comes the first, where nobody goes on.
func following(path [32]byte) [32]byte {
	for i := len(path) - 1; i >= 0; i-- {
		path[i]++
		if path[i] != 0 {
			break
		}
	}
	return path
}
