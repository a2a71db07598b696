package app

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
)

// mixed is a list of transactions of all fates.
func mixed(n int) (raws [][]byte) {
	for i := range n {
		switch i % 7 {
		case 5:
			raws = append(raws, sign(txSpec{key: key(i % testBench), to: account(3), amount: 1 << 40, nonce: uint64(i)}))
		case 6:
			raws = append(raws, transfer(0, 0)) // the same each time: all but the first are duplicates
		default:
			raws = append(raws, transfer(i%testBench, 1+i))
		}
	}
	return raws
}

// split packs transactions into frames and single ones at random, keeping their order.
func split(rng *rand.Rand, raws [][]byte) (txs [][]byte) {
	for len(raws) > 0 {
		n := 1 + rng.IntN(len(raws))
		if n == 1 && rng.IntN(2) == 0 {
			txs = append(txs, raws[0])
		} else {
			txs = append(txs, frame(raws[:n]...))
		}
		raws = raws[n:]
	}
	return txs
}

// TestAnySplitIsTheSame: how a list of transactions is cut into frames changes neither the state nor any
// receipt; and neither does executing it ahead.
func TestAnySplitIsTheSame(t *testing.T) {
	const seed = 11
	rng := rand.New(rand.NewPCG(seed, 0))
	raws := mixed(60)
	var root crypto.Hash
	var receipts [][]byte
	for i := range 8 {
		r := newReplica(t, func(o *Options) { o.NoSpeculation = i%2 == 1 })
		b := r.blockOf(split(rng, raws))
		var committed Committed
		sub, err := r.app.Subscribe()
		if err != nil {
			t.Fatal(err)
		}
		// The list holds duplicates, which a proposal must not, so speculation is begun as Process would.
		parsed, err := r.app.parse(b.Txs, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.app.parsed.keep(b.Hash, parsed)
		r.app.speculate(Proposal{Height: b.Height, TimeMS: b.TimeMS, Hash: b.Hash, Txs: b.Txs}, parsed)
		result := r.finalize(b)
		if ahead := r.app.staged.stats.Speculated; ahead == (i%2 == 1) {
			t.Errorf("run %d: executed ahead: %t", i, ahead)
		}
		r.commit()
		committed = <-sub.C
		if i == 0 {
			root = result.Root
		}
		if result.Root != root {
			t.Fatalf("seed %d, split %d: root %s, first was %s", seed, i, result.Root, root)
		}
		for k := range committed.Receipts {
			encoded := committed.Receipts[k].Encode()
			if i == 0 {
				receipts = append(receipts, encoded)
			} else if !bytes.Equal(receipts[k], encoded) {
				t.Fatalf("seed %d, split %d: receipt %d differs", seed, i, k)
			}
		}
	}
}

// TestResults: what the engine is told commits to every receipt.
func TestResults(t *testing.T) {
	r := newReplica(t)
	a, b, poor := transfer(0, 1), transfer(1, 1), sign(txSpec{key: key(2), to: account(3), amount: 1 << 40, nonce: 1})
	result := r.decide([][]byte{a, frame(b, poor)})
	if len(result.TxResults) != 2 {
		t.Fatalf("%d results", len(result.TxResults))
	}
	receipt := func(raw []byte) []byte {
		o := r.outcome(idOf(raw))
		return o.Receipt.Encode()
	}
	if one := result.TxResults[0]; one.Code != 0 || !bytes.Equal(one.Data, receipt(a)) {
		t.Errorf("the single one: %+v", one)
	}
	root := merkle.ListRoot([][]byte{receipt(b), receipt(poor)})
	if two := result.TxResults[1]; two.Code != 0 || !bytes.Equal(two.Data, root[:]) {
		t.Errorf("the frame: %+v", two)
	}
	alone := r.decide([][]byte{sign(txSpec{key: key(2), to: account(3), amount: 1 << 40, nonce: 2})})
	if got := alone.TxResults[0]; got.Code != uint32(ledger.CodeInsufficientFunds) || got.Log == "" {
		t.Errorf("a failed single one: %+v", got)
	}
}

// TestDecidedFaults: a block that was decided is executed whatever is in it, and alike everywhere: by who saw
// it first and by who replays it, with or without having met the transactions.
func TestDecidedFaults(t *testing.T) {
	good, other := transfer(0, 1), transfer(1, 1)
	txs := [][]byte{
		[]byte("garbage"),
		flipped(good, -1), // a bad signature on a good body
		good,
		frame(other, []byte("garbage"), flipped(transfer(2, 1), -1)),
		{0, 9, 9},        // a frame of an unknown version
		frame(other)[:9], // one that is cut off
		sign(txSpec{key: key(0), to: account(1), amount: 1, chain: "elsewhere"}),
		{},
	}
	want := []ledger.Code{
		ledger.CodeBadEncoding, ledger.CodeBadSignature, ledger.CodeOK, ledger.CodeOK, ledger.CodeBadFrame, ledger.CodeBadFrame,
		ledger.CodeWrongChain, ledger.CodeBadField,
	}
	var first Result
	for i := range 3 {
		r := newReplica(t)
		if i == 1 {
			r.submit(good, other)
		}
		result := r.finalize(r.blockOf(txs))
		if i == 2 {
			result = r.finalize(r.blockOf(txs)) // again, the first one given up
		}
		r.commit()
		if i == 0 {
			first = result
			for k, one := range result.TxResults {
				if ledger.Code(one.Code) != want[k] {
					t.Errorf("transaction %d: %s, want %s", k, ledger.Code(one.Code), want[k])
				}
			}
		}
		if fmt.Sprint(result) != fmt.Sprint(first) {
			t.Errorf("replica %d: %v, first %v", i, result, first)
		}
		for _, raw := range [][]byte{good, other} {
			if o := r.outcome(idOf(raw)); o.Status != StatusCommitted {
				t.Errorf("replica %d: a good one is %s", i, o.Status)
			}
		}
		// The one with the bad signature has decided nothing: its owner's may still come.
		if o := r.outcome(idOf(transfer(2, 1))); o.Status != StatusUnknown {
			t.Errorf("replica %d: the altered one is %s", i, o.Status)
		}
		r.submit(transfer(2, 1))
	}
}

// TestRefusedStaysPooled: a block that holds somebody's transaction under altered signatures does not take
// the transaction itself out of the pool.
func TestRefusedStaysPooled(t *testing.T) {
	r := newReplica(t)
	raw := transfer(0, 1)
	r.submit(raw)
	r.finalize(r.blockOf([][]byte{flipped(raw, -1)}))
	r.commit()
	if o := r.outcome(idOf(raw)); o.Status != StatusPending {
		t.Fatalf("it is %s", o.Status)
	}
	r.decide(r.prepare())
	if o := r.outcome(idOf(raw)); o.Status != StatusCommitted || o.Receipt.Height != 2 {
		t.Errorf("in the end: %+v", o)
	}
}

// TestReplayNeverExecutesTwice puts the same transactions into block after block.
func TestReplayNeverExecutesTwice(t *testing.T) {
	r := newReplica(t)
	raw := transfer(0, 1)
	lane := sign(txSpec{key: key(1), to: account(2), amount: 1, lane: &ledger.Lane{Id: 1, Seq: 1}})
	for h := range 5 {
		r.finalize(r.blockOf([][]byte{frame(raw, lane, raw), raw}))
		r.commit()
		view := r.app.View()
		for _, i := range []int{0, 1} {
			leaf, err := view.Get(ledger.KeyAccount(account(i)))
			if err != nil {
				t.Fatal(err)
			}
			a, err := ledger.DecodeAccount(leaf)
			if want := uint64(1 + i); err != nil || a.LogCount != want { // account 1 is paid as well
				t.Errorf("height %d: account %d was touched %d times, want %d (%v)", h+1, i, a.LogCount, want, err)
			}
		}
		view.Close()
	}
	for _, one := range [][]byte{raw, lane} {
		if o := r.outcome(idOf(one)); o.Status != StatusCommitted || o.Receipt.Height != 1 {
			t.Errorf("the first outcome does not stand: %+v", o)
		}
	}
}

// TestSeveralRounds: several proposals of one height are executed ahead, and the decided one is adopted,
// whichever it is; one that was never proposed here is executed as well.
func TestSeveralRounds(t *testing.T) {
	for decided := range 4 {
		r, plain := newReplica(t), newReplica(t, func(o *Options) { o.NoSpeculation = true })
		var blocks []Block
		for i := range 4 {
			blocks = append(blocks, r.blockOf([][]byte{frame(transfer(i, 1), transfer(i, 2))}))
		}
		for _, b := range blocks[:3] {
			if ok, reason := r.process(b); !ok {
				t.Fatal(reason)
			}
		}
		got, want := r.finalize(blocks[decided]), plain.finalize(blocks[decided])
		if got.Root != want.Root {
			t.Errorf("round %d decided: root %s, want %s", decided, got.Root, want.Root)
		}
		if ahead := r.app.staged.stats.Speculated; ahead != (decided < speculationsMax) {
			t.Errorf("round %d decided: executed ahead %t", decided, ahead)
		}
		r.commit()
		r.decide(nil)
	}
}

// TestAdoptComparesEverything: an execution is adopted only for the very block it was begun for.
func TestAdoptComparesEverything(t *testing.T) {
	fault := ledger.Misbehaviour{Validator: crypto.ValidatorIDOf(crypto.KeyEd25519, testDoc.Validators[0].Key.Bytes), Kind: "duplicate_vote", Height: 1}
	for name, change := range map[string]func(*Block){
		"time":         func(b *Block) { b.TimeMS++ },
		"misbehaviour": func(b *Block) { b.Misbehaviour = []ledger.Misbehaviour{fault} },
		"transactions": func(b *Block) { b.Txs = [][]byte{transfer(7, 7)} },
		"hash":         func(b *Block) { b.Hash = []byte("other") },
	} {
		r, plain := newReplica(t), newReplica(t)
		b := r.blockOf([][]byte{transfer(0, 1)})
		if ok, reason := r.process(b); !ok {
			t.Fatal(reason)
		}
		change(&b)
		got, want := r.finalize(b), plain.finalize(b)
		if r.app.staged.stats.Speculated {
			t.Errorf("%s: adopted", name)
		}
		if got.Root != want.Root {
			t.Errorf("%s: root %s, want %s", name, got.Root, want.Root)
		}
		r.commit()
	}
}

func TestFinalizeWrongHeight(t *testing.T) {
	r := newReplica(t)
	for _, h := range []uint64{0, 2, 7} {
		if _, err := r.app.Finalize(context.Background(), Block{Height: h, TimeMS: at(h)}); err == nil {
			t.Errorf("height %d on an empty ledger is executed", h)
		}
	}
	r.decide(nil)
	if _, err := r.app.Finalize(context.Background(), Block{Height: 1, TimeMS: at(1)}); err == nil {
		t.Error("height 1 is executed again")
	}
}

// TestValidatorsAreRefreshed: every thousandth block reports a validator that did not change.
func TestValidatorsAreRefreshed(t *testing.T) {
	r := newReplica(t)
	view := r.app.View()
	defer view.Close()
	for _, c := range []struct {
		height uint64
		want   int
	}{{999, 0}, {1000, 1}, {1001, 0}, {2000, 1}} {
		got, err := refreshed(view, c.height, nil)
		if err != nil || len(got) != c.want {
			t.Errorf("height %d: %d updates, %v", c.height, len(got), err)
		}
		if len(got) == 1 && got[0].Power != 10 {
			t.Errorf("height %d: power %d", c.height, got[0].Power)
		}
	}
	own := []ledger.ValidatorUpdate{{Power: 3}}
	if got, err := refreshed(view, 1000, own); err != nil || len(got) != 1 || got[0].Power != 3 {
		t.Errorf("a height with updates of its own: %v, %v", got, err)
	}
}

// TestMisbehaviour reaches the ledger.
func TestMisbehaviour(t *testing.T) {
	r := newReplica(t)
	id := crypto.ValidatorIDOf(crypto.KeyEd25519, testDoc.Validators[2].Key.Bytes)
	b := r.blockOf(nil)
	b.Misbehaviour = []ledger.Misbehaviour{{Validator: id, Kind: "duplicate_vote", Height: 1}}
	if ok, reason := r.process(b); !ok {
		t.Fatal(reason)
	}
	r.finalize(b)
	r.commit()
	q := r.app.Query("/validators/"+id.String(), nil, 0)
	v, err := ledger.DecodeValidator(q.Value)
	if err != nil || v.Faults != 1 || v.Power != 10 {
		t.Errorf("%+v, %v", v, err)
	}
}
