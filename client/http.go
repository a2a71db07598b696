package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// request is one request as it is put to any node.
type request struct {
	method, path string
	query        url.Values
	body         []byte
	contentType  string
	header       http.Header
	aside        bool          // its heights are not of a state that the caller sees
	refusal      *[]byte       // where the body of a refusal goes, for what stands in it beside the error
	patience     time.Duration // how long the node was asked to wait
	token        uint64        // the session's height, which the node waits for at most for patience
	known        bool          // that height is no secret: who waits for it is behind
	maxAge       time.Duration // how old the state may be that the node says it answers from; 0: any age
	grace        time.Duration // how long it may take on top of that; 0: the client's timeout
}

// ask puts a request to one node and reads the answer into out. The error is an *rpc.Error if the node
// refused, the context's own error if that ended, and a *NodeError in every other case.
func (c *Client) ask(ctx context.Context, node string, r request, out any) error {
	limit := r.patience + r.grace
	if r.grace == 0 {
		limit = r.patience + c.timeout
	}
	inner, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	waited := r.patience
	if r.known {
		waited = 0
	}
	trip := c.endpoints.Begin(node)
	err := c.exchange(inner, node, r, out)
	var refused *rpc.Error
	switch {
	case err == nil:
		trip.Done(balance.Answered, waited)
		return nil
	case errors.As(err, &refused):
		trip.Done(outcome(refused), waited)
		return refused
	case ctx.Err() != nil:
		trip.Abandon(waited)
		return ctx.Err()
	}
	if inner.Err() != nil {
		err = fmt.Errorf("%w within %s", errNoAnswer, limit)
	}
	trip.Done(balance.Silent, waited)
	return &NodeError{Endpoint: node, Err: err}
}

// outcome is what a refusal says about the node: nothing, if nobody could do what was asked; that it has too
// much to do; or that it is no use for now.
func outcome(refused *rpc.Error) balance.Outcome {
	switch {
	case !refused.Retryable:
		return balance.Answered
	case refused.Class == string(ledger.CodePoolFull.Info().Class):
		return balance.Refused
	}
	return balance.Silent
}

// errTimeout is what a node says that has a request and did not come to its end.
var errTimeout = rpc.NewError(ledger.CodeTimeout, "")

// errNoAnswer is of a node that took longer than it may.
var errNoAnswer = errors.New("no answer")

// exchange sends the request and reads the answer.
func (c *Client) exchange(ctx context.Context, node string, r request, out any) error {
	target := node + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, bytes.NewReader(r.body))
	if err != nil {
		return fmt.Errorf("build the request: %w", err)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return plainCause(err)
	}
	defer resp.Body.Close()
	height, heightErr := strconv.ParseUint(resp.Header.Get(rpc.HeaderHeight), 10, 64)
	if resp.StatusCode >= 300 {
		err := readError(resp, r.refusal)
		if r.refusal != nil {
			write(ctx, node, r.method, r.path+"?"+r.query.Encode(), resp.StatusCode, *r.refusal)
		}
		if heightErr == nil && errors.Is(err, errBehind) {
			c.session.short(node, height)
		}
		return err
	}
	text, err := readBounded(resp.Body, answerBytesMax)
	if err != nil {
		return err
	}
	write(ctx, node, r.method, r.path+"?"+r.query.Encode(), resp.StatusCode, text)
	if r.maxAge > 0 {
		if err := r.young(node, height, resp.Header.Get(rpc.HeaderAgeMS)); err != nil {
			return err
		}
	}
	if raw, ok := out.(*rawAnswer); ok {
		*raw = text
	} else if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("the answer is not what the API promises: %w", err)
	}
	if heightErr == nil && !r.aside {
		c.session.saw(node, height)
	}
	return nil
}

// orStale prefers, when no node was any use, that one's state is too old.
func orStale(err error) error {
	var old *StaleError
	if errors.Is(err, ErrNoNode) && errors.As(err, &old) {
		return old
	}
	return err
}

// young checks what a node says of its state's age. A node that does not say may be of any age.
func (r *request) young(node string, height uint64, said string) error {
	ms, err := strconv.ParseUint(said, 10, 63)
	age := time.Duration(min(ms, uint64(math.MaxInt64/time.Millisecond))) * time.Millisecond
	if err != nil {
		return fmt.Errorf("it does not say how old its answer is, in %s", rpc.HeaderAgeMS)
	}
	if age > r.maxAge {
		return &StaleError{Endpoint: node, Height: height, Age: age, Max: r.maxAge}
	}
	return nil
}

// errBehind is what a node says that does not have the height a read asks for.
var errBehind = rpc.NewError(ledger.CodeBehind, "")

