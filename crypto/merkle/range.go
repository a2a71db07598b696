package merkle

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"sort"

	"github.com/tetradledger/tetrad/crypto"
)

// Leaf is a key and its value.
type Leaf struct{ Key, Value []byte }

// Range shows, to whoever knows a root, leaves that stand side by side in the tree: all there are from the first
// to the last, in the order of their paths.
//
// The leaves alone say what the tree looks like between them. Around them stand the subtrees beside the path of
// the first leaf, on its left, and beside that of the last, on its right; of these the hashes are enough.
type Range struct {
	Leaves []Leaf

	// Left and Right have an entry for every inner node above the first and the last leaf, from the root down:
	// the hash of the subtree on that side of the path; zero if that is empty, or if the path itself goes there.
	Left, Right []crypto.Hash
}

var (
	errRangeEmpty   = errors.New("the range has no leaves")
	errRangeOrder   = errors.New("the leaves of the range are not in order")
	errRangeKey     = fmt.Errorf("a key of the range has not 1 to %d bytes", KeyBytesMax)
	errRangeValue   = fmt.Errorf("a value of the range has not 1 to %d bytes", ValueBytesMax)
	errRangeDeep    = fmt.Errorf("the range has more than %d hashes on a side", depthMax)
	errRangeSide    = errors.New("the range has a hash where the path of its own leaf goes")
	errRangePlace   = errors.New("the leaves of the range do not fit between the hashes around them")
	errRangeRoot    = errors.New("the range does not lead to the root")
	errRangeGap     = errors.New("the range does not begin where the one before it ended")
	errRangeTooMany = errors.New("the range comes after the last leaf")
)

// Verify checks r against a root that the caller trusts. Without an error r holds all leaves of the tree from its
// first to its last.
func (r *Range) Verify(root crypto.Hash) error {
	_, err := r.verify(root)
	return err
}

// verify is Verify; the walk knows the paths of the leaves.
func (r *Range) verify(root crypto.Hash) (*rangeWalk, error) {
	if len(r.Leaves) == 0 {
		return nil, errRangeEmpty
	}
	if len(r.Left) > depthMax || len(r.Right) > depthMax {
		return nil, errRangeDeep
	}
	w := &rangeWalk{r: r, paths: make([]crypto.Hash, len(r.Leaves))}
	for i := range r.Leaves {
		key, value := r.Leaves[i].Key, r.Leaves[i].Value
		if len(key) == 0 || len(key) > KeyBytesMax {
			return nil, errRangeKey
		}
		if len(value) == 0 || len(value) > ValueBytesMax {
			return nil, errRangeValue
		}
		w.paths[i] = pathOf(key)
		if i > 0 && bytes.Compare(w.paths[i-1][:], w.paths[i][:]) >= 0 {
			return nil, errRangeOrder
		}
	}
	for depth := range r.Left {
		if !r.Left[depth].IsZero() && bit(w.first(), depth) == 0 {
			return nil, errRangeSide
		}
	}
	for depth := range r.Right {
		if !r.Right[depth].IsZero() && bit(w.last(), depth) == 1 {
			return nil, errRangeSide
		}
	}
	got, err := w.open(0, 0, len(r.Leaves), true, true)
	if err != nil {
		return nil, err
	}
	if got != root {
		return nil, errRangeRoot
	}
	return w, nil
}

// rangeWalk builds the tree again from a range.
type rangeWalk struct {
	r     *Range
	paths []crypto.Hash // of the leaves
}

func (w *rangeWalk) first() *crypto.Hash { return &w.paths[0] }

func (w *rangeWalk) last() *crypto.Hash { return &w.paths[len(w.paths)-1] }

