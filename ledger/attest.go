package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
)

// AttestNonceLen makes a nonce one that nobody can have guessed before the reader drew it.
const AttestNonceLen = 32

// AttestationSize and SignedAttestationSize are the lengths of the two encodings.
const (
	AttestationSize       = crypto.AddressSize + AttestNonceLen + 8 + crypto.HashSize + 8
	SignedAttestationSize = AttestationSize + crypto.SignatureSize
)

// Attestation is what a validator says of itself to a reader who wants to miss nothing: how far it has come and
// whether it may have helped to commit one block more. The reader's nonce shows that it was said after the
// reading began. It is signed with the validator's service key, which the ledger records, and never with the
// key that signs votes. ReadIndex draws the conclusion from many of them.
type Attestation struct {
	Validator crypto.ValidatorID
	Nonce     [AttestNonceLen]byte
	// Committed is the newest block the validator has executed and stored; a validator without one attests nothing.
	Committed uint64
	// HeaderHash is the hash of the header of that very block.
	HeaderHash crypto.Hash
	// Pending is Committed+1 if the validator may have given a precommit for that block out of its hands, and 0 if it
	// has not. Nothing else is an attestation: a validator signs no further ahead than that, and one that
	// cannot tell what it signed stays silent.
	Pending uint64
}

// Check refuses what no honest validator says. Decoding and verifying do it by themselves.
func (a Attestation) Check() error {
	switch {
	case a.Validator.IsZero():
		return errors.New("attestation: no validator")
	case a.Committed == 0 || a.Committed+1 == 0:
		return fmt.Errorf("attestation: %d is no committed height", a.Committed)
	case a.HeaderHash.IsZero():
		return errors.New("attestation: no header hash")
	case a.Pending != 0 && a.Pending != a.Committed+1:
		return fmt.Errorf("attestation: pending is %d, must be 0 or the height after %d", a.Pending, a.Committed)
	}
	return nil
}

// Encode is the attestation in its one encoding: the fields in order, numbers big-endian.
func (a Attestation) Encode() [AttestationSize]byte {
	var out [AttestationSize]byte
	b := append(out[:0], a.Validator[:]...)
	b = append(b, a.Nonce[:]...)
	b = binary.BigEndian.AppendUint64(b, a.Committed)
	b = append(b, a.HeaderHash[:]...)
	binary.BigEndian.AppendUint64(b, a.Pending)
	return out
}

// DecodeAttestation is the inverse of Encode and takes nothing else.
func DecodeAttestation(b []byte) (Attestation, error) {
	if len(b) != AttestationSize {
		return Attestation{}, fmt.Errorf("attestation: %d bytes, must be %d", len(b), AttestationSize)
	}
	var a Attestation
	b = b[copy(a.Validator[:], b):]
	b = b[copy(a.Nonce[:], b):]
	a.Committed, b = binary.BigEndian.Uint64(b), b[8:]
	b = b[copy(a.HeaderHash[:], b):]
	a.Pending = binary.BigEndian.Uint64(b)
	return a, a.Check()
}

// SignBytes is what the service key signs, on the ledger with this genesis document.
func (a Attestation) SignBytes(genesis crypto.Hash) [crypto.SignBytesSize]byte {
	body := a.Encode()
	return crypto.SignBytes(crypto.TagAttestation, genesis, crypto.Sum(body[:]))
}

// Verify tells whether a validator with this service key said so to the reader who drew this nonce.
func (a Attestation) Verify(genesis crypto.Hash, nonce [AttestNonceLen]byte, service crypto.PublicKey, signature []byte) error {
	if err := a.Check(); err != nil {
		return err
	}
	if a.Nonce != nonce {
		return errors.New("attestation: for another nonce")
	}
	message := a.SignBytes(genesis)
	if !crypto.Verify(service.Type, service.Bytes, message[:], signature) {
		return fmt.Errorf("attestation: not signed by the service key of %v", a.Validator)
	}
	return nil
}

// SignedAttestation is an attestation as it travels between nodes.
type SignedAttestation struct {
	Attestation
	Signature [crypto.SignatureSize]byte
}

// Encode is the attestation's encoding followed by its signature.
func (s SignedAttestation) Encode() [SignedAttestationSize]byte {
	var out [SignedAttestationSize]byte
	body := s.Attestation.Encode()
	copy(out[copy(out[:], body[:]):], s.Signature[:])
	return out
}

// DecodeSignedAttestation is the inverse of Encode; the signature remains to be verified.
func DecodeSignedAttestation(b []byte) (SignedAttestation, error) {
	if len(b) != SignedAttestationSize {
		return SignedAttestation{}, fmt.Errorf("attestation: %d bytes with its signature, must be %d", len(b), SignedAttestationSize)
	}
	a, err := DecodeAttestation(b[:AttestationSize])
	return SignedAttestation{a, [crypto.SignatureSize]byte(b[AttestationSize:])}, err
}
