package ledger

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/tetradledger/tetrad/crypto"
)

// TxID names a transaction: the hash of its body. Signatures are left out, so nobody can change the id of
// a transaction that somebody else signed.
type TxID = crypto.Hash

// bodyVersion is the only version of a body so far.
const bodyVersion = 1

// Transaction is a signed transaction whose shape has been checked. What it holds may alias Raw. It is not
// changed after decoding, except that a caller who finds a fault, such as a bad signature, sets Fault before
// executing it.
type Transaction struct {
	ID       TxID
	Raw      []byte // as it came; not copied
	Tx       Tx
	Body     Body
	BodyHash crypto.Hash
	// Fault, when set, makes the transaction unusable: its receipt carries the code and nothing happens.
	Fault Code

	signers  []crypto.Address // the address of each signature's key
	evidence bool             // it is in another one, and may hold none itself
	proves   []*Transaction   // evidence in it, whose signatures must verify as well
}

// DecodeTransaction checks everything that can be known from the bytes alone: canonical encoding, sizes,
// versions, and the shape of each operation. The error is a *Reject. The bytes must not change afterwards.
func DecodeTransaction(raw []byte) (*Transaction, error) {
	if t, ok := decodePlain(raw); ok {
		return t, nil
	}
	t := &Transaction{Raw: raw}
	if r := t.decode(); r != nil {
		return nil, r
	}
	return t, nil
}

// UndecodableTransaction stands for bytes that do not decode but are in a block all the same: they get a
// receipt with the code. Having no body, they are named by the hash of all their bytes.
func UndecodableTransaction(raw []byte, code Code) *Transaction {
	return &Transaction{ID: crypto.SumTagged(crypto.TagTxID, raw), Raw: raw, Fault: code}
}

func (t *Transaction) decode() *Reject {
	if len(t.Raw) > TxBytesMax {
		return reject(CodeTooLarge, "%d bytes, at most %d allowed", len(t.Raw), TxBytesMax)
	}
	if n := countField(t.Raw, 2); n > SigsMax {
		return reject(CodeTooMany, "%d signatures, at most %d allowed", n, SigsMax)
	}
	if r := decodeCanonical(t.Raw, &t.Tx, ""); r != nil {
		return r
	}
	if len(t.Tx.Body) == 0 {
		return reject(CodeBadField, "body is missing")
	}
	// The body lies at a known place of the canonical bytes: keep that, not the decoder's copy.
	_, skip := binary.Uvarint(t.Raw[1:])
	t.Tx.Body = t.Raw[1+skip:][:len(t.Tx.Body):len(t.Tx.Body)]
	if n := countField(t.Tx.Body, 7); n > OpsMax {
		return reject(CodeTooMany, "%d operations, at most %d allowed", n, OpsMax)
	}
	if r := decodeCanonical(t.Tx.Body, &t.Body, "body"); r != nil {
		return r
	}
	if r := t.openEvidence(); r != nil {
		return r.in("body")
	}
	if r := t.Body.validate(); r != nil {
		return r.in("body")
	}
	if r := t.checkSigs(); r != nil {
		return r
	}
	t.hash()
	return nil
}

// hash derives what the body is named and signed by.
func (t *Transaction) hash() {
	t.ID = crypto.SumTagged(crypto.TagTxID, t.Tx.Body)
	t.BodyHash = crypto.Sum(t.Tx.Body)
}

// checkSigs checks the shape of the signatures and derives the addresses of their keys.
func (t *Transaction) checkSigs() *Reject {
	sigs := t.Tx.Sigs
	if len(sigs) == 0 {
		return reject(CodeNotAuthorised, "no signature")
	}
	if len(t.signers) != len(sigs) {
		t.signers = make([]crypto.Address, len(sigs))
	}
	for i := range sigs {
		s := &sigs[i]
		if r := checkKey(s.KeyType, s.PublicKey); r != nil {
			return r.at("sigs", i)
		}
		if len(s.Signature) != crypto.SignatureSize {
			return reject(CodeBadField, "sigs[%d]: signature has %d bytes, must have %d", i, len(s.Signature), crypto.SignatureSize)
		}
		for j := range i {
			if sigs[j].KeyType == s.KeyType && bytes.Equal(sigs[j].PublicKey, s.PublicKey) {
				return reject(CodeDuplicateSignature, "sigs[%d] and sigs[%d]", j, i)
			}
		}
		t.signers[i] = crypto.KeyAddress(crypto.KeyType(s.KeyType), s.PublicKey)
	}
	return nil
}

// validate checks what a body says of itself, whatever the state.
func (b *Body) validate() *Reject {
	if b.Version != bodyVersion {
		return reject(CodeUnknownVersion, "version is %d, must be %d", b.Version, bodyVersion)
	}
	if len(b.ChainId) == 0 || len(b.ChainId) > ChainIDMax {
		return reject(CodeBadField, "chain_id has %d bytes, must have 1 to %d", len(b.ChainId), ChainIDMax)
	}
	if r := checkText("chain_id", b.ChainId); r != nil {
		return r
	}
	if r := checkID("actor", b.Actor); r != nil {
		return r
	}
	if r := b.checkReplayGuard(); r != nil {
		return r
	}
	if len(b.Memo) > MemoBytesMax {
		return reject(CodeTooLarge, "memo has %d bytes, at most %d allowed", len(b.Memo), MemoBytesMax)
	}
	if r := checkText("memo", b.Memo); r != nil {
		return r
	}
	if len(b.Ops) == 0 {
		return reject(CodeNoOps, "")
	}
	if len(b.Ops) > OpsMax {
		return reject(CodeTooMany, "%d operations, at most %d allowed", len(b.Ops), OpsMax)
	}
	actor := crypto.Address(b.Actor)
	for i := range b.Ops {
		if r := b.Ops[i].validate(actor); r != nil {
			return r.at("ops", i)
		}
	}
	return nil
}

