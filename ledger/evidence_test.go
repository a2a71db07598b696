package ledger

import (
	"bytes"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"pgregory.net/rapid"
)

// evidence draws two transactions of one place, most of them by one author, and the operation that proves them.
func (u *universe) evidence(t *rapid.T) Op {
	author := rapid.SampledFrom(u.parties).Draw(t, "author")
	signer := author
	if rapid.IntRange(0, 9).Draw(t, "signed by another") == 9 {
		signer = rapid.SampledFrom(u.parties).Draw(t, "signer")
	}
	u.nonce++
	lane := rapid.Bool().Draw(t, "in a lane")
	var said []*Transaction
	for delta := range int64(2) {
		b := Body{
			Version: 1, ChainId: "property-1", Actor: author.address[:], Nonce: bytes.Repeat([]byte{u.nonce}, NonceLen),
			ValidUntilMs: u.timeMS + rapid.SampledFrom([]uint64{30_000, 30_000, 30_000, 1}).Draw(t, "said for"),
			Ops:          []Op{{Kind: &Op_Add{Add: &Add{Path: "n", Delta: 1 + delta}}}},
		}
		if lane {
			b.Nonce, b.Lane = nil, &Lane{Id: 1, Seq: uint64(u.nonce)}
		}
		tx, err := DecodeTransaction(encodeTx(b, signer))
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, tx)
	}
	if rapid.Bool().Draw(t, "sent, too") {
		u.txs = append(u.txs, said...)
	}
	op, fits := EvidenceFor(said[0], said[1])
	if !fits {
		t.Fatal("two small transactions do not fit")
	}
	return op
}

