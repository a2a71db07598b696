package app

import (
	"context"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// pooled puts verified transactions straight into a pool, as a worker would.
func pooled(t *testing.T, p *pool, local bool, raws ...[]byte) []Admission {
	t.Helper()
	var batch []*candidate
	for _, raw := range raws {
		batch = append(batch, &candidate{key: hash(raw), tx: mustDecode(raw), local: local})
	}
	if p.add(batch, p.height) {
		t.Fatal("the pool is at another height")
	}
	var out []Admission
	for _, c := range batch {
		out = append(out, c.verdict)
	}
	return out
}

// counted recomputes everything the pool keeps count of.
func counted(t *testing.T, p *pool) {
	t.Helper()
	bytes, local, held := 0, 0, map[crypto.Address]int{}
	for _, e := range p.byKey {
		bytes += len(e.tx.Raw)
		held[e.account]++
		if e.local {
			local++
		}
		if p.byID[e.tx.ID] != e {
			t.Errorf("%s is not found by its id", e.tx.ID)
		}
	}
	expiring := 0
	for second, l := range p.expiry {
		if l.Len() == 0 {
			t.Errorf("an empty list for second %d", second)
		}
		expiring += l.Len()
	}
	if n := len(p.byKey); len(p.byID) != n || p.order.Len() != n || expiring != n || p.fresh.Len()+p.offered.Len() != local || p.heard.Len() != n-local {
		t.Errorf("%d by key, %d by id, %d in order, %d expiring, %d+%d to offer of %d local",
			n, len(p.byID), p.order.Len(), expiring, p.fresh.Len(), p.offered.Len(), local)
	}
	if bytes != p.bytes || local != p.local || len(held) != len(p.held) {
		t.Errorf("%d bytes, counted %d; %d local, counted %d; %d accounts, counted %d", bytes, p.bytes, local, p.local, len(held), len(p.held))
	}
}

func TestPoolBounds(t *testing.T) {
	raw := transfer(0, 1)
	one := len(raw)
	for name, c := range map[string]struct {
		options PoolOptions
		local   bool
		n       int
	}{
		"count":        {PoolOptions{TxsMax: 5}, false, 5},
		"bytes":        {PoolOptions{BytesMax: 3*one + one/2}, false, 3},
		"bytes, exact": {PoolOptions{BytesMax: 3 * one}, false, 3},
		"local":        {PoolOptions{TxsMax: 100, LocalTxsMax: 4}, true, 4},
		"local, peers": {PoolOptions{TxsMax: 6, LocalTxsMax: 4}, false, 6},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool(c.options)
			for i := range c.n {
				if !claimOne(p, one, c.local) {
					t.Fatalf("no room for transaction %d of %d", i+1, c.n)
				}
			}
			if claimOne(p, one, c.local) {
				t.Errorf("room for %d", c.n+1)
			}
			p.release(&job{room: claim{1, one}, local: c.local})
			if !claimOne(p, one, c.local) {
				t.Error("no room after one left")
			}
		})
	}
}

func claimOne(p *pool, bytes int, local bool) bool {
	if !local {
		return p.claimAll(claim{1, bytes})
	}
	n, _ := p.claimFirst([]*candidate{{tx: &ledger.Transaction{Raw: make([]byte, bytes)}}})
	return n == 1
}

// TestPoolCountsOnce: a transaction that moves from its claim into the pool counts in one of them, never in both.
func TestPoolCountsOnce(t *testing.T) {
	p := newPool(PoolOptions{TxsMax: 10, LocalTxsMax: 2})
	first := &candidate{key: hash(transfer(0, 1)), tx: mustDecode(transfer(0, 1)), local: true}
	j := &job{local: true, txs: []*candidate{first, {tx: mustDecode(transfer(1, 1))}}}
	_, j.room = p.claimFirst(j.txs)
	if !p.add(j.txs[:1], p.height+1, j) || p.claimed.txs != 2 {
		t.Errorf("judged at another height, yet %d of 2 are claimed", p.claimed.txs)
	}
	if p.add(j.txs[:1], p.height, j); p.stats().Txs != 1 || p.claimed != (claim{}) || p.claimedLocal != 0 {
		t.Errorf("one pooled and one turned down: %+v", p.stats())
	}
	if p.release(j); !claimOne(p, 1, true) || claimOne(p, 1, true) {
		t.Error("there is not room for exactly one more")
	}
}

