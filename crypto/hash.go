package crypto

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// HashSize is the length of a Hash in bytes.
const HashSize = sha256.Size

// Hash is a SHA-256 digest.
type Hash [HashSize]byte

// sumStackBytes is how much input is gathered on the stack before hashing. It covers tree nodes,
// sign bytes and state leaves, which are hashed millions of times, so that none of them allocates.
const sumStackBytes = 512

// Sum hashes the concatenation of parts. The boundaries between parts leave no trace: where two
// splits of the same bytes must differ, the caller writes lengths or fixed widths.
func Sum(parts ...[]byte) Hash {
	if len(parts) == 1 {
		return sha256.Sum256(parts[0])
	}
	var stack [sumStackBytes]byte
	n := 0
	for i, part := range parts {
		if len(part) > len(stack)-n {
			return sumLong(stack[:n], parts[i:])
		}
		n += copy(stack[n:], part)
	}
	return sha256.Sum256(stack[:n])
}

// sumLong hashes gathered and then rest without gathering the latter.
func sumLong(gathered []byte, rest [][]byte) Hash {
	h := sha256.New()
	h.Write(gathered)
	for _, part := range rest {
		h.Write(part)
	}
	var out Hash
	h.Sum(out[:0])
	return out
}

// ParseHash reads 64 hexadecimal digits, in either case.
func ParseHash(text string) (Hash, error) {
	var h Hash
	if len(text) != hex.EncodedLen(HashSize) {
		return Hash{}, fmt.Errorf("a hash has %d hexadecimal digits, this has %d characters", hex.EncodedLen(HashSize), len(text))
	}
	if _, err := hex.Decode(h[:], []byte(text)); err != nil {
		return Hash{}, fmt.Errorf("hash %q is not hexadecimal", text)
	}
	return h, nil
}

// String returns lower-case hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero reports whether every byte is zero, which no digest of real data is.
func (h Hash) IsZero() bool { return h == Hash{} }

// MarshalText makes hashes hexadecimal strings in JSON and TOML.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText is the inverse of MarshalText.
func (h *Hash) UnmarshalText(text []byte) error {
	parsed, err := ParseHash(string(text))
	if err != nil {
		return err
	}
	*h = parsed
	return nil
}
