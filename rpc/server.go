package rpc

import (
	"log/slog"
	"net/http"
	"time"
)

// Options configure the API. The zero value works.
type Options struct {
	// Node is the moniker that answers carry.
	Node string
	// Version is the version that the OpenAPI document carries.
	Version string
	// Logger gets failures of the node; nil is silent.
	Logger *slog.Logger
	// Now is the clock that block ages are measured by; nil is time.Now.
	Now func() time.Time
	// RequestsMax, WaitersMax and StreamsMax bound the requests worked on, the requests waiting and the streams of
	// events being read at once; zero takes the defaults.
	RequestsMax, WaitersMax, StreamsMax int
	// Heartbeat is after how long without an event a stream says that it is alive; 0: HeartbeatInterval.
	Heartbeat time.Duration
	// AllowedOrigins are the web origins whose pages may use the API ("https://app.example", or "*"). None
	// by default: a page of another origin could otherwise use a node that only its user can reach.
	AllowedOrigins []string
	// Observe is told of every answered request, for metrics; route is the pattern, not the path. Nil: nobody is.
	Observe func(method, route string, status int, took time.Duration)
	// Root, if there is one, answers GET / and whatever else lies outside the API.
	Root http.Handler
}

// server holds what the handlers share. Nothing in it changes once it is built, except pulse, which guards
// itself.
type server struct {
	backend   Backend
	options   Options
	log       *slog.Logger
	now       func() time.Time
	pulse     pulse
	working   chan struct{} // a slot for each request being worked on
	waiting   chan struct{} // a slot for each request that may wait
	batching  chan struct{} // a slot for each batch being taken in, on top of its working slot
	pending   chan struct{} // a slot for each entry being joined with what is pending, likewise
	listing   chan struct{} // a slot for each list of entries being read, on top of its working slot
	attesting chan struct{} // a slot for each attestation being made, likewise
	reading   chan struct{} // a slot for each stream of events
	events    *eventBlocks  // what the streams carry
}

// NewServer wraps NewHandler in an http.Server whose timeouts match what the handler does.
func NewServer(b Backend, o Options) *http.Server {
	return &http.Server{
		Handler:           NewHandler(b, o),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytesMax,
	}
}
