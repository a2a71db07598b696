package gateway

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// network is nodes of one ledger, each behind a real server whose behaviour a test can change.
type network struct {
	*rpctest.Ledger
	nodes []*backend
}

// backend is one node. With a fault, that answers in its place.
type backend struct {
	*httptest.Server
	name  string
	node  *rpctest.Node
	fault atomic.Pointer[http.HandlerFunc]
	asked atomic.Int64 // requests other than checks
}

func newNetwork(t testing.TB, nodes int) *network {
	t.Helper()
	n := &network{Ledger: rpctest.NewLedger("tetrad-test", uint64(time.Now().UnixMilli()))}
	for i := range nodes {
		name := "node" + string(rune('0'+i))
		b := &backend{name: name, node: n.Node(name)}
		api := rpc.NewHandler(b.node, rpc.Options{Node: name})
		b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != rpc.PathStatus {
				b.asked.Add(1)
			}
			if fault := b.fault.Load(); fault != nil {
				(*fault)(w, r)
				return
			}
			api.ServeHTTP(w, r)
		}))
		t.Cleanup(b.die)
		n.nodes = append(n.nodes, b)
	}
	return n
}

// die ends a node as a kill does.
func (b *backend) die() {
	b.CloseClientConnections()
	b.Listener.Close()
	b.CloseClientConnections()
}

func (b *backend) fails(h http.HandlerFunc) { b.fault.Store(&h) }

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func (n *network) urls() []string {
	var urls []string
	for _, b := range n.nodes {
		urls = append(urls, b.URL)
	}
	return urls
}

func (n *network) gateway(t testing.TB, o Options) *Gateway {
	t.Helper()
	if o.Nodes == nil {
		o.Nodes = n.urls()
	}
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	g.attempt = time.Minute
	t.Cleanup(g.http.CloseIdleConnections)
	return g
}

// check lets the gateway look at every node, twice, as it does by itself where it serves.
func check(t testing.TB, g *Gateway) {
	t.Helper()
	for _, node := range g.o.Nodes {
		for range 2 {
			report, err := askStatus(t, g, node)
			if err != nil {
				g.balancer.Unreported(node)
			} else {
				g.balancer.Reported(node, report, time.Millisecond)
			}
		}
	}
}

// serving runs a gateway on a port of its own, and returns its address and what ends it.
func serving(t testing.TB, g *Gateway) (url string, stop func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, l) }()
	var err2 error
	stopped := false
	stop = func() error {
		if !stopped {
			stopped = true
			cancel()
			err2 = <-ended
		}
		return err2
	}
	t.Cleanup(func() { _ = stop() })
	return "http://" + l.Addr().String(), stop
}

func ask(h http.Handler, method, path string, body []byte, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

// pay makes alice pay bob.
func (n *network) pay(t testing.TB, cents uint64) client.Signed {
	t.Helper()
	tx, err := client.NewTx(n.ChainID, n.Genesis, rpctest.Address("alice")).
		Transfer(rpctest.Address("bob"), "usd", ledger.Amount{Lo: cents}).Sign(crypto.DevKey("alice"))
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// get reads from a URL.
func get(t testing.TB, url string) (*http.Response, []byte) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, body
}
