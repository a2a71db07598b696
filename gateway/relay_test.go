package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/client/probe"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

func askStatus(t testing.TB, g *Gateway, node string) (balance.Report, error) {
	return probe.Status(g.http)(t.Context(), node)
}

// TestRelayIsTransparent: what a node says through a gateway is what it says itself, errors and proofs included.
func TestRelayIsTransparent(t *testing.T) {
	n := newNetwork(t, 4)
	n.Instant()
	g := n.gateway(t, Options{Policy: balance.Listed})
	tx := n.pay(t, 1250)
	body := `{"tx":"` + base64.StdEncoding.EncodeToString(tx.Raw) + `"}`
	rec := ask(g, "POST", rpc.PathTransactions, []byte(body), "Content-Type", "application/json")
	if rec.Code != http.StatusAccepted || !strings.Contains(rec.Body.String(), tx.TxID.String()) || rec.Header().Get(rpc.HeaderNode) != "node0" {
		t.Fatalf("%d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	if rec := ask(g, "POST", rpc.PathBatch, ledger.AppendDelimited(nil, n.pay(t, 1).Raw), "Content-Type", "application/octet-stream"); rec.Code != http.StatusOK {
		t.Fatalf("a batch: %d %s", rec.Code, rec.Body)
	}
	bob := rpctest.Address("bob").String()
	direct := rpc.NewHandler(n.nodes[0].node, rpc.Options{Node: "node0"})
	for _, path := range []string{
		"/v1/accounts/" + bob, "/v1/accounts/" + bob + "/balances/usd?proof=true", "/v1/blocks/1?receipts=list", "/v1/assets/none?proof=true",
		"/v1/entries/" + bob + "/a/b%2Fc", "/v1/nothing", "/v1/accounts/x", "/v1/params?bogus=1", "/v1/errors", "/openapi.json", "/v1/genesis",
		"/v1/transactions/" + tx.TxID.String() + "?wait=committed",
	} {
		want, got := ask(direct, "GET", path, nil), ask(g, "GET", path, nil)
		if got.Code != want.Code || !bytes.Equal(got.Body.Bytes(), want.Body.Bytes()) {
			t.Errorf("%s: %d %s\nnot %d %s", path, got.Code, got.Body, want.Code, want.Body)
		}
		for name, values := range want.Header() {
			recent := strings.HasPrefix(path, rpc.PathTransactions) && (name == rpc.HeaderHeight || name == rpc.HeaderToken) // of a moment ago
			if name != rpc.HeaderAgeMS && name != "Content-Length" && !recent && got.Header().Get(name) != values[0] {
				t.Errorf("%s: header %s is %q, not %q", path, name, got.Header().Get(name), values[0])
			}
		}
		if got.Header().Get("Via") != via || got.Header().Get(HeaderDegraded) != "" {
			t.Errorf("%s: %v", path, got.Header())
		}
	}
	if rec := ask(g, "HEAD", "/v1/params", nil); rec.Code != http.StatusOK || rec.Body.Len() > 0 {
		t.Errorf("HEAD: %d %s", rec.Code, rec.Body)
	}
	if rec := ask(g, "DELETE", "/v1/params", nil); rec.Code != http.StatusMethodNotAllowed || rec.Header().Get("Allow") == "" {
		t.Errorf("DELETE: %d", rec.Code)
	}
}

// direct carries a gateway's requests to handlers in the same process.
type direct map[string]http.Handler

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	d[r.URL.Host].ServeHTTP(rec, r)
	return rec.Result(), nil
}

