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

// follower reads block after block and notes what became of each transaction of a load. Blocks come from one
// node, the last one, as long as it answers.
type follower struct {
	client *Client
	load   *load
	first  uint64 // the first height that is followed
	next   uint64
	warmup time.Duration // what began before that is not in the latencies

	committed, failed, decided atomic.Int64

	// Written by run alone, and read when it has ended.
	receipts []uint8     // receipts that decide, by transaction
	done     []bool      // committed, by transaction
	blocks   []seenBlock // in order
	foreign  int         // transactions of others

	mu        sync.Mutex // guards latencies and moved
	latencies *hdrhistogram.Histogram
	moved     chan struct{} // closed, and replaced, with every block
}

// seenBlock is what the figures need of a block.
type seenBlock struct {
	at        time.Duration // when it was seen, after the start
	timeMS    uint64        // its own time
	ours      int           // transactions of the load
	committed int           // those of them that took effect
}

// Latencies are counted in microseconds, up to what a run lasts at most, at three digits.
const latencyMaxUS = 20 * 60 * 1_000_000

func newFollower(c *Client, l *load, height uint64, warmup time.Duration) *follower {
	return &follower{
		client: c, load: l, first: height + 1, next: height + 1, warmup: warmup,
		receipts: make([]uint8, l.total), done: make([]bool, l.total),
		latencies: hdrhistogram.New(1, latencyMaxUS, 3), moved: make(chan struct{}),
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
			f.see(&block, time.Duration(time.Now().UnixNano()-f.load.started.Load()))
			f.next++
		case errors.Is(err, errBehind):
		default:
			place = (place + 1) % len(nodes)
			pause(ctx, 10*time.Millisecond)
		}
	}
}

// see notes the transactions of a block.
func (f *follower) see(block *rpc.Block, at time.Duration) {
	p := block.Packed
	codes := map[int]ledger.Code{}
	for _, r := range p.Failed {
		codes[r.Index] = ledger.Code(r.Code)
	}
	f.mu.Lock()
	f.load.mu.Lock()
	seen := seenBlock{at: at, timeMS: block.TimeMS}
	failed := 0
	for i := 0; (i+1)*crypto.HashSize <= len(p.TxIDs); i++ {
		tx, ok := f.load.find(p.TxIDs[i*crypto.HashSize:])
		if !ok {
			f.foreign++
			continue
		}
		seen.ours++
		if codes[i] == ledger.CodeDuplicate {
			continue // it came through two nodes; the first receipt stands
		}
		f.receipts[tx]++
		if codes[i] == ledger.CodeOK {
			f.done[tx] = true
			seen.committed++
		} else {
			failed++
		}
		if begun := f.load.begun(tx); begun >= f.warmup {
			_ = f.latencies.RecordValue(max(1, (at - begun).Microseconds())) // never out of range
		}
	}
	f.load.mu.Unlock()
	f.mu.Unlock()
	f.blocks = append(f.blocks, seen)
	f.committed.Add(int64(seen.committed))
	f.failed.Add(int64(failed))
	f.decided.Add(int64(seen.committed + failed))
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.moved)
	f.moved = make(chan struct{})
}

// movedOn is closed when the next block has been noted.
func (f *follower) movedOn() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.moved
}

// last is when the last transaction of the load was seen, after the start.
func (f *follower) last() time.Duration {
	for i := len(f.blocks) - 1; i >= 0; i-- {
		if f.blocks[i].ours > 0 {
			return f.blocks[i].at
		}
	}
	return 0
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
