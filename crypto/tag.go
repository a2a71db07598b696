package crypto

import "crypto/sha256"

// TagSize is the length of a Tag in bytes.
const TagSize = 16

// Tag says what a digest or a signature is about, so that bytes signed or hashed for one purpose
// mean nothing for another. A tag is fixed-width text, zero padded; no tag is the prefix of another.
type Tag [TagSize]byte

// The list is append-only: a tag is part of every digest and signature ever made under it.
var (
	TagTx             = tag("tetrad/tx/1")      // sign bytes of a transaction
	TagTxID           = tag("tetrad/txid/1")    // a transaction's id, over its body
	TagAccount        = tag("tetrad/account/1") // the address a key has without any creation step
	TagCreatedAccount = tag("tetrad/created/1") // the address of an account an operation made
	TagSystem         = tag("tetrad/system/1")  // the address of a system account such as @gov
	TagAsset          = tag("tetrad/asset/1")   // an asset's id, over its code
	TagValidator      = tag("tetrad/val/1")     // a validator's id, over its consensus key
	TagLog            = tag("tetrad/log/1")     // one link of an account's log chain
	TagReceipt        = tag("tetrad/receipt/1") // sign bytes of a receipt
	TagAttestation    = tag("tetrad/attest/1")  // sign bytes of a validator's attestation
	TagGenesis        = tag("tetrad/genesis/1") // digests derived from the genesis document
	TagDevKey         = tag("tetrad/devkey/1")  // seeds of the fixed keys of development networks
)

func tag(text string) Tag {
	if len(text) > TagSize {
		panic("crypto: tag longer than 16 bytes: " + text)
	}
	var t Tag
	copy(t[:], text)
	return t
}

// String returns the tag's text without its padding.
func (t Tag) String() string {
	n := len(t)
	for n > 0 && t[n-1] == 0 {
		n--
	}
	return string(t[:n])
}

// SumTagged hashes the tag and then the concatenation of parts. At most one part, the last, may have
// a width the tag does not fix; see Sum.
func SumTagged(t Tag, parts ...[]byte) Hash {
	var stack [sumStackBytes]byte
	n := copy(stack[:], t[:])
	for i, part := range parts {
		if len(part) > len(stack)-n {
			return sumLong(stack[:n], parts[i:])
		}
		n += copy(stack[n:], part)
	}
	return sha256.Sum256(stack[:n])
}

// SignBytesSize is the length of what a signature covers.
const SignBytesSize = TagSize + 2*HashSize

// SignBytes is what a signature covers: the purpose, the ledger (by the digest of its genesis
// document) and the digest of the body. A signature can therefore be replayed neither for another
// purpose nor on another network, and a signing device needs to see 80 bytes only.
func SignBytes(t Tag, genesis, body Hash) [SignBytesSize]byte {
	var out [SignBytesSize]byte
	copy(out[:], t[:])
	copy(out[TagSize:], genesis[:])
	copy(out[TagSize+HashSize:], body[:])
	return out
}
