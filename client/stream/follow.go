package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// Options say which events are followed, and over which nodes.
type Options struct {
	// Balancer chooses among nodes by their base URLs, and hears how they do.
	Balancer *balance.Balancer
	// HTTP sends the requests. It must have no timeout of its own.
	HTTP *http.Client
	// Query is what the stream is asked for, such as account; not from_height.
	Query url.Values
	// Header goes with every request.
	Header http.Header
	// After is the event that was seen last; zero: whatever comes next.
	After rpc.EventID
	// Check looks at an event before it is passed on. What it finds wrong is the node's fault. Nil: nothing is.
	Check func(Frame) error
	// Begun is told when a node begins to send, with the header of its answer. Nil: nobody is.
	Begun func(node string, header http.Header)
	// Patience is for how long all nodes may be away in the middle of a stream; 0: for ever. Where none can be
	// reached in the beginning, Follow ends at once.
	Patience time.Duration
	// Connect is how long a node may take to begin; 0: connectMax.
	Connect time.Duration
	// Silence and Still replace silenceMax and stillMax, for tests.
	Silence, Still time.Duration
}

// Attempt is what became of asking one node.
type Attempt struct {
	Node string
	Err  error
}

// NobodyError says that no node has the stream, and what each did.
type NobodyError struct{ Attempts []Attempt }

// Error names every node.
func (e *NobodyError) Error() string {
	parts := make([]string, len(e.Attempts))
	for i, a := range e.Attempts {
		parts[i] = a.Node + ": " + a.Err.Error()
	}
	return "no node has the stream: " + strings.Join(parts, "; ")
}

// Unwrap gives what each node did.
func (e *NobodyError) Unwrap() []error {
	causes := make([]error, len(e.Attempts))
	for i, a := range e.Attempts {
		causes[i] = a.Err
	}
	return causes
}

// Follow calls each for one event after another, until the context ends, each returns an error, or no node has the
// stream; it returns the reason. Signs of life, ids without an event and the end of a node's stream are passed on as
// well; what they mean has been dealt with.
func Follow(ctx context.Context, o Options, each func(node string, f Frame) error) error {
	if o.Connect == 0 {
		o.Connect = connectMax
	}
	if o.Silence == 0 {
		o.Silence = silenceMax
	}
	if o.Still == 0 {
		o.Still = stillMax
	}
	f := follower{o: o, each: each, sequence: sequence{last: o.After, whole: whole(o.Query)}}
	pause := pauseMin
	for {
		before := f.sequence.last
		err := f.round(ctx)
		var own callerError
		switch {
		case errors.As(err, &own):
			return own.error
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && (!f.begun || f.final(err) || o.Patience > 0 && time.Since(f.alive) > o.Patience):
			return err
		case f.sequence.last != before:
			pause = pauseMin
			continue
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, pauseMax)
	}
}

// whole tells whether a stream carries every event.
func whole(q url.Values) bool {
	return q.Get("account") == "" && q.Get("asset") == "" && q.Get("blocks") != "false"
}

// follower is a stream over all nodes it is read from.
type follower struct {
	o        Options
	each     func(node string, f Frame) error
	sequence sequence
	begun    bool      // some node had the stream
	alive    time.Time // when one had it last
	left     string    // the node that was left last, which is asked last
}

// callerError is what each returned: it ends everything.
type callerError struct{ error }

func (e callerError) Unwrap() error { return e.error }

// final tells whether asking again can change nothing.
func (f *follower) final(err error) bool {
	var refused *rpc.Error
	var nobody *NobodyError
	if !errors.As(err, &nobody) {
		return errors.As(err, &refused) && !refused.Retryable
	}
	for _, a := range nobody.Attempts {
		if !errors.Is(a.Err, errPruned) {
			return false
		}
	}
	return true // nobody keeps what comes next
}

var errPruned = rpc.NewError(ledger.CodePruned, "")

// round reads from the first node that has the stream, until it breaks. The error is not of that node: it says why
// no node had it, or is a callerError.
func (f *follower) round(ctx context.Context) error {
	f.o.Balancer.Look(ctx)
	order, _ := f.o.Balancer.Order(balance.Want{})
	if i := slices.Index(order, f.left); i >= 0 {
		order = append(slices.Delete(order, i, i+1), f.left)
	}
	var nobody NobodyError
	for _, node := range order {
		served, err := f.serve(ctx, node)
		var own callerError
		switch {
		case errors.As(err, &own):
			return own
		case ctx.Err() != nil:
			return ctx.Err()
		case served:
			f.left = node
			return nil
		}
		if refused := (*rpc.Error)(nil); errors.As(err, &refused) && !refused.Retryable {
			return err
		}
		nobody.Attempts = append(nobody.Attempts, Attempt{node, err})
	}
	if len(order) == 0 {
		return balance.ErrNobody
	}
	return &nobody
}