// TestRoundRobinIsFair: of 10,000 requests each node of four gets a quarter, give or take 3 points of percent.
func TestRoundRobinIsFair(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", uint64(time.Now().UnixMilli()))
	nodes := direct{}
	o := Options{Policy: balance.RoundRobin}
	for i := range 4 {
		name := fmt.Sprint("node", i)
		nodes[name] = rpc.NewHandler(l.Node(name), rpc.Options{Node: name})
		o.Nodes = append(o.Nodes, "http://"+name)
	}
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	g.http.Transport = nodes
	requests := 10_000
	if testing.Short() {
		requests = 1000
	}
	got := map[string]int{}
	for range requests {
		rec := ask(g, "GET", rpc.PathLive, nil)
		if rec.Code != http.StatusOK {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		got[rec.Header().Get(rpc.HeaderNode)]++
	}
	for i := range 4 {
		if share := got[fmt.Sprint("node", i)]; float64(share) < 0.22*float64(requests) || float64(share) > 0.28*float64(requests) {
			t.Errorf("node%d got %d of %d: %v", i, share, requests, got)
		}
	}
}

// TestNodesThatFail: as long as one node answers, nobody notices what the others do, and they are left alone.
func TestNodesThatFail(t *testing.T) {
	for name, fault := range map[string]http.HandlerFunc{
		"hangs":      hang,
		"breaks off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"says 500":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oops", 500) },
		"says 404":   func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "what?", 404) },
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		},
		"large header":  func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Tetrad-Y", strings.Repeat("x", 1<<18)) },
		"promises much": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "99999999") },
		"is cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			io.WriteString(w, "{")
		},
		"catches up": func(w http.ResponseWriter, _ *http.Request) { fail(w, 0, rpc.NewError(ledger.CodeSyncing, "")) },
		"is full":    func(w http.ResponseWriter, _ *http.Request) { fail(w, 0, rpc.NewError(ledger.CodePoolFull, "")) },
		"is of the past": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(rpc.HeaderHeight, "1")
			io.WriteString(w, "{}")
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, 4)
			n.Seal()
			n.Seal()
			g := n.gateway(t, Options{Policy: balance.Listed})
			check(t, g)
			n.nodes[0].fails(fault)
			n.nodes[1].die()
			for range 20 {
				rec := ask(g, "GET", "/v1/assets/usd", nil, rpc.HeaderMinHeight, "2")
				if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), `"supply":"4000000.00"`) {
					t.Fatalf("%d %s", rec.Code, rec.Body)
				}
			}
			if n.nodes[0].asked.Load() == 0 {
				t.Error("the node that fails was not asked")
			}
			if lies := g.Backends().Backends[0].Lies; (lies > 0) != (name == "is of the past") {
				t.Errorf("it counts %d lies", lies)
			}
		})
	}
}

// TestAllNodesFail: the client gets an error of the API that says what to do, and of a write that it may have been
// done.
func TestAllNodesFail(t *testing.T) {
	n := newNetwork(t, 2)
	g := n.gateway(t, Options{})
	refuse := func(h http.HandlerFunc) {
		for _, b := range n.nodes {
			b.fails(h)
		}
	}
	body := []byte(`{"tx":"` + base64.StdEncoding.EncodeToString(n.pay(t, 1).Raw) + `"}`)
	for _, c := range []struct {
		fault  http.HandlerFunc
		method string
		path   string
		status int
		slug   string
	}{
		{func(w http.ResponseWriter, _ *http.Request) { fail(w, 0, rpc.NewError(ledger.CodePoolFull, "")) }, "POST", rpc.PathTransactions, 429, "pool_full"},
		{func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oops", 500) }, "GET", rpc.PathParams, 503, "unavailable"},
		{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "POST", rpc.PathTransactions, 504, "timeout"},
	} {
		refuse(c.fault)
		rec := ask(g, c.method, c.path, body, "Content-Type", "application/json")
		var e rpc.Error
		if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil || rec.Code != c.status || e.Slug != c.slug || !e.Retryable || rec.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", c.path, rec.Code, rec.Body)
		}
	}
}

