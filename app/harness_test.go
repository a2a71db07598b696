package app

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
)

// The tests run real apps on real stores in memory. Time is a number that tests move.
const (
	testChain = "app-test"
	testBegin = 1_800_000_000_000 // ms
	testBench = 64
)

var testDoc = docOf(testChain)

func docOf(chainID string) *genesis.Doc {
	var validators []genesis.Validator
	for i := range 4 {
		validators = append(validators, genesis.Validator{
			Name: fmt.Sprintf("node%d", i), Key: crypto.DevKey(fmt.Sprintf("validator/%d", i)).Public(), Power: 10,
		})
	}
	s := genesis.DevSpec(chainID, time.UnixMilli(testBegin), validators, "alice", "bob")
	s.Bench = []genesis.Bench{{Seed: "app", Count: testBench, Asset: "usd", Amount: "1000.00"}}
	data, err := genesis.Build(s)
	if err != nil {
		panic(err)
	}
	doc, err := genesis.Parse(data)
	if err != nil {
		panic(err)
	}
	return doc
}

// replica is an App with its store, driven the way an engine drives it.
type replica struct {
	t     testing.TB
	app   *App
	store *store.Store
	self  []byte
	round uint64 // makes block hashes differ
}

// at is the block time of a height: one block a second.
func at(height uint64) uint64 { return testBegin + height*1000 }

// defaults for tests: nothing waits.
func testOptions() Options {
	return Options{
		Genesis: testDoc, Now: func() time.Time { return time.UnixMilli(testBegin) }, SelfAddress: []byte("self"),
		Idle: -1, Verify: VerifyOptions{Gather: -1},
	}
}

