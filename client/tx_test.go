package client

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

var testGenesis = crypto.Sum([]byte("genesis"))

func TestDraftSignsEveryOperation(t *testing.T) {
	alice, bob := crypto.DevKey("alice"), crypto.DevKey("bob").Public()
	amount := ledger.Amount{Lo: 1250}
	balance := ledger.Op{Kind: &ledger.Op_Assert{Assert: &ledger.Assert{That: &ledger.Assert_Height{Height: &ledger.AssertHeight{Min: 1}}}}}
	tx, err := NewTx("tetrad-test", testGenesis, alice.Public().Address()).
		Transfer(bob.Address(), "usd", amount).TransferUpTo(bob.Address(), "usd", amount).
		SetKey(bob).CreateAccount(bob, [16]byte{1}).SetAsset("eur", 2, ledger.Amount{}).
		Put("a/b", []byte("value")).PutIf("a/b", nil, 7).Op(balance).
		Memo("rent").ValidFor(time.Minute).Sign(alice)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := ledger.DecodeTransaction(tx.Raw)
	if err != nil {
		t.Fatal(err)
	}
	if decoded.ID != tx.TxID || decoded.ValidUntilMS() != tx.ValidUntilMS || len(decoded.Body.Ops) != 8 || decoded.Body.Memo != "rent" {
		t.Errorf("it decodes to %+v", decoded.Body)
	}
	until := time.UnixMilli(int64(tx.ValidUntilMS))
	if left := time.Until(until); left <= 50*time.Second || left > time.Minute {
		t.Errorf("valid for %s", left)
	}
	for _, s := range decoded.Signed(testGenesis) {
		if !crypto.Verify(s.Type, s.Public, s.Message, s.Signature) {
			t.Error("the signature does not verify")
		}
	}
}

// TestEqualDraftsAreOneTransaction: with the nonce given, signing twice gives the same transaction; without
// it, never.
func TestEqualDraftsAreOneTransaction(t *testing.T) {
	alice := crypto.DevKey("alice")
	draft := func() *Draft {
		return NewTx("tetrad-test", testGenesis, alice.Public().Address()).Put("a", []byte("b")).ValidUntilMS(1_700_000_000_000)
	}
	sign := func(d *Draft) crypto.Hash {
		tx, err := d.Sign(alice)
		if err != nil {
			t.Fatal(err)
		}
		return tx.TxID
	}
	first, second := sign(draft().Nonce([16]byte{1})), sign(draft().Nonce([16]byte{1}))
	if first != second {
		t.Error("the same nonce gave two transactions")
	}
	third, fourth := sign(draft()), sign(draft())
	if third == fourth || third == first {
		t.Error("two drafts without a nonce gave one transaction")
	}
}

func TestLanesNeedNoEnd(t *testing.T) {
	alice := crypto.DevKey("alice")
	tx, err := NewTx("tetrad-test", testGenesis, alice.Public().Address()).Put("a", []byte("b")).Lane(3, 1).Sign(alice)
	if err != nil || tx.ValidUntilMS != 0 || !tx.InLane {
		t.Fatalf("%+v, %v", tx, err)
	}
	tx, err = NewTx("tetrad-test", testGenesis, alice.Public().Address()).Put("a", []byte("b")).Lane(3, 1).ValidFor(time.Minute).Sign(alice)
	if err != nil || tx.ValidUntilMS == 0 || tx.tellUntilMS() != 0 {
		t.Fatalf("a node would be asked to judge by a record that is never written: %+v, %v", tx, err)
	}
}

func TestDraftFaults(t *testing.T) {
	alice := crypto.DevKey("alice")
	draft := func() *Draft { return NewTx("tetrad-test", testGenesis, alice.Public().Address()) }
	to := crypto.DevKey("bob").Public().Address()
	for name, c := range map[string]struct {
		draft *Draft
		want  ledger.Code
	}{
		"no operation":   {draft(), ledger.CodeNoOps},
		"no amount":      {draft().Transfer(to, "usd", ledger.Amount{}), ledger.CodeBadAmount},
		"to oneself":     {draft().Transfer(alice.Public().Address(), "usd", ledger.Amount{Lo: 1}), ledger.CodeSelfTransfer},
		"long memo":      {draft().Put("a", []byte("b")).Memo(strings.Repeat("x", ledger.MemoBytesMax+1)), ledger.CodeTooLarge},
		"bad path":       {draft().Put("a//b", []byte("b")), ledger.CodeBadField},
		"lane and nonce": {draft().Put("a", []byte("b")).Lane(1, 1).Nonce([16]byte{1}), ledger.CodeBadReplayGuard},
	} {
		_, err := c.draft.Sign(alice)
		var rejected *ledger.Reject
		if !errors.As(err, &rejected) || rejected.Code != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, err := draft().Put("a", []byte("b")).ValidFor(-time.Second).Sign(alice); err == nil {
		t.Error("a negative validity was signed")
	}
	if _, err := draft().Put("a", []byte("b")).Sign(); err == nil {
		t.Error("a transaction without a signature was signed")
	}
}

func TestCountersign(t *testing.T) {
	alice, bob := crypto.DevKey("alice"), crypto.DevKey("bob")
	one, err := NewTx("tetrad-test", testGenesis, alice.Public().Address()).Put("a", []byte("b")).Sign(alice)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Countersign(one.Raw, testGenesis, alice, bob)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := ledger.DecodeTransaction(two.Raw)
	if err != nil || len(decoded.Tx.Sigs) != 2 || two.TxID != one.TxID {
		t.Fatalf("%d signatures, id %s after %s, %v", len(decoded.Tx.Sigs), two.TxID, one.TxID, err)
	}
	again, err := Countersign(two.Raw, testGenesis, bob)
	if err != nil || !slices.Equal(again.Raw, two.Raw) {
		t.Errorf("signing again changed something: %v", err)
	}
	if _, err := Countersign([]byte("not a transaction"), testGenesis, bob); err == nil {
		t.Error("garbage was signed")
	}
}
