package client

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// readings are reads of every kind, by name, each giving what it read.
var readings = map[string]func(t testing.TB, v *Verified) (any, bool, error){
	"account": func(t testing.TB, v *Verified) (any, bool, error) {
		a, err := v.Account(within(t, time.Minute), rpctest.Address("carol").String(), ReadOptions{})
		return a, a.Verified, err
	},
	"no account": func(t testing.TB, v *Verified) (any, bool, error) {
		a, err := v.Account(within(t, time.Minute), rpctest.Address("nobody").String(), ReadOptions{})
		return a, a.Verified && !a.Exists, err
	},
	"balances": func(t testing.TB, v *Verified) (any, bool, error) {
		b, err := v.Balances(within(t, time.Minute), rpctest.Address("carol").String(), ReadOptions{})
		return b, b.Verified && len(b.Balances) == manyAssets+1, err
	},
	"balance": func(t testing.TB, v *Verified) (any, bool, error) {
		b, err := v.Balance(within(t, time.Minute), rpctest.Address("bob").String(), "usd", ReadOptions{})
		return b, b.Verified && b.Amount == "1000000.00", err
	},
	"balance on a page": func(t testing.TB, v *Verified) (any, bool, error) {
		b, err := v.Balance(within(t, time.Minute), rpctest.Address("carol").String(), "c44", ReadOptions{})
		return b, b.Verified && b.Amount == "4.5", err
	},
	"no balance": func(t testing.TB, v *Verified) (any, bool, error) {
		b, err := v.Balance(within(t, time.Minute), "@gov", "usd", ReadOptions{})
		return b, b.Verified && b.Amount == "0.00", err
	},
	"asset": func(t testing.TB, v *Verified) (any, bool, error) {
		a, err := v.Asset(within(t, time.Minute), "usd", ReadOptions{})
		return a, a.Verified && a.Supply == "4000000.00", err
	},
	"entry": func(t testing.TB, v *Verified) (any, bool, error) {
		e, err := v.Entry(within(t, time.Minute), rpctest.Address("alice").String(), "config/limits", ReadOptions{})
		return e, e.Verified && string(e.Value) == "10", err
	},
	"no entry": func(t testing.TB, v *Verified) (any, bool, error) {
		_, err := v.Entry(within(t, time.Minute), rpctest.Address("alice").String(), "config/none", ReadOptions{})
		return provenAbsent(err, ledger.CodeNotFound)
	},
	"no asset": func(t testing.TB, v *Verified) (any, bool, error) {
		_, err := v.Asset(within(t, time.Minute), "eur", ReadOptions{})
		return provenAbsent(err, ledger.CodeAssetNotFound)
	},
	"validators": func(t testing.TB, v *Verified) (any, bool, error) {
		vs, err := v.Validators(within(t, time.Minute), ReadOptions{})
		return vs, vs.Verified && len(vs.Validators) == 4 && vs.TotalPower == 40, err
	},
	"node": func(t testing.TB, v *Verified) (any, bool, error) {
		n, err := v.Node(within(t, time.Minute), rpctest.ValidatorID("node0").String(), ReadOptions{})
		return n, n.Verified && n.Region == "eu/de" && n.ServiceKey == crypto.DevKey("service-node0").Public().String(), err
	},
	"no node": func(t testing.TB, v *Verified) (any, bool, error) {
		_, err := v.Node(within(t, time.Minute), crypto.ValidatorID{1}.String(), ReadOptions{})
		return provenAbsent(err, ledger.CodeNodeNotFound)
	},
	"block": func(t testing.TB, v *Verified) (any, bool, error) {
		b, err := v.ReadBlock(within(t, time.Minute), ReceiptsList, ReadOptions{})
		return b, b.Verified && b.TxCount == 1 && len(b.Receipts) == 1, err
	},
	"params": func(t testing.TB, v *Verified) (any, bool, error) {
		p, err := v.Params(within(t, time.Minute), ReadOptions{})
		return p, p.Verified && p.Params == ledger.DefaultParams(), err
	},
}

// provenAbsent makes an answer of the API's error that there is nothing.
func provenAbsent(err error, code ledger.Code) (any, bool, error) {
	var refused *rpc.Error
	if errors.As(err, &refused) && refused.Code == uint32(code) && strings.Contains(refused.Message, "that is proven") {
		return refused.Message, true, nil
	}
	return nil, false, err
}

