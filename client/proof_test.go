package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

var proofSeed = flag.Uint64("proof-seed", 20261124, "seed of TestProofMutations")

// proofFile asks a question with a proof, and gives the document as the command line prints it.
func proofFile(t testing.TB, v *Verified, q Question, receipts string) []byte {
	t.Helper()
	ctx := within(t, time.Minute)
	var p Proof
	o := ReadOptions{Prove: &p}
	var answer any
	var err error
	switch q.What {
	case AskAccount:
		answer, err = v.Account(ctx, q.Account, o)
	case AskBalances:
		answer, err = v.Balances(ctx, q.Account, o)
	case AskBalance:
		answer, err = v.Balance(ctx, q.Account, q.Asset, o)
	case AskAsset:
		answer, err = v.Asset(ctx, q.Asset, o)
	case AskEntry:
		answer, err = v.Entry(ctx, q.Account, q.Path, o)
	case AskValidators:
		answer, err = v.Validators(ctx, o)
	case AskNode:
		answer, err = v.Node(ctx, q.Validator, o)
	case AskParams:
		answer, err = v.Params(ctx, o)
	case AskBlock:
		answer, err = v.ReadBlock(ctx, receipts, o)
	}
	var absent *rpc.Error
	if errors.As(err, &absent) {
		answer = map[string]any{"error": absent}
	} else if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	var document map[string]any
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	document["proof"] = p
	text, err = json.Marshal(document)
	if err != nil || p.Format != proofFormat {
		t.Fatalf("%s: no proof was made: %v", q, err)
	}
	return text
}

// proofQuestions are questions of every kind, those included that are answered by nothing.
func proofQuestions() []Question {
	alice, carol := rpctest.Address("alice").String(), rpctest.Address("carol").String()
	return []Question{
		{What: AskAccount, Account: carol},
		{What: AskAccount, Account: rpctest.Address("nobody").String()},
		{What: AskBalances, Account: carol},
		{What: AskBalance, Account: carol, Asset: "c44"},
		{What: AskBalance, Account: "@gov", Asset: "usd"},
		{What: AskAsset, Asset: "usd"},
		{What: AskAsset, Asset: "eur"},
		{What: AskEntry, Account: alice, Path: "config/limits"},
		{What: AskEntry, Account: alice, Path: "config/none"},
		{What: AskValidators},
		{What: AskNode, Validator: rpctest.ValidatorID("node0").String()},
		{What: AskNode, Validator: crypto.ValidatorID{1}.String()},
		{What: AskParams},
		{What: AskBlock},
	}
}

// TestProofFiles: a file holds all that its verification needs, and the genesis hash is all that must be known.
func TestProofFiles(t *testing.T) {
	p := newProving(t, 2, fourValidators)
	p.populate(t)
	p.fill(t, 4)
	v := p.verified(t, VerifiedOptions{})
	for _, q := range proofQuestions() {
		file := proofFile(t, v, q, ReceiptsList)
		got, err := VerifyProof(file, p.Genesis, time.Now())
		if err != nil || got.Question != q || got.ChainID != p.ChainID || got.Height == 0 || (got.Answer == nil) == (got.Absent == nil) {
			t.Fatalf("%s: %+v, %v", q, got, err)
		}
		var document struct {
			Proof json.RawMessage `json:"proof"`
		}
		if err := json.Unmarshal(file, &document); err != nil {
			t.Fatal(err)
		}
		if bare, err := VerifyProof(document.Proof, p.Genesis, time.Now()); err != nil || !reflect.DeepEqual(bare.Answer, got.Answer) {
			t.Errorf("%s alone: %+v, %v", q, bare, err)
		}
		var lie *LieError
		if _, err := VerifyProof(file, crypto.Sum([]byte("other")), time.Now()); !errors.As(err, &lie) || lie.Kind != LieGenesis {
			t.Errorf("%s under another genesis hash: %v", q, err)
		}
		if _, err := VerifyProof(file, p.Genesis, time.Now().Add(-2*time.Hour)); !errors.As(err, &lie) || lie.Kind != LieHeader {
			t.Errorf("%s from the future: %v", q, err)
		}
	}
	if _, err := p.client(t, Options{}).Params(within(t, time.Minute), ReadOptions{Prove: &Proof{}}); err == nil {
		t.Error("a client that believes nodes made a proof")
	}
}