// readError turns an answer that is not a success into an *rpc.Error, if it is one of the API's.
func readError(resp *http.Response, body *[]byte) error {
	most := int64(errorBytesMax)
	if body != nil {
		most += proofBytesMax * 2 // of base64 and hexadecimal
	}
	text, err := readBounded(resp.Body, most)
	if err != nil {
		return err
	}
	if body != nil {
		*body = text
	}
	var e rpc.Error
	if json.Unmarshal(text, &e) != nil || e.Slug == "" || e.Code == 0 {
		return fmt.Errorf("the node answered %s without an error of the API", resp.Status)
	}
	if e.RetryAfterMS == 0 {
		if seconds, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31); err == nil {
			e.RetryAfterMS = int64(seconds) * 1000
		}
	}
	return &e
}

// readBounded reads all there is, unless that is more than max.
func readBounded(r io.Reader, max int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if int64(len(text)) > max {
		return nil, fmt.Errorf("the answer is larger than %d bytes", max)
	}
	return text, nil
}

// neverSent tells whether a request certainly did not leave this machine.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// plainCause drops the method and address that package net/http puts before the cause: NodeError names them.
func plainCause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// elsewhere tells whether another node may do what this one did not.
func elsewhere(err error) bool {
	var refused *rpc.Error
	return !errors.As(err, &refused) || refused.Retryable
}

// anywhere puts a request to one node after another until one does it, to a second one beside the first when
// that is slow, and, if they all refuse for the time being, again when they said that it may work. That is safe
// for transactions, too: the same bytes take effect once. sent tells whether a node may have received the
// request without our knowing what it did with it.
func (c *Client) anywhere(ctx context.Context, r request, out any) (sent bool, err error) {
	want := balance.Want{Write: r.method == http.MethodPost, Patience: r.patience}
	if r.token > 0 {
		// What the node may wait for is there already, and it answers at once or is behind. A height that one node alone
		// has shown is waited for a little: it may be a moment old, or false.
		want.Patience, r.known = readBeside, c.session.confirmed(r.token)
		if r.known {
			want.Patience = 0
		}
	}
	for round := 1; ; round++ {
		var attempts attempts
		answer, _, err := balance.Read(ctx, c.endpoints.Balancer, want, func(ctx context.Context, node string) (any, bool, error) {
			// Two nodes may answer at once: each has an answer of its own, and one becomes the caller's.
			into := reflect.New(reflect.TypeOf(out).Elem())
			err := c.ask(ctx, node, r, into.Interface())
			return into.Interface(), attempts.note(node, err), err
		})
		none, refused, maybe := attempts.sum()
		sent = sent || maybe
		switch {
		case err == nil:
			reflect.ValueOf(out).Elem().Set(reflect.ValueOf(answer).Elem())
			return sent, nil
		case ctx.Err() != nil:
			return true, none.or(refused)
		case errors.Is(err, balance.ErrNobody) || !elsewhere(err):
			return sent, err
		}
		if refused == nil || refused.RetryAfterMS == 0 || round == roundsMax ||
			!pause(ctx, time.Duration(refused.RetryAfterMS)*time.Millisecond) {
			return sent, none.or(refused)
		}
	}
}

// attempts collects what became of a request at several nodes, of which two may be asked at the same time.
type attempts struct {
	mu      sync.Mutex // guards everything below
	none    NoNodeError
	refused *rpc.Error
	maybe   bool // a node may have received the request without our knowing what it did with it
}

// note tells whether another node may do better.
func (a *attempts) note(node string, err error) (again bool) {
	if err == nil || !elsewhere(err) {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var silent *NodeError
	var refused *rpc.Error
	switch {
	case errors.As(err, &silent):
		a.maybe = a.maybe || !neverSent(err)
		a.none.Attempts = append(a.none.Attempts, silent)
	case errors.As(err, &refused):
		a.maybe = a.maybe || errors.Is(err, errTimeout)
		a.refused = milder(a.refused, refused)
	default: // the caller's context ended, or another node was faster
		a.maybe = true
		a.none.Attempts = append(a.none.Attempts, &NodeError{Endpoint: node, Err: err})
	}
	return true
}

// sum is what there is until now; requests that were given up may still be noted later, elsewhere.
func (a *attempts) sum() (*NoNodeError, *rpc.Error, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return &NoNodeError{Attempts: slices.Clone(a.none.Attempts)}, a.refused, a.maybe
}

// milder picks the refusal after which it is sensible to come back sooner: one with a time beats one without.
func milder(a, b *rpc.Error) *rpc.Error {
	if a == nil || a.RetryAfterMS == 0 || b.RetryAfterMS != 0 && b.RetryAfterMS < a.RetryAfterMS {
		return b
	}
	return a
}

// pause waits, unless the context ends before that; then it does not even begin.
func pause(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