// TestVerifiedReads: an honest node's answers pass, and say what it would have said without a proof.
func TestVerifiedReads(t *testing.T) {
	p := newProving(t, 3, fourValidators)
	p.populate(t)
	v := p.verified(t, VerifiedOptions{})
	for name, read := range readings {
		if got, ok, err := read(t, v); err != nil || !ok {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	carol := rpctest.Address("carol").String()
	plain, err := p.client(t, Options{}).Account(within(t, time.Minute), carol, ReadOptions{Height: 2})
	if err != nil {
		t.Fatal(err)
	}
	proved, err := v.Account(within(t, time.Minute), carol, ReadOptions{Height: 2})
	if err != nil || sameFields(plain, proved) != nil || len(proved.Balances) != manyAssets+1 {
		t.Errorf("%+v differs from %+v: %v", proved, plain, err)
	}
	if v.Client().Token() != 2 {
		t.Errorf("the session is at %d; the newest provable height is 2", v.Client().Token())
	}
}

// lying is a proxy before a node, which changes one thing.
type lying struct {
	name string
	read string // which read it is asked for
	kind LieKind
	tell func(p *proving) func(path string, body []byte) []byte
}

// tell makes a liar that edits every answer to a read.
func tell(change func(o object)) func(*proving) func(string, []byte) []byte {
	return func(*proving) func(string, []byte) []byte {
		return func(path string, body []byte) []byte {
			if isTrust(path) {
				return body
			}
			return edit(body, change)
		}
	}
}

// swap makes a liar that answers with what belongs to another question.
func swap(other string, change func(o, other object)) func(*proving) func(string, []byte) []byte {
	return func(p *proving) func(string, []byte) []byte {
		return func(path string, body []byte) []byte {
			if isTrust(path) {
				return body
			}
			sep := "?"
			if strings.Contains(other, sep) {
				sep = "&"
			}
			foreign := p.get(other + sep + "proof=true")
			return edit(body, func(o object) { edit(foreign, func(f object) { change(o, f) }) })
		}
	}
}

func item(o object, i int) object { return items(o)[i].(object) }

var liars = []lying{
	{"a changed amount", "balance", LieValue, tell(func(o object) { o["amount"] = "2000000.00" })},
	{"a changed value of the proof", "entry", LieValue, tell(func(o object) {
		e := ledger.Entry{Version: 1, ModifiedHeight: 1, Value: []byte("11")}
		item(o, 0)["value"] = base64.StdEncoding.EncodeToString(e.Append(nil))
	})},
	{"an absence denied", "no account", LieValue, tell(func(o object) { o["exists"] = true })},
	{"another key's proof under the asked key", "asset", LieKey, swap("/v1/assets/c1", func(o, f object) {
		item(o, 0)["value"], item(o, 0)["ics23"] = item(f, 0)["value"], item(f, 0)["ics23"]
	})},
	{"another key's whole answer", "asset", LieKey, swap("/v1/assets/c1", func(o, f object) {
		for name := range o {
			o[name] = f[name]
		}
	})},
	{"another key's absence", "no entry", LieKey, swap("/v1/entries/@gov/x", func(o, f object) {
		item(o, 0)["ics23"] = item(f, 0)["ics23"]
	})},
	{"an older height, as it is", "balance at 2", LieHeight, swap("/v1/accounts/"+rpctest.Address("bob").String()+"/balances/usd?height=1", func(o, f object) {
		for name := range o {
			o[name] = f[name]
		}
	})},
	{"an older height than the session's", "balance", LieHeight, swap("/v1/accounts/"+rpctest.Address("bob").String()+"/balances/usd?height=1", func(o, f object) {
		for name := range o {
			o[name] = f[name]
		}
	})},
	{"an older proof under the newer height", "account", LieProof, swap("/v1/accounts/"+rpctest.Address("carol").String()+"?height=1", func(o, f object) {
		proof := f["proof"].(object)
		proof["height"] = o["proof"].(object)["height"]
		o["proof"] = proof
	})},
	{"an older proof under the newer root", "account", LieProof, swap("/v1/accounts/"+rpctest.Address("carol").String()+"?height=1", func(o, f object) {
		o["proof"].(object)["items"] = f["proof"].(object)["items"]
	})},
	{"a truncated absence", "no entry", LieAbsence, tell(func(o object) { truncate(item(o, 0), true) })},
	{"an absence with one step less", "no entry", LieAbsence, tell(func(o object) { truncate(item(o, 0), false) })},
	{"a page left out", "balances", LieMissing, tell(func(o object) { leaveOut(o, ledger.PrefixPage) })},
	{"an asset left out", "balances", LieMissing, tell(func(o object) { leaveOut(o, ledger.PrefixAsset) })},
	{"a balance left out", "balances", LieValue, tell(func(o object) { o["balances"] = o["balances"].([]any)[1:] })},
	{"a page left out before a zero", "balance of nothing on pages", LieMissing, tell(func(o object) { leaveOut(o, ledger.PrefixPage) })},
	{"a validator left out", "validators", LieMissing, tell(func(o object) { leaveOut(o, ledger.PrefixValidator) })},
	{"a validator's node left out", "validators", LieMissing, tell(func(o object) { leaveOut(o, ledger.PrefixNode) })},
	{"another region", "node", LieValue, tell(func(o object) { o["region"] = "us" })},
	{"another node's record", "node", LieKey, swap("/v1/nodes/"+rpctest.ValidatorID("node1").String(), func(o, f object) {
		item(o, 0)["value"], item(o, 0)["ics23"] = item(f, 0)["value"], item(f, 0)["ics23"]
	})},
	{"a validator left out of the answer", "validators", LieValue, tell(func(o object) { o["validators"] = o["validators"].([]any)[1:] })},
	{"no proof", "asset", LieUnproven, tell(func(o object) { delete(o, "proof") })},
	{"an asset denied without proof", "asset", LieUnproven, func(*proving) func(string, []byte) []byte { return nil }},
	{"too many items", "asset", LieShape, tell(func(o object) {
		o["proof"].(object)["items"] = slices.Repeat(items(o), proofItemsMax+1)
	})},
	{"a key twice", "asset", LieDoubled, tell(func(o object) { o["proof"].(object)["items"] = slices.Repeat(items(o), 2) })},
	{"a proof too large", "asset", LieShape, tell(func(o object) {
		item(o, 0)["ics23"] = base64.StdEncoding.EncodeToString(make([]byte, proofBytesMax+1))
	})},
	{"a forged app hash", "asset", LieHeader, forge(func(b *cmttypes.LightBlock) { b.AppHash[0] ^= 1 })},
	{"a forged header signed by strangers", "asset", LieHeader, forge(func(b *cmttypes.LightBlock) {
		names := []string{"x", "y", "z"}
		b.AppHash[0] ^= 1
		set := setOf(names)
		b.Header.ValidatorsHash, b.Header.ProposerAddress = set.Hash(), set.Validators[0].Address
		*b = *sign(b.Header, set, names)
	})},
	{"a header too few signed", "asset", LieHeader, forge(func(b *cmttypes.LightBlock) {
		b.AppHash[0] ^= 1
		*b = *sign(b.Header, b.ValidatorSet, []string{"a", "b"})
	})},
	{"another height's header", "asset", LieHeader, func(p *proving) func(string, []byte) []byte {
		return func(path string, body []byte) []byte {
			if isLight(path) {
				return p.get("/v1/light/1")
			}
			return body
		}
	}},
	{"another genesis", "asset", LieGenesis, func(*proving) func(string, []byte) []byte {
		return func(path string, body []byte) []byte {
			if path == "/v1/genesis" {
				return append(body, ' ')
			}
			return body
		}
	}},
}

// forge makes a liar that changes headers.
func forge(change func(*cmttypes.LightBlock)) func(*proving) func(string, []byte) []byte {
	return func(*proving) func(string, []byte) []byte {
		return func(path string, body []byte) []byte {
			if !isLight(path) {
				return body
			}
			return edit(body, func(o object) {
				data, _ := base64.StdEncoding.DecodeString(o["light_block"].(string))
				b, err := decodeBlock(data, "tetrad-test")
				if err != nil {
					panic(err)
				}
				change(b)
				p, err := b.ToProto()
				if err != nil {
					panic(err)
				}
				if data, err = p.Marshal(); err != nil {
					panic(err)
				}
				o["light_block"] = base64.StdEncoding.EncodeToString(data)
			})
		}
	}
}

// leaveOut removes the first item whose key is of a kind.
func leaveOut(o object, prefix byte) {
	list := items(o)
	i := slices.IndexFunc(list, func(i any) bool {
		key, _ := hex.DecodeString(i.(object)["key"].(string))
		return key[0] == prefix
	})
	o["proof"].(object)["items"] = slices.Delete(list, i, i+1)
}

// extraReadings are reads that only some lies need.
func (p *proving) read(t testing.TB, name string, v *Verified) (any, bool, error) {
	switch name {
	case "balance at 2":
		b, err := v.Balance(within(t, time.Minute), rpctest.Address("bob").String(), "usd", ReadOptions{Height: 2})
		return b, b.Verified, err
	case "balance of nothing on pages":
		b, err := v.Balance(within(t, time.Minute), rpctest.Address("carol").String(), crypto.Hash(ledger.AssetIDOf("new")).String(), ReadOptions{})
		return b, b.Verified && b.Amount == "0", err
	}
	return readings[name](t, v)
}

// TestLies: each kind of lie is found by the check that is there for it, and blamed on who told it. The same
// client then gets the truth from the other nodes.
func TestLies(t *testing.T) {
	p := newProving(t, 2, fourValidators)
	p.populate(t)
	tx, err := NewTx(p.ChainID, p.Genesis, rpctest.Address("alice")).ValidUntilMS(uint64(time.Now().Add(5*time.Minute-time.Hour).UnixMilli())).
		SetAsset("new", 0, ledger.SupplyMax).Sign(crypto.DevKey("alice"))
	if err != nil {
		t.Fatal(err)
	}
	p.submit(t, tx)
	p.Seal()
	sentences := map[string]LieKind{}
	for _, l := range liars {
		t.Run(l.name, func(t *testing.T) {
			v := p.verified(t, VerifiedOptions{Options: Options{MinHeight: 2}})
			v.wait = 100 * time.Millisecond
			if change := l.tell(p); change != nil {
				p.lies(0, change)
			} else {
				p.servers[0].fails(denies)
			}
			_, _, err := p.read(t, l.read, v)
			var lie *LieError
			if !errors.As(err, &lie) || !errors.Is(err, ErrLie) || lie.Kind != l.kind || lie.Source != p.servers[0].URL {
				t.Fatalf("want a lie of the kind %s, got %v", l.kind, err)
			}
			if kind, seen := sentences[lieSentences[lie.Kind]]; seen && kind != lie.Kind {
				t.Errorf("%s and %s have one sentence", kind, lie.Kind)
			}
			sentences[lieSentences[lie.Kind]] = lie.Kind
			if got, ok, err := p.read(t, l.read, v); err != nil || !ok {
				t.Fatalf("the honest node was not asked: %+v, %v", got, err)
			}
		})
	}
}

// TestClaimsOfHeight: a node that claims a height nobody has does not make the others look behind, since only
// what was proven counts as seen.
func TestClaimsOfHeight(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	p.seal(3)
	api := p.apis[0]
	p.servers[0].fails(func(w http.ResponseWriter, r *http.Request) {
		out := httptest.NewRecorder()
		api.ServeHTTP(out, r)
		w.Header().Set(rpc.HeaderHeight, "1000000000")
		w.WriteHeader(out.Code)
		w.Write(out.Body.Bytes())
	})
	v := p.verified(t, VerifiedOptions{})
	for range 2 {
		if _, err := v.Params(within(t, time.Minute), ReadOptions{}); err != nil || v.Client().Token() != 2 {
			t.Fatalf("the session is at %d: %v", v.Client().Token(), err)
		}
	}
}

// TestLargestAccount: one that holds as many assets as it can is proven with exactly as many items as are let in.
func TestLargestAccount(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	const more = ledger.BalancesInline + ledger.PagesMax*ledger.BalancesPerPage - 1 // carol has usd already
	for from := 0; from < more; from += ledger.OpsMax / 2 {
		draft := NewTx(p.ChainID, p.Genesis, rpctest.Address("alice")).ValidUntilMS(p.blockTimeMS(t) + 60_000)
		for i := from; i < min(more, from+ledger.OpsMax/2); i++ {
			code := "c" + decimalOf(uint64(i+1))
			draft.SetAsset(code, 0, ledger.SupplyMax).Transfer(rpctest.Address("carol"), code, ledger.Amount{Lo: 1})
		}
		tx, err := draft.Sign(crypto.DevKey("alice"))
		if err != nil {
			t.Fatal(err)
		}
		p.submit(t, tx)
	}
	p.Seal()
	v := p.verified(t, VerifiedOptions{})
	a, err := v.Account(within(t, time.Minute), rpctest.Address("carol").String(), ReadOptions{})
	if err != nil || len(a.Balances) != more+1 {
		t.Fatalf("%d balances, %v", len(a.Balances), err)
	}
	var answer rpc.Account
	if err := json.Unmarshal(p.get("/v1/accounts/"+a.Address+"?proof=true"), &answer); err != nil || len(answer.Proof.Items) != proofItemsMax {
		t.Errorf("%d items, the bound is %d: %v", len(answer.Proof.Items), proofItemsMax, err)
	}
}
