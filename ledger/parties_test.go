package ledger

import (
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