// open is the hash of a subtree that the end of the range lies in: of the leaves from..to-1 and of what stands
// around them. left says that the first leaf of the range is among them, so that unknown ones may stand before
// it; right says the same of the last and of what stands behind.
//
// How deep an end lies is not known from the leaves, since its neighbour is not among them: the number of hashes
// beside its path says it, and if it says wrong, the root will differ.
func (w *rangeWalk) open(depth, from, to int, left, right bool) (crypto.Hash, error) {
	if !left && !right {
		return w.closed(depth, from, to), nil
	}
	atLeft, atRight := left && depth == len(w.r.Left), right && depth == len(w.r.Right)
	if atLeft || atRight {
		if to-from != 1 || left != atLeft || right != atRight {
			return crypto.Hash{}, errRangePlace
		}
		return w.leaf(from), nil
	}
	split := w.split(depth, from, to)
	var child [2]crypto.Hash
	var err error
	switch {
	case left && split == from: // the first leaf goes right: the left subtree is outside
		child[0] = w.r.Left[depth]
	default:
		child[0], err = w.open(depth+1, from, split, left, right && split == to)
	}
	if err != nil {
		return crypto.Hash{}, err
	}
	switch {
	case right && split == to: // the last leaf goes left: the right subtree is outside
		child[1] = w.r.Right[depth]
	default:
		child[1], err = w.open(depth+1, split, to, left && split == from, right)
	}
	if err != nil {
		return crypto.Hash{}, err
	}
	return innerHash(&child[0], &child[1]), nil
}

// closed is the hash of a subtree that has no leaves but from..to-1.
func (w *rangeWalk) closed(depth, from, to int) crypto.Hash {
	switch to - from {
	case 0:
		return crypto.Hash{}
	case 1:
		return w.leaf(from)
	}
	split := w.split(depth, from, to)
	left, right := w.closed(depth+1, from, split), w.closed(depth+1, split, to)
	return innerHash(&left, &right)
}

// split is the first of the leaves that goes right at depth.
func (w *rangeWalk) split(depth, from, to int) int {
	return from + sort.Search(to-from, func(i int) bool { return bit(&w.paths[from+i], depth) == 1 })
}

func (w *rangeWalk) leaf(i int) crypto.Hash {
	valueHash := crypto.Hash(sha256.Sum256(w.r.Leaves[i].Value))
	return leafHash(&w.paths[i], &valueHash)
}

// Sequence verifies ranges that follow each other without a gap, from the first leaf of a tree to the last.
type Sequence struct {
	root   crypto.Hash
	leaves uint64
	last   crypto.Hash // path of the last leaf, once there are leaves
	after  int         // depth of the lowest node with leaves behind the last one; -1: there are none
}

// NewSequence begins before the first leaf of the tree under a root that the caller trusts.
func NewSequence(root crypto.Hash) *Sequence { return &Sequence{root: root} }

// Take verifies the range that comes next. After an error it is as if the range had not come.
func (s *Sequence) Take(r *Range) error {
	if s.Done() {
		return errRangeTooMany
	}
	w, err := r.verify(s.root)
	if err != nil {
		return err
	}
	// Two leaves stand side by side if nothing is on the right of the one, and nothing on the left of the other,
	// below the node where their paths part. Before the first leaf of a tree nothing is on the left at all.
	meet := -1
	if s.leaves > 0 {
		if bytes.Compare(s.last[:], w.first()[:]) >= 0 {
			return errRangeGap
		}
		meet = parting(&s.last, w.first())
		if s.after != meet {
			return errRangeGap
		}
	}
	if lowest(r.Left) != meet {
		return errRangeGap
	}
	s.leaves += uint64(len(r.Leaves))
	s.last, s.after = *w.last(), lowest(r.Right)
	return nil
}

// Done reports whether the last leaf of the tree was taken. An empty tree has none to take.
func (s *Sequence) Done() bool { return s.root.IsZero() || s.leaves > 0 && s.after < 0 }

// Leaves is the number of leaves taken.
func (s *Sequence) Leaves() uint64 { return s.leaves }

// lowest is the depth of the lowest hash that is not empty, -1 if all are.
func lowest(hashes []crypto.Hash) int {
	depth := len(hashes) - 1
	for depth >= 0 && hashes[depth].IsZero() {
		depth--
	}
	return depth
}

// parting is the depth at which two different paths part.
func parting(a, b *crypto.Hash) int {
	depth := 0
	for bit(a, depth) == bit(b, depth) {
		depth++
	}
	return depth
}
