package merkle

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
)

// The encoding of a proof, integers big-endian:
//
//	format u8 = 1 | kind u8 | depth u16 | one bit per sibling, set if it is not empty, from the root
//	down, most significant bit first, padded with zero bits | the siblings that are not empty |
//	  present:       key length u16 | key | value length u32 | value
//	  absent, empty: nothing
//	  absent, other: path 32 | value hash 32
//
// One proof has one encoding: what UnmarshalProof accepts, Marshal gives back byte for byte.
const (
	proofFormat    = 1
	proofHeadBytes = 1 + 1 + 2
)

// Marshal encodes a proof that Prove made or UnmarshalProof accepted.
func (p *Proof) Marshal() []byte {
	depth := len(p.Siblings)
	out := make([]byte, proofHeadBytes+(depth+7)/8, proofHeadBytes+depth/8+1+32*depth+70+len(p.Key)+len(p.Value))
	out[0], out[1] = proofFormat, byte(p.Kind)
	binary.BigEndian.PutUint16(out[2:], uint16(depth))
	for i := range p.Siblings {
		if !p.Siblings[i].IsZero() {
			out[proofHeadBytes+i>>3] |= 0x80 >> (i & 7)
			out = append(out, p.Siblings[i][:]...)
		}
	}
	switch p.Kind {
	case ProofPresent:
		out = binary.BigEndian.AppendUint16(out, uint16(len(p.Key)))
		out = append(out, p.Key...)
		out = binary.BigEndian.AppendUint32(out, uint32(len(p.Value)))
		out = append(out, p.Value...)
	case ProofAbsentOther:
		out = append(out, p.OtherPath[:]...)
		out = append(out, p.OtherValueHash[:]...)
	}
	return out
}

var errProofShort = errors.New("decode proof: it ends too early")

// UnmarshalProof decodes a proof from anywhere. It checks the form alone; only Verify says whether
// the proof holds. The proof keeps no reference to b.
func UnmarshalProof(b []byte) (*Proof, error) {
	if len(b) > ProofBytesMax {
		return nil, fmt.Errorf("decode proof: more than %d bytes", ProofBytesMax)
	}
	if len(b) < proofHeadBytes {
		return nil, errProofShort
	}
	if b[0] != proofFormat {
		return nil, fmt.Errorf("decode proof: unknown format %d", b[0])
	}
	p := &Proof{Kind: ProofKind(b[1])}
	rest, err := p.decodeSiblings(int(binary.BigEndian.Uint16(b[2:])), b[proofHeadBytes:])
	if err != nil {
		return nil, err
	}
	switch p.Kind {
	case ProofPresent:
		rest, err = p.decodeLeaf(rest)
		if err != nil {
			return nil, err
		}
	case ProofAbsentEmpty:
	case ProofAbsentOther:
		if len(rest) < 64 {
			return nil, errProofShort
		}
		p.OtherPath, p.OtherValueHash = crypto.Hash(rest[:32]), crypto.Hash(rest[32:64])
		rest = rest[64:]
	default:
		return nil, fmt.Errorf("decode proof: unknown kind %d", b[1])
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("decode proof: %d bytes behind its end", len(rest))
	}
	return p, nil
}

// decodeSiblings reads the bits and the siblings, and returns what follows.
func (p *Proof) decodeSiblings(depth int, b []byte) ([]byte, error) {
	if depth > depthMax {
		return nil, fmt.Errorf("decode proof: %d siblings, the tree is %d deep", depth, depthMax)
	}
	bits := (depth + 7) / 8
	if len(b) < bits {
		return nil, errProofShort
	}
	present, b := b[:bits], b[bits:]
	if depth > 0 {
		p.Siblings = make([]crypto.Hash, depth)
	}
	for i := range bits * 8 {
		if present[i>>3]&(0x80>>(i&7)) == 0 {
			continue
		}
		if i >= depth {
			return nil, errors.New("decode proof: padding is not zero")
		}
		if len(b) < 32 {
			return nil, errProofShort
		}
		p.Siblings[i] = crypto.Hash(b[:32])
		if p.Siblings[i].IsZero() {
			return nil, errors.New("decode proof: an empty sibling is written out")
		}
		b = b[32:]
	}
	return b, nil
}

// decodeLeaf reads key and value, and returns what follows.
func (p *Proof) decodeLeaf(b []byte) ([]byte, error) {
	if len(b) < 2 {
		return nil, errProofShort
	}
	keyBytes := int(binary.BigEndian.Uint16(b))
	if keyBytes == 0 || keyBytes > KeyBytesMax {
		return nil, fmt.Errorf("decode proof: key of %d bytes, 1 to %d allowed", keyBytes, KeyBytesMax)
	}
	if len(b) < 2+keyBytes+4 {
		return nil, errProofShort
	}
	key, b := b[2:2+keyBytes], b[2+keyBytes:]
	valueBytes := binary.BigEndian.Uint32(b)
	if valueBytes == 0 || valueBytes > ValueBytesMax {
		return nil, fmt.Errorf("decode proof: value of %d bytes, 1 to %d allowed", valueBytes, ValueBytesMax)
	}
	if uint32(len(b)-4) < valueBytes {
		return nil, errProofShort
	}
	p.Key = append([]byte(nil), key...)
	p.Value = append([]byte(nil), b[4:4+valueBytes]...)
	return b[4+valueBytes:], nil
}
