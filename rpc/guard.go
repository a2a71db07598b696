package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/tetradledger/tetrad/ledger"
)

// guard does for every request what no handler should have to think of: bounds, the headers every answer
// carries, a bug in a handler, and metrics.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := &watched{ResponseWriter: w}
		started := time.Now()
		routing := chi.NewRouteContext()
		defer func() {
			s.recovered(out, r, recover())
			if s.options.Observe != nil {
				s.options.Observe(r.Method, routing.RoutePattern(), out.status, time.Since(started))
			}
		}()
		s.setHeaders(out, r)
		if len(r.URL.Path)+len(r.URL.RawQuery) > urlBytesMax {
			writeError(out, badRequest("The path and query are longer than %d bytes.", urlBytesMax).withStatus(http.StatusRequestURITooLong))
			return
		}
		if r.Method == http.MethodOptions && s.preflight(out, r) {
			return
		}
		if e := s.required(r); e != nil {
			writeError(out, e)
			return
		}
		slots := s.working
		if stream := r.URL.Path == PathEvents; stream || mayWait(r) {
			if slots = s.waiting; stream {
				slots = s.reading
			}
			// The read deadline is for bodies. When it passes while the request waits, the server would
			// take the connection for broken and cancel the request.
			_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // in tests there is no connection
		}
		if !enter(slots) {
			writeError(out, busy(cap(slots)))
			return
		}
		defer leave(slots)
		ctx := context.WithValue(r.Context(), clientKey{}, clientHost(r))
		ctx = context.WithValue(ctx, chi.RouteCtxKey, routing)
		r = r.WithContext(ctx)
		if r.Method == http.MethodHead && r.URL.Path != PathEvents { // a stream has no end that its head could tell of
			r.Method = http.MethodGet // the server keeps the body to itself
		}
		next.ServeHTTP(out, foldEntryPath(r))
	})
}

// required refuses a request that only a node in good health is to answer, in the words of /v1/ready: for proxies that
// cannot ask for that themselves.
func (s *server) required(r *http.Request) *Error {
	want := r.Header.Get(HeaderRequire)
	if want == "" {
		return nil
	}
	if want != requireReady {
		return badRequest("header %s: only %s can be required, not %q.", HeaderRequire, requireReady, shorten(want))
	}
	if reasons := unfit(s.recentStatus(), readyLagMax, readyAgeMax); len(reasons) > 0 {
		return NewError(ledger.CodeUnavailable, "The node is not ready: %s.", strings.Join(reasons, "; ")).RetryAfter(retryAfterDefault)
	}
	return nil
}

// mayWait tells whether the caller asked to be kept waiting.
func mayWait(r *http.Request) bool {
	return r.Method == http.MethodGet && (r.Header.Get(HeaderMinHeight) != "" || strings.Contains(r.URL.RawQuery, "wait=") ||
		strings.Contains(r.Header.Get(HeaderConsistency), ConsistencyStrong))
}

// enter takes a slot if one is free. Nobody queues for one: a queue would only hide that the node has too
// much to do, and its memory would have no bound.
func enter(slots chan struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	default:
		return false
	}
}

func leave(slots chan struct{}) { <-slots }

func busy(max int) *Error {
	return NewError(ledger.CodeUnavailable, "The node is already answering %d requests of this kind, which is as many as it does at once.", max).
		RetryAfter(retryAfterDefault)
}

// recovered answers a request whose handler panicked, which is a bug of ours: the stack goes to the log.
func (s *server) recovered(w *watched, r *http.Request, reason any) {
	if reason == nil {
		return
	}
	if reason == http.ErrAbortHandler {
		panic(reason)
	}
	s.log.Error("request handler panicked", "path", r.URL.Path, "reason", fmt.Sprint(reason), "stack", string(debug.Stack()))
	if w.status == 0 {
		writeError(w, NewError(ledger.CodeInternal, ""))
	}
}

// setHeaders sets what every answer carries.
func (s *server) setHeaders(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set(HeaderNode, s.options.Node)
	h.Set(HeaderPartition, s.recentStatus().Partition)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if origin := r.Header.Get("Origin"); origin != "" && s.originAllowed(origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", strings.Join([]string{
			HeaderNode, HeaderHeight, HeaderAgeMS, HeaderToken, HeaderPartition, HeaderTrust, "Retry-After",
		}, ", "))
		h.Add("Vary", "Origin")
	}
}

func (s *server) originAllowed(origin string) bool {
	return slices.Contains(s.options.AllowedOrigins, "*") || slices.Contains(s.options.AllowedOrigins, origin)
}

// preflight answers a browser that asks on behalf of another origin's page, if that is allowed.
func (s *server) preflight(w http.ResponseWriter, r *http.Request) bool {
	if r.Header.Get("Access-Control-Request-Method") == "" || !s.originAllowed(r.Header.Get("Origin")) {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, POST")
	h.Set("Access-Control-Allow-Headers", strings.Join([]string{"Content-Type", "Prefer", HeaderConsistency, HeaderMinHeight, HeaderMaxAge, "Last-Event-ID"}, ", "))
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// foldEntryPath makes the path of an entry, which may hold slashes, one element of the URL's path, since
// that is what routes and the OpenAPI document are made of.
func foldEntryPath(r *http.Request) *http.Request {
	path := r.URL.EscapedPath()
	rest, ok := strings.CutPrefix(path, PathEntries+"/")
	namespace, entry, slash := strings.Cut(rest, "/")
	if !ok || !slash || !strings.Contains(entry, "/") {
		return r
	}
	u := *r.URL
	u.RawPath = PathEntries + "/" + namespace + "/" + strings.ReplaceAll(entry, "/", "%2F")
	folded := *r
	folded.URL = &u
	return &folded
}

// clientHost is where a request came from, without the port, which changes with every connection.
func clientHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// watched remembers the status of an answer.
type watched struct {
	http.ResponseWriter
	status int
}

func (w *watched) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watched) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// writeError answers outside of package huma.
func writeError(w http.ResponseWriter, e *Error) {
	for name, values := range e.GetHeaders() {
		w.Header()[name] = values
	}
	writeJSON(w, e.GetStatus(), e)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic("rpc: an answer cannot be encoded: " + err.Error())
	}
	writeText(w, status, append(text, '\n'))
}

// writeText sends an answer that is encoded already. An error means that the caller is gone.
func writeText(w http.ResponseWriter, status int, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text)
}
