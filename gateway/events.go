package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/tetradledger/tetrad/client/stream"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// events passes a stream of events on, over whichever nodes have it.
func (g *Gateway) events(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	var after rpc.EventID
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		id, err := rpc.ParseEventID(last)
		if err != nil {
			g.relay(w, r) // a node says what is wrong with it
			return
		}
		after = id
	} else if query.Has("from_height") {
		height, err := strconv.ParseUint(query.Get("from_height"), 10, 63)
		if err != nil || height == 0 {
			g.relay(w, r)
			return
		}
		after = rpc.BeforeHeight(height)
	}
	query.Del("from_height")
	if !enter(g.reading) {
		fail(w, 0, busy(cap(g.reading)))
		return
	}
	defer func() { <-g.reading }()
	ctx, cancel := context.WithCancel(r.Context())
	defer context.AfterFunc(g.stopping, cancel)()
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // in tests there is no connection
	out := &passing{w: w, control: control, last: after}
	header := http.Header{"Via": append(r.Header.Values("Via"), via)}
	if origin := r.Header.Get("Origin"); origin != "" {
		header.Set("Origin", origin)
	}
	var alive sync.WaitGroup
	alive.Go(func() { out.live(ctx, cancel) })
	err := stream.Follow(ctx, stream.Options{
		Balancer: g.balancer, HTTP: g.http, Query: query, Header: header, After: after, Connect: g.attempt, Patience: streamPatience,
		Begun: func(_ string, h http.Header) { out.begin(h) },
	}, func(_ string, f stream.Frame) error { return out.pass(f) })
	cancel()
	alive.Wait() // nobody may write to a client whose request is over
	g.endEvents(out, err)
}

// endEvents says why the stream is over: as an answer, if it has not begun.
func (g *Gateway) endEvents(out *passing, err error) {
	out.mu.Lock()
	defer out.mu.Unlock()
	var refused *rpc.Error
	switch {
	case errors.Is(err, errPassed):
		return
	case g.stopping.Err() != nil:
		out.end(rpc.EndStopping, nil)
		return
	case errors.Is(err, context.Canceled):
		return // the client is gone
	case !errors.As(err, &refused):
		g.log.Warn("no node has a stream of events", "err", err)
		refused = rpc.NewError(ledger.CodeUnavailable, "No node has the stream.").RetryAfter(time.Second)
	}
	if !out.begun {
		fail(out.w, 0, refused)
		return
	}
	reason := rpc.EndFailed
	if ledger.Code(refused.Code) == ledger.CodePruned {
		reason = rpc.EndPruned
	}
	out.end(reason, refused)
}

// errPassed says that a stream's end was passed on, or that its reader is gone.
var errPassed = errors.New("the stream is over")

// passing is a stream of events on its way to a client. While no node has it, it says by itself that it is alive.
type passing struct {
	w       http.ResponseWriter
	control *http.ResponseController

	mu      sync.Mutex // guards everything below
	begun   bool
	last    rpc.EventID // of what was passed on
	written time.Time
	buffer  []byte
}

// begin sends the header of the first node that has the stream. What comes from others later has no header.
func (p *passing) begin(from http.Header) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun {
		return
	}
	h := p.w.Header()
	for name, values := range from {
		h[name] = values
	}
	keepKnown(h)
	h.Del("Content-Length")
	h.Set("Via", via)
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back until it has a few kilobytes of them
	p.w.WriteHeader(http.StatusOK)
	p.begun = true
}

// pass writes what a node sent. The end of a node's stream is not the end of this one, unless it is the reader who
// is too slow.
func (p *passing) pass(f stream.Frame) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.Event == rpc.EventEnd {
		var end rpc.EndEvent
		if json.Unmarshal(f.Data, &end) != nil || end.Reason != rpc.EndBehind {
			return nil
		}
		p.end(end.Reason, end.Error)
		return errPassed
	}
	if id, err := rpc.ParseEventID(f.ID); err == nil {
		p.last = id
	}
	p.buffer = f.Append(p.buffer[:0])
	return p.write(p.buffer, pieceStall)
}

// write needs mu.
func (p *passing) write(text []byte, stall time.Duration) error {
	_ = p.control.SetWriteDeadline(time.Now().Add(stall))
	if _, err := p.w.Write(text); err != nil {
		return errPassed
	}
	if err := p.control.Flush(); err != nil {
		return errPassed
	}
	p.written = time.Now()
	return nil
}

// end writes the last event. It needs mu.
func (p *passing) end(reason string, e *rpc.Error) {
	if !p.begun {
		return
	}
	data, err := json.Marshal(rpc.EndEvent{Reason: reason, After: p.last.String(), Error: e})
	if err != nil {
		panic("gateway: the end of a stream cannot be encoded: " + err.Error())
	}
	_ = p.write(stream.Frame{Event: rpc.EventEnd, Data: data}.Append(nil), time.Second)
}

// live writes signs of life while no node does. A reader that does not take them ends the stream.
func (p *passing) live(ctx context.Context, cancel context.CancelFunc) {
	tick := time.NewTicker(rpc.HeartbeatInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p.mu.Lock()
		var err error
		if ctx.Err() == nil && p.begun && time.Since(p.written) > rpc.HeartbeatInterval {
			err = p.write([]byte(":\n\n"), pieceStall)
		}
		p.mu.Unlock()
		if err != nil {
			cancel()
			return
		}
	}
}
