package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/client/probe"
)

// HeaderDegraded says, as 1, that no node was fit when the request came, and that an answer may be old.
const HeaderDegraded = "X-Tetrad-Degraded"

// Options configure a Gateway. Zero fields take their defaults.
type Options struct {
	// Nodes are the base URLs of the nodes' HTTP APIs. At least one.
	Nodes []string
	// Policy is how nodes are chosen; "": balance.EWMA.
	Policy balance.Policy
	// Region is preferred, and StrictRegion admits no other.
	Region       string
	StrictRegion bool
	// NoHedge keeps reads from being asked of a second node beside one that is slow.
	NoHedge bool
	// Logger is told of nodes that come and go, and of failures; nil is silent.
	Logger *slog.Logger
	// RequestsMax, WaitersMax, StreamsMax and ConnsMax bound what is done at once; zero takes the defaults.
	RequestsMax, WaitersMax, StreamsMax, ConnsMax int
}

// Gateway relays requests to nodes. It is safe for concurrent use.
type Gateway struct {
	o        Options
	log      *slog.Logger
	balancer *balance.Balancer
	http     *http.Client // asks nodes; its own timeouts are those of the requests
	proxy    *httputil.ReverseProxy
	retries  budget
	attempt  time.Duration // attemptMax; tests have more, on machines that are busy with others

	working  chan struct{} // a slot for each request being relayed
	waiting  chan struct{} // a slot for each that a node may keep waiting
	batching chan struct{} // a slot for each batch
	reading  chan struct{} // a slot for each stream of events

	stopping context.Context // ends when Serve is to end
	stop     context.CancelFunc
}

// New makes a Gateway. It asks nobody yet.
func New(o Options) (*Gateway, error) {
	nodes := make([]string, len(o.Nodes))
	for i, text := range o.Nodes {
		nodes[i] = strings.TrimRight(text, "/")
		u, err := url.Parse(nodes[i])
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("gateway: node %q is not an http or https URL", text)
		}
	}
	o.Nodes = nodes
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	orDefault(&o.RequestsMax, requestsMax)
	orDefault(&o.WaitersMax, waitersMax)
	orDefault(&o.StreamsMax, streamsMax)
	orDefault(&o.ConnsMax, connsMax)
	g := &Gateway{
		o: o, log: o.Logger, http: newHTTP(o.RequestsMax), retries: budget{credit: retryBurst}, attempt: attemptMax,
		working: make(chan struct{}, o.RequestsMax), waiting: make(chan struct{}, o.WaitersMax),
		batching: make(chan struct{}, batchesMax), reading: make(chan struct{}, o.StreamsMax),
	}
	var err error
	g.balancer, err = balance.New(balance.Options{
		Nodes: nodes, Policy: o.Policy, Region: o.Region, StrictRegion: o.StrictRegion, NoHedge: o.NoHedge, Probe: probe.Status(g.http),
	})
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	g.proxy = g.newProxy()
	g.stopping, g.stop = context.WithCancel(context.Background())
	return g, nil
}

func orDefault(field *int, value int) {
	if *field <= 0 {
		*field = value
	}
}

// newHTTP makes what asks nodes. Connections are kept, so that a request costs no dialling; redirects are refused,
// since a node has no business sending requests elsewhere.
func newHTTP(most int) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext, MaxIdleConnsPerHost: most, IdleConnTimeout: idleTimeout,
			TLSHandshakeTimeout: attemptMax, MaxResponseHeaderBytes: answerHeaderBytesMax, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Serve answers until the context ends, and then lets requests under way end for a moment. It closes the listener.
func (g *Gateway) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: g, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: headerBytesMax, ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { g.balancer.Run(running) })
	all.Go(func() { g.tell(running) })
	served := make(chan error, 1)
	go func() { served <- server.Serve(newBoundedListener(l, g.o.ConnsMax)) }()
	var err error
	select {
	case err = <-served: // the listener failed
	case <-ctx.Done():
		g.stop() // streams end, and say where to go on
		drain, done := context.WithTimeout(context.Background(), drainMax)
		if server.Shutdown(drain) != nil {
			_ = server.Close() // what is still open is cut off
		}
		done()
		err = <-served
	}
	g.stop()
	cancel()
	all.Wait()
	g.http.CloseIdleConnections()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// tell logs which nodes are left and which are back.
func (g *Gateway) tell(ctx context.Context) {
	known := map[string]string{}
	tick := time.NewTicker(logInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, b := range g.balancer.Backends() {
			if before, seen := known[b.Node]; !seen && b.Why == "" || before == b.Why {
				known[b.Node] = b.Why
				continue
			}
			known[b.Node] = b.Why
			if b.Why == "" {
				g.log.Info("node is fit", "node", b.Node, "height", b.Height)
			} else {
				g.log.Warn("node is left alone", "node", b.Node, "why", b.Why, "height", b.Height, "lag", b.Lag)
			}
		}
	}
}

// boundedListener accepts no more connections than may be open at once.
type boundedListener struct {
	net.Listener
	open   chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newBoundedListener(l net.Listener, most int) *boundedListener {
	return &boundedListener{Listener: l, open: make(chan struct{}, most), closed: make(chan struct{})}
}

// Accept waits for a place, and then for a connection.
func (l *boundedListener) Accept() (net.Conn, error) {
	select {
	case l.open <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.open
		return nil, err
	}
	return &boundedConn{Conn: c, leave: func() { <-l.open }}, nil
}

// Close ends Accept.
func (l *boundedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// boundedConn gives its place back when it is closed.
type boundedConn struct {
	net.Conn
	once  sync.Once
	leave func()
}

// Close closes the connection.
func (c *boundedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.leave)
	return err
}
