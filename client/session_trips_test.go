package client

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// inProcess carries requests to nodes without a network, so that thousands of them take no time.
type inProcess map[string]http.Handler

func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	p[r.URL.Host].ServeHTTP(rec, r)
	return rec.Result(), nil
}

// lagging are four nodes of one ledger, of which those that are read from learn of a block only while they are asked.
type lagging struct {
	*rpctest.Ledger
	nodes []*rpctest.Node
	urls  []string
	http  *http.Client
}

func newLagging() *lagging {
	l := &lagging{Ledger: rpctest.NewLedger("tetrad-test", uint64(time.Now().UnixMilli())).Instant()}
	apis := inProcess{}
	for _, name := range nodeNames {
		node := l.Node(name)
		u := url.URL{Scheme: "http", Host: name}
		l.nodes, l.urls = append(l.nodes, node), append(l.urls, u.String())
		apis[name] = rpc.NewHandler(node, rpc.Options{Node: name})
	}
	l.http = &http.Client{Transport: apis}
	return l
}

// trip pays on one node and reads on another, which is a block behind when the question comes. It tells whether the
// answer lacks the payment.
func (l *lagging) trip(t testing.TB, i int, withToken bool) bool {
	t.Helper()
	from, to := i%4, (i+1+i/4%3)%4
	before := l.Height()
	tx, err := NewTx(l.ChainID, l.Genesis, rpctest.Address("alice")).Lane(1, uint64(i)+1).
		Transfer(rpctest.Address("bob"), "usd", ledger.Amount{Lo: 1}).Sign(crypto.DevKey("alice"))
	if err != nil {
		t.Fatal(err)
	}
	l.nodes[to].Hold(max(before, 1))
	writer, ctx := l.client(t, from, 0), t.Context()
	if _, err := writer.Submit(ctx, tx.Raw); err != nil {
		t.Fatal(err)
	}
	if _, err := writer.WaitCommitted(ctx, tx); err != nil {
		t.Fatal(err)
	}
	var token uint64
	learned := make(chan struct{})
	if withToken {
		token = writer.Token()
		go func() {
			defer close(learned)
			l.nodes[to].Hold(0)
		}()
	}
	b, err := l.client(t, to, token).Balance(ctx, rpctest.Address("bob").String(), "usd", ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if withToken {
		<-learned
	}
	l.nodes[to].Hold(0)
	return cents(t, b.Amount) != i+1
}

func (l *lagging) client(t testing.TB, node int, token uint64) *Client {
	t.Helper()
	c, err := New(Options{Endpoints: l.urls[node : node+1], HTTP: l.http, MinHeight: token, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSessionRoundTrips: of 10,000 payments on one node, each is in what another node says to whoever brings the token,
// though that node is behind when it is asked. Without the token none is: the nodes are slow enough for the test to bite.
func TestSessionRoundTrips(t *testing.T) {
	const ledgers, each = 40, 250 // a test ledger keeps all its states
	stale := 0
	for range ledgers {
		l := newLagging()
		l.Seal()
		for i := range each {
			if l.trip(t, i, true) {
				stale++
			}
		}
	}
	if stale > 0 {
		t.Errorf("%d of %d reads with a token were stale", stale, ledgers*each)
	}
	l := newLagging()
	l.Seal()
	const without = 100
	stale = 0
	for i := range without {
		if l.trip(t, i, false) {
			stale++
		}
	}
	if stale != without {
		t.Errorf("%d of %d reads without a token were stale; the nodes were held back for all", stale, without)
	}
}
