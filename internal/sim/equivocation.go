package sim

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// setKey gives an account a key. With another one than before it is barred no longer.
func (m *model) setKey(id crypto.Address, key []byte) {
	a := m.account(id)
	if !bytes.Equal(a.key, key) && (a.key != nil || crypto.KeyAddress(crypto.KeyEd25519, key) != id) {
		a.proofs.Barred = false
	}
	a.key = key
}

// prove bars the author of two transactions that contradict each other, which the workload's do.
func (m *model) prove(x *ledger.ProveEquivocation, touched map[crypto.Address]bool) ledger.Code {
	var author crypto.Address
	code := ledger.CodeOK
	for _, raw := range [][]byte{x.TxA, x.TxB} {
		t, err := ledger.DecodeTransaction(raw)
		if err != nil {
			panic(fmt.Sprintf("sim: evidence does not decode: %v", err))
		}
		author = crypto.Address(t.Body.Actor)
		if t.Body.ValidUntilMs <= m.timeMS {
			return ledger.CodeEvidenceExpired
		}
		signed := t.Tx.Sigs[0].PublicKey
		if a := m.accounts[author]; a != nil && a.key != nil && !bytes.Equal(a.key, signed) ||
			(a == nil || a.key == nil) && crypto.KeyAddress(crypto.KeyEd25519, signed) != author {
			code = ledger.CodeEvidenceUnsigned
		}
	}
	if a := m.accounts[author]; a != nil && a.proofs.Barred {
		return ledger.CodeAlreadyBarred
	}
	if code != ledger.CodeOK {
		return code
	}
	a := m.account(author)
	a.proofs.Count++
	a.proofs.Height, a.proofs.Barred = m.height, true
	touched[author] = true
	return ledger.CodeOK
}

// proveEquivocation makes somebody say two things in one place, and proves it. Now and then the two are no longer
// valid, or another one's.
func (w *workload) proveEquivocation(crypto.Address) ledger.Op {
	author := pick(w.rng, w.accounts)
	key := w.keyOf(author)
	if w.rng.IntN(8) == 0 {
		key = w.keyOf(pick(w.rng, w.accounts))
	}
	w.counter++
	body := ledger.Body{
		Version: 1, ChainId: w.chainID, Actor: author[:], ValidUntilMs: w.timeMS + 1 + w.rng.Uint64N(5000),
		Nonce: binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, w.rng.Uint64()), w.counter),
	}
	var said []*ledger.Transaction
	for delta := range int64(2) {
		body.Ops = []ledger.Op{{Kind: &ledger.Op_Add{Add: &ledger.Add{Path: "count", Delta: 1 + delta}}}}
		raw := w.sealed(body, key)
		t, err := ledger.DecodeTransaction(raw)
		if err != nil {
			panic(err)
		}
		said = append(said, t)
	}
	op, _ := ledger.EvidenceFor(said[0], said[1])
	return op
}

// overproves reports whether a body has more proofs than it may, or one of another chain than it is for.
func (w *workload) overproves(b *ledger.Body) bool {
	n := 0
	for i := range b.Ops {
		if b.Ops[i].GetProveEquivocation() != nil {
			n++
		}
	}
	return n > 1 || n == 1 && b.ChainId != w.chainID
}

// sealed is a body under one signature.
func (w *workload) sealed(b ledger.Body, key crypto.PrivateKey) []byte {
	encoded, err := b.Marshal()
	if err != nil {
		panic(err)
	}
	message := crypto.SignBytes(crypto.TagTx, w.genesis, crypto.Sum(encoded))
	wire := ledger.Tx{Body: encoded, Sigs: []ledger.Sig{{
		KeyType: uint32(crypto.KeyEd25519), PublicKey: key.Public().Bytes, Signature: key.Sign(message[:]),
	}}}
	raw, err := wire.Marshal()
	if err != nil {
		panic(err)
	}
	return raw
}
