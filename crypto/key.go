package crypto

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/oasisprotocol/curve25519-voi/curve"
)

// KeyType names a signature scheme. It travels with every key and signature, so that further schemes
// can follow without a new wire format. Numbers are never reused; zero is no scheme.
type KeyType uint8

// KeyEd25519 is ed25519 under the verification rules of ZIP-215.
const KeyEd25519 KeyType = 1

// Sizes of ed25519 keys and signatures in bytes.
const (
	PublicKeySize = 32
	SignatureSize = 64
	SeedSize      = 32
)

// String returns the name used in key files, genesis documents and output.
func (t KeyType) String() string {
	if t == KeyEd25519 {
		return "ed25519"
	}
	return fmt.Sprintf("unknown key type %d", uint8(t))
}

// ParseKeyType is the inverse of KeyType.String for the schemes this build knows.
func ParseKeyType(text string) (KeyType, error) {
	if text == "ed25519" {
		return KeyEd25519, nil
	}
	return 0, fmt.Errorf("unknown key type %q: this version knows ed25519", clip(text))
}

// PublicKey is a public key as it travels. Nothing in it is trusted until Validate says so.
type PublicKey struct {
	Type  KeyType
	Bytes []byte
}

// Validate checks the type and the length. It is cheap, and enough before Verify: bytes that are no
// point of the curve verify nothing. A key about to be registered is asked CheckPoint as well.
func (k PublicKey) Validate() error {
	if k.Type != KeyEd25519 {
		return fmt.Errorf("unknown key type %d: this version knows ed25519 (1)", uint8(k.Type))
	}
	if len(k.Bytes) != PublicKeySize {
		return fmt.Errorf("an ed25519 public key has %d bytes, this has %d", PublicKeySize, len(k.Bytes))
	}
	return nil
}

// CheckPoint refuses, beyond Validate, keys nobody should be given authority by: bytes that are no
// point of the curve (nobody could ever sign) and points of small order (everybody could). It costs
// about five microseconds and is deterministic, so state transitions may depend on it.
func (k PublicKey) CheckPoint() error {
	if err := k.Validate(); err != nil {
		return err
	}
	var point curve.EdwardsPoint
	if err := point.UnmarshalBinary(k.Bytes); err != nil {
		return fmt.Errorf("public key %s is not a point of the curve", k)
	}
	if point.IsSmallOrder() {
		return fmt.Errorf("public key %s has small order: anyone could sign for it", k)
	}
	return nil
}

// Equal reports whether both are the same key of the same type.
func (k PublicKey) Equal(other PublicKey) bool {
	return k.Type == other.Type && bytes.Equal(k.Bytes, other.Bytes)
}

// Address returns the account this key answers for until the account's policy is changed.
func (k PublicKey) Address() Address { return KeyAddress(k.Type, k.Bytes) }

// String returns the type and the bytes, as in ed25519:1f3c....
func (k PublicKey) String() string { return k.Type.String() + ":" + hex.EncodeToString(k.Bytes) }

// ParsePublicKey is the inverse of PublicKey.String.
func ParsePublicKey(text string) (PublicKey, error) {
	typeName, digits, found := strings.Cut(text, ":")
	if !found {
		return PublicKey{}, fmt.Errorf("public key %q has no type: write ed25519:<64 hexadecimal digits>", clip(text))
	}
	keyType, err := ParseKeyType(typeName)
	if err != nil {
		return PublicKey{}, err
	}
	if len(digits) != hex.EncodedLen(PublicKeySize) {
		return PublicKey{}, fmt.Errorf("an ed25519 public key has %d hexadecimal digits, this has %d characters",
			hex.EncodedLen(PublicKeySize), len(digits))
	}
	raw, err := hex.DecodeString(digits)
	if err != nil {
		return PublicKey{}, fmt.Errorf("public key %q is not hexadecimal", clip(text))
	}
	return PublicKey{Type: keyType, Bytes: raw}, nil
}

// MarshalText makes public keys strings in JSON and TOML.
func (k PublicKey) MarshalText() ([]byte, error) {
	if err := k.Validate(); err != nil {
		return nil, err
	}
	return []byte(k.String()), nil
}

// UnmarshalText is the inverse of MarshalText.
func (k *PublicKey) UnmarshalText(text []byte) error {
	parsed, err := ParsePublicKey(string(text))
	if err != nil {
		return err
	}
	*k = parsed
	return nil
}

// clip bounds what an error repeats of somebody's input.
func clip(text string) string {
	const shown = 80
	if len(text) <= shown {
		return text
	}
	return text[:shown] + "..."
}
