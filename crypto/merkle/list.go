package merkle

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/bits"

	"github.com/tetradledger/tetrad/crypto"
)

// Lists are hashed as in RFC 6962: the transactions of a frame keep their order, and their receipts
// are proven by place. The tree of a list has nothing to do with a Map but the form of its nodes.

// ListRoot is the root over leaves; for an empty list it is the hash of nothing.
func ListRoot(leaves [][]byte) crypto.Hash {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return listLeafHash(leaves[0])
	}
	k := listSplit(len(leaves))
	left, right := ListRoot(leaves[:k]), ListRoot(leaves[k:])
	return innerHash(&left, &right)
}

// listSplit is the largest power of two below n, for n of at least two.
func listSplit(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

// listLeafHash hashes a leaf of any length. Short ones, which receipts are, stay off the heap.
func listLeafHash(leaf []byte) crypto.Hash {
	var stack [512]byte
	b := append(stack[:0], leafPrefix)
	return sha256.Sum256(append(b, leaf...))
}

// ListProof shows that a leaf stands at a place of a list: the siblings of its path, from the leaf up.
type ListProof []crypto.Hash

// ProveList proves leaf i.
func ProveList(leaves [][]byte, i int) ListProof {
	if i < 0 || i >= len(leaves) {
		panic(fmt.Sprintf("merkle: prove leaf %d of %d", i, len(leaves)))
	}
	if len(leaves) == 1 {
		return nil
	}
	k := listSplit(len(leaves))
	if i < k {
		return append(ProveList(leaves[:k], i), ListRoot(leaves[k:]))
	}
	return append(ProveList(leaves[k:], i-k), ListRoot(leaves[:k]))
}

var errListProof = errors.New("the proof does not lead from the leaf to the root")

// Verify checks that leaf is the i-th, counted from 0, of the n leaves under root.
func (p ListProof) Verify(root crypto.Hash, i, n int, leaf []byte) error {
	if i < 0 || i >= n {
		return fmt.Errorf("there is no leaf %d in a list of %d", i, n)
	}
	hash := listLeafHash(leaf)
	last := n - 1 // i and last are the places of the leaf and of the last one, level by level
	for j := range p {
		switch {
		case last == 0:
			return errListProof // longer than the path
		case i&1 == 1 || i == last:
			hash = innerHash(&p[j], &hash)
			// A node without a right neighbour moves up as it is, until it is a right child.
			for i&1 == 0 {
				i, last = i>>1, last>>1
			}
		default:
			hash = innerHash(&hash, &p[j])
		}
		i, last = i>>1, last>>1
	}
	if last != 0 || hash != root {
		return errListProof
	}
	return nil
}
