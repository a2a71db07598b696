package client

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetradledger/tetrad/rpc"
)

// send sends all batches, or as many as there is time for. The senders of a node take the next batch when it
// is due and they have the time: a node that is slow gets fewer, and what comes late for that reason is late
// in the latencies, too.
func (b *bench) send(ctx context.Context) {
	ctx, cancel := context.WithDeadline(ctx, b.started.Add(b.o.Duration+benchDrain))
	defer cancel()
	var next atomic.Int64
	var senders sync.WaitGroup
	for range b.o.Connections {
		for place := range b.o.Targets {
			senders.Go(func() { b.sender(ctx, place, &next) })
		}
	}
	senders.Wait()
}

// sender sends one batch after another, to the node at the place if that works.
func (b *bench) sender(ctx context.Context, place int, next *atomic.Int64) {
	for {
		batch := int(next.Add(1)) - 1
		if batch >= len(b.load.batches) {
			return
		}
		from, to := b.load.span(batch)
		if !b.turn(ctx, to-1) {
			return
		}
		body := b.load.take(batch)
		if body == nil || b.over() {
			return
		}
		b.load.batches[batch].sentAt.Store(int64(time.Since(b.started)))
		b.sent.Add(int64(to - from))
		b.hand(ctx, place, batch, body)
		b.load.batches[batch].body = nil
	}
}

// lateMax is how long after the end of a run transactions are still sent that were due before it: enough for
// the last requests to be a little late, and too little to make up for a network that does not keep up. Tests, which
// run on machines that are busy with others, have more.
var lateMax = time.Second

// over tells whether nothing more is to be sent.
func (b *bench) over() bool {
	end := b.o.Duration
	if b.load.timed {
		end += lateMax
	}
	return time.Since(b.started) >= end
}

// turn waits until transaction i may be sent: at its time, or, without a rate, when enough others are decided.
func (b *bench) turn(ctx context.Context, i int) bool {
	if b.load.timed {
		left := time.Until(b.started.Add(b.load.due(i)))
		return left <= 0 && ctx.Err() == nil || pause(ctx, left)
	}
	for !b.over() {
		moved := b.follow.movedOn()
		if b.inFlight() < int64(b.o.Outstanding) {
			return ctx.Err() == nil
		}
		select {
		case <-moved:
		case <-time.After(turnWait): // something was refused, perhaps: there is room, too
		case <-ctx.Done():
			return false
		}
	}
	return false
}

// turnWait is how often a sender without room looks for itself. It is mostly a block that makes room, and that
// wakes it.
const turnWait = 100 * time.Millisecond

// inFlight is how many transactions are sent and not decided. What may be lost is not counted, or a node that
// dies would take its part of the window with it; by broadcast_tx_async, nothing is ever more than sent.
func (b *bench) inFlight() int64 {
	n := b.accepted() - b.follow.decided.Load()
	if b.o.Path == PathStock {
		n += b.unsure.Load()
	}
	return n
}

// hand gives a batch to the node at the place or, when that one does not answer, to the others in turn: the
// same bytes take effect once, however many nodes get them.
func (b *bench) hand(ctx context.Context, place, batch int, body []byte) {
	l := &b.load.batches[batch]
	from, to := b.load.span(batch)
	for try := 0; ; {
		node := b.o.Targets[(place+try)%len(b.o.Targets)]
		answer, sure, err := b.deliver(ctx, node, body)
		var refused *rpc.Error
		switch {
		case err == nil:
			b.note(l, answer, to-from, sure)
			return
		case errors.As(err, &refused):
			b.tally.noteRequest(refused)
			if b.load.timed || !refused.Retryable || b.over() || !pause(ctx, holdBack(refused)) {
				b.refuse(l, refused, to-from)
				return
			}
		default:
			l.unsure = l.unsure || !neverSent(err)
			if try++; try == len(b.o.Targets) || ctx.Err() != nil {
				l.unsure = true
				b.unsure.Add(int64(to - from))
				return
			}
		}
	}
}

// refuse notes that a node did not take a batch, unless another one may have it.
func (b *bench) refuse(l *loadBatch, refused *rpc.Error, n int) {
	b.tally.note(refused, n)
	l.refused = map[int]bool{}
	for i := range n {
		l.refused[i] = true
	}
	b.refused.Add(int64(n))
}

// note counts what a node took in.
func (b *bench) note(l *loadBatch, answer rpc.BatchResponse, n int, sure bool) {
	l.unsure = !sure
	for _, r := range answer.Results {
		if r.Status != rpc.StatusRefused || r.Index < 0 || r.Index >= n {
			continue
		}
		if l.refused == nil {
			l.refused = map[int]bool{}
		}
		if !l.refused[r.Index] {
			l.refused[r.Index] = true
			b.tally.note(r.Error, 1)
		}
	}
	b.refused.Add(int64(len(l.refused)))
	if !sure {
		b.unsure.Add(int64(n - len(l.refused)))
	}
}

// holdBackMax keeps a node busy: it is told to take more often than a polite client would ask.
const holdBackMax = 250 * time.Millisecond

// holdBack is how long to wait before a node that is full is asked again.
func holdBack(refused *rpc.Error) time.Duration {
	return min(max(time.Duration(refused.RetryAfterMS)*time.Millisecond, 10*time.Millisecond), holdBackMax)
}
