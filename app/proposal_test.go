package app

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/ledger"
)

// TestOthersAcceptWhatWePrepare: whatever the pool holds, a proposal is accepted by every other replica, by one
// that has seen nothing of it too.
func TestOthersAcceptWhatWePrepare(t *testing.T) {
	proposer, other := newReplica(t), newReplica(t)
	for h := range 6 {
		for i := range 30 {
			raw := transfer(i, h)
			switch i % 3 {
			case 0:
				proposer.submit(raw)
			case 1:
				proposer.app.CheckTx(raw)
			case 2:
				proposer.app.Insert(frame(raw, transfer(i, 1000+h)))
			}
			if i%5 == 0 {
				other.submit(raw)
			}
		}
		proposer.settled()
		b := proposer.blockOf(proposer.prepare())
		if n := len(inner(t, b.Txs)); n != 40 {
			t.Fatalf("height %d: %d transactions", h+1, n)
		}
		for name, r := range map[string]*replica{"proposer": proposer, "other": other} {
			if ok, reason := r.process(b); !ok {
				t.Fatalf("the %s refuses: %s", name, reason)
			}
		}
		one, two := proposer.finalize(b), other.finalize(b)
		if one.Root != two.Root {
			t.Fatalf("roots %s and %s", one.Root, two.Root)
		}
		proposer.commit()
		other.commit()
	}
	if s := other.app.PoolStats(); s.Txs != 0 {
		t.Errorf("the other one keeps what is in a block: %+v", s)
	}
}

// TestOwnProposal: it is accepted without looking into it. Bytes nobody could accept are put into its place
// to see that nobody looks.
func TestOwnProposal(t *testing.T) {
	r := newReplica(t)
	r.submit(transfer(0, 1))
	txs := r.prepare()
	b := r.blockOf(txs)
	b.Proposer = r.self
	if ok, reason := r.process(b); !ok {
		t.Fatal(reason)
	}
	garbage := [][]byte{[]byte("garbage")}
	r.app.prepared = &block{txs: garbage}
	own := r.blockOf(garbage)
	own.Proposer = r.self
	if ok, _ := r.process(own); !ok {
		t.Error("an own proposal is looked into")
	}
	foreign := r.blockOf(garbage)
	if ok, _ := r.process(foreign); ok {
		t.Error("a foreign proposal of the same bytes is not looked into")
	}
	changed := r.blockOf([][]byte{[]byte("other garbage")})
	changed.Proposer = r.self
	if ok, _ := r.process(changed); ok {
		t.Error("something else in our name is not looked into")
	}
}

