package crypto

import "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

// zip215 is the one set of rules every verification in this package uses: the cofactored equation,
// with small-order and non-canonical points accepted. Under them a batch accepts exactly what single
// verification accepts; under RFC 8032 alone implementations may differ and the ledger could fork.
var zip215 = &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215}

// Verify reports whether sig is a signature of msg by pub. An unknown key type or a wrong length is
// simply not a signature.
func Verify(t KeyType, pub, msg, sig []byte) bool {
	if !shaped(t, pub, sig) {
		return false
	}
	return ed25519.VerifyWithOptions(pub, msg, sig, zip215)
}

// shaped guards the library, which panics on keys of the wrong length.
func shaped(t KeyType, pub, sig []byte) bool {
	return t == KeyEd25519 && len(pub) == PublicKeySize && len(sig) == SignatureSize
}