// TestClaimsAroundProofs: whatever stands beside the proof must be what it proves.
func TestClaimsAroundProofs(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	p.populate(t)
	v := p.verified(t, VerifiedOptions{})
	balance := string(proofFile(t, v, Question{What: AskBalance, Account: rpctest.Address("bob").String(), Asset: "usd"}, ""))
	absent := string(proofFile(t, v, Question{What: AskAsset, Asset: "eur"}, ""))
	for name, c := range map[string]struct {
		file string
		kind LieKind // empty: it holds
	}{
		"another amount":          {strings.Replace(balance, `"amount":"1000000.00"`, `"amount":"9000000.00"`, 1), LieValue},
		"another name":            {strings.Replace(balance, `"account":"tet1`, `"account":"bob tet1`, 1), ""},
		"less said":               {strings.Replace(balance, `"amount":"1000000.00",`, ``, 1), ""},
		"more said":               {strings.Replace(balance, `"amount":`, `"owner":"bob","amount":`, 1), LieValue},
		"said twice":              {strings.Replace(balance, `"amount":`, `"amount":"9","amount":`, 1), LieShape},
		"an error beside":         {strings.Replace(balance, `"amount":`, `"error":{"code":900},"amount":`, 1), LieValue},
		"more behind":             {balance + "{}", LieShape},
		"another error":           {strings.Replace(absent, `"slug":"asset_not_found"`, `"slug":"not_found"`, 1), LieValue},
		"something where nothing": {strings.Replace(absent, `"error":`, `"amount":"1","error":`, 1), LieValue},
		"an unknown field":        {strings.Replace(balance, `"format":`, `"formula":1,"format":`, 1), LieShape},
		"another question":        {strings.Replace(balance, `"asset":"usd"},`, `"asset":"c1"},`, 1), LieKey},
		"no question":             {strings.Replace(balance, `"what":"balance"`, `"what":"weather"`, 1), LieShape},
		"too deep":                {strings.Replace(balance, `"amount":`, `"x":`+strings.Repeat("[", jsonDepthMax+1)+strings.Repeat("]", jsonDepthMax+1)+`,"amount":`, 1), LieShape},
		"just deep enough":        {strings.Replace(balance, `"verified":true`, `"verified":`+strings.Repeat("[", jsonDepthMax)+strings.Repeat("]", jsonDepthMax), 1), ""},
	} {
		if c.file == balance || c.file == absent {
			t.Fatalf("%s changes nothing", name)
		}
		_, err := VerifyProof([]byte(c.file), p.Genesis, time.Now())
		var lie *LieError
		if c.kind == "" && err != nil || c.kind != "" && (!errors.As(err, &lie) || lie.Kind != c.kind) {
			t.Errorf("%s: want %q, got %v", name, c.kind, err)
		}
	}
	newer := strings.Replace(balance, `"format":1`, `"format":2`, 1)
	if _, err := VerifyProof([]byte(newer), p.Genesis, time.Now()); err == nil || errors.Is(err, ErrLie) {
		t.Errorf("a format that is not known: %v", err)
	}
}

// TestProofBounds: at the bounds, and beyond.
func TestProofBounds(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	p.seal(3)
	v := p.verified(t, VerifiedOptions{})
	file := proofFile(t, v, Question{What: AskParams}, "")
	padded := append(file, bytes.Repeat([]byte{' '}, ReceiptBytesMax-len(file))...)
	if _, err := VerifyProof(padded, p.Genesis, time.Now()); err != nil {
		t.Errorf("the largest file: %v", err)
	}
	if _, err := VerifyProof(append(padded, ' '), p.Genesis, time.Now()); err == nil || errors.Is(err, ErrLie) {
		t.Errorf("a larger file: %v", err)
	}
	for n, ok := range map[int]bool{0: false, 1: true, climbFetchMax + 1: true, climbFetchMax + 2: false} {
		if err := (&Lineage{LightBlocks: make([][]byte, n)}).check(); (err == nil) != ok {
			t.Errorf("%d headers: %v", n, err)
		}
	}
	address := rpctest.Address("bob").String()
	for n, ok := range map[int]bool{0: false, 1: true, ledger.EntryPathMax: true, ledger.EntryPathMax + 1: false} {
		if err := (Question{What: AskEntry, Account: address, Path: strings.Repeat("x", n)}).check(); (err == nil) != ok {
			t.Errorf("a path of %d characters: %v", n, err)
		}
	}
	for _, q := range []Question{
		{}, {What: AskParams, Asset: "usd"}, {What: AskBalance, Account: address}, {What: AskAccount, Account: "bob"}, {What: AskBlock, Path: "x"},
	} {
		if q.check() == nil {
			t.Errorf("%+v can be asked", q)
		}
	}
}