func newReplica(t testing.TB, change ...func(*Options)) *replica {
	t.Helper()
	st, err := store.Open(store.Options{InMemory: true, FoldInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	o := testOptions()
	o.Store = st
	for _, c := range change {
		c(&o)
	}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, _, err := a.InitChain(); err != nil {
		t.Fatal(err)
	}
	return &replica{t: t, app: a, store: st, self: o.SelfAddress}
}

func (r *replica) height() uint64 {
	view := r.app.View()
	defer view.Close()
	return view.Height()
}

func (r *replica) prepare() [][]byte {
	r.t.Helper()
	h := r.height() + 1
	txs, err := r.app.Prepare(context.Background(), Proposal{Height: h, TimeMS: at(h), MaxBytes: 2 << 20})
	if err != nil {
		r.t.Fatal(err)
	}
	return txs
}

// blockOf makes the next block of txs. Its hash covers them, as an engine's does.
func (r *replica) blockOf(txs [][]byte) Block {
	r.round++
	h := r.height() + 1
	sum := crypto.Sum(append([][]byte{binary.BigEndian.AppendUint64(nil, h)}, txs...)...)
	return Block{Height: h, TimeMS: at(h), Hash: sum[:], Proposer: []byte("peer"), Txs: txs}
}

func (r *replica) process(b Block) (bool, string) {
	return r.app.Process(Proposal{Height: b.Height, TimeMS: b.TimeMS, Hash: b.Hash, Proposer: b.Proposer, Txs: b.Txs, Misbehaviour: b.Misbehaviour})
}

func (r *replica) finalize(b Block) Result {
	r.t.Helper()
	result, err := r.app.Finalize(context.Background(), b)
	if err != nil {
		r.t.Fatal(err)
	}
	return result
}

func (r *replica) commit() {
	r.t.Helper()
	if _, err := r.app.Commit(); err != nil {
		r.t.Fatal(err)
	}
}

// decide takes a block from proposal to commit.
func (r *replica) decide(txs [][]byte) Result {
	r.t.Helper()
	b := r.blockOf(txs)
	if ok, reason := r.process(b); !ok {
		r.t.Fatalf("height %d refused: %s", b.Height, reason)
	}
	result := r.finalize(b)
	r.commit()
	return result
}

// submit offers transactions and expects all of them to be taken.
func (r *replica) submit(raws ...[]byte) []Admission {
	r.t.Helper()
	out := r.app.Submit(context.Background(), raws)
	for i, a := range out {
		if a.Code != ledger.CodeOK {
			r.t.Fatalf("transaction %d: %s %s", i, a.Code, a.Detail)
		}
	}
	return out
}

func (r *replica) outcome(id ledger.TxID) Outcome {
	r.t.Helper()
	o, err := r.app.Outcome(id)
	if err != nil {
		r.t.Fatal(err)
	}
	return o
}

// settled waits until nothing is being verified any more.
func (r *replica) settled() {
	r.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); r.app.PoolStats().Queued > 0; {
		if time.Now().After(deadline) {
			r.t.Fatal("verification does not end")
		}
		time.Sleep(time.Millisecond)
	}
}

// txSpec is a transaction to be signed.
type txSpec struct {
	key    crypto.PrivateKey
	to     crypto.Address
	amount uint64
	nonce  uint64
	until  uint64
	lane   *ledger.Lane
	memo   string
	chain  string
}

func key(i int) crypto.PrivateKey  { return testKeys()[i] }
func account(i int) crypto.Address { return key(i).Public().Address() }
func idOf(raw []byte) ledger.TxID  { return mustDecode(raw).ID }
func usd() crypto.Hash             { return ledger.AssetIDOf("usd") }
func hash(raw []byte) crypto.Hash  { return crypto.Sum(raw) }
func frame(txs ...[]byte) []byte   { return ledger.EncodeFrame(txs) }
func flipped(raw []byte, i int) []byte {
	out := append([]byte(nil), raw...)
	out[(i+len(out))%len(out)] ^= 1
	return out
}

func mustDecode(raw []byte) *ledger.Transaction {
	t, err := ledger.DecodeTransaction(raw)
	if err != nil {
		panic(err)
	}
	return t
}

// testKeys are the keys of the bench accounts, derived once.
var testKeys = sync.OnceValue(func() (keys []crypto.PrivateKey) {
	for i := range testBench {
		keys = append(keys, genesis.BenchKey("app", i))
	}
	return keys
})

// transfer is the n-th payment of one cent between two bench accounts.
func transfer(from, n int) []byte {
	return sign(txSpec{key: key(from), to: account((from + 1) % testBench), amount: 1, nonce: uint64(n)})
}

func sign(s txSpec) []byte {
	body := ledger.Body{Version: 1, ChainId: testChain, ValidUntilMs: s.until, Lane: s.lane, Memo: s.memo}
	if s.chain != "" {
		body.ChainId = s.chain
	}
	actor := s.key.Public().Address()
	body.Actor = actor[:]
	if s.lane == nil {
		body.Nonce = binary.BigEndian.AppendUint64(make([]byte, 8), s.nonce)
		if body.ValidUntilMs == 0 {
			body.ValidUntilMs = testBegin + 300_000
		}
	}
	asset := usd()
	body.Ops = []ledger.Op{{Kind: &ledger.Op_Transfer{Transfer: &ledger.Transfer{
		To: s.to[:], Asset: asset[:], Amount: ledger.Amount{Lo: s.amount}.Bytes(),
	}}}}
	return signBody(body, s.key)
}

func signBody(body ledger.Body, key crypto.PrivateKey) []byte {
	encoded, err := body.Marshal()
	if err != nil {
		panic(err)
	}
	message := crypto.SignBytes(crypto.TagTx, testDoc.Hash(), crypto.Sum(encoded))
	tx := ledger.Tx{Body: encoded, Sigs: []ledger.Sig{{
		KeyType: uint32(crypto.KeyEd25519), PublicKey: key.Public().Bytes, Signature: key.Sign(message[:]),
	}}}
	raw, err := tx.Marshal()
	if err != nil {
		panic(err)
	}
	return raw
}

// inner takes the engine's transactions apart.
func inner(t testing.TB, txs [][]byte) (out [][]byte) {
	t.Helper()
	for _, raw := range txs {
		if !ledger.IsFrame(raw) {
			out = append(out, raw)
			continue
		}
		parts, err := ledger.DecodeFrame(raw)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, parts...)
	}
	return out
}
