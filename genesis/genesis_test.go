package genesis_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
)

var begin = time.Date(2026, 11, 23, 8, 0, 0, 250e6, time.UTC)

func validators(n int) []genesis.Validator {
	var out []genesis.Validator
	for i := range n {
		key := crypto.DevKey(fmt.Sprintf("validator/%d", i)).Public()
		out = append(out, genesis.Validator{Name: fmt.Sprintf("node%d", i), Key: key, Power: 10})
	}
	return out
}

func devSpec() genesis.Spec {
	return genesis.DevSpec("tetrad-dev", begin, validators(4), "alice", "bob", "carol", "dave")
}

func build(t *testing.T, s genesis.Spec) *genesis.Doc {
	t.Helper()
	data, err := genesis.Build(s)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := genesis.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func value(t *testing.T, out ledger.Outcome, key []byte) []byte {
	t.Helper()
	for _, c := range out.Changes {
		if bytes.Equal(c.Key, key) {
			return c.Value
		}
	}
	return nil
}

func TestDevDocument(t *testing.T) {
	doc := build(t, devSpec())
	if doc.ChainID != "tetrad-dev" || doc.TimeMS != uint64(begin.UnixMilli()) || len(doc.Accounts) != 5 {
		t.Fatalf("read back: %+v", doc)
	}
	if doc.Hash() != crypto.Sum(doc.JSON()) {
		t.Fatal("the hash is not that of the bytes")
	}
	out, err := doc.Outcome()
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Validators) != 4 {
		t.Fatalf("%d validators", len(out.Validators))
	}
	asset, err := ledger.DecodeAsset(value(t, out, ledger.KeyAsset(ledger.AssetIDOf("usd"))))
	if err != nil {
		t.Fatal(err)
	}
	if got := asset.Supply.Format(asset.Scale); got != "4000000.00" {
		t.Errorf("supply is %s", got)
	}
	if want := crypto.DevKey("treasury").Public().Address(); asset.Issuer != want {
		t.Errorf("issuer is %s, not treasury", asset.Issuer)
	}
	alice, _ := doc.Account("alice")
	account, err := ledger.DecodeAccount(value(t, out, ledger.KeyAccount(alice.Address)))
	if err != nil {
		t.Fatal(err)
	}
	if got := account.Balances[0].Amount.Format(2); got != "1000000.00" {
		t.Errorf("alice has %s", got)
	}
}

// TestStockEngineReadsIt gives the document to CometBFT's own reader.
func TestStockEngineReadsIt(t *testing.T) {
	doc := build(t, devSpec())
	got, err := cmttypes.GenesisDocFromJSON(doc.JSON())
	if err != nil {
		t.Fatal(err)
	}
	if got.ChainID != doc.ChainID || !got.GenesisTime.Equal(begin) || got.InitialHeight != 1 || len(got.AppHash) != 0 {
		t.Errorf("head: %+v", got)
	}
	p := got.ConsensusParams
	if p.Block.MaxBytes != 2097152 || p.Block.MaxGas != -1 || p.Evidence.MaxAgeDuration != 48*time.Hour ||
		p.Evidence.MaxAgeNumBlocks != 100000 || p.Evidence.MaxBytes != 131072 || !reflect.DeepEqual(p.Validator.PubKeyTypes, []string{"ed25519"}) {
		t.Errorf("consensus params: %+v", p)
	}
	for i, v := range got.Validators {
		want := doc.Validators[i]
		address := crypto.ConsensusAddress(want.Key.Bytes)
		if v.Name != want.Name || v.Power != int64(want.Power) || !bytes.Equal(v.PubKey.Bytes(), want.Key.Bytes) || !bytes.Equal(v.Address, address[:]) {
			t.Errorf("validator %d: %+v", i, v)
		}
	}
	var ours, theirs any
	if err := json.Unmarshal(got.AppState, &theirs); err != nil {
		t.Fatal(err)
	}
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(doc.JSON(), &whole); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(whole["app_state"], &ours); err != nil || !reflect.DeepEqual(ours, theirs) {
		t.Errorf("app_state differs: %v", err)
	}
}

