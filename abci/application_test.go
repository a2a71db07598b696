package abci

import (
	"context"
	"strings"
	"testing"
	"time"

	cmtabcicli "github.com/cometbft/cometbft/abci/client"
	abcitypes "github.com/cometbft/cometbft/abci/types"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
)

var begin = time.UnixMilli(1_800_000_000_000).UTC()

// chain is an application with a ledger in memory, driven as CometBFT would.
type chain struct {
	t           *testing.T
	doc         *genesis.Doc
	app         *app.App
	application *Application
	height      int64
}

func newChain(t *testing.T, o Options) *chain { return newChainOf(t, o, app.PoolOptions{}) }

func newChainOf(t *testing.T, o Options, pool app.PoolOptions) *chain {
	t.Helper()
	var validators []genesis.Validator
	for _, name := range []string{"v0", "v1", "v2", "v3", "v4"} {
		validators = append(validators, genesis.Validator{Name: name, Key: crypto.DevKey(name).Public(), Power: 10})
	}
	data, err := genesis.Build(genesis.DevSpec("test", begin, validators, "alice", "bob"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := genesis.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(store.Options{InMemory: true, Genesis: doc.Hash()})
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(app.Options{
		Genesis: doc, Store: s, Idle: -1, Pool: pool, Now: func() time.Time { return begin.Add(time.Second) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	o.ChainID = doc.ChainID
	return &chain{t: t, doc: doc, app: a, application: New(a, o)}
}

// initRequest is what CometBFT makes of the genesis document.
func (c *chain) initRequest() *abcitypes.RequestInitChain {
	req := &abcitypes.RequestInitChain{ChainId: "test", InitialHeight: 1, Time: begin}
	for _, v := range c.doc.Validators {
		u, err := toUpdate(ledger.ValidatorUpdate{KeyType: v.Key.Type, PublicKey: v.Key.Bytes, Power: v.Power})
		if err != nil {
			c.t.Fatal(err)
		}
		req.Validators = append(req.Validators, u)
	}
	return req
}

func (c *chain) init() {
	c.t.Helper()
	if _, err := c.application.InitChain(context.Background(), c.initRequest()); err != nil {
		c.t.Fatal(err)
	}
}

// block decides and commits one block.
func (c *chain) block(evidence []abcitypes.Misbehavior, txs ...[]byte) *abcitypes.ResponseFinalizeBlock {
	c.t.Helper()
	c.height++
	at := begin.Add(time.Duration(c.height) * time.Second)
	hash := crypto.Sum([]byte{byte(c.height)})
	proposal, err := c.application.ProcessProposal(context.Background(), &abcitypes.RequestProcessProposal{
		Height: c.height, Time: at, Hash: hash[:], Txs: txs, Misbehavior: evidence, ProposerAddress: make([]byte, 20),
	})
	if err != nil || !proposal.IsAccepted() {
		c.t.Fatalf("height %d: %v, %v", c.height, proposal, err)
	}
	out, err := c.application.FinalizeBlock(context.Background(), &abcitypes.RequestFinalizeBlock{
		Height: c.height, Time: at, Hash: hash[:], Txs: txs, Misbehavior: evidence, ProposerAddress: make([]byte, 20),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.application.Commit(context.Background(), &abcitypes.RequestCommit{}); err != nil {
		c.t.Fatal(err)
	}
	return out
}

func (c *chain) transfer(n byte) []byte {
	alice, bob := crypto.DevKey("alice"), crypto.DevKey("bob").Public().Address()
	from, asset := alice.Public().Address(), ledger.AssetIDOf("usd")
	body := ledger.Body{
		Version: 1, ChainId: "test", Actor: from[:], Nonce: append(make([]byte, ledger.NonceLen-1), n),
		ValidUntilMs: uint64(begin.Add(time.Minute).UnixMilli()),
		Ops:          []ledger.Op{{Kind: &ledger.Op_Transfer{Transfer: &ledger.Transfer{To: bob[:], Asset: asset[:], Amount: []byte{1}}}}},
	}
	raw, err := body.Marshal()
	if err != nil {
		c.t.Fatal(err)
	}
	message := crypto.SignBytes(crypto.TagTx, c.doc.Hash(), crypto.Sum(raw))
	tx := ledger.Tx{Body: raw, Sigs: []ledger.Sig{{KeyType: 1, PublicKey: alice.Public().Bytes, Signature: alice.Sign(message[:])}}}
	out, err := tx.Marshal()
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// TestLife: info, init, blocks with single transactions and a frame, and what queries then say.
func TestLife(t *testing.T) {
	var decisions []Decision
	c := newChain(t, Options{Version: "v1", Decided: func(d Decision) { decisions = append(decisions, d) }})
	ctx := context.Background()
	info, err := c.application.Info(ctx, &abcitypes.RequestInfo{})
	if err != nil || info.LastBlockHeight != 0 || len(info.LastBlockAppHash) != 0 || info.AppVersion != AppVersion {
		t.Fatalf("info before the first block: %v, %v", info, err)
	}
	c.init()
	c.init() // CometBFT asks again when it crashed before the first commit

	single, inner := c.transfer(1), [][]byte{c.transfer(2), c.transfer(3)}
	out := c.block(nil, single, ledger.EncodeFrame(inner))
	if len(out.TxResults) != 2 || out.TxResults[0].Code != 0 || out.TxResults[1].Code != 0 || len(out.AppHash) != 32 {
		t.Fatalf("results: %v", out)
	}
	receipt, err := ledger.DecodeReceipt(out.TxResults[0].Data)
	if err != nil || receipt.Height != 1 || receipt.Code != 0 {
		t.Errorf("receipt of the single transaction: %v, %v", receipt, err)
	}
	again := c.block(nil, single)
	if code := again.TxResults[0].Code; code != uint32(ledger.CodeDuplicate) {
		t.Errorf("the same transaction again has code %d", code)
	}
	if len(decisions) != 2 || decisions[0].Height != 1 || len(decisions[0].Txs) != 2 {
		t.Errorf("decisions: %v", decisions)
	}
	info, err = c.application.Info(ctx, &abcitypes.RequestInfo{})
	if err != nil || info.LastBlockHeight != 2 || string(info.LastBlockAppHash) != string(again.AppHash) {
		t.Errorf("info: %v, %v", info, err)
	}
	path := "/accounts/" + crypto.DevKey("bob").Public().Address().String() + "/balances/usd"
	q, err := c.application.Query(ctx, &abcitypes.RequestQuery{Path: path})
	if err != nil || q.Code != 0 || len(q.Value) == 0 || q.Height != 2 {
		t.Errorf("query: %v, %v", q, err)
	}
}

// TestInitChainRefuses: CometBFT and the ledger must begin with the same chain and the same validators.
func TestInitChainRefuses(t *testing.T) {
	for name, change := range map[string]func(*abcitypes.RequestInitChain){
		"chain":         func(r *abcitypes.RequestInitChain) { r.ChainId = "other" },
		"height":        func(r *abcitypes.RequestInitChain) { r.InitialHeight = 2 },
		"power":         func(r *abcitypes.RequestInitChain) { r.Validators[0].Power++ },
		"one too few":   func(r *abcitypes.RequestInitChain) { r.Validators = r.Validators[1:] },
		"one too many":  func(r *abcitypes.RequestInitChain) { r.Validators = append(r.Validators, r.Validators[0]) },
		"none":          func(r *abcitypes.RequestInitChain) { r.Validators = nil },
		"another's key": func(r *abcitypes.RequestInitChain) { r.Validators[0].PubKey = r.Validators[1].PubKey },
	} {
		t.Run(name, func(t *testing.T) {
			c := newChain(t, Options{})
			req := c.initRequest()
			change(req)
			if _, err := c.application.InitChain(context.Background(), req); err == nil {
				t.Error("accepted")
			}
		})
	}
	c := newChain(t, Options{})
	req := c.initRequest()
	req.Validators[0], req.Validators[3] = req.Validators[3], req.Validators[0]
	if _, err := c.application.InitChain(context.Background(), req); err != nil {
		t.Errorf("another order of the same validators: %v", err)
	}
}

// TestMisbehaviour: evidence names consensus addresses; it reaches the ledger's validator and takes its power.
func TestMisbehaviour(t *testing.T) {
	c := newChain(t, Options{})
	c.init()
	c.block(nil)
	culprit := crypto.DevKey("v2").Public()
	address := crypto.ConsensusAddress(culprit.Bytes)
	evidence := []abcitypes.Misbehavior{
		{Type: abcitypes.MisbehaviorType_DUPLICATE_VOTE, Validator: abcitypes.Validator{Address: address[:]}, Height: 1},
		{Type: abcitypes.MisbehaviorType_DUPLICATE_VOTE, Validator: abcitypes.Validator{Address: make([]byte, 20)}, Height: 1}, // nobody
	}
	out := c.block(evidence)
	if len(out.ValidatorUpdates) != 1 || out.ValidatorUpdates[0].Power != 0 {
		t.Fatalf("validator updates: %v", out.ValidatorUpdates)
	}
	back, err := fromUpdate(out.ValidatorUpdates[0])
	if err != nil || string(back.PublicKey) != string(culprit.Bytes) {
		t.Errorf("the wrong validator lost its power: %v, %v", back, err)
	}
}

// TestRefusalsAreCodes: nothing that comes from outside makes a Go error, which CometBFT would not survive or
// not answer.
func TestRefusalsAreCodes(t *testing.T) {
	c := newChain(t, Options{})
	ctx := context.Background()
	raw := c.transfer(9)

	check, err := c.application.CheckTx(ctx, &abcitypes.RequestCheckTx{Tx: raw})
	if err != nil || LedgerCode(check.Code) != ledger.CodeSyncing || check.Code < abcitypes.CodeTypeRetry {
		t.Errorf("check before there is state: %v, %v", check, err)
	}
	c.init()
	c.block(nil)
	for name, bytes := range map[string][]byte{"empty": {}, "garbage": {1, 2, 3}, "huge": make([]byte, ledger.TxBytesMax+1), "frame head": {0, 1}} {
		check, err := c.application.CheckTx(ctx, &abcitypes.RequestCheckTx{Tx: bytes})
		if err != nil || check.Code == 0 || check.Code >= abcitypes.CodeTypeRetry {
			t.Errorf("check %s: %v, %v", name, check, err)
		}
		if _, err := c.application.InsertTx(ctx, &abcitypes.RequestInsertTx{Tx: bytes}); err != nil {
			t.Errorf("insert %s: %v", name, err)
		}
	}
	if check, err = c.application.CheckTx(ctx, &abcitypes.RequestCheckTx{Tx: raw}); err != nil || check.Code != 0 || len(check.Data) != 32 {
		t.Errorf("check of a good transaction: %v, %v", check, err)
	}
	hash := make([]byte, 32)
	bad, err := c.application.ProcessProposal(ctx, &abcitypes.RequestProcessProposal{
		Height: 2, Time: begin.Add(2 * time.Second), Hash: hash, Txs: [][]byte{{7}}, ProposerAddress: make([]byte, 20),
	})
	if err != nil || bad.Status != abcitypes.ResponseProcessProposal_REJECT {
		t.Errorf("a proposal of garbage: %v, %v", bad, err)
	}
	for name, req := range map[string]*abcitypes.RequestQuery{
		"no path": {}, "nonsense": {Path: "/nonsense"}, "negative": {Path: "/params", Height: -1},
		"future": {Path: "/params", Height: 99}, "nothing to prove yet": {Path: "/params", Prove: true},
		"proof of nonsense": {Path: "/nonsense", Prove: true}, "proof of the future": {Path: "/params", Prove: true, Height: 1},
	} {
		q, err := c.application.Query(ctx, req)
		if err != nil || q.Code == 0 || q.Log == "" {
			t.Errorf("query %s: %v, %v", name, q, err)
		}
	}
}

func TestPeerFilter(t *testing.T) {
	c := newChain(t, Options{Peer: func(id string) bool { return id == "friend" }})
	for path, want := range map[string]bool{
		"/p2p/filter/id/friend": true, "/p2p/filter/id/stranger": false, "/p2p/filter/id/": false, "/p2p/filter/addr/1.2.3.4:5": true,
	} {
		q, err := c.application.Query(context.Background(), &abcitypes.RequestQuery{Path: path})
		if err != nil || q.IsOK() != want {
			t.Errorf("%s: %v, %v", path, q, err)
		}
	}
	open := newChain(t, Options{})
	if q, err := open.application.Query(context.Background(), &abcitypes.RequestQuery{Path: "/p2p/filter/id/x"}); err != nil || !q.IsOK() {
		t.Errorf("without a list: %v, %v", q, err)
	}
}

func TestSnapshotsAreDeclined(t *testing.T) {
	c := newChain(t, Options{})
	ctx := context.Background()
	if r, err := c.application.ListSnapshots(ctx, &abcitypes.RequestListSnapshots{}); err != nil || len(r.Snapshots) != 0 {
		t.Error(r, err)
	}
	if r, err := c.application.OfferSnapshot(ctx, &abcitypes.RequestOfferSnapshot{}); err != nil || r.Result != abcitypes.ResponseOfferSnapshot_ABORT {
		t.Error(r, err)
	}
	if r, err := c.application.LoadSnapshotChunk(ctx, &abcitypes.RequestLoadSnapshotChunk{}); err != nil || r.Chunk != nil {
		t.Error(r, err)
	}
	if r, err := c.application.ApplySnapshotChunk(ctx, &abcitypes.RequestApplySnapshotChunk{}); err != nil || r.Result != abcitypes.ResponseApplySnapshotChunk_ABORT {
		t.Error(r, err)
	}
	if _, err := c.application.ExtendVote(ctx, nil); err == nil {
		t.Error("a vote extension was made")
	}
	if _, err := c.application.VerifyVoteExtension(ctx, nil); err == nil {
		t.Error("a vote extension was verified")
	}
}

// slow is an application whose blocks never end.
type slow struct {
	abcitypes.Application
	entered, leave chan struct{}
}

func (s slow) FinalizeBlock(ctx context.Context, req *abcitypes.RequestFinalizeBlock) (*abcitypes.ResponseFinalizeBlock, error) {
	close(s.entered)
	<-s.leave
	return &abcitypes.ResponseFinalizeBlock{}, nil
}

// TestClientsHaveNoLock: while a block is being executed, every other call comes through, on the same
// connection as well.
func TestClientsHaveNoLock(t *testing.T) {
	c := newChain(t, Options{})
	s := slow{c.application, make(chan struct{}), make(chan struct{})}
	client, err := NewClientCreator(s).NewABCIClient()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	finished := make(chan error, 1)
	go func() {
		_, err := client.FinalizeBlock(ctx, &abcitypes.RequestFinalizeBlock{})
		finished <- err
	}()
	<-s.entered
	if _, err := client.Query(ctx, &abcitypes.RequestQuery{Path: "/params"}); err != nil {
		t.Error(err)
	}
	if _, err := client.Info(ctx, &abcitypes.RequestInfo{}); err != nil {
		t.Error(err)
	}
	if r, err := client.Echo(ctx, "hello"); err != nil || r.Message != "hello" {
		t.Error(r, err)
	}
	if err := client.Flush(ctx); err != nil || client.Error() != nil {
		t.Error(err, client.Error())
	}
	var called *abcitypes.Response
	client.SetResponseCallback(func(_ *abcitypes.Request, r *abcitypes.Response) { called = r })
	answer, err := client.CheckTxAsync(ctx, &abcitypes.RequestCheckTx{Tx: []byte{1}})
	if err != nil || called == nil || answer.Response != called || called.GetCheckTx().Code == 0 {
		t.Errorf("asynchronous check: %v, %v, %v", answer, called, err)
	}
	late := false
	answer.SetCallback(func(*abcitypes.Response) { late = true })
	if !late {
		t.Error("a callback set after the answer was not called")
	}
	close(s.leave)
	if err := <-finished; err != nil {
		t.Error(err)
	}
	if err := client.Stop(); err != nil {
		t.Error(err)
	}
}

var _ cmtabcicli.Client = (*client)(nil)

// TestReap: what a client handed in is given to the peers within the bound.
func TestReap(t *testing.T) {
	c := newChain(t, Options{})
	c.init()
	c.block(nil)
	raw := c.transfer(1)
	if a := c.app.Submit(context.Background(), [][]byte{raw}); a[0].Code != ledger.CodeOK {
		t.Fatalf("submit: %+v", a)
	}
	var sent [][]byte
	deadline := time.Now().Add(time.Minute)
	for len(sent) == 0 && time.Now().Before(deadline) {
		r, err := c.application.ReapTxs(context.Background(), &abcitypes.RequestReapTxs{})
		if err != nil {
			t.Fatal(err)
		}
		sent = r.Txs
	}
	if len(sent) != 1 || !strings.Contains(string(sent[0]), string(raw)) {
		t.Errorf("reaped %d", len(sent))
	}
	prepared, err := c.application.PrepareProposal(context.Background(), &abcitypes.RequestPrepareProposal{
		Height: 2, Time: begin.Add(2 * time.Second), MaxTxBytes: 1 << 20, ProposerAddress: make([]byte, 20),
	})
	if err != nil || len(prepared.Txs) != 1 {
		t.Errorf("prepared %v, %v", prepared, err)
	}
}