// TxID is the id of the transaction with this body.
func (b *Body) TxID() TxID { return crypto.SumTagged(crypto.TagTxID, b.Encode()) }

// Encode is the body's encoding: what is hashed and signed.
func (b *Body) Encode() []byte {
	encoded, err := b.Marshal()
	if err != nil {
		panic("ledger: encoding a body failed: " + err.Error())
	}
	return encoded
}

// checkReplayGuard accepts a nonce with an end of validity, or a lane with or without one.
func (b *Body) checkReplayGuard() *Reject {
	switch {
	case b.Lane != nil && len(b.Nonce) > 0:
		return reject(CodeBadReplayGuard, "both nonce and lane are present")
	case b.Lane != nil && b.Lane.Seq == 0:
		return reject(CodeBadReplayGuard, "lane.seq counts from 1")
	case b.Lane != nil:
		return nil
	case len(b.Nonce) != NonceLen:
		return reject(CodeBadReplayGuard, "nonce has %d bytes, must have %d", len(b.Nonce), NonceLen)
	case b.ValidUntilMs == 0:
		return reject(CodeBadReplayGuard, "valid_until_ms is missing")
	}
	return nil
}

// at puts a list's name and position before the detail.
func (r *Reject) at(list string, i int) *Reject {
	return r.in(list + "[" + strconv.Itoa(i) + "]")
}

// checkID accepts 32 bytes.
func checkID(field string, b []byte) *Reject {
	if len(b) != crypto.AddressSize {
		return reject(CodeBadField, "%s has %d bytes, must have %d", field, len(b), crypto.AddressSize)
	}
	return nil
}

// CheckChain refuses a transaction for another chain. The signature covers the genesis document as well,
// so this only gives a clearer answer than a signature that does not verify.
func (t *Transaction) CheckChain(chainID string) error {
	if t.Body.ChainId != chainID {
		return reject(CodeWrongChain, "for %q, this is %q", t.Body.ChainId, chainID)
	}
	return nil
}

// Signed lists what must verify before the transaction may be executed without a Fault.
func (t *Transaction) Signed(genesis crypto.Hash) []crypto.Signed {
	message := t.SignBytes(genesis)
	return t.AppendSigned(make([]crypto.Signed, 0, len(t.Tx.Sigs)), message[:])
}

// SignBytes is what every signature of the transaction signs.
func (t *Transaction) SignBytes(genesis crypto.Hash) [crypto.SignBytesSize]byte {
	return crypto.SignBytes(crypto.TagTx, genesis, t.BodyHash)
}

// AppendSigned appends what Signed lists; message is what SignBytes returns, and must stay as it is.
func (t *Transaction) AppendSigned(dst []crypto.Signed, message []byte) []crypto.Signed {
	for i := range t.Tx.Sigs {
		s := &t.Tx.Sigs[i]
		dst = append(dst, crypto.Signed{
			Type: crypto.KeyType(s.KeyType), Public: s.PublicKey, Message: message, Signature: s.Signature,
		})
	}
	for _, of := range t.proves {
		// All that is signed on a chain differs in the hash of the body alone, which comes last.
		inner := slices.Concat(message[:len(message)-crypto.HashSize], of.BodyHash[:])
		dst = of.AppendSigned(dst, inner)
	}
	return dst
}

// openEvidence decodes the transactions that this one proves something of. There is one proof at most, which bounds
// the signatures that one transaction makes others verify.
func (t *Transaction) openEvidence() *Reject {
	for i := range t.Body.Ops {
		m := t.Body.Ops[i].GetProveEquivocation()
		switch {
		case m == nil:
			continue
		case t.evidence:
			return reject(CodeBadField, "evidence within evidence").at("ops", i)
		case t.proves != nil:
			return reject(CodeTooMany, "a transaction holds one proof at most").at("ops", i)
		}
		a, b, r := m.transactions()
		if r != nil {
			return r.in("prove_equivocation").at("ops", i)
		}
		if a.Body.ChainId != t.Body.ChainId || b.Body.ChainId != t.Body.ChainId {
			return reject(CodeBadField, "the evidence is of another chain").at("ops", i)
		}
		t.proves = []*Transaction{a, b}
	}
	return nil
}

// ValidUntilMS is the block time from which on the transaction is no longer valid; 0: no end.
func (t *Transaction) ValidUntilMS() uint64 { return t.Body.ValidUntilMs }

// Actor is the account that acts where an operation names no other.
func (t *Transaction) Actor() crypto.Address { return addressOf(t.Body.Actor) }

// addressOf reads an id whose length was checked; an undecodable transaction has none, which is the zero address.
func addressOf(b []byte) crypto.Address {
	if len(b) != crypto.AddressSize {
		return crypto.Address{}
	}
	return crypto.Address(b)
}
