package app

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/ledger"
)

// counter is an observer that counts.
type counter struct {
	signatures, bad, refused, blocks atomic.Int64
	hold                             chan struct{} // a worker that reports its first batch waits for this
	held                             chan struct{} // closed when it does
	stuck                            atomic.Bool
}

func (c *counter) Verified(signatures, bad int, _ time.Duration) {
	c.signatures.Add(int64(signatures))
	c.bad.Add(int64(bad))
	if c.hold != nil && c.stuck.CompareAndSwap(false, true) {
		close(c.held)
		<-c.hold
	}
}
func (c *counter) Refused(_ ledger.Code, n int) { c.refused.Add(int64(n)) }
func (c *counter) Proposed(uint64, int, int)    {}
func (c *counter) Committed(BlockStats)         { c.blocks.Add(1) }

func TestSubmitVerdicts(t *testing.T) {
	r := newReplica(t)
	good, pooled, old := transfer(0, 1), transfer(1, 1), transfer(2, 1)
	r.decide([][]byte{old})
	r.submit(pooled)
	lane := func(seq uint64) []byte {
		return sign(txSpec{key: key(0), to: account(1), amount: 1, lane: &ledger.Lane{Id: 1, Seq: seq}})
	}
	foreign := sign(txSpec{key: key(0), to: account(1), amount: 1, nonce: 9})
	body := mustDecode(foreign).Body
	unauthorised := signBody(body, key(5))
	cases := []struct {
		name  string
		raw   []byte
		code  ledger.Code
		known bool
	}{
		{"good", good, ledger.CodeOK, false},
		{"the same again in one batch", good, ledger.CodeOK, true},
		{"waiting already", pooled, ledger.CodeOK, true},
		{"in a block already", old, ledger.CodeDuplicate, true},
		{"garbage", []byte("garbage"), ledger.CodeBadEncoding, false},
		{"empty", nil, ledger.CodeBadField, false},
		{"a frame", frame(transfer(3, 1)), ledger.CodeBadEncoding, false},
		{"largest", make([]byte, ledger.TxBytesMax), ledger.CodeBadEncoding, false},
		{"too large", make([]byte, ledger.TxBytesMax+1), ledger.CodeTooLarge, false},
		{"bad signature", flipped(transfer(4, 1), -1), ledger.CodeBadSignature, false},
		{"not authorised", unauthorised, ledger.CodeNotAuthorised, false},
		{"other chain", sign(txSpec{key: key(0), to: account(1), amount: 1, chain: "elsewhere"}), ledger.CodeWrongChain, false},
		{"expired", sign(txSpec{key: key(0), to: account(1), amount: 1, until: at(1)}), ledger.CodeExpired, false},
		{"too far ahead", sign(txSpec{key: key(0), to: account(1), amount: 1, until: at(1) + 600_001}), ledger.CodeTooFarAhead, false},
		{"a gap before it", lane(2), ledger.CodeOK, false},
	}
	var raws [][]byte
	for _, c := range cases {
		raws = append(raws, c.raw)
	}
	out := r.app.Submit(context.Background(), raws)
	for i, c := range cases {
		if out[i].Code != c.code || out[i].Known != c.known {
			t.Errorf("%s: %s %q known=%t, want %s known=%t", c.name, out[i].Code, out[i].Detail, out[i].Known, c.code, c.known)
		}
	}
	counted(t, r.app.pool)
	if n := len(r.app.pool.byKey); n != 3 {
		t.Errorf("%d are pooled, want 3", n)
	}
}

// TestAltered: another signature on the same body takes nobody's place, whichever comes first.
func TestAltered(t *testing.T) {
	r := newReplica(t)
	raw := transfer(0, 1)
	altered := flipped(raw, -1)
	r.app.Submit(context.Background(), [][]byte{altered})
	if a := r.app.Submit(context.Background(), [][]byte{altered, raw, altered})[1]; a.Code != ledger.CodeOK {
		t.Errorf("the owner's is refused: %s", a.Code)
	}
	r.decide(r.prepare())
	if o := r.outcome(idOf(raw)); o.Status != StatusCommitted {
		t.Errorf("outcome %s", o.Status)
	}
}

