package app

import (
	"context"
	"errors"
	"testing"

	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
)

// TestLifeOfATransaction follows one payment from a client to its receipt.
func TestLifeOfATransaction(t *testing.T) {
	r := newReplica(t)
	raw := transfer(0, 1)
	id := idOf(raw)
	if o := r.outcome(id); o.Status != StatusUnknown {
		t.Fatalf("before: %s", o.Status)
	}
	if got := r.submit(raw)[0]; got.ID != id || got.Known {
		t.Fatalf("admission %+v", got)
	}
	if o := r.outcome(id); o.Status != StatusPending {
		t.Fatalf("in the pool: %s", o.Status)
	}
	txs := r.prepare()
	if len(txs) != 1 || !ledger.IsFrame(txs[0]) {
		t.Fatalf("a proposal of %d transactions", len(txs))
	}
	r.decide(txs)
	o := r.outcome(id)
	if o.Status != StatusCommitted || o.Receipt.Height != 1 || o.Receipt.ID() != id {
		t.Fatalf("after: %+v", o)
	}
	if s := r.app.PoolStats(); s != (PoolStats{}) {
		t.Errorf("left in the pool: %+v", s)
	}
	again := r.app.Submit(context.Background(), [][]byte{raw})[0]
	if again.Code != ledger.CodeDuplicate || !again.Known || again.ID != id {
		t.Errorf("offered again: %+v", again)
	}
	if txs := r.prepare(); len(txs) != 0 {
		t.Errorf("proposed again: %d", len(txs))
	}
}

// TestFailedTransaction: it is in a block, has a receipt that says why, and is over.
func TestFailedTransaction(t *testing.T) {
	r := newReplica(t)
	raw := sign(txSpec{key: key(0), to: account(1), amount: 1_000_000_00, nonce: 1})
	r.submit(raw)
	r.decide(r.prepare())
	o := r.outcome(idOf(raw))
	if o.Status != StatusFailed || ledger.Code(o.Receipt.Code) != ledger.CodeInsufficientFunds || o.Receipt.Op != 1 {
		t.Fatalf("outcome %+v", o)
	}
	if again := r.app.Submit(context.Background(), [][]byte{raw})[0]; again.Code != ledger.CodeDuplicate {
		t.Errorf("offered again: %+v", again)
	}
}