func TestProcessRefuses(t *testing.T) {
	r := newReplica(t)
	good := transfer(0, 1)
	many := make([][]byte, ledger.FrameTxsMax+1)
	for i := range many {
		many[i] = transfer(0, i)
	}
	memo := func(n, bytes int) []byte { // a transaction of some size
		return sign(txSpec{key: key(0), to: account(1), amount: 1, nonce: uint64(n), memo: strings.Repeat("x", bytes)})
	}
	var fat [][]byte
	for n := range ledger.FrameTxsMax {
		fat = append(fat, memo(n, ledger.MemoBytesMax))
	}
	for len(frame(fat...)) <= ledger.FrameBytesMax {
		t.Skip("512 transactions with the longest memo fit into a frame")
	}
	for name, c := range map[string]struct {
		txs  [][]byte
		want string
	}{
		"garbage":                  {[][]byte{[]byte("garbage")}, "transaction 0"},
		"empty transaction":        {[][]byte{{}}, "transaction 0"},
		"trailing byte":            {[][]byte{append(append([]byte(nil), good...), 0)}, "transaction 0"},
		"bad signature":            {[][]byte{flipped(good, -1)}, "signature"},
		"bad signature in a frame": {[][]byte{frame(transfer(1, 1), flipped(good, -1))}, "signature"},
		"twice":                    {[][]byte{good, good}, "twice"},
		"twice over frames":        {[][]byte{frame(good, transfer(1, 1)), frame(good)}, "twice"},
		"single and in a frame":    {[][]byte{good, frame(good)}, "twice"},
		"frame cut off":            {[][]byte{frame(good)[:20]}, "frame 0"},
		"empty frame":              {[][]byte{frame()}, "frame 0"},
		"unknown frame version":    {[][]byte{{0, 2, 1, 1}}, "frame 0"},
		"too many in a frame":      {[][]byte{frame(many...)}, "frame 0"},
		"frame too large":          {[][]byte{frame(fat...)}, "frame 0"},
		"frame in a frame":         {[][]byte{frame(frame(good))}, "transaction 0"},
		"other chain":              {[][]byte{sign(txSpec{key: key(0), to: account(1), amount: 1, chain: "elsewhere"})}, "chain"},
		"expired":                  {[][]byte{sign(txSpec{key: key(0), to: account(1), amount: 1, until: at(1)})}, "valid until"},
	} {
		ok, reason := r.process(r.blockOf(c.txs))
		if ok || !strings.Contains(reason, c.want) {
			t.Errorf("%s: %t, %q, want %q", name, ok, reason, c.want)
		}
	}
	full := frame(many[:ledger.FrameTxsMax]...)
	if ok, reason := r.process(r.blockOf([][]byte{full})); !ok {
		t.Errorf("a frame of %d transactions: %s", ledger.FrameTxsMax, reason)
	}
}

// TestProcessAcceptsWhatDependsOnState: replays, poverty, gaps in lanes are for receipts.
func TestProcessAcceptsWhatDependsOnState(t *testing.T) {
	r := newReplica(t)
	replay := transfer(0, 1)
	r.decide([][]byte{replay})
	for name, raw := range map[string][]byte{
		"replay":    replay,
		"poor":      sign(txSpec{key: key(0), to: account(1), amount: 1 << 50, nonce: 2}),
		"gap":       sign(txSpec{key: key(0), to: account(1), amount: 1, lane: &ledger.Lane{Id: 1, Seq: 7}}),
		"far ahead": sign(txSpec{key: key(0), to: account(1), amount: 1, nonce: 3, until: testBegin + 10_000_000}),
	} {
		if ok, reason := r.process(r.blockOf([][]byte{raw})); !ok {
			t.Errorf("%s: %s", name, reason)
		}
	}
}

// TestVerifiedOnce counts signature checks over a transaction's whole life.
func TestVerifiedOnce(t *testing.T) {
	count := &counter{}
	r := newReplica(t, func(o *Options) { o.Observer = count })
	local, gossiped, unseen := transfer(0, 1), transfer(1, 1), transfer(2, 1)
	r.submit(local)
	r.app.Insert(frame(gossiped, local))
	r.settled()
	if n := count.signatures.Load(); n != 2 {
		t.Fatalf("%d checks before the block", n)
	}
	b := r.blockOf([][]byte{frame(unseen, gossiped), local})
	for range 3 { // the same block in several rounds
		if ok, reason := r.process(b); !ok {
			t.Fatal(reason)
		}
	}
	r.finalize(b)
	r.commit()
	if n := count.signatures.Load(); n != 3 {
		t.Errorf("%d checks after the block, want one for each transaction", n)
	}
}