// TestPoolFull offers one more than fits, in one batch: the first are taken and the last is told to come back.
func TestPoolFull(t *testing.T) {
	r := newReplica(t, func(o *Options) { o.Pool = PoolOptions{TxsMax: 40, LocalTxsMax: 8, AccountTxsMax: 40} })
	var raws [][]byte
	for i := range 9 {
		raws = append(raws, transfer(i, 1))
	}
	out := r.app.Submit(context.Background(), raws)
	for i, a := range out {
		want := ledger.CodeOK
		if i == 8 {
			want = ledger.CodePoolFull
		}
		if a.Code != want {
			t.Errorf("transaction %d: %s, want %s", i, a.Code, want)
		}
	}
	if got := r.app.CheckTx(transfer(9, 1)).Code; got != ledger.CodePoolFull {
		t.Errorf("by RPC: %s", got)
	}
	if got := r.app.Insert(transfer(10, 1)); got != ledger.CodeOK {
		t.Errorf("from a peer: %s", got)
	}
	r.settled()
	r.decide(r.prepare())
	r.submit(transfer(11, 1))
}

// TestPoolFairness: an account may fill an empty pool's first half, but in the second half it is held to its
// share, and others still get in.
func TestPoolFairness(t *testing.T) {
	p := newPool(PoolOptions{TxsMax: 32, AccountTxsMax: 4})
	for n := range 16 {
		if a := pooled(t, p, false, transfer(0, n))[0]; a.Code != ledger.CodeOK {
			t.Fatalf("transaction %d of an account alone: %s", n, a.Code)
		}
	}
	if a := pooled(t, p, false, transfer(1, 0))[0]; a.Code != ledger.CodeOK {
		t.Fatalf("another account: %s", a.Code)
	}
	if a := pooled(t, p, false, transfer(0, 16))[0]; a.Code != ledger.CodeAccountQuota {
		t.Errorf("the large account goes on: %s", a.Code)
	}
	if got := p.standing(mustDecode(transfer(0, 17))); got != standingOver {
		t.Errorf("before verification it is told %d", got)
	}
	for n := range 3 {
		if a := pooled(t, p, false, transfer(1, n+1))[0]; a.Code != ledger.CodeOK {
			t.Errorf("transaction %d of the small account: %s", n+1, a.Code)
		}
	}
	if a := pooled(t, p, false, transfer(1, 4))[0]; a.Code != ledger.CodeAccountQuota {
		t.Errorf("the small account beyond its share: %s", a.Code)
	}
	counted(t, p)
}

func TestPoolDuplicates(t *testing.T) {
	p := newPool(PoolOptions{})
	raw := transfer(0, 1)
	pooled(t, p, true, raw)
	if a := pooled(t, p, true, raw)[0]; !a.Known || a.Code != ledger.CodeOK {
		t.Errorf("the same bytes: %+v", a)
	}
	if len(p.byKey) != 1 {
		t.Errorf("%d entries", len(p.byKey))
	}
	counted(t, p)
}

// TestPoolStale: what was judged by an older state is not pooled, since it may be in a block by now.
func TestPoolStale(t *testing.T) {
	p := newPool(PoolOptions{})
	raw := transfer(0, 1)
	p.commit(7, at(7), nil, nil)
	if !p.add([]*candidate{{key: hash(raw), tx: mustDecode(raw)}}, 6) {
		t.Error("pooled at height 7 by the state of 6")
	}
	if len(p.byKey) != 0 {
		t.Error("it is there")
	}
}

func TestPoolExpiry(t *testing.T) {
	p := newPool(PoolOptions{})
	p.commit(1, testBegin, nil, nil)
	until := func(ms uint64) []byte {
		return sign(txSpec{key: key(0), to: account(1), amount: 1, nonce: ms, until: testBegin + ms})
	}
	pooled(t, p, true, until(1000), until(1999), until(2000))
	endless := sign(txSpec{key: key(0), to: account(1), amount: 1, lane: &ledger.Lane{Id: 1, Seq: 1}})
	pooled(t, p, false, endless)
	for _, step := range []struct {
		ms   uint64
		left int
	}{{1000, 4}, {1999, 4}, {2000, 2}, {2999, 2}, {3000, 1}, {pooledForMaxMS, 1}, {pooledForMaxMS + 1000, 0}} {
		p.commit(p.height+1, testBegin+step.ms, nil, nil)
		if len(p.byKey) != step.left {
			t.Errorf("after %d ms %d are left, want %d", step.ms, len(p.byKey), step.left)
		}
		counted(t, p)
	}
}

