package client

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// network is four nodes of one ledger, each behind a real HTTP server whose behaviour a test can change.
type network struct {
	*rpctest.Ledger
	servers []*server
}

// server is a node on the network. With a fault, that answers in the node's place.
type server struct {
	*httptest.Server
	node  *rpctest.Node
	fault atomic.Pointer[http.HandlerFunc]
	asked atomic.Int64
	// attest answers for the node's validator; set before the first request.
	attest http.HandlerFunc
	seen   chan *http.Request // requests, for tests that wait for one; nobody has to read them
}

func newNetwork(t testing.TB, nodes int) *network {
	t.Helper()
	n := &network{Ledger: rpctest.NewLedger("tetrad-test", uint64(time.Now().UnixMilli()))}
	for i := range nodes {
		name := "node" + string(rune('0'+i))
		s := &server{node: n.Node(name), seen: make(chan *http.Request, 100)}
		api := rpc.NewHandler(s.node, rpc.Options{Node: name})
		s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.asked.Add(1)
			select {
			case s.seen <- r:
			default:
			}
			if fault := s.fault.Load(); fault != nil {
				(*fault)(w, r)
				return
			}
			api.ServeHTTP(w, r)
		}))
		t.Cleanup(s.die)
		n.servers = append(n.servers, s)
	}
	return n
}

// die ends a node as a kill does: connections break, and nobody listens any more.
func (s *server) die() {
	s.CloseClientConnections()
	s.Listener.Close()
	s.CloseClientConnections()
}

func (s *server) fails(h http.HandlerFunc) { s.fault.Store(&h) }

func (s *server) recovers() { s.fault.Store(nil) }

// hang never answers; it gives up with the request, so that the test can end.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func (n *network) urls() []string {
	var urls []string
	for _, s := range n.servers {
		urls = append(urls, s.URL)
	}
	return urls
}

func (n *network) client(t testing.TB, o Options) *Client {
	t.Helper()
	if o.Endpoints == nil {
		o.Endpoints = n.urls()
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second // a node on a busy machine is slow, and not silent
	}
	if o.Policy == "" {
		o.Policy, o.NoHedge = balance.Listed, true // tests say which node is asked, and when
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pay makes alice pay bob.
func (n *network) pay(t testing.TB, cents uint64) Signed {
	t.Helper()
	tx, err := NewTx(n.ChainID, n.Genesis, rpctest.Address("alice")).
		Transfer(rpctest.Address("bob"), "usd", ledger.Amount{Lo: cents}).Sign(crypto.DevKey("alice"))
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// soon is when a test that hangs is given up: far more than a slow machine needs.
const soon = 3 * time.Minute

func init() { lateMax = soon }

// within is a context for one test.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}
