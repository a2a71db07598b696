package balance

import (
	"context"
	"errors"
	"time"
)

// What a hedge may cost.
const (
	hedgeFloor   = 10 * time.Millisecond  // never earlier, however fast answers are
	hedgeUnknown = 250 * time.Millisecond // while too few answers were seen to know
	hedgeShare   = 0.05                   // of requests, in the long run
	hedgeBurst   = 10                     // saved up at most
	hedgeSick    = 0.2                    // of the last requests: so many hedges mean that all are slow
	hedgeWindow  = 100                    // of so many requests
)

// hedges bounds second requests. The balancer's mu guards it.
type hedges struct {
	answers latencies
	credit  float64
	// requests and hedged count up to hedgeWindow and are halved then.
	requests, hedged float64
}

func newHedges() hedges { return hedges{credit: hedgeBurst} }

// request notes a first request.
func (h *hedges) request() {
	h.credit = min(h.credit+hedgeShare, hedgeBurst)
	if h.requests++; h.requests > hedgeWindow {
		h.requests, h.hedged = h.requests/2, h.hedged/2
	}
}

// take asks for a second request.
func (h *hedges) take() bool {
	if h.credit < 1 || h.requests >= hedgeWindow/2 && h.hedged > hedgeSick*h.requests {
		return false
	}
	h.credit--
	h.hedged++
	return true
}

// after is how long the first request has.
func (h *hedges) after() time.Duration {
	p95, known := h.answers.p95()
	if !known {
		return hedgeUnknown
	}
	return max(p95, hedgeFloor)
}

// Trip is one request to one node.
type Trip struct {
	b     *Balancer
	n     *node
	begun time.Time
}

// Begin notes that a request goes to a node; the caller ends it with Done.
func (b *Balancer) Begin(name string) Trip {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := Trip{b: b, n: b.find(name), begun: b.o.Now()}
	if t.n != nil {
		t.n.inFlight++
	}
	return t
}

// Done notes what became of a request. waited is what the node was asked to wait for, which is not its
// latency. Abandon is for a request that its caller gave up.
func (t Trip) Done(what Outcome, waited time.Duration) {
	if t.n == nil {
		return
	}
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	now := t.b.o.Now()
	t.n.inFlight--
	if what == Answered && waited == 0 {
		took := now.Sub(t.begun)
		t.n.latency.see(took, now)
		t.b.hedges.answers.see(took)
	}
	t.b.note(t.n, what, now)
}

// abandonedMax is how many requests in a row, to a node that answers none between, make it silent.
const abandonedMax = 2

// Abandon ends a request that nobody waits for any more. Once, that says nothing about the node but that it
// took at least so long; of a node that was asked to wait, it says nothing at all.
func (t Trip) Abandon(waited time.Duration) {
	if t.n == nil {
		return
	}
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	now := t.b.o.Now()
	t.n.inFlight--
	if waited > 0 {
		return
	}
	if took := now.Sub(t.begun); took > t.n.latency.at(now) {
		t.n.latency.see(took, now)
	}
	if t.n.abandoned++; t.n.abandoned >= abandonedMax {
		t.b.note(t.n, Silent, now)
	}
}

// ErrNobody says that no node may be asked: none is known to be in the region that was asked for.
var ErrNobody = errors.New("no node is known to stand in the region that was asked for, and no other may be asked")

// Read asks nodes until one answers for good: the best first, the next when that fails, and one beside it when
// it takes longer than most answers do. ask says with again whether another node may do better; it must end
// soon after its context, and notes outcomes by itself through Begin and Done. The error is that of the last
// node whose answer came, or ErrNobody.
func Read[T any](ctx context.Context, b *Balancer, w Want, ask func(ctx context.Context, node string) (answer T, again bool, err error)) (T, string, error) {
	b.Look(ctx)
	order, _ := b.Order(w)
	return ReadIn(ctx, b, order, w, ask)
}

// ReadIn is Read over nodes that were put in order before.
func ReadIn[T any](ctx context.Context, b *Balancer, order []string, w Want, ask func(ctx context.Context, node string) (answer T, again bool, err error)) (T, string, error) {
	var nothing T
	if len(order) == 0 {
		return nothing, "", ErrNobody
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b.mu.Lock()
	b.hedges.request()
	patience := max(b.hedges.after(), w.Patience)
	b.mu.Unlock()

	type result struct {
		answer T
		node   string
		again  bool
		err    error
	}
	results := make(chan result, len(order))
	asked, open, width := 0, 0, 1
	next := func() {
		node := order[asked]
		asked, open = asked+1, open+1
		go func() {
			r := result{node: node}
			r.answer, r.again, r.err = ask(ctx, node)
			results <- r
		}()
	}
	next()
	hedge := time.NewTimer(patience)
	defer hedge.Stop()
	for {
		select {
		case r := <-results:
			open--
			switch {
			case r.err == nil || !r.again || ctx.Err() != nil:
				return r.answer, r.node, r.err
			case asked < len(order) && open < width:
				next()
			case open == 0:
				return nothing, r.node, r.err
			}
		case <-hedge.C:
			if asked < len(order) && b.mayHedge() {
				width = 2
				next()
			}
		}
	}
}

func (b *Balancer) mayHedge() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.o.NoHedge && b.hedges.take()
}
