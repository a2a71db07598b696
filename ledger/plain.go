package ledger

import (
	"encoding/binary"

	"github.com/tetradledger/tetrad/crypto"
)

// Most transactions are plain: one ed25519 signature, a nonce, and transfers by the actor. Their canonical bytes
// have one layout, which is read here field by field, without copies and in one allocation. The generated decoder,
// which must then encode again to see that the bytes were canonical, takes three times as long.
//
// Whatever differs from that layout by a bit is left to the general way, which also says what is wrong. So the
// two ways agree if everything that is accepted here means the same there, which a fuzz test compares.

// plainTx is a transaction with room for what it points to.
type plainTx struct {
	Transaction
	sig      [1]Sig
	signer   [1]crypto.Address
	op       [1]Op
	kind     [1]Op_Transfer
	transfer [1]Transfer
}

// decodePlain decodes a plain transaction; false leaves it to the general way.
func decodePlain(raw []byte) (*Transaction, bool) {
	p := &plainTx{Transaction: Transaction{Raw: raw}}
	r := plainReader{rest: raw, ok: len(raw) <= TxBytesMax}
	body := r.bytes(1, -1)
	sig := plainReader{rest: r.bytes(2, -1), ok: true}
	keyType := sig.varint(1)
	p.sig[0] = Sig{KeyType: uint32(keyType), PublicKey: sig.bytes(2, crypto.PublicKeySize), Signature: sig.bytes(3, crypto.SignatureSize)}
	if !r.done() || !sig.done() || keyType != uint64(crypto.KeyEd25519) || !p.body(body) {
		return nil, false
	}
	p.Tx = Tx{Body: body, Sigs: p.sig[:]}
	p.signers = p.signer[:]
	t := &p.Transaction
	if t.Body.validate() != nil || t.checkSigs() != nil {
		return nil, false
	}
	t.hash()
	return t, true
}

// body reads the body.
func (p *plainTx) body(raw []byte) bool {
	r := plainReader{rest: raw, ok: true}
	b := &p.Body
	version := r.varint(1)
	b.Version = uint32(version)
	b.ChainId = string(r.bytes(2, -1))
	b.Actor = r.bytes(3, crypto.AddressSize)
	b.Nonce = r.bytes(4, NonceLen)
	b.ValidUntilMs = r.varint(6)
	if !r.ok || version != bodyVersion {
		return false
	}
	n := countField(r.rest, 7)
	if n == 0 || n > OpsMax {
		return false
	}
	ops, kinds, transfers := p.op[:], p.kind[:], p.transfer[:]
	if n > 1 {
		ops, kinds, transfers = make([]Op, n), make([]Op_Transfer, n), make([]Transfer, n)
	}
	for i := range ops {
		op := plainReader{rest: r.bytes(7, -1), ok: true}
		m := plainReader{rest: op.bytes(2, -1), ok: true}
		transfers[i] = Transfer{To: m.bytes(1, crypto.AddressSize), Asset: m.bytes(2, crypto.HashSize), Amount: m.bytes(3, -1)}
		if !op.done() || !m.done() {
			return false
		}
		kinds[i].Transfer = &transfers[i]
		ops[i].Kind = &kinds[i]
	}
	b.Ops = ops
	return r.done()
}

// plainReader reads the fields that must come next. A fault stays until done is asked.
type plainReader struct {
	rest []byte
	ok   bool
}

// done reports whether everything was there, and nothing else.
func (r *plainReader) done() bool { return r.ok && len(r.rest) == 0 }

// bytes reads a field of some size, or of any but 0 if size is negative. The result aliases what is read.
func (r *plainReader) bytes(field byte, size int) []byte {
	n := r.value(field<<3 | wireBytes)
	if !r.ok || n == 0 || n > uint64(len(r.rest)) || size >= 0 && n != uint64(size) {
		r.ok = false
		return nil
	}
	out := r.rest[:n:n]
	r.rest = r.rest[n:]
	return out
}

// varint reads an integer that is not 0.
func (r *plainReader) varint(field byte) uint64 {
	n := r.value(field<<3 | wireVarint)
	r.ok = r.ok && n != 0
	return n
}

// value reads a tag of one byte and the integer after it, which must not be padded.
func (r *plainReader) value(tag byte) uint64 {
	if !r.ok || len(r.rest) < 2 || r.rest[0] != tag {
		r.ok = false
		return 0
	}
	n, used := binary.Uvarint(r.rest[1:])
	if used <= 0 || used > 1 && r.rest[used] == 0 {
		r.ok = false
		return 0
	}
	r.rest = r.rest[1+used:]
	return n
}
