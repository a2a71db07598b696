package ledger

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"pgregory.net/rapid"
)

// testNames knows alice and bob, and usd with two decimals.
func testNames() Names {
	return Names{
		Account: func(text string) (crypto.Address, error) {
			if text == "alice" || text == "bob" {
				return testKey(text).address, nil
			}
			return crypto.Address{}, fmt.Errorf("no account %q", text)
		},
		Name: func(a crypto.Address) string {
			for _, name := range []string{"alice", "bob"} {
				if testKey(name).address == a {
					return name
				}
			}
			return ""
		},
		Asset: func(id crypto.Hash) (string, uint8, bool) { return "usd", 2, id == AssetIDOf("usd") },
	}
}

func TestParseOps(t *testing.T) {
	key := testKey("carol").public
	salt := strings.Repeat("0a", SaltLen)
	text := fmt.Sprintf(`[
		{"transfer": {"to": "bob", "asset": "usd", "amount": "12.5"}},
		{"actor": "bob", "transfer": {"to": %q, "asset": "usd", "units": "7", "up_to": true}},
		{"set_account": {"policy": {"threshold": 1, "members": [{"weight": 1, "key_type": "ed25519", "public_key": "%x"}]}, "salt": %q}},
		{"set_asset": {"code": "gold", "scale": 3, "max_supply": "21.5"}},
		{"put": {"path": "config/colour", "value": "blue", "if_version": 0}},
		{"put": {"path": "binary", "value_base64": "AP8="}},
		{"put": {"path": "gone"}},
		{"assert": {"balance": {"account": "alice", "asset": "usd", "min": "1.00", "max_units": "200"}}},
		{"assert": {"entry": {"namespace": "alice", "path": "lock", "version": 3}}},
		{"assert": {"height": {"max": 9}}},
		{"assert": {"time": {"min_ms": 5}}}
	]`, testKey("dave").address, key, salt)
	ops, err := ParseOps([]byte(text), testNames())
	if err != nil {
		t.Fatal(err)
	}
	bob := testKey("bob").address
	if got := ops[0].GetTransfer(); string(got.To) != string(bob[:]) || amountOf(got.Amount) != (Amount{Lo: 1250}) {
		t.Errorf("transfer is %+v", got)
	}
	if got := ops[1]; string(got.Actor) != string(bob[:]) || amountOf(got.GetTransfer().Amount) != (Amount{Lo: 7}) || !got.GetTransfer().UpTo {
		t.Errorf("second transfer is %+v", got)
	}
	if got := ops[3].GetSetAsset(); amountOf(got.MaxSupply) != (Amount{Lo: 21500}) {
		t.Errorf("max supply is %+v", got)
	}
	if got := ops[4].GetPut(); got.IfVersion == nil || got.IfVersion.Version != 0 {
		t.Errorf("put is %+v", got)
	}
	if got := ops[7].GetAssert().GetBalance(); amountOf(got.Min) != (Amount{Lo: 100}) || amountOf(got.Max) != (Amount{Lo: 200}) {
		t.Errorf("assertion is %+v", got)
	}
	again, err := FormatOps(ops, testNames())
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseOps(again, testNames())
	if err != nil || len(back) != len(ops) {
		t.Fatalf("%v\n%s", err, again)
	}
	for i := range ops {
		if !back[i].Equal(&ops[i]) {
			t.Errorf("operation %d reads back as %+v, was %+v", i, back[i], ops[i])
		}
	}
	wrapped, err := ParseOps([]byte(`{"ops": `+text+`}`), testNames())
	if err != nil || len(wrapped) != len(ops) {
		t.Errorf("as a field: %v", err)
	}
}

