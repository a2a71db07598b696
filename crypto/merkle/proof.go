package merkle

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
)

// ProofKind says what a proof shows at the end of the path it walks.
type ProofKind uint8

const (
	// ProofPresent shows the leaf of the key: the key has the value.
	ProofPresent ProofKind = 1
	// ProofAbsentEmpty shows an empty subtree where the key would be.
	ProofAbsentEmpty ProofKind = 2
	// ProofAbsentOther shows the leaf of another key where the key would be.
	ProofAbsentOther ProofKind = 3
)

// Proof shows, to whoever knows a root, the value of a key or that there is none.
type Proof struct {
	Kind ProofKind

	// Siblings are the hashes beside the path, from the root down; empty ones are zero.
	Siblings []crypto.Hash

	// Key and Value are those of the leaf, for ProofPresent. Verify compares Key with the key asked.
	Key, Value []byte

	// OtherPath and OtherValueHash make up the leaf of ProofAbsentOther.
	OtherPath, OtherValueHash crypto.Hash
}

var (
	errProofRoot     = errors.New("the proof does not lead to the root")
	errProofKey      = errors.New("the proof is about another key")
	errProofPath     = errors.New("the proof of absence does not lie on the key's path")
	errProofKind     = errors.New("the proof is of no known kind")
	errProofKeySize  = fmt.Errorf("a key has 1 to %d bytes", KeyBytesMax)
	errProofNoValue  = errors.New("the proof shows an empty value")
	errProofTooDeep  = fmt.Errorf("the proof has more than %d siblings", depthMax)
	errProofOtherKey = errors.New("the proof of absence shows the key itself")
)

// Verify checks p against a root that the caller trusts and the key that the caller asked for. It
// returns the value if the proof shows one, and exists false if it shows that there is none. With an
// error it shows nothing. The value aliases p.
func (p *Proof) Verify(root crypto.Hash, key []byte) (value []byte, exists bool, err error) {
	if len(key) == 0 || len(key) > KeyBytesMax {
		return nil, false, errProofKeySize
	}
	if len(p.Siblings) > depthMax {
		return nil, false, errProofTooDeep
	}
	path := pathOf(key)
	end, err := p.end(key, &path)
	if err != nil {
		return nil, false, err
	}
	for depth := len(p.Siblings) - 1; depth >= 0; depth-- {
		if bit(&path, depth) == 0 {
			end = innerHash(&end, &p.Siblings[depth])
		} else {
			end = innerHash(&p.Siblings[depth], &end)
		}
	}
	if end != root {
		return nil, false, errProofRoot
	}
	if p.Kind != ProofPresent {
		return nil, false, nil
	}
	return p.Value, true, nil
}

// end is the hash of the subtree the path ends in, if what it shows is about the key at all.
func (p *Proof) end(key []byte, path *crypto.Hash) (crypto.Hash, error) {
	switch p.Kind {
	case ProofPresent:
		if !bytes.Equal(p.Key, key) {
			return crypto.Hash{}, errProofKey
		}
		if len(p.Value) == 0 {
			return crypto.Hash{}, errProofNoValue
		}
		valueHash := crypto.Hash(sha256.Sum256(p.Value))
		return leafHash(path, &valueHash), nil
	case ProofAbsentEmpty:
		return crypto.Hash{}, nil
	case ProofAbsentOther:
		// A leaf stands for the whole subtree it is in. So a leaf on the key's path, down to its
		// depth, leaves no room for the key, unless it is the key's own.
		if !samePrefix(&p.OtherPath, path, len(p.Siblings)) {
			return crypto.Hash{}, errProofPath
		}
		if p.OtherPath == *path {
			return crypto.Hash{}, errProofOtherKey
		}
		return leafHash(&p.OtherPath, &p.OtherValueHash), nil
	default:
		return crypto.Hash{}, errProofKind
	}
}