// TestPrepareBytes: a proposal never has more bytes than the engine allows, as the engine counts them.
func TestPrepareBytes(t *testing.T) {
	r := newReplica(t)
	for i := range 40 {
		if i%4 == 0 {
			r.app.CheckTx(transfer(i, 1))
		} else {
			r.submit(transfer(i, 1))
		}
	}
	r.settled()
	most := 0
	for _, limit := range []int64{0, 1, 100, 250, 260, 1000, 4000, 9000, 1 << 20} {
		txs, err := r.app.Prepare(context.Background(), Proposal{Height: 1, TimeMS: at(1), MaxBytes: limit})
		if err != nil {
			t.Fatal(err)
		}
		total := int64(0)
		for _, tx := range txs {
			total += 1 + int64(uvarintLen(len(tx))) + int64(len(tx))
		}
		if total > limit {
			t.Errorf("%d bytes of at most %d", total, limit)
		}
		n := len(inner(t, txs))
		if n < most {
			t.Errorf("%d bytes allowed hold %d transactions, fewer than %d", limit, n, most)
		}
		most = n
	}
	if most != 40 {
		t.Errorf("%d transactions with room for all", most)
	}
}

func uvarintLen(n int) (size int) {
	for size = 1; n >= 0x80; size++ {
		n >>= 7
	}
	return size
}

// TestPrepareWaits: an empty pool is waited for, and the first transaction ends the wait.
func TestPrepareWaits(t *testing.T) {
	r := newReplica(t, func(o *Options) { o.Idle = time.Hour })
	made := make(chan int, 1)
	go func() {
		txs, err := r.app.Prepare(context.Background(), Proposal{Height: 1, TimeMS: at(1), MaxBytes: 1 << 20})
		if err != nil {
			t.Error(err)
		}
		made <- len(txs)
	}()
	select {
	case n := <-made:
		t.Fatalf("an empty pool gave a proposal of %d at once", n)
	case <-time.After(20 * time.Millisecond):
	}
	r.submit(transfer(0, 1))
	if n := <-made; n != 1 {
		t.Errorf("%d transactions", n)
	}
	// With something in the pool there is no wait, and with an ended context there is none either.
	if txs := r.prepare(); len(txs) != 1 {
		t.Errorf("%d transactions", len(txs))
	}
	r.decide(r.prepare())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if txs, err := r.app.Prepare(ctx, Proposal{Height: 2, TimeMS: at(2), MaxBytes: 1 << 20}); err != nil || len(txs) != 0 {
		t.Errorf("with an ended context: %d, %v", len(txs), err)
	}
}

// TestPrepareIdleEnds: nothing comes, and an empty proposal goes out.
func TestPrepareIdleEnds(t *testing.T) {
	r := newReplica(t, func(o *Options) { o.Idle = time.Millisecond })
	if txs := r.prepare(); len(txs) != 0 {
		t.Errorf("%d transactions", len(txs))
	}
}

// TestIdleCountsFromTheLastCommit: time that has passed since then is not waited for again.
func TestIdleCountsFromTheLastCommit(t *testing.T) {
	now := time.UnixMilli(testBegin)
	r := newReplica(t, func(o *Options) { o.Idle, o.Now = time.Hour, func() time.Time { return now } })
	if got := r.app.idleLeft(); got != time.Hour {
		t.Errorf("before the first commit: %s", got)
	}
	r.decide(nil)
	for passed, want := range map[time.Duration]time.Duration{0: time.Hour, time.Minute: 59 * time.Minute, 2 * time.Hour: 0, -time.Hour: time.Hour} {
		now = time.UnixMilli(testBegin).Add(passed)
		if got := r.app.idleLeft(); got != want {
			t.Errorf("%s after the commit: %s, want %s", passed, got, want)
		}
	}
}