// TestSubmitGivesUp: a caller whose context ends is told so, and its transactions go on without it.
func TestSubmitGivesUp(t *testing.T) {
	hold := &counter{hold: make(chan struct{}), held: make(chan struct{})}
	r := newReplica(t, func(o *Options) { o.Observer = hold })
	ctx, cancel := context.WithCancel(context.Background())
	raw := transfer(0, 1)
	done := make(chan Admission)
	go func() { done <- r.app.Submit(ctx, [][]byte{raw})[0] }()
	<-hold.held
	cancel()
	if got := <-done; got.Code != ledger.CodeTimeout || got.ID != idOf(raw) {
		t.Errorf("told %+v", got)
	}
	close(hold.hold)
	r.settled()
	if o := r.outcome(idOf(raw)); o.Status != StatusPending {
		t.Errorf("its transaction is %s", o.Status)
	}
}

// TestConsensusDoesNotQueue: with the worker stuck and its lanes full, blocks are proposed, judged, executed
// and committed all the same.
func TestConsensusDoesNotQueue(t *testing.T) {
	hold := &counter{hold: make(chan struct{}), held: make(chan struct{})}
	r := newReplica(t, func(o *Options) {
		o.Observer = hold
		o.Pool = PoolOptions{TxsMax: 200, LocalTxsMax: 160}
	})
	pooled(t, r.app.pool, true, transfer(0, 1))
	r.app.Insert(transfer(1, 1))
	<-hold.held
	full := 0
	for n := range 500 {
		if r.app.Insert(transfer(2, n)) == ledger.CodePoolFull {
			full++
		}
		r.app.CheckTx(transfer(3, n))
	}
	if full == 0 {
		t.Error("the lanes are not full")
	}
	r.decide(r.prepare())
	r.decide([][]byte{frame(transfer(2, 1), transfer(4, 1))}) // one that is stuck in a lane, one that is new
	if o := r.outcome(idOf(transfer(2, 1))); o.Status != StatusCommitted {
		t.Errorf("outcome %s", o.Status)
	}
	close(hold.hold)
	r.settled()
	for i := range 2 { // the second was in a block meanwhile
		if pooled := r.app.pool.has(idOf(transfer(2, i))); pooled != (i == 0) {
			t.Errorf("transaction %d: pooled %t", i, pooled)
		}
	}
	if s := r.app.PoolStats(); s.Queued != 0 {
		t.Errorf("room is still claimed: %+v", s)
	}
	counted(t, r.app.pool)
}

// TestCommittedWhileVerified: a block commits what a worker has in its hands; it must not be pooled after that.
func TestCommittedWhileVerified(t *testing.T) {
	hold := &counter{hold: make(chan struct{}), held: make(chan struct{})}
	r := newReplica(t, func(o *Options) { o.Observer = hold })
	raw, other := transfer(0, 1), transfer(1, 1)
	done := make(chan []Admission)
	go func() { done <- r.app.Submit(context.Background(), [][]byte{raw, other}) }()
	<-hold.held
	r.decide([][]byte{raw})
	close(hold.hold)
	out := <-done
	if out[0].Code != ledger.CodeDuplicate || !out[0].Known {
		t.Errorf("the committed one: %+v", out[0])
	}
	if out[1].Code != ledger.CodeOK {
		t.Errorf("the other one: %+v", out[1])
	}
	if n := len(inner(t, r.prepare())); n != 1 {
		t.Errorf("%d proposed", n)
	}
}

// TestSuspects: a named client that sent a bad signature is verified apart, for a while, and so are not others.
func TestSuspects(t *testing.T) {
	now := time.UnixMilli(testBegin)
	r := newReplica(t, func(o *Options) { o.Now = func() time.Time { return now } })
	mallory := WithClient(context.Background(), "mallory")
	bob := WithClient(context.Background(), "bob")
	r.app.Submit(bob, [][]byte{transfer(0, 1)})
	r.app.Submit(mallory, [][]byte{flipped(transfer(1, 1), -1)})
	if !r.app.suspects.has("mallory", now) || r.app.suspects.has("bob", now) {
		t.Error("the wrong one is suspected")
	}
	if out := r.app.Submit(mallory, [][]byte{transfer(2, 1)})[0]; out.Code != ledger.CodeOK {
		t.Errorf("a suspect's good transaction: %s", out.Code)
	}
	if r.app.suspects.has("mallory", now.Add(clientSuspectFor)) {
		t.Error("never forgiven")
	}
	r.app.Submit(context.Background(), [][]byte{flipped(transfer(1, 1), -1)})
	if r.app.suspects.has("", now) {
		t.Error("the nameless are suspected together")
	}
}

