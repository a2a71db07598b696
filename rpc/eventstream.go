package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tetradledger/tetrad/ledger"
)

// stream is one reader of events. It asks for one block after another and writes what its reader wants of it, at
// the reader's pace: it holds no queue, so a reader that is slow costs a connection and nothing else.
type stream struct {
	s       *server
	ctx     context.Context
	out     http.ResponseWriter
	control *http.ResponseController
	filter  eventFilter

	after   EventID   // the last event that was written, or passed over
	told    EventID   // the last id that the reader knows
	written time.Time // when something was written last
	piece   []byte    // events that are not written yet
	pieceTo EventID   // the last of them
}

func (s *server) newStream(ctx context.Context, w http.ResponseWriter, f eventFilter, after EventID) *stream {
	return &stream{s: s, ctx: ctx, out: w, control: http.NewResponseController(w), filter: f, after: after, told: after}
}

// errSlow says that the chain moves on faster than the reader reads.
var errSlow = errors.New("the reader is too slow")

// run writes events until the reader or the node goes away, or it has to be cut off.
func (t *stream) run() {
	h := t.out.Header()
	h.Set("Content-Type", eventStream)
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back until it has a few kilobytes of them
	t.out.WriteHeader(http.StatusOK)
	// The position comes first: whoever is cut off before the first event knows where to go on.
	err := t.write(fmt.Appendf(nil, "retry: %d\nid: %s\n\n", HeartbeatInterval.Milliseconds(), t.after))
	for err == nil {
		err = t.block()
	}
	switch {
	case errors.Is(err, errSlow):
		t.end(EndBehind, NewError(ledger.CodeRateLimited, "The reader is slower than the chain."))
	case t.ctx.Err() != nil: // whoever reads is gone, or the node stops
		t.end(EndStopping, nil)
	case errors.Is(err, errUnwritten):
	default:
		t.end(endOf(err), t.s.asError(err, "read a block for a stream"))
	}
}

// block waits for the next block and writes what is wanted of it.
func (t *stream) block() error {
	height, index := t.after.next()
	if err := t.await(height); err != nil {
		return err
	}
	b, err := t.s.events.get(t.ctx, height)
	if err != nil {
		return err
	}
	for i := index; i < len(b.txs); i++ {
		if t.filter.takes(&b.txs[i]) {
			if err := t.add(b.tx(i), EventID{Height: height, Index: i}); err != nil {
				return err
			}
		}
	}
	if t.filter.blocks {
		if err := t.add(b.block, EventID{Height: height, Index: WholeBlock}); err != nil {
			return err
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	t.after = EventID{Height: height, Index: WholeBlock}
	if t.s.now().Sub(t.written).Abs() >= t.s.options.Heartbeat { // much that nobody wants was passed over
		return t.beat()
	}
	return nil
}

// await waits until the node has a height.
func (t *stream) await(height uint64) error {
	for {
		ctx, cancel := context.WithTimeout(t.ctx, t.s.options.Heartbeat)
		snap, err := t.s.backend.Read(ctx, ReadOptions{MinHeight: height})
		cancel()
		if err == nil {
			snap.Close()
			return nil
		}
		if t.ctx.Err() != nil {
			return t.ctx.Err()
		}
		if !errors.Is(err, errBehind) {
			return err
		}
		if err := t.beat(); err != nil {
			return err
		}
	}
}

// errBehind is what a Backend says that has not reached a height.
var errBehind = NewError(ledger.CodeBehind, "")

// beat says that the stream is alive, and how far it is.
func (t *stream) beat() error {
	if t.told == t.after {
		return t.write([]byte(":\n\n"))
	}
	if err := t.write(fmt.Appendf(nil, "id: %s\n\n", t.after)); err != nil {
		return err
	}
	t.told = t.after
	return nil
}

// add appends an event to the piece, which is written when it is large enough.
func (t *stream) add(text []byte, id EventID) error {
	t.piece = append(t.piece, text...)
	t.pieceTo = id
	if len(t.piece) < streamPieceBytes {
		return nil
	}
	return t.flush()
}

// flush writes the piece, and looks how far the chain moved on meanwhile.
func (t *stream) flush() error {
	if len(t.piece) == 0 {
		return nil
	}
	before := t.head()
	if err := t.write(t.piece); err != nil {
		return err
	}
	t.piece = t.piece[:0]
	t.after, t.told = t.pieceTo, t.pieceTo
	if t.head() > before+streamLagMax {
		return errSlow
	}
	return nil
}

// head is the node's newest height, 0 if it cannot say.
func (t *stream) head() uint64 {
	snap, err := t.s.backend.Read(t.ctx, ReadOptions{})
	if err != nil {
		return 0
	}
	defer snap.Close()
	return snap.Height()
}

// errUnwritten says that the reader did not take what was written to it: it is gone, or does not read.
var errUnwritten = errors.New("the reader is gone")

// write writes to the reader, who has streamStall to read it. In part or not at all, the connection is broken then.
func (t *stream) write(text []byte) error {
	_ = t.control.SetWriteDeadline(time.Now().Add(streamStall)) // in tests there is no connection
	if _, err := t.out.Write(text); err != nil {
		return errUnwritten
	}
	if err := t.control.Flush(); err != nil {
		return errUnwritten
	}
	t.written = t.s.now()
	return nil
}

// end writes the last event, if the reader still takes it.
func (t *stream) end(reason string, e *Error) {
	data, err := json.Marshal(EndEvent{Reason: reason, After: t.after.String(), Error: e})
	if err != nil {
		panic("rpc: the end of a stream cannot be encoded: " + err.Error())
	}
	_ = t.control.SetWriteDeadline(time.Now().Add(streamEndWait))
	if _, err := fmt.Fprintf(t.out, "event: %s\ndata: %s\n\n", EventEnd, data); err == nil {
		_ = t.control.Flush()
	}
}