// TestLanes: sequence numbers are proposed in order, whatever order they come in and whichever way.
func TestLanes(t *testing.T) {
	r := newReplica(t)
	lane := func(seq uint64) []byte {
		return sign(txSpec{key: key(0), to: account(1), amount: 1, lane: &ledger.Lane{Id: 9, Seq: seq}})
	}
	r.submit(lane(3))
	r.app.CheckTx(lane(2))
	r.settled()
	if txs := r.prepare(); len(txs) != 0 {
		t.Fatalf("%d transactions proposed before their turn", len(txs))
	}
	r.submit(transfer(5, 1))
	r.app.Insert(frame(lane(1)))
	r.submit(lane(4))
	r.submit(lane(6))
	r.settled()
	txs := r.prepare()
	var seqs []uint64
	for _, raw := range inner(t, txs) {
		if l := mustDecode(raw).Body.Lane; l != nil {
			seqs = append(seqs, l.Seq)
		}
	}
	if !equal(seqs, []uint64{1, 2, 3, 4}) {
		t.Fatalf("proposed in the order %v", seqs)
	}
	r.decide(txs)
	for seq := uint64(1); seq <= 4; seq++ {
		if o := r.outcome(idOf(lane(seq))); o.Status != StatusCommitted {
			t.Errorf("number %d: %+v", seq, o)
		}
	}
	if s := r.app.PoolStats(); s.Txs != 1 {
		t.Errorf("%+v left, want number 6 alone", s)
	}
}

// TestLanePlaceTaken: of two transactions with one number, the other one is over as soon as one is decided.
func TestLanePlaceTaken(t *testing.T) {
	r := newReplica(t)
	spec := txSpec{key: key(0), to: account(1), amount: 1, lane: &ledger.Lane{Id: 9, Seq: 1}}
	one := sign(spec)
	spec.amount = 2
	two := sign(spec)
	r.submit(one, two)
	txs := r.prepare()
	if n := len(inner(t, txs)); n != 1 {
		t.Fatalf("%d proposed", n)
	}
	r.decide(txs)
	r.prepare()
	if o := r.outcome(idOf(two)); o.Status != StatusNeverWill {
		t.Errorf("the other one: %s", o.Status)
	}
	if s := r.app.PoolStats(); s.Txs != 0 {
		t.Errorf("left: %+v", s)
	}
}

// TestGapsDoNotStarve: transactions whose turn does not come take no place from others.
func TestGapsDoNotStarve(t *testing.T) {
	r := newReplica(t)
	for seq := uint64(2); seq < 30; seq++ {
		r.submit(sign(txSpec{key: key(0), to: account(1), amount: 1, lane: &ledger.Lane{Id: 1, Seq: seq}}))
	}
	r.app.pace.perTx = blockTime // one transaction fills a block's time, so blockTxsMin is the bound
	r.submit(transfer(3, 1))
	if n := len(inner(t, r.prepare())); n != 1 {
		t.Errorf("%d proposed", n)
	}
}

// TestPrepareCount: a block holds no more than can be executed in its time.
func TestPrepareCount(t *testing.T) {
	r := newReplica(t)
	var raws [][]byte
	for i := range blockTxsMin + 1 {
		raws = append(raws, transfer(i%testBench, i))
	}
	r.submit(raws...)
	r.app.pace.perTx = time.Hour
	if n := len(inner(t, r.prepare())); n != blockTxsMin {
		t.Errorf("%d transactions, want %d", n, blockTxsMin)
	}
}

// TestFrameTxs: frames hold no more than they are told to, in gossip and in blocks, and with 1 there are none.
func TestFrameTxs(t *testing.T) {
	for frameTxs, want := range map[int]int{0: 1, 1: 9, 4: 3, ledger.FrameTxsMax + 1: 1} {
		r := newReplica(t, func(o *Options) { o.FrameTxs = frameTxs })
		var raws [][]byte
		for i := range 9 {
			raws = append(raws, transfer(i, 1))
		}
		r.submit(raws...)
		for what, txs := range map[string][][]byte{"gossip": r.app.Reap(0), "block": r.prepare()} {
			if len(txs) != want || len(inner(t, txs)) != 9 || ledger.IsFrame(txs[0]) != (frameTxs != 1) {
				t.Errorf("frames of %d in %s: %d carry %d transactions", frameTxs, what, len(txs), len(inner(t, txs)))
			}
		}
		r.decide(r.prepare())
		if o := r.outcome(idOf(raws[8])); o.Status != StatusCommitted {
			t.Errorf("frames of %d: %s", frameTxs, o.Status)
		}
	}
}