func TestBuildIsDeterministic(t *testing.T) {
	a, b := build(t, devSpec()), build(t, devSpec())
	if !bytes.Equal(a.JSON(), b.JSON()) {
		t.Error("the same spec gives two documents")
	}
}

func TestBench(t *testing.T) {
	s := devSpec()
	s.Bench = []genesis.Bench{{Seed: "load", Count: 600, Asset: "usd", Amount: "12.50"}}
	doc := build(t, s)
	out, err := doc.Outcome()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 1, 299, 599} {
		address := genesis.BenchKey("load", i).Public().Address()
		account, err := ledger.DecodeAccount(value(t, out, ledger.KeyAccount(address)))
		if err != nil {
			t.Fatalf("account %d: %v", i, err)
		}
		if got := account.Balances[0].Amount.Format(2); got != "12.50" {
			t.Errorf("account %d has %s", i, got)
		}
	}
	next := genesis.BenchKey("load", 600).Public().Address()
	if value(t, out, ledger.KeyAccount(next)) != nil {
		t.Error("account 600 exists: one too many")
	}
	again, err := doc.Outcome()
	if err != nil || !reflect.DeepEqual(out, again) {
		t.Errorf("two outcomes of one document differ: %v", err)
	}
}

// edit changes a valid document as text and expects a fault.
func TestParseNamesWhatIsWrong(t *testing.T) {
	data := string(build(t, devSpec()).JSON())
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown field at the top", `"chain_id"`, `"chain": "x", "chain_id"`, "chain: unknown field"},
		{"unknown field inside", `"scale": 2`, `"scale": 2, "scael": 3`, "app_state.assets[0].scael: unknown field"},
		{"other case", `"chain_id"`, `"Chain_ID": "x", "chain_id"`, "Chain_ID: unknown field"},
		{"field twice", `"chain_id"`, `"chain_id": "x", "chain_id"`, "chain_id: given twice"},
		{"unknown validator field", `"power": "10"`, `"power": "10", "moniker": "x"`, "validators[0].moniker: unknown field"},
		{"unknown parameter", `"validators_min"`, `"validators_mim": 1, "validators_min"`, "app_state.params.validators_mim: unknown field"},
		{"number as text", `"scale": 2`, `"scale": "2"`, "app_state.assets.scale: a JSON string where a uint32 belongs"},
		{"no consensus params", `"consensus_params": {`, `"consensus_params": null, "app_state": {`, "given twice"},
		{"key type", "tendermint/PubKeyEd25519", "tendermint/PubKeySecp256k1", "validators[0].pub_key.type"},
		{"time without zone", `08:00:00.25Z"`, `08:00:00.25+01:00"`, "genesis_time"},
		{"bad address", `"address": "tet1`, `"address": "tat1`, "tet"},
		{"cut off", `"app_hash": ""`, `"app_hash`, "not JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(data, c.old) {
				t.Fatalf("the document does not contain %s", c.old)
			}
			_, err := genesis.Parse([]byte(strings.Replace(data, c.old, c.new, 1)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	if _, err := genesis.Parse([]byte(data + "{}")); err == nil || !strings.Contains(err.Error(), "follows the document") {
		t.Errorf("trailing data: %v", err)
	}
	for _, text := range []string{"", "null", "[]", "{}", `{"chain_id":"x"}`} {
		if _, err := genesis.Parse([]byte(text)); err == nil {
			t.Errorf("%q is read as a document", text)
		}
	}
	if _, err := genesis.Parse(bytes.Repeat([]byte(" "), genesis.BytesMax+1)); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("oversize: %v", err)
	}
}

// TestUnsafeDefaults: what CometBFT would fill in or allow is refused.
func TestUnsafeDefaults(t *testing.T) {
	stock := genesis.DefaultConsensus()
	engine := cmttypes.DefaultConsensusParams()
	stock.Block.MaxBytes = engine.Block.MaxBytes
	s := devSpec()
	s.Consensus = &stock
	if _, err := genesis.Build(s); err == nil || !strings.Contains(err.Error(), "block.max_bytes") {
		t.Errorf("CometBFT's default block size: %v", err)
	}
	for name, change := range map[string]func(*genesis.Consensus){
		"block.max_bytes":                    func(c *genesis.Consensus) { c.Block.MaxBytes = -1 },
		"block.max_gas":                      func(c *genesis.Consensus) { c.Block.MaxGas = 0 },
		"evidence.max_age_num_blocks":        func(c *genesis.Consensus) { c.Evidence.MaxAgeNumBlocks = 0 },
		"evidence.max_age_duration":          func(c *genesis.Consensus) { c.Evidence.MaxAgeDuration = time.Hour - 1 },
		"evidence.max_bytes":                 func(c *genesis.Consensus) { c.Evidence.MaxBytes = c.Block.MaxBytes },
		"validator.pub_key_types":            func(c *genesis.Consensus) { c.Validator.PubKeyTypes = []string{"ed25519", "secp256k1"} },
		"abci.vote_extensions_enable_height": func(c *genesis.Consensus) { c.ABCI.VoteExtensionsEnableHeight = 1 },
		"authority.authority":                func(c *genesis.Consensus) { c.Authority.Authority = "me" },
	} {
		consensus := genesis.DefaultConsensus()
		change(&consensus)
		s := devSpec()
		s.Consensus = &consensus
		if _, err := genesis.Build(s); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, edge := range []struct {
		bytes int64
		ok    bool
	}{{genesis.BlockBytesMin - 1, false}, {genesis.BlockBytesMin, true}, {genesis.BlockBytesMax, true}, {genesis.BlockBytesMax + 1, false}} {
		consensus := genesis.DefaultConsensus()
		consensus.Block.MaxBytes = edge.bytes
		s := devSpec()
		s.Consensus = &consensus
		if _, err := genesis.Build(s); (err == nil) != edge.ok {
			t.Errorf("block.max_bytes %d: %v", edge.bytes, err)
		}
	}
}

// TestValidateNamesEveryFault breaks many things at once and expects each to be named.
func TestValidateNamesEveryFault(t *testing.T) {
	s := devSpec()
	s.ChainID = "Bad Chain"
	s.Validators = append(validators(2), validators(1)...)
	s.Validators[1].Power = 0
	s.Assets = append(s.Assets, genesis.Asset{Code: "usd", Scale: 31, Issuer: "nobody"})
	s.Accounts[1].Balances[0].Amount = "1.234"
	s.Accounts[2].Balances = []genesis.Balance{{Asset: "eur", Amount: "1"}, {Asset: "eur", Amount: "1"}}
	s.Accounts[3].Name = "-x"
	s.Accounts[4].Address = s.Accounts[1].Address
	s.Bench = []genesis.Bench{{Seed: "a", Count: 0, Asset: "usd", Amount: "1"}}
	params := ledger.DefaultParams()
	params.ReplayBucketMS = 0
	s.Params = &params
	_, err := genesis.Build(s)
	var faults genesis.Faults
	if !errors.As(err, &faults) {
		t.Fatalf("error %v is no list of faults", err)
	}
	for _, want := range []string{
		"chain_id:", "validators[1].power:", "validators[2].name:", "validators[2].pub_key:", "app_state.assets[1].code:",
		"app_state.assets[1].scale:", "app_state.assets[1].issuer:", "app_state.accounts[1].balances[0]:",
		"app_state.accounts[2].balances[0]: there is no asset", "app_state.accounts[2].balances[1].asset:",
		"app_state.accounts[3].name:", "app_state.accounts[4].address:", "app_state.bench[0].count:",
		"app_state.params: replay_bucket_ms",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not named: %s\n%v", want, err)
		}
	}
}

// TestTheLedgerJudges: what has the right form and is refused by the ledger's rules is a fault as well.
func TestTheLedgerJudges(t *testing.T) {
	cases := map[string]func(*genesis.Spec){
		"asset code": func(s *genesis.Spec) { s.Assets[0].Code = "USD"; s.Accounts = s.Accounts[:1] },
		"supply":     func(s *genesis.Spec) { s.Assets[0].MaxSupply = "3999999.99" },
		"supply, bench": func(s *genesis.Spec) {
			s.Assets[0].MaxSupply = "4000010"
			s.Bench = []genesis.Bench{{"x", 11, "usd", "1"}}
		},
		"issuer holds":     func(s *genesis.Spec) { s.Accounts[0].Balances = []genesis.Balance{{"usd", "1"}} },
		"no validators":    func(s *genesis.Spec) { s.Validators = nil },
		"zero balance":     func(s *genesis.Spec) { s.Accounts[1].Balances[0].Amount = "0.00" },
		"negative balance": func(s *genesis.Spec) { s.Accounts[1].Balances[0].Amount = "-1" },
		"bench sum overflow": func(s *genesis.Spec) {
			s.Bench = []genesis.Bench{{"x", 1 << 20, "usd", "1000000000000000000000000000000000000"}}
		},
	}
	for name, breakIt := range cases {
		s := devSpec()
		breakIt(&s)
		if _, err := genesis.Build(s); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	s := devSpec()
	s.Assets[0].MaxSupply = "4000011"
	s.Bench = []genesis.Bench{{Seed: "x", Count: 11, Asset: "usd", Amount: "1"}}
	if _, err := genesis.Build(s); err != nil {
		t.Errorf("a supply that is exactly reached: %v", err)
	}
}

func TestCeremony(t *testing.T) {
	empty, err := genesis.Draft(genesis.Spec{ChainID: "ours-1", Time: begin, Assets: []genesis.Asset{{Code: "usd", Scale: 2, Issuer: "treasury"}}})
	if err != nil {
		t.Fatal(err)
	}
	must := func(data []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	address := func(name string) crypto.Address { return crypto.DevKey(name).Public().Address() }
	vals := validators(4)
	var drafts [][]byte
	for i, v := range vals {
		draft := must(genesis.AddValidator(empty, v))
		name := []string{"treasury", "alice", "bob", "carol"}[i]
		draft = must(genesis.AddAccount(draft, genesis.Account{Name: name, Address: address(name)}))
		drafts = append(drafts, draft)
	}
	one := must(genesis.Collect(drafts...))
	drafts[0], drafts[3] = drafts[3], drafts[0]
	other := must(genesis.Collect(drafts...))
	if !bytes.Equal(one, other) {
		t.Error("the result depends on the order of the drafts")
	}
	doc, err := genesis.Parse(one)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(); err != nil || len(doc.Validators) != 4 || len(doc.Accounts) != 4 {
		t.Errorf("collected: %v, %d validators, %d accounts", err, len(doc.Validators), len(doc.Accounts))
	}

	if _, err := genesis.AddAccount(drafts[0], genesis.Account{Name: "treasury", Address: address("x")}); err != nil {
		t.Errorf("a name that is free in this draft: %v", err)
	}
	if _, err := genesis.AddAccount(drafts[0], genesis.Account{Name: "carol", Address: address("x")}); err == nil {
		t.Error("a name twice is accepted")
	}
	if _, err := genesis.AddAccount(drafts[0], genesis.Account{Name: "x", Address: address("carol")}); err == nil {
		t.Error("an address twice is accepted")
	}
	if _, err := genesis.AddAccount(empty, genesis.Account{Name: "x", Address: address("x"), Balances: []genesis.Balance{{"eur", "1"}}}); err == nil {
		t.Error("a balance of an asset that is not there is accepted")
	}
	if _, err := genesis.AddValidator(drafts[0], vals[3]); err == nil {
		t.Error("a validator twice is accepted")
	}
	changed := vals[3]
	changed.Power = 11
	conflict := must(genesis.AddValidator(empty, changed))
	if _, err := genesis.Collect(append(drafts, conflict)...); err == nil || !strings.Contains(err.Error(), "node3") {
		t.Errorf("two drafts that differ on a validator: %v", err)
	}
	elsewhere := must(genesis.Draft(genesis.Spec{ChainID: "ours-2", Time: begin}))
	if _, err := genesis.Collect(drafts[0], elsewhere); err == nil || !strings.Contains(err.Error(), "chain_id") {
		t.Errorf("drafts of two chains: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	data, err := genesis.Build(devSpec())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"app_state":{"format":1,"bench":[{"count":1}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := genesis.Parse(data)
		if err != nil {
			return
		}
		if doc.Validate() != nil {
			return
		}
		// What is valid has an outcome, unless deriving it would take long.
		for _, b := range doc.Bench {
			if b.Count > 100 {
				return
			}
		}
		if _, err := doc.Outcome(); err != nil {
			t.Fatalf("a valid document has no outcome: %v", err)
		}
	})
}