func TestParseOpsNamesTheFault(t *testing.T) {
	many := "[" + strings.Repeat(`{"put":{"path":"a"}},`, OpsMax) + `{"put":{"path":"a"}}]`
	most := "[" + strings.Repeat(`{"put":{"path":"a"}},`, OpsMax-1) + `{"put":{"path":"a"}}]`
	for text, want := range map[string]string{
		most:                                     "",
		many:                                     "65 operations, at most 64 allowed",
		``:                                       "not JSON: line 1, column 0: unexpected end of JSON input",
		`[`:                                      "not JSON: line 1, column 1: unexpected end of JSON input",
		`[] x`:                                   "not JSON: line 1, column 4: invalid character 'x' after top-level value",
		"[{\"put\":\n {\"path\" \"a\"}}]":        `not JSON: line 2, column 10: invalid character '"' after object key`,
		"[\"\xff\"]":                             "not UTF-8",
		`[]`:                                     "holds no operation",
		`{}`:                                     "ops: holds no operation",
		`7`:                                      "must be an object",
		`{"ops": 7}`:                             "ops: must be a list",
		`[7]`:                                    "[0]: must be an object",
		`[{}]`:                                   "[0]: The operation is missing or its kind is not known.",
		`[{"mint": {}}]`:                         "[0].mint: unknown field",
		`{"ops": [], "memo": ""}`:                "memo: unknown field",
		`[{"put": {"path": "a"}, "assert": {}}]`: "[0].assert: only one kind of operation allowed",
		`[{"put": {"path": "a", "path": "b"}}]`:  "[0].put.path: appears twice",
		`[{"put": {"Path": "a"}}]`:               "[0].put.path: is missing",
		`[{"put": {"path": "a", "ttl": 1}}]`:     "[0].put.ttl: unknown field",
		`[{"put": {"path": 1}}]`:                 "[0].put.path: must be a string",
		`[{"put": {"path": "a", "if_version": -1}}]`:                                        "[0].put.if_version: -1 is not a whole number from 0 to 18446744073709551615",
		`[{"put": {"path": "a", "if_version": 1.5}}]`:                                       "[0].put.if_version: 1.5 is not a whole number",
		`[{"put": {"path": "a", "if_version": "1"}}]`:                                       "[0].put.if_version: must be a number",
		`[{"put": {"path": "a", "value": "b", "value_base64": "Yg=="}}]`:                    "[0].put: value and value_base64 are both present",
		`[{"put": {"path": "a", "value_base64": "!"}}]`:                                     "[0].put.value_base64: not base64",
		`[{"put": {"path": "//"}}]`:                                                         `path "//" has the segment ""`,
		`[{"transfer": {"asset": "usd", "amount": "1"}}]`:                                   "[0].transfer.to: is missing",
		`[{"transfer": {"to": "bob", "amount": "1"}}]`:                                      "[0].transfer.asset: is missing",
		`[{"transfer": {"to": "bob", "asset": "usd"}}]`:                                     "[0]: The amount is not valid. (transfer: amount is zero)",
		`[{"transfer": {"to": "bob", "asset": "usd", "amount": 1}}]`:                        "[0].transfer.amount: must be a string",
		`[{"transfer": {"to": "bob", "asset": "usd", "amount": "1.005"}}]`:                  `[0].transfer.amount: "1.005" has 3 decimals, at most 2 allowed`,
		`[{"transfer": {"to": "bob", "asset": "usd", "amount": "-1"}}]`:                     `[0].transfer.amount: "-1" is negative`,
		`[{"transfer": {"to": "bob", "asset": "eur", "amount": "1"}}]`:                      "[0].transfer.amount: the asset is not known here",
		`[{"transfer": {"to": "bob", "asset": "EUR", "units": "1"}}]`:                       `[0].transfer.asset: asset code "EUR" must be lower-case`,
		`[{"transfer": {"to": "bob", "asset": "usd", "amount": "1", "units": "1"}}]`:        "[0].transfer: amount and units are both present",
		`[{"transfer": {"to": "erin", "asset": "usd", "amount": "1"}}]`:                     `[0].transfer.to: no account "erin"`,
		`[{"transfer": {"to": "bob", "asset": "usd", "amount": "1", "up_to": "yes"}}]`:      "[0].transfer.up_to: must be true or false",
		`[{"actor": "bob", "transfer": {"to": "bob", "asset": "usd", "amount": "1"}}]`:      "A transfer needs two different accounts.",
		`[{"set_asset": {"code": "usd", "scale": 31}}]`:                                     "[0].set_asset.scale: 31 is not a whole number from 0 to 30",
		`[{"set_asset": {"code": "usd", "scale": 0, "max_supply": "0"}}]`:                   "[0].set_asset.max_supply: must be more than zero",
		`[{"set_account": {}}]`:                                                             "policy is missing",
		`[{"set_account": {"policy": {"threshold": 1, "members": [{"key_type": "rsa"}]}}}]`: `[0].set_account.policy.members[0].key_type: key type "rsa" is not supported`,
		`[{"set_account": {"policy": {"members": [{"weight": 1, "who": 1}]}}}]`:             "key_type: is missing",
		`[{"set_account": {"salt": "xy"}}]`:                                                 `[0].set_account.salt: "xy" is not hexadecimal`,
		`[{"assert": {}}]`:                                                                  "says nothing to assert",
		`[{"assert": {"height": {"min": 1}, "time": {"min_ms": 1}}}]`:                       "[0].assert: only one thing to assert allowed",
		`[{"assert": {"height": {"least": 1}}}]`:                                            "[0].assert.height.least: unknown field",
		strings.Repeat("[", 13) + strings.Repeat("]", 13):                                   "nested more than 12 deep",
		`[{"put":{` + strings.TrimSuffix(manyFields(65), ",") + `}}]`:                       "more than 64 fields",
		strings.Repeat(" ", 4*TxBytesMax) + "[]":                                            "262146 bytes, at most 262144 allowed",
	} {
		_, err := ParseOps([]byte(text), testNames())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.80s: %v, want %q", text, err, want)
		}
	}
}

