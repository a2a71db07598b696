package rpc

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/tetradledger/tetrad/ledger"
)

// NewHandler serves the API of a node. What it does is in three layers: guards that hold for every request
// (guard.go), the plain handlers for batches and pages, and typed operations, which package huma checks
// against the schema it also documents.
func NewHandler(b Backend, o Options) http.Handler {
	s := newServer(b, o)
	r := chi.NewRouter()
	r.NotFound(s.noRoute)
	r.MethodNotAllowed(s.wrongMethod(r))

	api := humachi.New(r, apiConfig(o))
	s.registerTransactions(api)
	s.registerState(api)
	s.registerBlocks(api)
	s.registerEvents(api)
	s.registerLight(api)
	s.registerNode(api)
	s.registerAttest(api)
	s.registerTopology(api)
	documentBatch(api.OpenAPI())

	r.Post(PathBatch, s.batch)
	s.routeDocs(r)
	return s.guard(r)
}

func newServer(b Backend, o Options) *server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.RequestsMax <= 0 {
		o.RequestsMax = requestsMax
	}
	if o.WaitersMax <= 0 {
		o.WaitersMax = waitersMax
	}
	if o.StreamsMax <= 0 {
		o.StreamsMax = streamsMax
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = HeartbeatInterval
	}
	s := &server{
		backend: b, options: o, log: o.Logger, now: o.Now,
		working:   make(chan struct{}, o.RequestsMax),
		waiting:   make(chan struct{}, o.WaitersMax),
		batching:  make(chan struct{}, min(batchesMax, o.RequestsMax)),
		listing:   make(chan struct{}, listsMax),
		attesting: make(chan struct{}, min(attestsMax, o.RequestsMax)),
		reading:   make(chan struct{}, o.StreamsMax),
		pending:   make(chan struct{}, pendingReadsMax),
	}
	s.events = newEventBlocks(s.readEventBlock)
	return s
}

// noRoute answers what no route answers.
func (s *server) noRoute(w http.ResponseWriter, r *http.Request) {
	if s.options.Root != nil && !strings.HasPrefix(r.URL.Path, "/v1/") {
		s.options.Root.ServeHTTP(w, r)
		return
	}
	writeError(w, notFound("There is no %s here; /docs lists what there is.", r.URL.Path))
}

// wrongMethod answers a request whose path exists for other methods, and names those.
func (s *server) wrongMethod(routes chi.Routes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if routes.Match(chi.NewRouteContext(), method, r.URL.Path) {
				allowed = append(allowed, method)
			}
		}
		list := strings.Join(allowed, ", ")
		w.Header().Set("Allow", list)
		writeError(w, NewError(ledger.CodeBadRequest, "%s is not possible for %s; use %s.", r.Method, r.URL.Path, list).
			withStatus(http.StatusMethodNotAllowed))
	}
}
