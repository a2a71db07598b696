package app

import (
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

func TestQuery(t *testing.T) {
	r := newReplica(t)
	alice, bob := crypto.DevKey("alice").Public().Address(), crypto.DevKey("bob").Public().Address()
	pay := sign(txSpec{key: crypto.DevKey("alice"), to: bob, amount: 1250, nonce: 1})
	body := mustDecode(pay).Body
	body.Nonce = append([]byte{1}, body.Nonce[1:]...) // the decoded one stands in the signed bytes
	body.Ops = []ledger.Op{{Kind: &ledger.Op_Put{Put: &ledger.Put{Path: "notes/first", Value: []byte("hello")}}}}
	r.submit(pay, signBody(body, crypto.DevKey("alice")))
	r.decide(r.prepare())
	validator := crypto.ValidatorIDOf(crypto.KeyEd25519, testDoc.Validators[0].Key.Bytes)

	for path, check := range map[string]func(q QueryResult) bool{
		"/accounts/" + bob.String(): func(q QueryResult) bool {
			a, err := ledger.DecodeAccount(q.Value)
			return err == nil && a.Balances[0].Amount.Format(2) == "1000012.50"
		},
		"/accounts/" + bob.String() + "/balances/usd": func(q QueryResult) bool {
			return q.Log == "1000012.50 usd" && string(q.Key) == string(ledger.KeyAccount(bob)) && q.Value != nil
		},
		"/v1/accounts/" + alice.String() + "/balances/usd": func(q QueryResult) bool { return q.Log == "999987.50 usd" },
		"/accounts/" + ledger.GovAddress.String():          func(q QueryResult) bool { return q.Value == nil && q.Key != nil && q.Log != "" },
		"/assets/usd": func(q QueryResult) bool {
			a, err := ledger.DecodeAsset(q.Value)
			return err == nil && a.Code == "usd"
		},
		"/entries/" + alice.String() + "/notes/first": func(q QueryResult) bool {
			e, err := ledger.DecodeEntry(q.Value)
			return err == nil && string(e.Value) == "hello"
		},
		"/entries/" + alice.String(): func(q QueryResult) bool {
			n, err := ledger.DecodeNamespace(q.Value)
			return err == nil && n.Entries == 1 && q.Log == "1 entries"
		},
		"/entries/" + alice.String() + "?limit=500": func(q QueryResult) bool { return q.Value != nil },
		"/entries/" + account(0).String():           func(q QueryResult) bool { return q.Value == nil && q.Log == "0 entries" },
		"/entries/" + alice.String() + "/none":      func(q QueryResult) bool { return q.Value == nil },
		"/validators": func(q QueryResult) bool {
			ids, err := ledger.DecodeValidators(q.Value)
			return err == nil && len(ids) == 4
		},
		"/validators/" + validator.String(): func(q QueryResult) bool {
			v, err := ledger.DecodeValidator(q.Value)
			return err == nil && v.Name == "node0"
		},
		"/nodes/" + validator.String():    func(q QueryResult) bool { return q.Value == nil && q.Key[0] == ledger.PrefixNode },
		"/v1/nodes/" + validator.String(): func(q QueryResult) bool { return q.Value == nil && q.Log != "" },
		"/params": func(q QueryResult) bool {
			p, err := ledger.DecodeParams(q.Value)
			return err == nil && p == ledger.DefaultParams()
		},
		"/transactions/" + idOf(pay).String(): func(q QueryResult) bool {
			receipt, err := ledger.DecodeReceipt(q.Value)
			return err == nil && q.Log == "committed" && receipt.ID() == idOf(pay)
		},
		"/transactions/" + strings.Repeat("0", 64): func(q QueryResult) bool { return q.Value == nil && q.Log == "unknown" },
	} {
		if q := r.app.Query(path, nil, 0); q.Code != 0 || q.Height != 1 || !check(q) {
			t.Errorf("%s: %+v", path, q)
		}
	}
}

func TestQueryHeight(t *testing.T) {
	r := newReplica(t)
	raw := transfer(0, 1)
	path := "/accounts/" + account(0).String() + "/balances/usd"
	r.submit(raw)
	r.decide(r.prepare())
	r.submit(transfer(0, 2))
	r.decide(r.prepare())
	for height, want := range map[uint64]string{0: "999.98 usd", 2: "999.98 usd", 1: "999.99 usd"} {
		q := r.app.Query(path, nil, height)
		if q.Code != 0 || q.Log != want || (height > 0 && q.Height != height) {
			t.Errorf("height %d: %+v", height, q)
		}
	}
	if q := r.app.Query(path, nil, 3); q.Code != uint32(ledger.CodeFuture) || q.Log == "" {
		t.Errorf("a height not reached: %+v", q)
	}
}

func TestQueryBadPaths(t *testing.T) {
	r := newReplica(t)
	bob := crypto.DevKey("bob").Public().Address().String()
	for path, code := range map[string]ledger.Code{
		"":                                    ledger.CodeBadRequest,
		"/":                                   ledger.CodeBadRequest,
		"/nothing":                            ledger.CodeBadRequest,
		"/accounts":                           ledger.CodeBadRequest,
		"/accounts/bob":                       ledger.CodeBadRequest,
		"/accounts/" + bob + "x":              ledger.CodeBadRequest,
		"/accounts/" + bob + "/balances":      ledger.CodeBadRequest,
		"/accounts/" + bob + "/balances/eur":  ledger.CodeAssetNotFound,
		"/entries/bob":                        ledger.CodeBadRequest,
		"/entries/" + bob + "?limit=0":        ledger.CodeBadRequest,
		"/entries/" + bob + "?limit=501":      ledger.CodeBadRequest,
		"/entries/" + bob + "?after=%zz":      ledger.CodeBadRequest,
		"/validators/" + bob:                  ledger.CodeBadRequest,
		"/transactions/12":                    ledger.CodeBadRequest,
		"/" + strings.Repeat("long/", 10_000): ledger.CodeBadRequest,
		"/entries/" + bob + "/" + strings.Repeat("x", ledger.EntryPathMax+1): ledger.CodeBadRequest,
	} {
		q := r.app.Query(path, nil, 0)
		if q.Code != uint32(code) || q.Log == "" || len(q.Log) > 400 {
			t.Errorf("%.60s: %+v", path, q)
		}
	}
	if q := r.app.Query("/entries/"+bob+"/"+strings.Repeat("x", ledger.EntryPathMax), nil, 0); q.Code != 0 {
		t.Errorf("the longest path: %+v", q)
	}
}