// TestPoolCommit: what was decided goes by id, what was refused only in these very bytes.
func TestPoolCommit(t *testing.T) {
	p := newPool(PoolOptions{})
	decided, refused, other := transfer(0, 1), transfer(0, 2), transfer(0, 3)
	pooled(t, p, true, decided, refused, other)
	altered := flipped(other, -1)
	_, turnedAway := p.commit(1, at(1), []ledger.TxID{idOf(decided)}, []crypto.Hash{hash(refused), hash(altered)})
	if len(turnedAway) != 1 || turnedAway[0] != idOf(refused) {
		t.Errorf("turned away: %v", turnedAway)
	}
	if len(p.byKey) != 1 || !p.has(idOf(other)) {
		t.Errorf("%d are left", len(p.byKey))
	}
	counted(t, p)
}

// TestReap: local transactions are offered once, and again when they are still there much later; those of
// peers never are.
func TestReap(t *testing.T) {
	r := newReplica(t)
	mine, single, theirs := transfer(0, 1), transfer(1, 1), transfer(2, 1)
	r.submit(mine)
	if a := r.app.CheckTx(single); a.Code != ledger.CodeOK {
		t.Fatal(a.Code)
	}
	if code := r.app.Insert(frame(theirs)); code != ledger.CodeOK {
		t.Fatal(code)
	}
	r.settled()
	first := r.app.Reap(0)
	if len(first) != 2 || ledger.IsFrame(first[0]) == ledger.IsFrame(first[1]) {
		t.Fatalf("%d offered, want a frame and a single one", len(first))
	}
	if got := inner(t, first); len(got) != 2 {
		t.Fatalf("%d transactions offered", len(got))
	}
	if again := r.app.Reap(0); len(again) != 0 {
		t.Fatalf("%d offered at once again", len(again))
	}
	for range reofferBlocks - 1 {
		r.decide(nil)
	}
	if again := r.app.Reap(0); len(again) != 0 {
		t.Fatalf("%d offered again after %d blocks", len(again), reofferBlocks-1)
	}
	r.decide(nil)
	if again := r.app.Reap(0); len(inner(t, again)) != 2 {
		t.Fatalf("%d offered again after %d blocks", len(again), reofferBlocks)
	}
	if again := r.app.Reap(0); len(again) != 0 {
		t.Fatalf("%d offered a third time", len(again))
	}
	counted(t, r.app.pool)
}

// TestReapBytes: what does not fit is offered by the next call, and nothing twice.
func TestReapBytes(t *testing.T) {
	r := newReplica(t)
	var raws [][]byte
	for i := range 20 {
		raws = append(raws, transfer(i, 1))
	}
	r.submit(raws...)
	limit := 3 * carried(len(raws[0])+4)
	seen := map[ledger.TxID]bool{}
	for len(seen) < len(raws) {
		out := r.app.Reap(limit)
		total := 0
		for _, tx := range out {
			total += carried(len(tx))
		}
		if total > limit || len(out) == 0 {
			t.Fatalf("%d bytes of at most %d", total, limit)
		}
		for _, raw := range inner(t, out) {
			if seen[idOf(raw)] {
				t.Fatal("offered twice")
			}
			seen[idOf(raw)] = true
		}
	}
}

func TestRemembered(t *testing.T) {
	r := newRemembered(8)
	at := func(i int) crypto.Hash { return crypto.Hash{byte(i), byte(i >> 8)} }
	for i := range 100 {
		r.add(at(i))
		for back := range min(4, i+1) {
			if !r.has(at(i - back)) {
				t.Fatalf("after %d, %d is forgotten", i, i-back)
			}
		}
		if n := len(r.new) + len(r.old); n > 8 {
			t.Fatalf("%d remembered", n)
		}
	}
	if r.has(at(0)) {
		t.Error("nothing is ever forgotten")
	}
}
