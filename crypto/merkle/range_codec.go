package merkle

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
)

// The encoding of a range, integers big-endian:
//
//	format u8 = 1 | left | right | number of leaves u32 | leaves: key length u16 | value length u32 | key | value
//
// Left and right are each: depth u16 | one bit per node, set if there is a hash, from the root down, most
// significant bit first, padded with zero bits | the hashes that there are. One range has one encoding: what
// UnmarshalRange accepts, Append gives back byte for byte.
const (
	rangeFormat   = 1
	leafHeadBytes = 2 + 4
	sideBytesMax  = 2 + depthMax/8 + depthMax*32
)

// LeafBytes is the length of a leaf in the encoding of a range.
func LeafBytes(key, value []byte) int { return leafHeadBytes + len(key) + len(value) }

// Append appends the encoding of a range that ProveRange made or UnmarshalRange accepted.
func (r *Range) Append(b []byte) []byte {
	b = append(b, rangeFormat)
	b = appendSide(b, r.Left)
	b = appendSide(b, r.Right)
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Leaves)))
	for i := range r.Leaves {
		key, value := r.Leaves[i].Key, r.Leaves[i].Value
		b = binary.BigEndian.AppendUint16(b, uint16(len(key)))
		b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
		b = append(append(b, key...), value...)
	}
	return b
}

func appendSide(b []byte, side []crypto.Hash) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(side)))
	bits := len(b)
	b = append(b, make([]byte, (len(side)+7)/8)...)
	for i := range side {
		if !side[i].IsZero() {
			b[bits+i>>3] |= 0x80 >> (i & 7)
			b = append(b, side[i][:]...)
		}
	}
	return b
}

var errRangeShort = errors.New("decode range: it ends too early")

// UnmarshalRange decodes a range from anywhere. It checks the form alone; only Verify says whether the range
// holds. The leaves alias b.
func UnmarshalRange(b []byte) (*Range, error) {
	if len(b) > RangeBytesMax {
		return nil, fmt.Errorf("decode range: more than %d bytes", RangeBytesMax)
	}
	if len(b) == 0 {
		return nil, errRangeShort
	}
	if b[0] != rangeFormat {
		return nil, fmt.Errorf("decode range: unknown format %d", b[0])
	}
	r := &Range{}
	var err error
	if r.Left, b, err = decodeSide(b[1:]); err != nil {
		return nil, err
	}
	if r.Right, b, err = decodeSide(b); err != nil {
		return nil, err
	}
	if len(b) < 4 {
		return nil, errRangeShort
	}
	n := binary.BigEndian.Uint32(b)
	b = b[4:]
	if uint64(n)*(leafHeadBytes+2) > uint64(len(b)) {
		return nil, errRangeShort // before memory is taken for so many
	}
	r.Leaves = make([]Leaf, n)
	for i := range r.Leaves {
		if b, err = r.Leaves[i].decode(b); err != nil {
			return nil, err
		}
	}
	if len(b) != 0 {
		return nil, fmt.Errorf("decode range: %d bytes behind its end", len(b))
	}
	return r, nil
}

// decodeSide reads the hashes of one side, and returns what follows.
func decodeSide(b []byte) (side []crypto.Hash, rest []byte, err error) {
	if len(b) < 2 {
		return nil, nil, errRangeShort
	}
	depth := int(binary.BigEndian.Uint16(b))
	b = b[2:]
	if depth > depthMax {
		return nil, nil, fmt.Errorf("decode range: %d hashes on a side, the tree is %d deep", depth, depthMax)
	}
	bits := (depth + 7) / 8
	if len(b) < bits {
		return nil, nil, errRangeShort
	}
	present, b := b[:bits], b[bits:]
	if depth > 0 {
		side = make([]crypto.Hash, depth)
	}
	for i := range bits * 8 {
		if present[i>>3]&(0x80>>(i&7)) == 0 {
			continue
		}
		if i >= depth {
			return nil, nil, errors.New("decode range: padding is not zero")
		}
		if len(b) < 32 {
			return nil, nil, errRangeShort
		}
		side[i] = crypto.Hash(b[:32])
		if side[i].IsZero() {
			return nil, nil, errors.New("decode range: an empty hash is written out")
		}
		b = b[32:]
	}
	return side, b, nil
}

// decode reads a leaf, and returns what follows.
func (l *Leaf) decode(b []byte) (rest []byte, err error) {
	if len(b) < leafHeadBytes {
		return nil, errRangeShort
	}
	key, value := int(binary.BigEndian.Uint16(b)), int(binary.BigEndian.Uint32(b[2:]))
	b = b[leafHeadBytes:]
	switch {
	case key == 0 || key > KeyBytesMax:
		return nil, fmt.Errorf("decode range: key of %d bytes, 1 to %d allowed", key, KeyBytesMax)
	case value == 0 || value > ValueBytesMax:
		return nil, fmt.Errorf("decode range: value of %d bytes, 1 to %d allowed", value, ValueBytesMax)
	case len(b) < key+value:
		return nil, errRangeShort
	}
	l.Key, l.Value = b[:key:key], b[key:key+value:key+value]
	return b[key+value:], nil
}
