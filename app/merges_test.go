package app

import (
	"encoding/binary"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/ledger"
)

// merging is the n-th transaction of an account that adds to its counters.
func merging(from, n int, until uint64, paths ...string) []byte {
	actor := account(from)
	body := ledger.Body{
		Version: 1, ChainId: testChain, Actor: actor[:], ValidUntilMs: until,
		Nonce: binary.BigEndian.AppendUint64(make([]byte, 8), uint64(1000+n)),
	}
	for _, path := range paths {
		body.Ops = append(body.Ops, ledger.Op{Kind: &ledger.Op_Add{Add: &ledger.Add{Path: path, Delta: 1 << n}}})
	}
	return signBody(body, key(from))
}

const longTime = testBegin + 300_000

// sumOf is a counter with what is pending.
func (r *replica) sumOf(from int, path string) (sum string, joined int) {
	r.t.Helper()
	name := ledger.EntryName{Namespace: account(from), Path: path}
	view, txs, all := r.app.Pending(name)
	defer view.Close()
	if !all {
		r.t.Error("the index is said to be full")
	}
	e, err := ledger.JoinPending(view, name, view.Height(), view.TimeMS(), txs)
	if err != nil {
		r.t.Fatal(err)
	}
	return e.Entry.Sum.String(), len(e.Joined)
}

// TestPendingJoins: what clients and peers sent is joined, and counts once when it is in a block.
func TestPendingJoins(t *testing.T) {
	r := newReplica(t)
	r.submit(merging(0, 0, longTime, "n", "other"), merging(1, 3, longTime, "n"), transfer(0, 1))
	if code := r.app.Insert(frame(merging(0, 1, longTime, "n", "n"))); code != ledger.CodeOK {
		t.Fatal(code)
	}
	r.settled()
	if sum, joined := r.sumOf(0, "n"); sum != "5" || joined != 2 {
		t.Errorf("%s of %d transactions", sum, joined)
	}
	b := r.blockOf([][]byte{merging(0, 0, longTime, "n", "other")})
	r.process(b)
	r.finalize(b)
	if sum, joined := r.sumOf(0, "n"); sum != "5" || joined != 2 {
		t.Errorf("between two commits: %s of %d transactions", sum, joined)
	}
	r.commit()
	if sum, joined := r.sumOf(0, "n"); sum != "5" || joined != 1 {
		t.Errorf("after one of them is committed: %s of %d transactions", sum, joined)
	}
	if sum, joined := r.sumOf(0, "other"); sum != "1" || joined != 0 {
		t.Errorf("the other: %s of %d transactions", sum, joined)
	}
	r.decide(r.prepare())
	if sum, joined := r.sumOf(0, "n"); sum != "5" || joined != 0 {
		t.Errorf("at last: %s of %d transactions", sum, joined)
	}
	counted(t, r.app.pool)
	if x := &r.app.pool.merges; len(x.byEntry) != 0 || x.bytes != 0 {
		t.Errorf("the index keeps %d entries and %d bytes", len(x.byEntry), x.bytes)
	}
}

// TestPendingSeesEveryBlockWhole: a transaction counts once if its block is committed while somebody looks, and if
// somebody looks while it has left for the state and not yet the pool. The clock is asked in both moments.
func TestPendingSeesEveryBlockWhole(t *testing.T) {
	var meanwhile func()
	r := newReplica(t, func(o *Options) {
		o.Now = func() time.Time {
			if do := meanwhile; do != nil {
				meanwhile = nil
				do()
			}
			return time.UnixMilli(testBegin)
		}
	})
	one := merging(0, 0, longTime, "n")
	r.submit(one)
	r.settled()
	b := r.blockOf([][]byte{one})
	r.finalize(b)
	meanwhile = r.commit
	if sum, _ := r.sumOf(0, "n"); sum != "1" || r.height() != 1 {
		t.Errorf("committed while somebody looks: %s", sum)
	}
	two := merging(0, 1, longTime, "n")
	r.submit(two)
	r.settled()
	r.finalize(r.blockOf([][]byte{two}))
	looked := false
	meanwhile = func() {
		looked = true
		if sum, joined := r.sumOf(0, "n"); sum != "3" {
			t.Errorf("looked at while it is committed: %s, of %d", sum, joined)
		}
	}
	// Commit asks for the time first, and again when the state is durable.
	first := meanwhile
	meanwhile = func() { meanwhile = first }
	if r.commit(); !looked || r.height() != 2 {
		t.Error("nobody looked")
	}
}

