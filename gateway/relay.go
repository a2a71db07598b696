package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// newProxy makes what carries requests and answers over: hop-by-hop headers are left behind by it, and a connection
// is cut whose answer breaks off in the middle.
func (g *Gateway) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetXForwarded()
			r.Out.Header.Add("Via", via)
			r.Out.Header.Del("Cookie") // of the gateway's origin; a node has none
			r.Out.Header.Del("Upgrade")
			r.Out.Header.Del("Connection")
		},
		Transport: roundTripper{g}, BufferPool: pool{}, ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
		ModifyResponse: func(r *http.Response) error {
			keepKnown(r.Header)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			var e *rpc.Error
			if !errors.As(err, &e) { // the client is gone, if it is not a bug
				g.log.Debug("request ended", "path", r.URL.Path, "err", err)
				e = rpc.NewError(ledger.CodeTimeout, "")
			}
			fail(w, 0, e)
		},
	}
}

// answerHeaders are those that a node may set, besides X-Tetrad-*: a gateway's origin is the gateway's, and no node
// has to say anything about its cookies or about other pages.
var answerHeaders = map[string]bool{
	"Content-Type": true, "Content-Length": true, "Retry-After": true, "Allow": true, "Vary": true, "Cache-Control": true, "Date": true,
	"X-Content-Type-Options": true, "Access-Control-Allow-Origin": true, "Access-Control-Expose-Headers": true,
	"Access-Control-Allow-Methods": true, "Access-Control-Allow-Headers": true, "Access-Control-Max-Age": true,
}

func keepKnown(h http.Header) {
	for name := range h {
		if !answerHeaders[name] && !strings.HasPrefix(name, "X-Tetrad-") || name == HeaderDegraded {
			delete(h, name)
		}
	}
}

// pool lends buffers for copying answers.
type pool struct{}

var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// Get lends a buffer.
func (pool) Get() []byte { return *buffers.Get().(*[]byte) }

// Put takes it back.
func (pool) Put(b []byte) { buffers.Put(&b) }

// roundTripper asks nodes until one does what the request wants.
type roundTripper struct{ g *Gateway }

// RoundTrip returns the answer of one node: the first that is good, or else the mildest refusal.
func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	j := r.Context().Value(jobKey{}).(*job)
	a := attempts{g: t.g, j: j, r: r}
	answer, _, err := balance.ReadIn(r.Context(), t.g.balancer, j.order, j.want, a.ask)
	if err == nil {
		return answer, nil
	}
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	return a.sum()
}

// attempts are what became of a request at several nodes, of which two may be asked at the same time.
type attempts struct {
	g *Gateway
	j *job
	r *http.Request

	mu      sync.Mutex     // guards everything below
	refused *http.Response // the mildest refusal so far
	after   int64          // when it says to come back
	sent    bool           // a node may have got the request without our knowing what it did with it
	silent  []string       // nodes without an answer, and why
}

// errAgain says that another node may do better.
var errAgain = errors.New("another node may do better")

// ask puts the request to one node.
func (a *attempts) ask(ctx context.Context, node string) (*http.Response, bool, error) {
	trip := a.g.balancer.Begin(node)
	resp, err := a.exchange(ctx, node)
	if err != nil {
		if ctx.Err() != nil { // nobody waits for this node any more
			trip.Abandon(a.j.patience)
			return nil, false, ctx.Err()
		}
		outcome := balance.Silent
		if errors.Is(err, errContradiction) {
			outcome = balance.Lied
		}
		trip.Done(outcome, a.j.patience)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.sent = a.sent || !neverSent(err)
		a.silent = append(a.silent, node+": "+plain(err))
		return nil, true, errAgain
	}
	v := a.judge(resp)
	trip.Done(v.outcome, a.j.patience)
	if !v.again || v.limit && !a.g.retries.take() {
		return resp, false, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if v.strange {
		a.sent = true
		a.silent = append(a.silent, node+": it answered "+resp.Status)
	} else if a.refused == nil || a.after == 0 || v.after > 0 && v.after < a.after {
		a.refused, a.after = resp, v.after
	}
	return nil, true, errAgain
}

// exchange sends the request to a node and reads its answer, all of it if it is not large.
func (a *attempts) exchange(ctx context.Context, node string) (*http.Response, error) {
	target := node + a.r.URL.EscapedPath()
	if a.r.URL.RawQuery != "" {
		target += "?" + a.r.URL.RawQuery
	}
	// The answer outlives the search for it, so it hangs on the request and not on ctx.
	own, cancel := context.WithCancelCause(a.r.Context())
	limit := time.AfterFunc(a.j.patience+a.g.attempt, func() { cancel(errSilent) })
	stop := context.AfterFunc(ctx, func() { cancel(ctx.Err()) })
	req, err := http.NewRequestWithContext(own, a.r.Method, target, bytes.NewReader(a.j.body))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	if len(a.j.body) == 0 {
		req.Body = http.NoBody
	}
	req.Header = a.r.Header.Clone()
	resp, err := a.g.http.Do(req)
	if err == nil {
		if err = a.take(resp, func() { cancel(nil) }); err == nil {
			err = a.j.check(resp)
		}
	}
	stop()
	limit.Stop()
	if err != nil {
		if errors.Is(context.Cause(own), errSilent) {
			err = errSilent
		}
		cancel(nil)
		return nil, err
	}
	return resp, nil
}

// errSilent is of a node that took longer than it may.
var errSilent = errors.New("no answer in time")

// take reads the beginning of an answer, and makes the rest readable up to a bound.
func (a *attempts) take(resp *http.Response, done func()) error {
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		resp.Body.Close()
		return fmt.Errorf("it answered %s", resp.Status)
	}
	if resp.ContentLength > answerBytesMax && a.r.Method != http.MethodHead {
		resp.Body.Close()
		return fmt.Errorf("its answer is to have %d bytes", resp.ContentLength)
	}
	first, err := io.ReadAll(io.LimitReader(resp.Body, wholeBytesMax))
	if err != nil {
		resp.Body.Close()
		return err
	}
	if len(first) < wholeBytesMax {
		resp.Body.Close()
		done()
		resp.Body = io.NopCloser(bytes.NewReader(first))
		if a.r.Method != http.MethodHead {
			resp.ContentLength = int64(len(first))
			resp.Header.Set("Content-Length", strconv.Itoa(len(first)))
		}
		return nil
	}
	resp.Body = &large{Reader: io.MultiReader(bytes.NewReader(first), resp.Body), left: answerBytesMax, close: resp.Body, done: done}
	return nil
}

