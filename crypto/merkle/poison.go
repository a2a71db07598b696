package merkle

import "github.com/tetradledger/tetrad/crypto"

// What memory holds once it was given back, under the invariants tag. The ref leads out of any arena.
const (
	poisonByte     = 0xDB
	poisonRef  ref = leafFlag - 1
)

var poisonHash = func() (h crypto.Hash) {
	for i := range h {
		h[i] = poisonByte
	}
	return h
}()