// TestPendingExpires: where block time stands still, a validity ends by the node's own clock.
func TestPendingExpires(t *testing.T) {
	var now atomic.Int64
	now.Store(testBegin)
	r := newReplica(t, func(o *Options) { o.Now = func() time.Time { return time.UnixMilli(now.Load()) } })
	r.submit(merging(0, 0, testBegin+10_000, "n"), merging(0, 1, longTime, "n"))
	for _, c := range []struct {
		nowMS int64
		want  string
	}{{testBegin + 9_999, "3"}, {testBegin + 10_000, "2"}} {
		now.Store(c.nowMS)
		if sum, _ := r.sumOf(0, "n"); sum != c.want {
			t.Errorf("%d ms after the beginning: %s, want %s", c.nowMS-testBegin, sum, c.want)
		}
	}
	counted(t, r.app.pool)
}

// TestMergeIndexBounds: what is beyond the bound waits for its block all the same, and looks say that they are not
// complete until it is gone.
func TestMergeIndexBounds(t *testing.T) {
	first, second := merging(0, 0, longTime, "n"), merging(0, 1, longTime, "n")
	one := mergeBytes(mustDecode(first).Merges())
	name := ledger.EntryName{Namespace: account(0), Path: "n"}
	for room, whole := range map[int]bool{2 * one: true, 2*one - 1: false} {
		p := newPool(PoolOptions{})
		p.merges = newMergeIndex(room)
		var batch []*candidate
		for _, raw := range [][]byte{first, second} {
			tx := mustDecode(raw)
			batch = append(batch, &candidate{key: hash(raw), tx: tx, merges: tx.Merges()})
		}
		if p.add(batch, 0); len(p.byID) != 2 {
			t.Fatal("not pooled")
		}
		if txs, all := p.pending(name, testBegin); all != whole || whole != (len(txs) == 2) {
			t.Errorf("with room for %d bytes, %d transactions, all: %v", room, len(txs), all)
		}
		p.drop([]ledger.TxID{batch[1].tx.ID})
		if txs, all := p.pending(name, testBegin); !all || len(txs) != 1 {
			t.Errorf("when one is gone, %d transactions, all: %v", len(txs), all)
		}
		if p.drop([]ledger.TxID{batch[0].tx.ID}); p.merges.bytes != 0 || len(p.merges.byEntry) != 0 {
			t.Errorf("%d bytes are left", p.merges.bytes)
		}
	}
}

// TestGossipWithoutBlocks: where no blocks come, local transactions are offered again after some time, and those of
// peers are passed on, so that a node that comes late has all that the others of its side have.
func TestGossipWithoutBlocks(t *testing.T) {
	var now atomic.Int64
	clock := func(o *Options) { o.Now = func() time.Time { return time.UnixMilli(now.Load()) } }
	now.Store(testBegin)
	first, second, late := newReplica(t, clock), newReplica(t, clock), newReplica(t, clock)
	first.submit(merging(0, 0, longTime, "n"))
	second.submit(merging(0, 1, longTime, "n"))
	exchange := func(from, to *replica) (n int) {
		txs := from.app.Reap(0)
		for _, tx := range txs {
			if code := to.app.Insert(tx); code != ledger.CodeOK {
				t.Fatal(code)
			}
		}
		to.settled()
		return len(txs)
	}
	exchange(first, second)
	exchange(second, first)
	for _, r := range []*replica{first, second} {
		if sum, joined := r.sumOf(0, "n"); sum != "3" || joined != 2 {
			t.Errorf("%s of %d transactions", sum, joined)
		}
	}
	now.Add(reofferStill.Milliseconds() - 1)
	if n := exchange(second, late); n != 0 {
		t.Fatalf("%d offered before it is time", n)
	}
	now.Add(1)
	exchange(second, late)
	if sum, _ := late.sumOf(0, "n"); sum != "2" {
		t.Errorf("the late one has %s, not what its peer took in", sum)
	}
	now.Add((relayStill - reofferStill).Milliseconds())
	exchange(second, late)
	if sum, _ := late.sumOf(0, "n"); sum != "3" {
		t.Errorf("the late one has %s, not all that its peer has", sum)
	}
	if n := exchange(second, late); n != 0 {
		t.Errorf("%d offered again at once", n)
	}
	// A block ends the standstill: nothing of peers is passed on any more.
	second.decide(nil)
	second.app.Reap(0)
	now.Add(relayStill.Milliseconds())
	second.decide(nil)
	if n := len(second.app.Reap(0)); n != 0 {
		t.Errorf("%d offered though blocks come", n)
	}
	counted(t, second.app.pool)
}

