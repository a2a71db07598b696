package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// PathBackends is where a gateway says what it knows of its nodes.
const PathBackends = "/gateway/backends"

// via is how a gateway names itself to nodes and clients.
const via = "1.1 tetrad-gateway"

// ServeHTTP answers one request.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer g.recovered(w, r)
	w.Header().Set("Via", via)
	switch path := r.URL.Path; {
	case len(path)+len(r.URL.RawQuery) > urlBytesMax:
		fail(w, http.StatusRequestURITooLong, rpc.NewError(ledger.CodeBadRequest, "The path and query are longer than %d bytes.", urlBytesMax))
	case strings.Count(strings.Join(r.Header.Values("Via"), ","), ",")+1 > viaMax:
		fail(w, http.StatusLoopDetected, rpc.NewError(ledger.CodeBadRequest, "The request came through more than %d proxies: is a gateway among its own nodes?", viaMax))
	case path == PathBackends:
		g.listBackends(w, r)
	case strings.HasPrefix(path, "/gateway/"):
		fail(w, 0, rpc.NewError(ledger.CodeNotFound, "There is no %.80s here; a gateway has %s.", path, PathBackends))
	case path == rpc.PathEvents && r.Method == http.MethodGet:
		g.events(w, r)
	case strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path, "/openapi"):
		g.relay(w, r)
	default:
		g.redirect(w, r)
	}
}

// recovered answers a request whose handler panicked, which is a bug of ours, or passes on that the connection
// has to be cut.
func (g *Gateway) recovered(w http.ResponseWriter, r *http.Request) {
	reason := recover()
	if reason == nil {
		return
	}
	if reason == http.ErrAbortHandler {
		panic(reason)
	}
	g.log.Error("request handler panicked", "path", r.URL.Path, "reason", fmt.Sprint(reason), "stack", string(debug.Stack()))
	fail(w, 0, rpc.NewError(ledger.CodeInternal, ""))
}

// job is a request that is being relayed.
type job struct {
	body     []byte
	want     balance.Want
	patience time.Duration // how long the node was asked to wait
	order    []string      // of nodes to ask
	degraded bool          // none of them is fit
	ready    bool          // it asks whether there is a node that is ready: each says it for itself
	whole    uint64        // height that an answer of the state must have
}

type jobKey struct{}

// relay passes a request on to nodes.
func (g *Gateway) relay(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions:
	default:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS, POST")
		fail(w, http.StatusMethodNotAllowed, rpc.NewError(ledger.CodeBadRequest, "%.20s is not possible here.", r.Method))
		return
	}
	slots := g.working
	switch {
	case r.URL.Path == rpc.PathBatch:
		slots = g.batching
	case r.Header.Get(rpc.HeaderMinHeight) != "" || strings.Contains(r.URL.RawQuery, "wait="):
		slots = g.waiting
	}
	if !enter(slots) {
		fail(w, 0, busy(cap(slots)))
		return
	}
	defer func() { <-slots }()
	body, e := readBody(w, r)
	if e != nil {
		fail(w, 0, e)
		return
	}
	// The read deadline is for bodies. When it passes while a request waits, the server would take the connection for
	// broken and cancel the request.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // in tests there is no connection
	j := g.newJob(r, body)
	if len(j.order) == 0 {
		fail(w, 0, g.nobody())
		return
	}
	if j.degraded {
		w.Header().Set(HeaderDegraded, "1")
	}
	g.retries.request()
	g.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), jobKey{}, j)))
}

// readBody reads what a request carries: it may have to be sent more than once.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *rpc.Error) {
	if r.Method != http.MethodPost {
		return nil, nil
	}
	most := bodyBytesMax
	if r.URL.Path == rpc.PathBatch {
		most = rpc.BatchBytesMax
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, rpc.NewError(ledger.CodeTooLarge, "The request's body is larger than this path takes, %d bytes.", most)
	case err != nil:
		return nil, rpc.NewError(ledger.CodeBadRequest, "The request's body did not arrive whole.")
	}
	return body, nil
}