func TestSuspectsAreBounded(t *testing.T) {
	s := suspects{until: map[string]time.Time{}}
	now := time.UnixMilli(testBegin)
	for i := range clientsMax + 1 {
		s.add(fmt.Sprint(i), now)
	}
	if len(s.until) != clientsMax {
		t.Errorf("%d remembered", len(s.until))
	}
	s.add("late", now.Add(clientSuspectFor))
	if !s.has("late", now.Add(clientSuspectFor)) || len(s.until) != 1 {
		t.Errorf("%d remembered after their time", len(s.until))
	}
}

// TestLaneShrinks: under attack a lane is verified in small batches, and in large ones again afterwards.
func TestLaneShrinks(t *testing.T) {
	r := newReplica(t, func(o *Options) { o.Verify.BatchTxs = 64 })
	size := func() int {
		v := r.app.verification
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.lanes[lanePeer].batchTxs
	}
	send := func(raw []byte) {
		r.app.Insert(raw)
		r.settled()
	}
	for n := range 8 {
		send(frame(flipped(transfer(n, 1), -1), transfer(n, 2)))
	}
	r.app.Close() // the last batch is accounted for
	if size() != 1 {
		t.Errorf("batches of %d after an attack", size())
	}
	if n := len(r.app.pool.byKey); n != 8 {
		t.Errorf("%d of the good ones in bad frames are pooled, want 8", n)
	}
}

// TestEngineLaneIsShort: what comes by the engine's RPC cannot use up the room of what comes in batches.
func TestEngineLaneIsShort(t *testing.T) {
	hold := &counter{hold: make(chan struct{}), held: make(chan struct{})}
	r := newReplica(t, func(o *Options) {
		o.Observer = hold
		o.Pool = PoolOptions{TxsMax: 100, LocalTxsMax: 80}
	})
	r.app.Insert(transfer(0, 1))
	<-hold.held
	taken := 0
	for n := range 50 {
		if r.app.CheckTx(transfer(1, n)).Code == ledger.CodeOK {
			taken++
		}
	}
	if taken != 40 {
		t.Errorf("%d taken, want half of 80", taken)
	}
	done := make(chan []Admission)
	go func() { done <- r.app.Submit(context.Background(), [][]byte{transfer(2, 1)}) }()
	close(hold.hold)
	if out := <-done; out[0].Code != ledger.CodeOK {
		t.Errorf("a client with a batch: %s", out[0].Code)
	}
	r.settled()
}

// TestFromAllSides offers the same transactions from everywhere at once while blocks are made: each is
// executed exactly once.
func TestFromAllSides(t *testing.T) {
	r := newReplica(t, func(o *Options) { o.Verify.Workers = 3 })
	const n = 400
	raws := make([][]byte, n)
	for i := range raws {
		raws[i] = transfer(i%testBench, i)
	}
	var senders sync.WaitGroup
	for side := range 4 {
		senders.Go(func() {
			for from := 0; from < n; from += 20 {
				batch := raws[from : from+20]
				switch side {
				case 0:
					r.app.Submit(context.Background(), batch)
				case 1:
					r.app.Insert(frame(batch...))
				case 2:
					for _, raw := range batch {
						r.app.CheckTx(raw)
					}
				case 3:
					r.app.Submit(context.Background(), [][]byte{batch[3], flipped(batch[4], -1), batch[5]})
					r.app.Reap(5000)
					r.app.PoolStats()
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { senders.Wait(); close(done) }()
	for open := true; open; {
		select {
		case <-done:
			open = false
		default:
		}
		if txs := r.prepare(); len(txs) > 0 { // each block takes a second of the transactions' validity
			r.decide(txs)
		}
	}
	r.settled()
	for len(r.app.pool.byKey) > 0 {
		r.decide(r.prepare())
	}
	executed := map[ledger.TxID]int{}
	for _, raw := range raws {
		o := r.outcome(idOf(raw))
		if o.Status != StatusCommitted {
			t.Fatalf("a transaction is %s", o.Status)
		}
		executed[idOf(raw)]++
	}
	view := r.app.View()
	defer view.Close()
	var logs uint64
	for i := range testBench {
		leaf, err := view.Get(ledger.KeyAccount(account(i)))
		if err != nil {
			t.Fatal(err)
		}
		a, err := ledger.DecodeAccount(leaf)
		if err != nil {
			t.Fatal(err)
		}
		logs += a.LogCount
	}
	if logs != 2*n { // each touches its payer and its payee
		t.Errorf("%d log entries, want %d: something was executed twice or not at all", logs, 2*n)
	}
	counted(t, r.app.pool)
}
