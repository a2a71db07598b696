package merkle

import (
	"encoding/binary"

	"github.com/tetradledger/tetrad/crypto"
)

// A record is a leaf's key and value with a head before them:
//
//	born u32 | key length u16 | value length u32 | key | value
//
// The path and the leaf's hash are not kept: the parent holds the hash, and the path is needed only
// when another key comes to share the leaf's place, where hashing the key again is cheaper than
// keeping 32 bytes for every leaf.
type record []byte

const recordHeadBytes = 4 + 2 + 4

func recordBytes(key, value []byte) int { return recordHeadBytes + len(key) + len(value) }

func (r record) fill(born uint32, key, value []byte) {
	binary.LittleEndian.PutUint32(r, born)
	binary.LittleEndian.PutUint16(r[4:], uint16(len(key)))
	binary.LittleEndian.PutUint32(r[6:], uint32(len(value)))
	n := copy(r[recordHeadBytes:], key)
	copy(r[recordHeadBytes+n:], value)
}

func (r record) born() uint32 { return binary.LittleEndian.Uint32(r) }

// key aliases the arena.
func (r record) key() []byte {
	end := recordHeadBytes + int(binary.LittleEndian.Uint16(r[4:]))
	return r[recordHeadBytes:end:end]
}

// value aliases the arena.
func (r record) value() []byte {
	from := recordHeadBytes + int(binary.LittleEndian.Uint16(r[4:]))
	end := from + int(binary.LittleEndian.Uint32(r[6:]))
	return r[from:end:end]
}

func (r record) path() crypto.Hash { return pathOf(r.key()) }
