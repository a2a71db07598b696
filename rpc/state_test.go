package rpc_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// read gets a path that must be there.
func read[T any](t *testing.T, l *rpctest.Ledger, path string) T {
	t.Helper()
	rec := ask(rpc.NewHandler(l.Node("node0"), rpc.Options{}), "GET", path, nil)
	var out T
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil || rec.Code != 200 {
		t.Fatalf("%s: %d %s %v", path, rec.Code, rec.Body, err)
	}
	return out
}

// do puts drafts through, one block each.
func do(t *testing.T, l *rpctest.Ledger, key string, d *client.Draft) {
	t.Helper()
	tx, err := d.ValidUntilMS(startMS + 500_000).Sign(crypto.DevKey(key))
	if err != nil {
		t.Fatal(err)
	}
	if r := l.Node("node0").Submit(t.Context(), [][]byte{tx.Raw}); r[0].Code != ledger.CodeOK {
		t.Fatalf("%+v", r[0])
	}
	height := l.Seal()
	if s, err := l.Node("node0").Outcome(t.Context(), tx.TxID, false); err != nil || s.Status != rpc.StatusCommitted || s.Height != height {
		t.Fatalf("%+v, %v", s, err)
	}
}

// TestBalancesOnPages: an account with more assets than its leaf has room for keeps the rest on pages; all
// of them are listed, and each is found.
func TestBalancesOnPages(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	alice, bob := rpctest.Address("alice"), rpctest.Address("bob")
	const assets = ledger.BalancesInline + ledger.BalancesPerPage + 2 // and usd
	for from := 0; from < assets; from += 14 {
		d := client.NewTx(l.ChainID, l.Genesis, alice)
		for i := from; i < min(from+14, assets); i++ {
			code := fmt.Sprintf("asset%d", i)
			d.SetAsset(code, uint8(i%7), ledger.Amount{}).Transfer(bob, code, ledger.Amount{Lo: uint64(i) + 1})
		}
		do(t, l, "alice", d)
	}
	path := rpc.PathAccounts + "/" + bob.String()
	account := read[rpc.Account](t, l, path)
	balances := read[rpc.Balances](t, l, path+"/balances")
	if len(account.Balances) != assets+1 || len(balances.Balances) != assets+1 {
		t.Fatalf("%d and %d balances, want %d", len(account.Balances), len(balances.Balances), assets+1)
	}
	for i := range assets {
		code := fmt.Sprintf("asset%d", i)
		want := ledger.Amount{Lo: uint64(i) + 1}.Format(uint8(i % 7))
		if b := read[rpc.Balance](t, l, path+"/balances/"+code); b.Amount != want || b.Available != want {
			t.Errorf("%s: %s, want %s", code, b.Amount, want)
		}
	}
	if b := read[rpc.Balance](t, l, rpc.PathAccounts+"/"+rpctest.Address("carol").String()+"/balances/asset3"); b.Amount != "0.000" {
		t.Errorf("an account that has none has %s", b.Amount)
	}
}

// TestAccountShowsPolicyAndLanes: what decides who may act next, and with which number.
func TestAccountShowsPolicyAndLanes(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	alice := rpctest.Address("alice")
	do(t, l, "alice", client.NewTx(l.ChainID, l.Genesis, alice).Put("a", []byte{0xff, 0}).Lane(7, 1))
	do(t, l, "alice", client.NewTx(l.ChainID, l.Genesis, alice).SetKey(crypto.DevKey("new").Public()).Lane(7, 2))
	got := read[rpc.Account](t, l, rpc.PathAccounts+"/"+alice.String())
	if got.Policy == nil || got.Policy.Threshold != 1 || len(got.Policy.Members) != 1 || got.Policy.Members[0].Key != crypto.DevKey("new").Public().String() {
		t.Errorf("policy %+v", got.Policy)
	}
	if len(got.Lanes) != 1 || got.Lanes[0] != (rpc.Lane{ID: 7, Seq: 2}) || got.LogCount != 2 || got.LogHead.IsZero() {
		t.Errorf("%+v", got)
	}
	entry := read[rpc.Entry](t, l, rpc.PathEntries+"/"+alice.String()+"/a")
	if entry.Text != nil || len(entry.Value) != 2 {
		t.Errorf("bytes that are no text: %+v", entry)
	}
}
