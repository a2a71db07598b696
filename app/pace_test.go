package app

import (
	"testing"
	"time"
)

// about is true within a tenth.
func about(got, want int) bool { return got >= want*9/10 && got <= want*11/10 }

// TestPaceExecution: a block holds what can be executed in its time, between bounds.
func TestPaceExecution(t *testing.T) {
	var p pace
	if p.txsMax() != blockTxsDefault {
		t.Errorf("before anything was learnt: %d", p.txsMax())
	}
	p.executed(time.Second, blockTxsMin/2-1)
	p.executed(0, blockTxsMin)
	if p.perTx != 0 {
		t.Error("learnt from a block that says nothing")
	}
	for range 50 {
		p.executed(100*time.Millisecond, 1000) // 100 us each
	}
	if got, want := p.txsMax(), int(blockTime/(100*time.Microsecond)); !about(got, want) {
		t.Errorf("%d, want about %d", got, want)
	}
	for range 50 {
		p.executed(time.Hour, 1000)
	}
	if p.txsMax() != blockTxsMin {
		t.Errorf("after slow blocks: %d", p.txsMax())
	}
	for range 200 {
		p.executed(time.Nanosecond*1000, 1000)
	}
	if p.txsMax() != blockTxsMax {
		t.Errorf("after fast blocks: %d", p.txsMax())
	}
}

// full plays blocks that are as full as they may be and take some time per transaction from commit to commit; it
// fails those for which failing is true.
func full(p *pace, blocks int, perTx time.Duration, failing func(i, txs int) bool) {
	for i := range blocks {
		txs := p.txsMax()
		p.committed(time.Duration(txs)*perTx, txs)
		var round int32
		if failing(i, txs) {
			round = 1
		}
		p.decided(round)
	}
}

// TestPaceLife: on machines that are busy with other things, blocks shrink until they live no longer than they
// may, and grow again when the machines are free.
func TestPaceLife(t *testing.T) {
	never := func(int, int) bool { return false }
	p := pace{perTx: 10 * time.Microsecond}
	if got := p.txsMax(); got != 25_000 {
		t.Fatalf("by execution alone: %d", got)
	}
	full(&p, 50, 500*time.Microsecond, never)
	if got, want := p.txsMax(), int(blockLife/(500*time.Microsecond)); !about(got, want) {
		t.Errorf("busy: %d, want about %d", got, want)
	}
	full(&p, 50, 20*time.Microsecond, never)
	if got := p.txsMax(); got != 25_000 {
		t.Errorf("free again: %d", got)
	}
	p = pace{}
	p.committed(time.Hour, blockTxsMin/2-1)
	p.decided(0)
	if p.lifeTx != 0 {
		t.Error("learnt from a block that says nothing, such as the first after an idle time")
	}
}

// TestPaceFailedRounds: when large blocks fail their rounds, blocks shrink to the size that passes; a dead
// validator, whose turns fail whatever the size, does not make them small.
func TestPaceFailedRounds(t *testing.T) {
	const perTx = 10 * time.Microsecond
	p := pace{perTx: perTx}
	full(&p, 100, perTx, func(_, txs int) bool { return txs > 4000 })
	smallest, largest := blockTxsMax, 0
	for range 40 {
		full(&p, 1, perTx, func(_, txs int) bool { return txs > 4000 })
		smallest, largest = min(smallest, p.txsMax()), max(largest, p.txsMax())
	}
	if smallest < 2500 || largest > 4500 {
		t.Errorf("between %d and %d, where 4000 pass", smallest, largest)
	}

	p = pace{perTx: perTx}
	before := p.txsMax()
	full(&p, 400, perTx, func(i, _ int) bool { return i%4 == 3 })
	if p.txsMax() < before/2 {
		t.Errorf("%d with one of four dead, %d before", p.txsMax(), before)
	}

	p = pace{perTx: perTx, most: 8000}
	for range 10 {
		p.committed(time.Second, 20)
		p.decided(1)
	}
	if p.most != 8000 {
		t.Errorf("small blocks were blamed for failed rounds: %d", p.most)
	}
}

// TestPaceFollowsBlocks: commits and the rounds they needed reach the pace.
func TestPaceFollowsBlocks(t *testing.T) {
	r := newReplica(t)
	r.app.pace = pace{perTx: time.Hour, most: 2 * blockTxsMin}
	var raws [][]byte
	for i := range blockTxsMin + 1 {
		raws = append(raws, transfer(i%testBench, i))
	}
	r.decide(nil)
	r.submit(raws...)
	r.decide(r.prepare())
	if r.app.pace.lastTxs != blockTxsMin {
		t.Fatalf("%d transactions noted", r.app.pace.lastTxs)
	}
	b := r.blockOf(nil)
	b.LastRound = 1
	r.finalize(b)
	if r.app.pace.most >= 2*blockTxsMin {
		t.Errorf("a failed round taught nothing: %d", r.app.pace.most)
	}
}