// inLane is a merging transaction on a place of a lane.
func inLane(from int, seq uint64, delta int64) []byte {
	actor := account(from)
	return signBody(ledger.Body{
		Version: 1, ChainId: testChain, Actor: actor[:], Lane: &ledger.Lane{Id: 1, Seq: seq},
		Ops: []ledger.Op{{Kind: &ledger.Op_Add{Add: &ledger.Add{Path: "n", Delta: delta}}}},
	}, key(from))
}

// TestWitness: a node that has two words of one author in one place keeps both, whether they wait side by side or one
// of them is decided, and what it keeps bars the author.
func TestWitness(t *testing.T) {
	for name, meet := range map[string]func(r *replica, a, b []byte){
		"both wait":                    func(r *replica, a, b []byte) { r.submit(a); r.submit(b) },
		"one waits, one is in a block": func(r *replica, a, b []byte) { r.submit(a); r.decide([][]byte{frame(b)}) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplica(t)
			a, b := inLane(0, 1, 1), inLane(0, 1, 2)
			r.submit(merging(0, 5, longTime, "n"), inLane(1, 1, 1), inLane(0, 2, 1), transfer(3, 1))
			if n := len(r.app.Equivocations()); n != 0 {
				t.Fatalf("%d contradictions of honest authors", n)
			}
			meet(r, a, b)
			seen := r.app.Equivocations()
			if len(seen) != 1 || seen[0].A.Actor() != account(0) {
				t.Fatalf("%+v", seen)
			}
			op, fits := ledger.EvidenceFor(seen[0].A, seen[0].B)
			actor := account(2)
			proof := signBody(ledger.Body{
				Version: 1, ChainId: testChain, Actor: actor[:], Nonce: make([]byte, ledger.NonceLen), ValidUntilMs: longTime, Ops: []ledger.Op{op},
			}, key(2))
			if !fits {
				t.Fatal("it does not fit")
			}
			r.submit(proof)
			r.decide([][]byte{proof})
			view := r.app.View()
			defer view.Close()
			leaf, err := view.Get(ledger.KeyAccount(account(0)))
			if err != nil {
				t.Fatal(err)
			}
			if of, err := ledger.DecodeAccount(leaf); err != nil || !of.Equivocation.Barred || of.Equivocation.Count != 1 {
				t.Errorf("%+v, %v", of.Equivocation, err)
			}
			if sum, joined := r.sumOf(0, "n"); joined != 0 {
				t.Errorf("what is pending of a barred author is joined: %s of %d", sum, joined)
			}
			forged := flipped(proof, 20+len(op.GetProveEquivocation().TxA)) // somewhere in the evidence
			if out := r.app.Submit(t.Context(), [][]byte{forged}); out[0].Code == ledger.CodeOK {
				t.Error("a proof that was altered is taken in")
			}
			counted(t, r.app.pool)
		})
	}
}

// TestWitnessBounds: of so many authors the contradictions are kept, one of each, and of more the newest.
func TestWitnessBounds(t *testing.T) {
	w := witness{places: map[place]*entry{}}
	tx := func(author uint16, delta int64) *ledger.Transaction {
		t := mustDecode(inLane(0, 1, delta))
		t.Body.Actor = append([]byte{byte(author >> 8), byte(author)}, make([]byte, 30)...)
		return t
	}
	for author := range uint16(equivocationsMax) {
		w.compare(tx(author, 1), tx(author, 2))
	}
	w.compare(tx(0, 1), tx(0, 3))
	if len(w.seen) != equivocationsMax || w.seen[0].B.Body.Ops[0].GetAdd().Delta != 3 {
		t.Fatalf("%d kept", len(w.seen))
	}
	w.compare(tx(equivocationsMax, 1), tx(equivocationsMax, 2))
	if len(w.seen) != equivocationsMax || w.seen[0].A.Actor()[1] != 1 {
		t.Errorf("%d kept, the oldest of %x", len(w.seen), w.seen[0].A.Actor())
	}
}