// TestEquivocate: two transactions contradict each other if they are of one author and one place, merge, and say
// different things.
func TestEquivocate(t *testing.T) {
	say := func(change func(*Body)) *Transaction {
		tx, err := DecodeTransaction(edit(func(b *Body) {
			b.Nonce, b.ValidUntilMs, b.Ops = bytes.Repeat([]byte{1}, NonceLen), testTimeMS+5, []Op{addTo("n", 1)}
			change(b)
		}))
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	first := say(func(*Body) {})
	lane := func(id, seq uint64, delta int64) *Transaction {
		return say(func(b *Body) {
			b.Nonce, b.Lane, b.ValidUntilMs, b.Ops = nil, &Lane{Id: id, Seq: seq}, 0, []Op{addTo("n", delta)}
		})
	}
	for name, c := range map[string]struct {
		a, b *Transaction
		want bool
	}{
		"another delta":         {first, say(func(b *Body) { b.Ops[0] = addTo("n", 2) }), true},
		"another path":          {first, say(func(b *Body) { b.Ops[0] = addTo("m", 1) }), true},
		"one operation more":    {first, say(func(b *Body) { b.Ops = append(b.Ops, addTo("n", 1)) }), true},
		"itself":                {first, first, false},
		"valid for longer":      {first, say(func(b *Body) { b.ValidUntilMs++ }), false},
		"another memo":          {first, say(func(b *Body) { b.Memo = "again" }), false},
		"another nonce":         {first, say(func(b *Body) { b.Nonce[0]++; b.Ops[0] = addTo("n", 2) }), false},
		"another author":        {first, say(func(b *Body) { bob := testKey("bob").address; b.Actor, b.Ops[0] = bob[:], addTo("n", 2) }), false},
		"nothing that merges":   {first, say(func(b *Body) { b.Ops[0] = put("n", []byte("x")) }), false},
		"one place in a lane":   {lane(1, 1, 1), lane(1, 1, 2), true},
		"two places in a lane":  {lane(1, 1, 1), lane(1, 2, 2), false},
		"two lanes":             {lane(1, 1, 1), lane(2, 1, 2), false},
		"a lane and a nonce":    {first, lane(1, 1, 2), false},
		"the same in one place": {lane(1, 1, 1), lane(1, 1, 1), false},
	} {
		if Equivocate(c.a, c.b) != c.want || Equivocate(c.b, c.a) != c.want {
			t.Errorf("%s: should be %v", name, c.want)
		}
	}
}

// TestEvidenceIsStrict: what does not prove anything never gets into a block.
func TestEvidenceIsStrict(t *testing.T) {
	alice, bob := testKey("alice"), testKey("bob")
	const chain = "test-1"
	good := equivocation(chain, alice)
	m := good.GetProveEquivocation()
	carry := func(ops ...Op) []byte {
		return encodeTx(Body{Version: 1, ChainId: chain, Actor: bob.address[:], Nonce: bytes.Repeat([]byte{7}, NonceLen), ValidUntilMs: testTimeMS + 5, Ops: ops}, bob)
	}
	prove := func(a, b []byte) Op {
		return Op{Kind: &Op_ProveEquivocation{ProveEquivocation: &ProveEquivocation{TxA: a, TxB: b}}}
	}
	nested := carry(good)
	large := func(n int) []byte { // a transaction of exactly n bytes with an operation that merges
		b := Body{Version: 1, ChainId: chain, Actor: alice.address[:], Nonce: bytes.Repeat([]byte{7}, NonceLen), ValidUntilMs: testTimeMS + 5}
		for i := range 10 {
			b.Ops = append(b.Ops, Op{Kind: &Op_WriteLast{WriteLast: &WriteLast{Path: "l", Depth: 1, Value: bytes.Repeat([]byte{byte(i)}, 3100)}}})
		}
		last := b.Ops[len(b.Ops)-1].GetWriteLast()
		last.Value = append(last.Value, make([]byte, n-len(encodeTx(b, alice)))...)
		return encodeTx(b, alice)
	}
	for name, c := range map[string]struct {
		raw  []byte
		code Code
	}{
		"a proof":                    {carry(good), CodeOK},
		"turned":                     {carry(prove(m.TxB, m.TxA)), CodeBadField},
		"twice the same":             {carry(prove(m.TxA, m.TxA)), CodeBadField},
		"two proofs":                 {carry(good, good), CodeTooMany},
		"no transactions":            {carry(prove(nil, nil)), CodeBadField},
		"one that does not decode":   {carry(prove(m.TxA, m.TxB[:len(m.TxB)-1])), CodeBadEncoding},
		"evidence in evidence":       {carry(prove(nested, m.TxB)), CodeBadField},
		"of another chain":           {carry(equivocation("elsewhere", alice)), CodeBadField},
		"too large to be in another": {carry(prove(large(EvidenceBytesMax+1), m.TxB)), CodeTooLarge},
	} {
		_, err := DecodeTransaction(c.raw)
		code := CodeOK
		if err != nil {
			code = err.(*Reject).Code
		}
		if code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	exact, err := DecodeTransaction(large(EvidenceBytesMax))
	if err != nil || len(exact.Raw) != EvidenceBytesMax {
		t.Fatalf("%v", err)
	}
	if _, fits := EvidenceFor(exact, exact); !fits {
		t.Error("two of the largest do not fit")
	}
	if both := carry(prove(exact.Raw, exact.Raw)); len(both) > TxBytesMax {
		t.Errorf("two of the largest and what carries them take %d bytes", len(both))
	}
}

// TestEvidenceMustVerify: whoever verifies a proof verifies both transactions in it.
func TestEvidenceMustVerify(t *testing.T) {
	alice, bob := testKey("alice"), testKey("bob")
	good := equivocation("vectors-1", alice)
	for name, c := range map[string]struct {
		change func(m *ProveEquivocation)
		good   bool
	}{
		"both verify":        {func(*ProveEquivocation) {}, true},
		"the first does not": {func(m *ProveEquivocation) { m.TxA[len(m.TxA)-1] ^= 1 }, false},
		"the other does not": {func(m *ProveEquivocation) { m.TxB[len(m.TxB)-1] ^= 1 }, false},
	} {
		of := good.GetProveEquivocation()
		m := &ProveEquivocation{TxA: bytes.Clone(of.TxA), TxB: bytes.Clone(of.TxB)}
		c.change(m)
		b := Body{
			Version: 1, ChainId: "vectors-1", Actor: bob.address[:], Nonce: bytes.Repeat([]byte{7}, NonceLen),
			ValidUntilMs: testTimeMS + 5, Ops: []Op{{Kind: &Op_ProveEquivocation{ProveEquivocation: m}}},
		}
		message := crypto.SignBytes(crypto.TagTx, vectorGenesis, crypto.Sum(b.Encode()))
		tx := Tx{Body: b.Encode(), Sigs: []Sig{{KeyType: uint32(crypto.KeyEd25519), PublicKey: bob.public, Signature: bob.key.Sign(message[:])}}}
		raw, err := tx.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := DecodeTransaction(raw)
		if err != nil {
			t.Fatal(err)
		}
		signed := decoded.Signed(vectorGenesis)
		verifies := len(signed) == 3
		for _, s := range signed {
			verifies = verifies && crypto.Verify(s.Type, s.Public, s.Message, s.Signature)
		}
		if verifies != c.good {
			t.Errorf("%s: it verifies: %v", name, verifies)
		}
	}
}