// serve reads from one node until its stream ends, and notes how it did.
func (f *follower) serve(reader context.Context, node string) (served bool, err error) {
	ctx, cancel := context.WithCancelCause(reader)
	defer cancel(nil)
	watchdog := time.AfterFunc(f.o.Connect, func() { cancel(errSilent) })
	defer watchdog.Stop()
	trip := f.o.Balancer.Begin(node)
	outcome := balance.Silent
	defer func() {
		if reader.Err() != nil {
			outcome = balance.Answered // it did nothing wrong
		}
		trip.Done(outcome, f.o.Silence)
	}()
	resp, err := f.open(ctx, node)
	if err != nil {
		outcome = outcomeOf(err)
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return false, err
	}
	defer resp.Body.Close()
	f.begun, f.alive = true, time.Now()
	if f.o.Begun != nil {
		f.o.Begun(node, resp.Header)
	}
	watchdog.Reset(f.o.Silence)
	outcome, err = f.read(node, NewReader(resp.Body), watchdog)
	return true, err
}

// errSilent is of a node that said nothing for too long.
var errSilent = errors.New("no answer")

// read passes a node's frames on. An error other than a callerError is the node's.
func (f *follower) read(node string, r *Reader, watchdog *time.Timer) (balance.Outcome, error) {
	moved := time.Now()
	for {
		frame, err := r.Next()
		if err != nil {
			return balance.Silent, err
		}
		watchdog.Reset(f.o.Silence)
		f.alive = time.Now()
		switch {
		case frame.Event == rpc.EventEnd:
			if err := f.each(node, frame); err != nil {
				return balance.Answered, callerError{err}
			}
			return outcomeOfEnd(frame.Data), io.EOF
		case frame.ID != "":
			before := f.sequence.last
			passed, err := f.sequence.take(frame)
			if err == nil && !passed && f.o.Check != nil {
				err = f.o.Check(frame)
			}
			if err != nil {
				f.sequence.last = before
				return balance.Lied, err
			}
			if f.sequence.last != before {
				moved = time.Now()
			}
		case frame.Event != "" || len(frame.Data) > 0:
			return balance.Lied, fmt.Errorf("%w: one has no id", errOrder)
		case time.Since(moved) > f.o.Still || f.betterElsewhere(node):
			return balance.Answered, errStill
		}
		if err := f.each(node, frame); err != nil {
			return balance.Answered, callerError{err}
		}
	}
}

// errStill is of a node that is alive and has no events.
var errStill = errors.New("it has no events")

// betterElsewhere tells whether the node is not fit any more and another one is.
func (f *follower) betterElsewhere(node string) bool {
	fit := f.o.Balancer.Fit()
	return len(fit) > 0 && !slices.Contains(fit, node)
}

// outcomeOfEnd is what the end of a stream says about the node.
func outcomeOfEnd(data []byte) balance.Outcome {
	var end rpc.EndEvent
	if json.Unmarshal(data, &end) == nil && (end.Reason == rpc.EndBehind || end.Reason == rpc.EndPruned) {
		return balance.Answered
	}
	return balance.Silent // it stops, or cannot go on
}

// open asks a node for the stream.
func (f *follower) open(ctx context.Context, node string) (*http.Response, error) {
	target := node + rpc.PathEvents
	if len(f.o.Query) > 0 {
		target += "?" + f.o.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	for name, values := range f.o.Header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", "text/event-stream")
	if !f.sequence.last.IsZero() {
		req.Header.Set("Last-Event-ID", f.sequence.last.String())
	}
	resp, err := f.o.HTTP.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // NobodyError names the node
		}
		return nil, err
	}
	if resp.StatusCode == http.StatusOK && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return resp, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, refusalBytesMax))
	var refused rpc.Error
	if err != nil || json.Unmarshal(text, &refused) != nil || refused.Slug == "" || refused.Code == 0 {
		return nil, fmt.Errorf("it answered %s without a stream or an error of the API", resp.Status)
	}
	return nil, &refused
}

// outcomeOf is what a refusal says about the node. That it does not keep a block says nothing.
func outcomeOf(err error) balance.Outcome {
	var refused *rpc.Error
	switch {
	case !errors.As(err, &refused):
		return balance.Silent
	case !refused.Retryable, errors.Is(err, errPruned):
		return balance.Answered
	case refused.Class == string(ledger.ClassLimit):
		return balance.Refused
	}
	return balance.Silent
}
