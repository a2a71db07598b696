package crypto

import (
	cryptorand "crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// redacted is what every way of printing a private key shows.
const redacted = "PrivateKey(redacted)"

// PrivateKey signs. It never shows its bytes: printing gives a fixed text and marshalling fails; only
// Seed hands them out. The zero value holds no key, and using it is a bug that panics.
type PrivateKey struct {
	// The key is behind a pointer because fmt cannot call methods on unexported fields: it would
	// print the bytes of a key inside somebody's struct, but prints nested pointers as addresses.
	secret *secret
}

type secret struct {
	key ed25519.PrivateKey // seed, then public key
}

// GenerateKey makes an ed25519 key from rand, or from the system's source if rand is nil.
func GenerateKey(rand io.Reader) (PrivateKey, error) {
	if rand == nil {
		rand = cryptorand.Reader
	}
	var seed [SeedSize]byte
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return PrivateKey{}, fmt.Errorf("read randomness for a key: %w", err)
	}
	return KeyFromSeed(seed), nil
}

// KeyFromSeed makes the ed25519 key that RFC 8032 derives from seed.
func KeyFromSeed(seed [SeedSize]byte) PrivateKey {
	return PrivateKey{secret: &secret{key: ed25519.NewKeyFromSeed(seed[:])}}
}

// DevKey returns the fixed key of a name (alice, bob, carol, dave, treasury, ...) on development
// networks. Everybody can compute it: it protects nothing.
func DevKey(name string) PrivateKey {
	return KeyFromSeed(SumTagged(TagDevKey, []byte(name)))
}

// IsZero reports whether k holds no key.
func (k PrivateKey) IsZero() bool { return k.secret == nil }

// Public returns the public half.
func (k PrivateKey) Public() PublicKey {
	k.mustHold()
	pub := make([]byte, PublicKeySize)
	copy(pub, k.secret.key[SeedSize:])
	return PublicKey{Type: KeyEd25519, Bytes: pub}
}

// Sign returns the 64-byte signature of RFC 8032 over msg; it is deterministic.
func (k PrivateKey) Sign(msg []byte) []byte {
	k.mustHold()
	return ed25519.Sign(k.secret.key, msg)
}

// Seed returns the 32 secret bytes. They are for derivation, key files and consensus engines alone.
func (k PrivateKey) Seed() [SeedSize]byte {
	k.mustHold()
	return [SeedSize]byte(k.secret.key[:SeedSize])
}

// Equal compares in constant time.
func (k PrivateKey) Equal(other PrivateKey) bool {
	if k.IsZero() || other.IsZero() {
		return k.IsZero() && other.IsZero()
	}
	return subtle.ConstantTimeCompare(k.secret.key, other.secret.key) == 1
}

func (k PrivateKey) mustHold() {
	if k.secret == nil {
		panic("crypto: use of a PrivateKey that holds no key")
	}
}

// String, GoString and Format keep the bytes out of logs and messages under every verb.
func (k PrivateKey) String() string { return redacted }

// GoString: see String.
func (k PrivateKey) GoString() string { return redacted }

// Format: see String.
func (k PrivateKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

var errNoMarshal = errors.New("a private key is not marshalled: write a key file")

// MarshalText fails, and with it JSON, TOML and structured logs.
func (k PrivateKey) MarshalText() ([]byte, error) { return nil, errNoMarshal }

// MarshalJSON fails: see MarshalText.
func (k PrivateKey) MarshalJSON() ([]byte, error) { return nil, errNoMarshal }

// MarshalBinary fails, and with it gob: see MarshalText.
func (k PrivateKey) MarshalBinary() ([]byte, error) { return nil, errNoMarshal }