// TestProofMutations changes files in thousands of ways. Whatever still holds proves the truth all the same.
func TestProofMutations(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	p.populate(t)
	p.fill(t, 7)
	v := p.verified(t, VerifiedOptions{})
	type proofOf struct {
		file  []byte
		truth ProvenAnswer
	}
	var files []proofOf
	for _, q := range proofQuestions() {
		file := proofFile(t, v, q, ReceiptsList)
		truth, err := VerifyProof(file, p.Genesis, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, proofOf{file, truth})
	}
	rnd := rand.New(rand.NewPCG(*proofSeed, 1))
	kinds := map[LieKind]int{}
	refused, harmless := 0, 0
	for at, f := range files {
		for i := range mutationsEach {
			changed, what := mutateProof(rnd, f.file, files[rnd.IntN(len(files))].file)
			got, err := VerifyProof(changed, p.Genesis, time.Now())
			var lie *LieError
			switch {
			case errors.As(err, &lie):
				kinds[lie.Kind]++
				refused++
			case err != nil:
				refused++
			case got.Question != f.truth.Question:
				// Another question's proof was swapped in whole: it must prove that question's truth.
				if !slices.ContainsFunc(files, func(o proofOf) bool { return reflect.DeepEqual(o.truth, got) }) {
					t.Fatalf("seed %d: %s, mutation %d (%s): proves %+v", *proofSeed, files[at].truth.Question, i, what, got)
				}
				harmless++
			case !reflect.DeepEqual(got, f.truth):
				t.Fatalf("seed %d: %s, mutation %d (%s): proves %+v", *proofSeed, f.truth.Question, i, what, got)
			default:
				harmless++
			}
		}
	}
	t.Logf("seed %d: %d refused (%v), %d changes without effect, 0 accepted", *proofSeed, refused, kinds, harmless)
	for _, kind := range []LieKind{LieValue, LieKey, LieHeight, LieHeader, LieProof, LieAbsence, LieMissing, LieShape, LieGenesis, LieTxs, LieResults} {
		if kinds[kind] == 0 {
			t.Errorf("no mutation was refused as %s", kind)
		}
	}
	if refused < len(files)*mutationsEach/2 {
		t.Errorf("only %d of %d mutations were refused", refused, len(files)*mutationsEach)
	}
}

// mutateProof changes one thing in a copy of a file, and says what.
func mutateProof(rnd *rand.Rand, file, other []byte) ([]byte, string) {
	var p, q struct {
		Proof Proof `json:"proof"`
	}
	if err := errors.Join(json.Unmarshal(file, &p), json.Unmarshal(other, &q)); err != nil {
		panic(err)
	}
	m := &mutator{rnd: rnd}
	kind := rnd.IntN(13)
	switch c := &p.Proof; {
	case kind == 0:
		i := rnd.IntN(len(c.LightBlocks))
		c.LightBlocks[i] = m.bytes(c.LightBlocks[i])
	case kind == 1:
		c.Genesis = m.bytes(c.Genesis)
	case kind == 2:
		c.Height += uint64(rnd.IntN(3)) - 1
	case kind == 3:
		c.Question = q.Proof.Question
	case kind == 4:
		c.Items, c.Block = q.Proof.Items, q.Proof.Block
	case kind == 5:
		c.Items, c.Block, c.Question = q.Proof.Items, q.Proof.Block, q.Proof.Question
	case kind == 6:
		edited := edit(file, func(o object) { m.field(o) })
		return edited, "claim" + m.last
	case c.Block != nil:
		mutateParts(m, c.Block)
	default:
		mutateItems(m, c, q.Proof.Items)
	}
	return edit(file, func(o object) { o["proof"] = p.Proof }), fmt.Sprint("kind ", kind)
}

func mutateParts(m *mutator, parts *BlockParts) {
	switch m.rnd.IntN(6) {
	case 0:
		parts.Header = m.bytes(parts.Header)
	case 1:
		i := m.rnd.IntN(len(parts.Txs) + 1)
		parts.Txs = append(slices.Clone(parts.Txs[:i]), append([][]byte{[]byte("x")}, parts.Txs[i:]...)...)
	case 2:
		parts.Failed = append(parts.Failed, rpc.FailedReceipt{Index: m.rnd.IntN(3), Code: 1})
	case 3:
		if len(parts.Failed) > 0 {
			parts.Failed = parts.Failed[1:]
		}
	case 4:
		parts.Txs = nil
	default:
		for i := range parts.Txs {
			parts.Txs[i] = m.bytes(parts.Txs[i])
		}
	}
}

func mutateItems(m *mutator, c *Proof, others []rpc.ProofItem) {
	i := m.rnd.IntN(len(c.Items))
	item := &c.Items[i]
	switch m.rnd.IntN(7) {
	case 0:
		item.Key = m.bytes(item.Key)
	case 1:
		item.Value = m.bytes(item.Value)
	case 2, 3:
		item.ICS23 = m.bytes(item.ICS23)
	case 4:
		c.Items = slices.Delete(c.Items, i, i+1)
	case 5:
		if len(others) > 0 {
			item.Value, item.ICS23 = others[0].Value, others[0].ICS23
		}
	default:
		item.Value = nil
	}
}