// TestWritesAreSentAgain: a node takes a transaction and dies before it says so. The same bytes go to another node,
// and take effect once.
func TestWritesAreSentAgain(t *testing.T) {
	n := newNetwork(t, 4)
	g := n.gateway(t, Options{Policy: balance.Listed})
	first := n.nodes[0]
	api := rpc.NewHandler(first.node, rpc.Options{})
	first.fails(func(_ http.ResponseWriter, r *http.Request) {
		api.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
	tx := n.pay(t, 1)
	rec := ask(g, "POST", rpc.PathTransactions, []byte(`{"tx":"`+base64.StdEncoding.EncodeToString(tx.Raw)+`"}`), "Content-Type", "application/json")
	if rec.Code != http.StatusAccepted || rec.Header().Get(rpc.HeaderNode) != "node1" || first.asked.Load() != 1 {
		t.Fatalf("%d %s by %s", rec.Code, rec.Body, rec.Header().Get(rpc.HeaderNode))
	}
	n.Seal()
	n.Seal()
	done := 0
	for h := range 2 {
		var block rpc.Block
		rec := ask(g, "GET", fmt.Sprintf("/v1/blocks/%d?receipts=list", h+1), nil)
		if err := json.Unmarshal(rec.Body.Bytes(), &block); err != nil {
			t.Fatal(err)
		}
		for _, r := range block.Receipts {
			if r.TxID == tx.TxID && r.Code == 0 {
				done++
			}
		}
	}
	if done != 1 {
		t.Errorf("the transaction took effect %d times", done)
	}
}

// TestSessionsGoToNodesThatAreThere: a token steers to nodes that have reached it, and what no node is fit for is
// answered all the same and says so.
func TestSessionsGoToNodesThatAreThere(t *testing.T) {
	n := newNetwork(t, 4)
	for range 3 {
		n.Seal()
	}
	n.nodes[0].node.Hold(2) // not so far behind that it is unfit
	n.nodes[2].node.Hold(2)
	g := n.gateway(t, Options{Policy: balance.RoundRobin})
	check(t, g)
	for range 20 {
		rec := ask(g, "GET", rpc.PathParams, nil, rpc.HeaderMinHeight, "3")
		if node := rec.Header().Get(rpc.HeaderNode); rec.Code != http.StatusOK || node != "node1" && node != "node3" {
			t.Fatalf("%d by %s", rec.Code, node)
		}
	}
	if n.nodes[0].asked.Load()+n.nodes[2].asked.Load() > 0 {
		t.Error("a node that is not there was asked")
	}
	for _, b := range n.nodes {
		b.node.Adjust(func(s *rpc.Status) { s.CatchingUp = true })
	}
	check(t, g)
	rec := ask(g, "GET", rpc.PathParams, nil)
	if rec.Code != http.StatusOK || rec.Header().Get(HeaderDegraded) != "1" || rec.Header().Get(rpc.HeaderHeight) != "3" {
		t.Errorf("none is fit: %d %v, the freshest is at 3", rec.Code, rec.Header())
	}
	if rec := ask(g, "GET", rpc.PathReady, nil); rec.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Body.String(), `"ready":false`) {
		t.Errorf("none is ready: %d %s", rec.Code, rec.Body)
	}
	n.nodes[3].node.Adjust(nil)
	if rec := ask(g, "GET", rpc.PathReady+"?max_age=1h", nil); rec.Code != http.StatusOK {
		t.Errorf("one is ready: %d %s", rec.Code, rec.Body)
	}
}

// TestLargeAnswers: they pass, and one that breaks off breaks off for the client, too.
func TestLargeAnswers(t *testing.T) {
	n := newNetwork(t, 1)
	url, _ := serving(t, n.gateway(t, Options{}))
	text := bytes.Repeat([]byte("x"), 3*wholeBytesMax)
	n.nodes[0].fails(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) })
	if resp, body := get(t, url+"/v1/blocks/1"); resp.StatusCode != http.StatusOK || !bytes.Equal(body, text) {
		t.Errorf("%s with %d bytes", resp.Status, len(body))
	}
	for name, fault := range map[string]http.HandlerFunc{
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(text)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"without end": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(text); err != nil {
					return
				}
			}
		},
	} {
		n.nodes[0].fails(fault)
		resp, err := http.Get(url + "/v1/blocks/1")
		if err != nil {
			continue // it was cut so early that there is no answer at all
		}
		got, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err == nil || got > answerBytesMax {
			t.Errorf("%s: %d bytes and no error", name, got)
		}
	}
}

