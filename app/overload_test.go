package app

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tetradledger/tetrad/ledger"
)

// TestOverload offers two, five and twenty times what a node has room for, from many clients at once, over all ways
// in, one of them with bad signatures, while blocks are made. At no time is a bound passed; what was not taken in was
// refused with a code that says to come back; and everything that was acknowledged is in a block afterwards.
func TestOverload(t *testing.T) {
	const local, batch, clients = 64, 8, 8
	for _, times := range []int{2, 5, 20} {
		t.Run(fmt.Sprint(times), func(t *testing.T) {
			o := PoolOptions{TxsMax: 4 * local, LocalTxsMax: local, BytesMax: 1 << 20}
			r := newReplica(t, func(opts *Options) { opts.Pool = o })
			f := &flood{r: r, options: o, taken: map[ledger.TxID]bool{}}
			var senders sync.WaitGroup
			perClient := times * local / clients
			for client := range clients {
				senders.Go(func() {
					for from := 0; from < perClient; from += batch {
						var raws [][]byte
						for n := from; n < from+batch; n++ {
							raws = append(raws, transfer(client, n))
						}
						f.offer(t, client, raws)
					}
				})
			}
			senders.Go(func() { f.attack(t, times*local/batch) })
			done := make(chan struct{})
			go func() { senders.Wait(); close(done) }()
			for open := true; open; {
				select {
				case <-done:
					open = false
				default:
				}
				// Each block takes a second of the transactions' validity, so none is made for a few.
				if r.app.PoolStats().Txs >= local/2 {
					f.block(t)
				}
				f.bounds(t)
				runtime.Gosched()
			}
			r.settled()
			for s := r.app.PoolStats(); s.Txs > 0; s = r.app.PoolStats() {
				f.block(t)
			}
			if times > 2 && f.refused.Load() == 0 {
				t.Error("nothing was refused: there was no overload")
			}
			for id := range f.taken {
				if o := r.outcome(id); o.Status != StatusCommitted {
					t.Errorf("%s was acknowledged and is %s", id, o.Status)
				}
			}
			if s := r.app.PoolStats(); s != (PoolStats{}) {
				t.Errorf("left over: %+v", s)
			}
			counted(t, r.app.pool)
		})
	}
}

// flood is what a test knows of the clients of a node.
type flood struct {
	r       *replica
	options PoolOptions
	refused atomic.Int64

	mu    sync.Mutex
	taken map[ledger.TxID]bool
}

// offer offers a batch over one of the ways in and keeps what was acknowledged.
func (f *flood) offer(t *testing.T, client int, raws [][]byte) {
	ctx := WithClient(context.Background(), fmt.Sprint("client ", client))
	var out []Admission
	switch client % 4 {
	case 0: // CometBFT's RPC, one by one
		for _, raw := range raws {
			out = append(out, f.r.app.CheckTx(raw))
		}
	default:
		out = f.r.app.Submit(ctx, raws)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, a := range out {
		info := a.Code.Info()
		switch {
		case a.Code == ledger.CodeOK:
			f.taken[idOf(raws[i])] = true
		case info.Class == ledger.ClassLimit && info.Retryable:
			f.refused.Add(1)
		default:
			t.Errorf("client %d: refused with %s", client, a.Code)
		}
	}
	f.bounds(t)
}

// attack sends transactions with bad signatures, all under one name.
func (f *flood) attack(t *testing.T, batches int) {
	ctx := WithClient(context.Background(), "attacker")
	for n := range batches {
		out := f.r.app.Submit(ctx, [][]byte{flipped(transfer(9, n), -1)})
		if c := out[0].Code; c != ledger.CodeBadSignature && c != ledger.CodePoolFull {
			t.Errorf("a bad signature: %s", c)
		}
	}
}

// bounds checks what must hold at any time.
func (f *flood) bounds(t *testing.T) {
	s := f.r.app.PoolStats()
	if s.Txs+s.Queued > f.options.TxsMax || s.Local > f.options.LocalTxsMax || s.Bytes > f.options.BytesMax {
		t.Errorf("out of bounds: %+v", s)
	}
	v := f.r.app.verification
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, most := range map[int]int{laneLocal: f.options.TxsMax, laneEngine: f.options.LocalTxsMax / 2, laneSingle: f.options.LocalTxsMax / 8} {
		if n := v.lanes[i].txs; n > most {
			t.Errorf("lane %d holds %d, at most %d", i, n, most)
		}
	}
}

// block makes a block of what is pooled.
func (f *flood) block(t *testing.T) {
	f.r.decide(f.r.prepare())
	f.bounds(t)
}
