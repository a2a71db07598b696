package rpc_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	ics23 "github.com/cosmos/ics23/go"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// judged replaces the proofs in an answer by what the unmodified ics23 library says of them.
func judged(text string) string {
	var answer struct{ Proof *rpc.Proof }
	if json.Unmarshal([]byte(text), &answer) != nil || answer.Proof == nil {
		return text
	}
	for i, item := range answer.Proof.Items {
		verdict := "holds"
		if err := checkItem(answer.Proof, i); err != nil {
			verdict = err.Error()
		}
		text = strings.Replace(text, `"`+base64.StdEncoding.EncodeToString(item.ICS23)+`"`, `"`+verdict+`"`, 1)
	}
	return text
}

// checkItem verifies one item of a proof under the root it should be under.
func checkItem(p *rpc.Proof, i int) error {
	item, root := p.Items[i], p.Root
	if item.Root != nil {
		if i == 0 {
			return fmt.Errorf("there is no bucket before it")
		}
		bucket, err := ledger.DecodeBucket(p.Items[i-1].Value)
		if err != nil || bucket.Root != *item.Root {
			return fmt.Errorf("the bucket before it has another root: %v", err)
		}
		root = bucket.Root
	}
	var proof ics23.CommitmentProof
	if err := proof.Unmarshal(item.ICS23); err != nil {
		return err
	}
	holds := ics23.VerifyNonMembership(ics23.SmtSpec, root[:], &proof, item.Key)
	if item.Value != nil {
		holds = ics23.VerifyMembership(ics23.SmtSpec, root[:], &proof, item.Key, item.Value)
	}
	if !holds {
		return fmt.Errorf("does not hold")
	}
	return nil
}

// TestListsAreWhole: what proves a list is the leaf that says how long it is, every element once, and nothing
// besides.
func TestListsAreWhole(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	bob := rpctest.Address("bob")
	const assets = ledger.BalancesInline + 2*ledger.BalancesPerPage + 2 // and usd: three pages
	fund(t, l, assets)
	l.Seal()
	want := [][]byte{ledger.KeyAccount(bob)}
	for page := range uint32(3) {
		want = append(want, ledger.KeyPage(bob, page))
	}
	want = append(want, ledger.KeyAsset(ledger.AssetIDOf("usd")))
	for i := range assets {
		want = append(want, ledger.KeyAsset(ledger.AssetIDOf(fmt.Sprintf("asset%d", i))))
	}
	path := rpc.PathAccounts + "/" + bob.String()
	account := read[rpc.Account](t, l, path+"?proof=true")
	balances := read[rpc.Balances](t, l, path+"/balances?proof=true")
	if len(account.Balances) != assets+1 || len(balances.Balances) != assets+1 {
		t.Fatalf("%d and %d balances, want %d", len(account.Balances), len(balances.Balances), assets+1)
	}
	wantItems(t, account.Proof, want)
	wantItems(t, balances.Proof, want)
	validators := read[rpc.Validators](t, l, rpc.PathValidators+"?proof=true")
	want = [][]byte{ledger.KeyValidators()}
	for _, v := range validators.Validators {
		id, err := crypto.ParseValidatorID(v.ID)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, ledger.KeyValidator(id), ledger.KeyNode(id))
	}
	wantItems(t, validators.Proof, want)
	if len(want) != 1+2*4 {
		t.Errorf("%d validators", len(want)-1)
	}
	for code, pages := range map[string]int{"asset1": 0, fmt.Sprintf("asset%d", assets-1): 3} {
		b := read[rpc.Balance](t, l, path+"/balances/"+code+"?proof=true")
		if b.Proof == nil || len(b.Proof.Items) != 2+pages {
			t.Errorf("%s: %+v, want an asset, an account and %d pages", code, b.Proof, pages)
		}
	}
}

// fund gives bob so many assets.
func fund(t *testing.T, l *rpctest.Ledger, assets int) {
	t.Helper()
	for from := 0; from < assets; from += 14 {
		d := client.NewTx(l.ChainID, l.Genesis, rpctest.Address("alice"))
		for i := from; i < min(from+14, assets); i++ {
			code := fmt.Sprintf("asset%d", i)
			d.SetAsset(code, 2, ledger.Amount{}).Transfer(rpctest.Address("bob"), code, ledger.Amount{Lo: uint64(i) + 1})
		}
		do(t, l, "alice", d)
	}
}

// wantItems holds a proof against the keys it should show, in any order, and checks each.
func wantItems(t *testing.T, p *rpc.Proof, keys [][]byte) {
	t.Helper()
	if p == nil {
		t.Fatal("there is no proof")
	}
	left := map[string]bool{}
	for _, key := range keys {
		left[string(key)] = true
	}
	for i, item := range p.Items {
		if !left[string(item.Key)] || item.Value == nil {
			t.Errorf("item %d, %x, is one too many or absent", i, []byte(item.Key))
		}
		delete(left, string(item.Key))
		if err := checkItem(p, i); err != nil {
			t.Errorf("item %d, %x: %v", i, []byte(item.Key), err)
		}
	}
	if len(left) > 0 {
		t.Errorf("%d items are missing of %d", len(left), len(keys))
	}
}

// TestLaneHasNoRecord: a transaction of a lane leaves no record; that there is none must not look like proof
// that it was never in a block.
func TestLaneHasNoRecord(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	tx, err := client.NewTx(l.ChainID, l.Genesis, rpctest.Address("alice")).Put("a", []byte("b")).Lane(7, 1).
		ValidUntilMS(startMS + 60_000).Sign(crypto.DevKey("alice"))
	if err != nil {
		t.Fatal(err)
	}
	if r := l.Node("node0").Submit(t.Context(), [][]byte{tx.Raw}); r[0].Code != ledger.CodeOK {
		t.Fatalf("%+v", r[0])
	}
	l.Seal()
	l.SealAfter(100_000)
	l.Seal()
	h := rpc.NewHandler(l.Node("node0"), rpc.Options{})
	for _, query := range []string{"?proof=true", fmt.Sprintf("?proof=true&valid_until_ms=%d", startMS+60_000)} {
		rec := ask(h, "GET", rpc.PathTransactions+"/"+tx.TxID.String()+query, nil)
		var e rpc.Error
		if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil || rec.Code != http.StatusNotFound || e.Proof != nil || !strings.Contains(e.Message, "lane") {
			t.Errorf("%s: %d %s", query, rec.Code, rec.Body)
		}
	}
}

// TestLargestProof: an account that holds as many assets as it can is proven in one answer, of a size that
// clients can count on.
func TestLargestProof(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	const assets = ledger.BalancesInline + ledger.PagesMax*ledger.BalancesPerPage - 1 // and usd
	fund(t, l, assets)
	l.Seal()
	h := rpc.NewHandler(l.Node("node0"), rpc.Options{})
	rec := ask(h, "GET", rpc.PathAccounts+"/"+rpctest.Address("bob").String()+"?proof=true", nil)
	size := rec.Body.Len()
	var account rpc.Account
	if err := json.Unmarshal(rec.Body.Bytes(), &account); err != nil || account.Proof == nil {
		t.Fatalf("%d %v", rec.Code, err)
	}
	if n := len(account.Proof.Items); n != 1+ledger.PagesMax+assets+1 {
		t.Errorf("%d items", n)
	}
	for i := range account.Proof.Items {
		if err := checkItem(account.Proof, i); err != nil {
			t.Errorf("item %d: %v", i, err)
		}
	}
	if size > 4<<20 {
		t.Errorf("%d bytes", size)
	}
	t.Logf("%d bytes", size)
}