func TestWait(t *testing.T) {
	r := newReplica(t)
	raw := transfer(0, 1)
	id := idOf(raw)
	type answer struct {
		o   Outcome
		err error
	}
	answers := make(chan answer, 3)
	wait := func() {
		o, err := r.app.Wait(context.Background(), id)
		answers <- answer{o, err}
	}
	go wait()
	go wait()
	r.submit(raw)
	r.decide(r.prepare())
	go wait()
	for range 3 {
		if a := <-answers; a.err != nil || a.o.Status != StatusCommitted || a.o.Receipt.Height != 1 {
			t.Errorf("waiting gave %+v", a)
		}
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if o, err := r.app.Wait(ctx, idOf(transfer(0, 2))); !errors.Is(err, context.Canceled) || o.Status != StatusUnknown {
		t.Errorf("with an ended context: %+v, %v", o, err)
	}
	if n := r.app.waiters.count; n != 0 || len(r.app.waiters.byID) != 0 {
		t.Errorf("%d waiters are left", n)
	}
}

// TestNeverWill: a pooled transaction whose validity ends is over, and whoever waits for it is told.
func TestNeverWill(t *testing.T) {
	r := newReplica(t)
	raw := sign(txSpec{key: key(0), to: account(1), amount: 1, nonce: 1, until: at(2)})
	r.submit(raw)
	told := make(chan Outcome, 1)
	go func() {
		o, _ := r.app.Wait(context.Background(), idOf(raw))
		told <- o
	}()
	r.decide(nil)
	if s := r.app.PoolStats(); s.Txs != 1 {
		t.Fatalf("gone too early: %+v", s)
	}
	h := r.height() + 1
	txs, err := r.app.Prepare(context.Background(), Proposal{Height: h, TimeMS: at(h), MaxBytes: 1 << 20})
	if err != nil || len(txs) != 0 {
		t.Fatalf("proposed at the very time its validity ends: %d, %v", len(txs), err)
	}
	r.decide(nil) // time 2: expired, and its second is not over
	r.decide(nil)
	if o := <-told; o.Status != StatusNeverWill {
		t.Errorf("told %s", o.Status)
	}
	if o := r.outcome(idOf(raw)); o.Status != StatusNeverWill {
		t.Errorf("outcome %s", o.Status)
	}
	if s := r.app.PoolStats(); s != (PoolStats{}) {
		t.Errorf("left in the pool: %+v", s)
	}
}

func TestWaitHeight(t *testing.T) {
	r := newReplica(t)
	done := make(chan error, 1)
	go func() { done <- r.app.WaitHeight(context.Background(), 2) }()
	r.decide(nil)
	r.decide(nil)
	if err := <-done; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.app.WaitHeight(ctx, 3); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
}

// TestSubscribe: no gaps; who falls behind is cut off and not waited for.
func TestSubscribe(t *testing.T) {
	r := newReplica(t)
	fast, err := r.app.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	slow, err := r.app.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	for h := uint64(1); h <= subscriptionBlocks+1; h++ {
		r.decide(nil)
		if got := <-fast.C; got.Height != h {
			t.Fatalf("height %d came as %d", h, got.Height)
		}
	}
	n := 0
	for range slow.C { // ends, since it was cut off
		n++
	}
	if n != subscriptionBlocks {
		t.Errorf("the slow one got %d blocks", n)
	}
	slow.Close()
	fast.Close()
	if _, open := <-fast.C; open {
		t.Error("a closed subscription goes on")
	}
}

// TestBeforeInitChain: there is no state to judge by, so nothing is taken and nothing fails.
func TestBeforeInitChain(t *testing.T) {
	st, err := store.Open(store.Options{InMemory: true, FoldInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	o := testOptions()
	o.Store = st
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	raw := transfer(0, 1)
	if got := a.Submit(context.Background(), [][]byte{raw})[0].Code; got != ledger.CodeSyncing {
		t.Errorf("Submit: %s", got)
	}
	if got := a.CheckTx(raw).Code; got != ledger.CodeSyncing {
		t.Errorf("CheckTx: %s", got)
	}
	if got := a.Insert(raw); got != ledger.CodeSyncing {
		t.Errorf("Insert: %s", got)
	}
	if got := a.Query("/params", nil, 0).Code; got != uint32(ledger.CodeSyncing) {
		t.Errorf("Query: %d", got)
	}
	if _, err := a.Finalize(context.Background(), Block{Height: 1}); !errors.Is(err, errNoState) {
		t.Errorf("Finalize: %v", err)
	}
}

// TestInitChainRepeats: an engine that crashed before the first commit begins again.
func TestInitChainRepeats(t *testing.T) {
	r := newReplica(t)
	first, validators, err := r.app.InitChain()
	if err != nil || len(validators) != 4 {
		t.Fatalf("%d validators, %v", len(validators), err)
	}
	b := r.blockOf([][]byte{frame(transfer(0, 1))})
	r.finalize(b)
	second, _, err := r.app.InitChain()
	if err != nil || first != second {
		t.Fatalf("%s, then %s, %v", first, second, err)
	}
	r.finalize(b)
	r.commit()
	if _, _, err := r.app.InitChain(); err == nil {
		t.Error("a ledger at height 1 begins again")
	}
}

func TestOtherGenesis(t *testing.T) {
	r := newReplica(t)
	r.decide(nil)
	o := testOptions()
	o.Store, o.Genesis = r.store, docOf("another-chain")
	if _, err := New(o); err == nil {
		t.Error("an app of another genesis opens the store")
	}
}

// TestCloseReleasesEverybody: nobody who waits is left behind.
func TestCloseReleasesEverybody(t *testing.T) {
	r := newReplica(t)
	done := make(chan error, 2)
	go func() {
		_, err := r.app.Wait(context.Background(), idOf(transfer(0, 1)))
		done <- err
	}()
	go func() { done <- r.app.WaitHeight(context.Background(), 9) }()
	sub, err := r.app.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	r.app.Close()
	for range 2 {
		if err := <-done; !errors.Is(err, errClosed) {
			t.Errorf("a waiter got %v", err)
		}
	}
	if _, open := <-sub.C; open {
		t.Error("a subscription goes on")
	}
	if _, err := r.app.Subscribe(); err == nil {
		t.Error("a closed app takes subscribers")
	}
}

func TestRetain(t *testing.T) {
	r := newReplica(t, func(o *Options) {
		o.Retain = func(height, timeMS uint64) uint64 {
			if timeMS != at(height) {
				t.Errorf("height %d comes with time %d", height, timeMS)
			}
			return height / 2
		}
	})
	var got []uint64
	for range 4 {
		r.finalize(r.blockOf(nil))
		retain, err := r.app.Commit()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, retain)
	}
	if want := []uint64{0, 1, 1, 2}; !equal(got, want) {
		t.Errorf("retain heights %v, want %v", got, want)
	}
}

func equal(a, b []uint64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestCommitWithoutFinalizePanics(t *testing.T) {
	r := newReplica(t)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _ = r.app.Commit()
}