// large is an answer that is passed on while it comes.
type large struct {
	io.Reader
	left  int
	close io.Closer
	done  func()
}

// Read fails beyond the bound.
func (l *large) Read(b []byte) (int, error) {
	n, err := l.Reader.Read(b)
	if l.left -= n; l.left < 0 {
		return 0, errors.New("the answer is larger than any can be")
	}
	return n, err
}

// Close lets go of the node.
func (l *large) Close() error {
	defer l.done()
	return l.close.Close()
}

// verdict is what an answer means for the node, and for the request.
type verdict struct {
	outcome balance.Outcome
	again   bool  // another node may do better
	limit   bool  // because this one has too much to do
	strange bool  // it is no answer of the API: not of a node, but of something before it
	after   int64 // when it says to come back, in milliseconds
}

// judge reads the error of an answer that is none.
func (a *attempts) judge(resp *http.Response) verdict {
	if resp.StatusCode < 400 {
		return verdict{outcome: balance.Answered}
	}
	var first bytes.Buffer
	_, _ = io.Copy(&first, io.LimitReader(resp.Body, wholeBytesMax)) // what was read already
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(first.Bytes()), resp.Body), resp.Body}
	if a.j.ready {
		return verdict{outcome: balance.Answered, again: resp.StatusCode == http.StatusServiceUnavailable}
	}
	var e rpc.Error
	if json.Unmarshal(first.Bytes(), &e) != nil || e.Slug == "" || e.Code == 0 {
		if a.r.Method == http.MethodHead {
			return verdict{outcome: balance.Answered}
		}
		return verdict{outcome: balance.Silent, again: true, strange: true}
	}
	v := verdict{outcome: balance.Answered, again: e.Retryable, after: e.RetryAfterMS}
	switch {
	case !e.Retryable:
	case e.Class == string(ledger.ClassLimit):
		v.outcome, v.limit = balance.Refused, true
	case ledger.Code(e.Code) == ledger.CodePruned, ledger.Code(e.Code) == ledger.CodeFuture:
	case ledger.Code(e.Code) == ledger.CodeBehind && !a.g.balancer.Reached(a.j.want.MinHeight):
		// Nobody is known to have the height: it is the client that is ahead, or says so.
	default:
		v.outcome = balance.Silent
	}
	return v
}

// sum is what the client is told when no node did what it wants.
func (a *attempts) sum() (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.silent) > 0 {
		a.g.log.Warn("nodes gave no answer", "method", a.r.Method, "path", a.r.URL.Path, "nodes", strings.Join(a.silent, "; "))
	}
	switch {
	case a.refused != nil:
		return a.refused, nil
	case a.sent && a.j.want.Write:
		return nil, rpc.NewError(ledger.CodeTimeout, "No node said what it did with the transaction, and one may have it: submit the same bytes again, or ask for its outcome.").
			RetryAfter(time.Second)
	}
	return nil, rpc.NewError(ledger.CodeUnavailable, "No node gave an answer.").RetryAfter(time.Second)
}
