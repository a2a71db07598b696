package merkle

import (
	"crypto/sha256"

	"github.com/tetradledger/tetrad/crypto"
)

// The first byte of what is hashed tells a leaf from an inner node, so that neither can be passed off
// as the other. Both preimages are 65 bytes.
const (
	leafPrefix  = 0x00
	innerPrefix = 0x01
)

// The functions below call sha256.Sum256 on a buffer of their own rather than crypto.Sum: they run a
// dozen times per changed key, and crypto.Sum cannot keep its arguments off the heap.

// pathOf is where a key lives: bit 0 is the most significant bit of the first byte.
func pathOf(key []byte) crypto.Hash { return sha256.Sum256(key) }

// bit returns bit i of a path as 0 (left) or 1 (right).
func bit(path *crypto.Hash, i int) int {
	return int(path[i>>3]>>(7-i&7)) & 1
}

// leafHash commits to a key by its path and to a value by its hash.
func leafHash(path, valueHash *crypto.Hash) crypto.Hash {
	var b [65]byte
	b[0] = leafPrefix
	copy(b[1:], path[:])
	copy(b[33:], valueHash[:])
	return sha256.Sum256(b[:])
}

// innerHash commits to two subtrees, the empty ones being zero.
func innerHash(left, right *crypto.Hash) crypto.Hash {
	var b [65]byte
	b[0] = innerPrefix
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

// samePrefix reports whether two paths agree in their first n bits.
func samePrefix(a, b *crypto.Hash, n int) bool {
	whole := n >> 3
	if string(a[:whole]) != string(b[:whole]) {
		return false
	}
	if n&7 == 0 {
		return true
	}
	shift := 8 - n&7
	return a[whole]>>shift == b[whole]>>shift
}
