package ledger

import (
	"bytes"
	"slices"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"pgregory.net/rapid"
)

// TestTouchedAreParties: whoever follows the parties of transactions misses no change of an account.
func TestTouchedAreParties(t *testing.T) {
	created := 0
	rapid.Check(t, func(t *rapid.T) {
		u := newUniverse()
		state, _ := start(t, u)
		b := u.block(t, 1, 20)
		out, err := Execute(state, b)
		if err != nil {
			t.Fatal(err)
		}
		for i, tx := range b.Txs {
			parties := tx.Parties()
			for _, touched := range out.Touched[i] {
				if !slices.Contains(parties, touched) {
					t.Fatalf("transaction %+v extended the log of %s, which is not among %v", tx.Body, touched, parties)
				}
			}
			for k, one := range parties {
				if slices.Contains(parties[:k], one) {
					t.Fatalf("%s is listed twice", one)
				}
			}
			created += len(parties)
		}
	})
	if created == 0 {
		t.Error("no transaction had a party")
	}
}

func TestAssetsOfATransaction(t *testing.T) {
	alice, bob := testKey("alice"), testKey("bob")
	w := newWorld(t)
	tx := w.sign(w.body(alice.address, opTransfer(bob.address, "usd", 1), opSetAsset("eur", 2), opTransfer(bob.address, "usd", 2)), alice)
	if got := tx.Assets(); !slices.Equal(got, []crypto.Hash{AssetIDOf("usd"), AssetIDOf("eur")}) {
		t.Errorf("the assets are %v", got)
	}
	if none := UndecodableTransaction([]byte{1}, CodeBadEncoding); len(none.Parties())+len(none.Assets()) > 0 {
		t.Error("what does not decode names somebody")
	}
}

// TestTheAccusedIsAParty: evidence extends the log of the account that it is against.
func TestTheAccusedIsAParty(t *testing.T) {
	author, other := testKey("alice"), testKey("bob")
	signed := func(by party, nonce byte, op Op) *Transaction {
		tx, err := DecodeTransaction(encodeTx(Body{
			Version: 1, ChainId: "parties-1", Actor: by.address[:], Nonce: bytes.Repeat([]byte{nonce}, NonceLen),
			ValidUntilMs: testTimeMS + 1000, Ops: []Op{op},
		}, by))
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	add := func(delta int64) Op { return Op{Kind: &Op_Add{Add: &Add{Path: "n", Delta: delta}}} }
	op, fits := EvidenceFor(signed(author, 1, add(1)), signed(author, 1, add(2)))
	if got := signed(other, 2, op).Parties(); !fits || !slices.Equal(got, []crypto.Address{other.address, author.address}) {
		t.Errorf("the parties are %v", got)
	}
}
