package crypto

import (
	cryptorand "crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// redacted is what every way of printing a private key shows.
const redacted = "PrivateKey(redacted)"

// PrivateKey signs. It never shows its bytes: printing gives a fixed text and marshalling fails; only
// Seed hands them out. The zero value holds no key, and using it is a bug that panics.
type PrivateKey struct {
	// reveal returns the seed and then the public key. The bytes are inside a closure because fmt
	// cannot call methods on unexported fields: it would print the bytes of a key inside
	// somebody's struct, under some verbs even behind a pointer. No printer looks into functions.
	// It also forbids comparing keys by ==, whose time would tell about them.
	reveal func() ed25519.PrivateKey
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
	key := ed25519.NewKeyFromSeed(seed[:])
	return PrivateKey{reveal: func() ed25519.PrivateKey { return key }}
}

// DevKey returns the fixed key of a name (alice, bob, carol, dave, treasury, ...) on development
// networks. Everybody can compute it: it protects nothing.
func DevKey(name string) PrivateKey {
	return KeyFromSeed(SumTagged(TagDevKey, []byte(name)))
}

// IsZero reports whether k holds no key.
func (k PrivateKey) IsZero() bool { return k.reveal == nil }

// Public returns the public half.
func (k PrivateKey) Public() PublicKey {
	pub := make([]byte, PublicKeySize)
	copy(pub, k.mustReveal()[SeedSize:])
	return PublicKey{Type: KeyEd25519, Bytes: pub}
}

// Sign returns the 64-byte signature of RFC 8032 over msg; it is deterministic.
func (k PrivateKey) Sign(msg []byte) []byte {
	return ed25519.Sign(k.mustReveal(), msg)
}

// Seed returns the 32 secret bytes. They are for derivation, key files and consensus engines alone.
func (k PrivateKey) Seed() [SeedSize]byte {
	return [SeedSize]byte(k.mustReveal()[:SeedSize])
}

// Equal compares in constant time.
func (k PrivateKey) Equal(other PrivateKey) bool {
	if k.IsZero() || other.IsZero() {
		return k.IsZero() && other.IsZero()
	}
	return subtle.ConstantTimeCompare(k.reveal(), other.reveal()) == 1
}

func (k PrivateKey) mustReveal() ed25519.PrivateKey {
	if k.reveal == nil {
		panic("crypto: use of a PrivateKey that holds no key")
	}
	return k.reveal()
}

// LogValue keeps the bytes out of structured logs.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// String, GoString and Format keep the bytes out of logs and messages under every verb.
func (k PrivateKey) String() string { return redacted }

// GoString: see String.
func (k PrivateKey) GoString() string { return redacted }

// Format: see String.
func (k PrivateKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

var errNoMarshal = errors.New("a private key is not marshalled: write a key file")

// MarshalText fails, and with it TOML and keys of maps.
func (k PrivateKey) MarshalText() ([]byte, error) { return nil, errNoMarshal }

// MarshalJSON fails: see MarshalText.
func (k PrivateKey) MarshalJSON() ([]byte, error) { return nil, errNoMarshal }

// MarshalBinary fails, and with it gob: see MarshalText.
func (k PrivateKey) MarshalBinary() ([]byte, error) { return nil, errNoMarshal }