func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"f%d":1,`, i)
	}
	return b.String()
}

// TestTransactionSurvivesJSON writes random transactions as JSON and reads them back, bytes and all.
func TestTransactionSurvivesJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tx := newUniverse().transaction(t)
		if tx == nil {
			return
		}
		names := rapid.SampledFrom([]Names{{}, testNames()}).Draw(t, "names")
		text, err := FormatTransaction(tx, names)
		if err != nil {
			t.Fatal(err)
		}
		body, sigs, err := ParseTransaction(text, names)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		again := Tx{Body: body.Encode(), Sigs: sigs}
		if raw, err := again.Marshal(); err != nil || string(raw) != string(tx.Raw) {
			t.Fatalf("%s\nreads back as %x, was %x", text, raw, tx.Raw)
		}
		unsigned, err := FormatBody(&tx.Body, names)
		if err != nil {
			t.Fatal(err)
		}
		if body, sigs, err := ParseTransaction(unsigned, names); err != nil || len(sigs) != 0 || body.TxID() != tx.ID {
			t.Fatalf("unsigned: %v", err)
		}
	})
}

func TestParseTransactionRefuses(t *testing.T) {
	tx, err := DecodeTransaction(edit(func(*Body) {}))
	if err != nil {
		t.Fatal(err)
	}
	text, err := FormatTransaction(tx, Names{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"memo"`, `"memo"`, ""},
		{`"chain_id"`, `"chain"`, "chain_id: is missing"},
		{`"version": 1`, `"version": 2`, "The version of the transaction's body is not known."},
		{`"chain_id": "test-1"`, `"chain_id": "test-2"`, "txid: is not the hash of this transaction's body"},
		{`"nonce": "00`, `"nonce": "zz`, "is not hexadecimal"},
		{`"nonce": "00`, `"nonce": "`, "nonce has 15 bytes, must have 16"},
		{`"sigs"`, `"signatures"`, "signatures: unknown field"},
		{`"signature": "`, `"signature": "0`, "is not hexadecimal"},
		{`"ed25519"`, `"rsa"`, `sigs[0].key_type: key type "rsa" is not supported`},
	} {
		_, _, err := ParseTransaction([]byte(strings.Replace(string(text), c.old, c.new, 1)), Names{})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s for %s: %v, want %q", c.new, c.old, err, c.want)
		}
	}
	var fault *JSONError
	if _, _, err := ParseTransaction([]byte(`{"lane": {"id": 1, "sequence": 2}}`), Names{}); !errors.As(err, &fault) {
		t.Errorf("not a JSONError: %v", err)
	}
}
