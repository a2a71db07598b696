package client

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// follower reads block after block and notes what became of each transfer of a load. Blocks come from one
// node, the last one, as long as it answers.
type follower struct {
	client *Client
	load   *load
	next   uint64

	committed, failed, decided atomic.Int64

	// Written by run alone, and read when it has ended.
	receipts []uint8       // receipts that decide, by transfer
	done     []bool        // committed, by transfer
	blocks   int           // with at least one transfer of the load
	last     time.Duration // when the last transfer was seen, after the start
	foreign  int           // transactions of others

	mu        sync.Mutex // guards latencies
	latencies *hdrhistogram.Histogram
}

// Latencies are counted in microseconds, up to what a run lasts at most, at three digits.
const latencyMaxUS = 20 * 60 * 1_000_000

func newFollower(c *Client, l *load, height uint64) *follower {
	return &follower{
		client: c, load: l, next: height + 1, receipts: make([]uint8, l.total), done: make([]bool, l.total),
		latencies: hdrhistogram.New(1, latencyMaxUS, 3),
	}
}

// run follows until the context ends.
func (f *follower) run(ctx context.Context) {
	nodes := f.client.Endpoints()
	place := len(nodes) - 1
	for ctx.Err() == nil {
		block, err := f.client.BlockAt(ctx, nodes[place], f.next, ReceiptsPacked, waitSlice)
		switch {
		case err == nil && block.Packed != nil && block.Height == f.next:
			f.see(block.Packed, time.Duration(time.Now().UnixNano()-f.load.started.Load()))
			f.next++
		case errors.Is(err, errBehind):
		default:
			place = (place + 1) % len(nodes)
			pause(ctx, 10*time.Millisecond)
		}
	}
}

// see notes the transfers of a block.
func (f *follower) see(p *rpc.PackedReceipts, at time.Duration) {
	codes := map[int]ledger.Code{}
	for _, r := range p.Failed {
		codes[r.Index] = ledger.Code(r.Code)
	}
	f.mu.Lock()
	f.load.mu.Lock()
	ours := 0
	var committed, failed int64
	for i := 0; (i+1)*crypto.HashSize <= len(p.TxIDs); i++ {
		transfer, ok := f.load.find(p.TxIDs[i*crypto.HashSize:])
		if !ok {
			f.foreign++
			continue
		}
		ours++
		if codes[i] == ledger.CodeDuplicate {
			continue // it came through two nodes; the first receipt stands
		}
		f.receipts[transfer]++
		if codes[i] == ledger.CodeOK {
			f.done[transfer] = true
			committed++
		} else {
			failed++
		}
		_ = f.latencies.RecordValue(max(1, (at - f.load.begun(transfer)).Microseconds())) // never out of range
	}
	f.load.mu.Unlock()
	f.mu.Unlock()
	if ours > 0 {
		f.blocks++
		f.last = at
	}
	f.committed.Add(committed)
	f.failed.Add(failed)
	f.decided.Add(committed + failed)
}

// quantiles are the latencies so far.
func (f *follower) quantiles() (p50, p99 time.Duration) {
	return f.quantile(50), f.quantile(99)
}

func (f *follower) quantile(percent float64) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Duration(f.latencies.ValueAtQuantile(percent)) * time.Microsecond
}