// TestEntriesKeepTheirSlashes: a path is passed on as it was written.
func TestEntriesKeepTheirSlashes(t *testing.T) {
	n := newNetwork(t, 1)
	seen := make(chan string, 1)
	n.nodes[0].fails(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.RequestURI
		_, _ = io.WriteString(w, "{}")
	})
	g := n.gateway(t, Options{})
	for _, uri := range []string{"/v1/entries/x/a%2Fb/c?height=3", "/v1/entries/x/%20", "/v1/accounts/@gov"} {
		if rec := ask(g, "GET", uri, nil); rec.Code != http.StatusOK {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		if got := <-seen; got != uri {
			t.Errorf("%s became %s", uri, got)
		}
	}
}

// TestNodesSayNothingAboutTheOrigin: a node's cookies and policies stay with the node, and a client's cookies with the
// gateway.
func TestNodesSayNothingAboutTheOrigin(t *testing.T) {
	n := newNetwork(t, 1)
	n.nodes[0].fails(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie") != "" || r.Header.Get("X-Forwarded-For") == "" || r.Header.Get("Via") == "" {
			t.Errorf("the node got %v", r.Header)
		}
		h := w.Header()
		h.Set("Set-Cookie", "a=b")
		h.Set("Clear-Site-Data", `"*"`)
		h.Set(HeaderDegraded, "1")
		h.Set(rpc.HeaderToken, "7")
		_, _ = io.WriteString(w, "{}")
	})
	rec := ask(n.gateway(t, Options{}), "GET", "/v1/params", nil, "Cookie", "secret=1", "Connection", "Upgrade", "Upgrade", "websocket")
	h := rec.Header()
	if rec.Code != http.StatusOK || h.Get("Set-Cookie") != "" || h.Get("Clear-Site-Data") != "" || h.Get(HeaderDegraded) != "" || h.Get(rpc.HeaderToken) != "7" {
		t.Errorf("%d %v", rec.Code, h)
	}
}

// TestHeightsThatNobodyHas: whoever asks for the state at a height far beyond all learns that no node has it, and none of
// these is thought less of for saying so.
func TestHeightsThatNobodyHas(t *testing.T) {
	n := newNetwork(t, 4)
	n.Seal()
	g := n.gateway(t, Options{NoHedge: true})
	check(t, g)
	for range 8 {
		rec := ask(g, "GET", rpc.PathParams+"?timeout=1ms", nil, rpc.HeaderMinHeight, "1000000")
		if rec.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Body.String(), `"behind"`) {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
	for _, b := range g.balancer.Backends() {
		if !b.Fit || b.Failures > 0 || b.Ejected > 0 {
			t.Errorf("%+v", b)
		}
	}
	// A node that does not have what others have is another matter.
	n.Seal()
	n.nodes[0].node.Hold(1)
	check(t, g)
	for range 8 {
		if rec := ask(g, "GET", rpc.PathParams+"?timeout=1ms", nil, rpc.HeaderMinHeight, "2"); rec.Code != http.StatusOK {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
}

// TestSessionReadsOutrunFrozenNodes: a node may take its time to reach the height that a read asks for; one that is frozen must not
// keep the read for all of that time.
func TestSessionReadsOutrunFrozenNodes(t *testing.T) {
	n := newNetwork(t, 4)
	n.Seal()
	n.nodes[0].fails(hang)
	least := patienceMax
	for range 3 { // in case that the machine is what is slow
		g := n.gateway(t, Options{Policy: balance.Listed})
		begun := time.Now()
		if rec := ask(g, "GET", rpc.PathParams, nil, rpc.HeaderMinHeight, "1"); rec.Code != http.StatusOK {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		least = min(least, time.Since(begun))
	}
	if least >= patienceMax {
		t.Errorf("a read beside a frozen node took %v or more", least)
	}
}