// newJob decides which nodes are asked, and how long they may take.
func (g *Gateway) newJob(r *http.Request, body []byte) *job {
	j := &job{body: body, ready: r.URL.Path == rpc.PathReady}
	j.want = balance.Want{Write: r.URL.Path == rpc.PathTransactions || r.URL.Path == rpc.PathBatch, Key: stickyKey(r)}
	j.want.MinHeight, _ = strconv.ParseUint(r.Header.Get(rpc.HeaderMinHeight), 10, 63) // a node says what is wrong with it
	query := r.URL.Query()
	if query.Get("wait") != "" || j.want.MinHeight > 0 && !g.balancer.Reached(j.want.MinHeight) {
		j.patience = waitDefault
		if d, err := time.ParseDuration(query.Get("timeout")); err == nil && d > 0 {
			j.patience = min(d, rpc.WaitMax)
		}
	} else if r.Header.Get(rpc.HeaderConsistency) == "strong" {
		j.patience = strongMax
	}
	j.want.Patience = min(j.patience, patienceMax)
	if query.Get("wait") == "" && j.want.MinHeight > 0 {
		j.want.Patience = min(j.patience, behindMax) // nodes have a block at nearly the same time
	}
	if r.URL.Path == rpc.PathBatch {
		j.want.Patience = attemptMax // megabytes are not sent twice because a node takes its time
	}
	if ofState(r.URL.Path) && !query.Has("height") {
		j.whole = j.want.MinHeight
	}
	j.order, j.degraded = g.balancer.Order(j.want)
	j.order = j.order[:min(len(j.order), max(attemptsMin, g.balancer.Faults()+2))]
	return j
}

// ofState tells whether an answer to a path says at which height of the state it holds.
func ofState(path string) bool {
	for _, base := range []string{rpc.PathAccounts, rpc.PathAssets, rpc.PathEntries, rpc.PathValidators, rpc.PathParams} {
		if path == base || strings.HasPrefix(path, base+"/") {
			return true
		}
	}
	return false
}

// stickyKey is what decides about the node under the policy sticky: the account that is asked about, or who asks.
func stickyKey(r *http.Request) string {
	if rest, ok := strings.CutPrefix(r.URL.Path, rpc.PathAccounts+"/"); ok {
		account, _, _ := strings.Cut(rest, "/")
		return account
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	return host
}

// redirect sends a browser to a node: what is not of the API is a node's own page.
func (g *Gateway) redirect(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		fail(w, http.StatusMethodNotAllowed, rpc.NewError(ledger.CodeBadRequest, "%.20s is not possible here.", r.Method))
		return
	}
	order, _ := g.balancer.Order(balance.Want{})
	if len(order) == 0 {
		fail(w, 0, g.nobody())
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", order[0]+r.URL.RequestURI())
	w.WriteHeader(http.StatusTemporaryRedirect)
}

// nobody says why no node may be asked.
func (g *Gateway) nobody() *rpc.Error {
	return rpc.NewError(ledger.CodeUnavailable, "No node is known to be in region %s, and this gateway goes to no other.", g.o.Region).RetryAfter(time.Second)
}

// enter takes a slot if one is free. Nobody queues for one.
func enter(slots chan struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	default:
		return false
	}
}

func busy(most int) *rpc.Error {
	return rpc.NewError(ledger.CodeUnavailable, "The gateway is already at %d requests of this kind, which is as many as it does at once.", most).
		RetryAfter(time.Second)
}

// fail answers with an error of the API; a status of 0 is the error's own.
func fail(w http.ResponseWriter, status int, e *rpc.Error) {
	if status == 0 {
		status = e.GetStatus()
	}
	for name, values := range e.GetHeaders() {
		w.Header()[name] = values
	}
	writeJSON(w, status, e)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic("gateway: an answer cannot be encoded: " + err.Error())
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(text)+1))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // an error means that the client is gone
}
