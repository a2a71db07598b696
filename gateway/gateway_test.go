package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/client/stream"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// reader opens a stream over a gateway.
func reader(t *testing.T, url, query, after string) (*http.Response, *stream.Reader) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+rpc.PathEvents+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp, stream.NewReader(resp.Body)
}

// next is the next event.
func next(t *testing.T, r *stream.Reader) stream.Frame {
	t.Helper()
	for {
		f, err := r.Next()
		if err != nil {
			t.Fatalf("the stream broke: %v", err)
		}
		if f.Event != "" {
			return f
		}
	}
}

// TestStreamsOutliveNodes: one node after another dies behind a stream, and it goes on, without a gap and without an
// event twice, on the same connection.
func TestStreamsOutliveNodes(t *testing.T) {
	n := newNetwork(t, 4)
	url, _ := serving(t, n.gateway(t, Options{}))
	resp, r := reader(t, url, "?from_height=1", "")
	height := uint64(0)
	expect := func() {
		t.Helper()
		n.nodes[3].node.Submit(t.Context(), [][]byte{n.pay(t, height+1).Raw, n.pay(t, height+2).Raw})
		height = n.Seal()
		for _, want := range []string{fmt.Sprintf("%d.0", height), fmt.Sprintf("%d.1", height), fmt.Sprint(height)} {
			if f := next(t, r); f.ID != want {
				t.Fatalf("%s came, not %s", f.ID, want)
			}
		}
	}
	expect()
	if h := resp.Header; h.Get("Content-Type") != "text/event-stream" || !strings.HasPrefix(h.Get(rpc.HeaderNode), "node") || h.Get("Via") != via {
		t.Errorf("%v", h)
	}
	for _, b := range n.nodes[:3] {
		b.die()
		expect()
	}
	for id, want := range map[string]string{"1.0": "1.1", "1.1": "1", "1": "2.0"} {
		if _, again := reader(t, url, "", id); next(t, again).ID != want {
			t.Errorf("after %s it does not go on with %s", id, want)
		}
	}
}

// TestStreamsThatCannotBeHad are answered as a node answers them.
func TestStreamsThatCannotBeHad(t *testing.T) {
	n := newNetwork(t, 2)
	for range 4 {
		n.Seal()
	}
	for _, b := range n.nodes {
		b.node.KeepFrom(3)
	}
	g := n.gateway(t, Options{StreamsMax: 1})
	url, _ := serving(t, g)
	for query, want := range map[string]int{
		"?from_height=1": 410, "?from_height=0": 400, "?from_height=x": 400, "?account=x": 400, "?bogus=1": 400, "?from_height=99999": 404,
	} {
		resp, _ := reader(t, url, query, "")
		var e rpc.Error
		if err := json.NewDecoder(resp.Body).Decode(&e); err != nil || resp.StatusCode != want || e.Slug == "" {
			t.Errorf("%s: %s %+v %v", query, resp.Status, e, err)
		}
	}
	if resp, _ := reader(t, url, "", "01"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("an id that is none: %s", resp.Status)
	}
	if first, _ := reader(t, url, "", ""); first.StatusCode != http.StatusOK {
		t.Fatal(first.Status)
	}
	if second, _ := reader(t, url, "", ""); second.StatusCode != http.StatusServiceUnavailable || second.Header.Get("Retry-After") == "" {
		t.Errorf("one stream more than there is room for: %s", second.Status)
	}
}

// TestStops: a gateway that stops ends streams with where to go on, and lets go of everything.
func TestStops(t *testing.T) {
	n := newNetwork(t, 2)
	n.Seal()
	g := n.gateway(t, Options{})
	url, stop := serving(t, g)
	_, r := reader(t, url, "?from_height=1", "")
	if f := next(t, r); f.ID != "1" {
		t.Fatal(f)
	}
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	f := next(t, r)
	var end rpc.EndEvent
	if err := json.Unmarshal(f.Data, &end); err != nil || f.Event != rpc.EventEnd || end.Reason != rpc.EndStopping || end.After != "1" {
		t.Errorf("%+v %v", f, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := http.Get(url + rpc.PathLive); err == nil {
		t.Error("it still answers")
	}
}

// TestGatewayKilled: a client that knows two gateways goes on when one of them is gone, in the middle of requests and
// of streams.
func TestGatewayKilled(t *testing.T) {
	n := newNetwork(t, 4)
	n.Instant()
	first, second := n.gateway(t, Options{}), n.gateway(t, Options{})
	one := httptest.NewServer(first)
	two, _ := serving(t, second)
	kill := func() {
		one.CloseClientConnections()
		one.Listener.Close()
		one.CloseClientConnections()
	}
	defer kill()
	c, err := client.New(client.Options{Endpoints: []string{one.URL, two}, Policy: balance.Listed, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	heights := make(chan uint64)
	var following sync.WaitGroup
	following.Go(func() {
		defer close(heights)
		for e, err := range c.Events(ctx, rpc.BeforeHeight(1), client.EventFilter{}) {
			if err != nil {
				t.Error(err)
				return
			}
			if e.Block != nil {
				heights <- e.Block.Height
				if e.Block.Height == 20 {
					return
				}
			}
		}
	})
	for i := range uint64(20) {
		if i == 10 {
			kill()
		}
		tx := n.pay(t, i+1)
		if _, err := c.Submit(ctx, tx.Raw); err != nil {
			t.Fatalf("transaction %d: %v", i, err)
		}
		if status, err := c.WaitCommitted(ctx, tx); err != nil || status.Status != rpc.StatusCommitted {
			t.Fatalf("transaction %d: %+v %v", i, status, err)
		}
		if got := <-heights; got != i+1 {
			t.Fatalf("the stream is at %d, not %d", got, i+1)
		}
	}
	following.Wait()
}

// TestRedirects: pages are a node's own.
func TestRedirects(t *testing.T) {
	n := newNetwork(t, 4)
	n.nodes[0].die()
	g := n.gateway(t, Options{Policy: balance.Listed})
	check(t, g)
	for _, path := range []string{"/", "/docs", "/docs/docs.js?x=1", "//elsewhere/", "/metrics"} {
		rec := ask(g, "GET", path, nil)
		if rec.Code != http.StatusTemporaryRedirect || rec.Header().Get("Location") != n.nodes[1].URL+path {
			t.Errorf("%s: %d to %s", path, rec.Code, rec.Header().Get("Location"))
		}
		if rec := ask(g, "POST", path, nil); rec.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, rec.Code)
		}
	}
	if rec := ask(g, "GET", "/gateway/x", nil); rec.Code != http.StatusNotFound {
		t.Errorf("%d", rec.Code)
	}
}

// TestRegions: nodes of the region come first; a strict gateway refuses rather than leave it.
func TestRegions(t *testing.T) {
	n := newNetwork(t, 4)
	for _, strict := range []bool{false, true} {
		g := n.gateway(t, Options{Policy: balance.RoundRobin, Region: "eu", StrictRegion: strict})
		for i, region := range []string{"us", "eu/de", "eu/fr", "europa"} {
			g.balancer.Reported(n.nodes[i].URL, balance.Report{Region: region}, time.Millisecond)
		}
		for range 10 {
			if node := ask(g, "GET", rpc.PathLive, nil).Header().Get(rpc.HeaderNode); node != "node1" && node != "node2" {
				t.Errorf("strict %v: %s answered", strict, node)
			}
		}
		g.balancer.Reported(n.nodes[1].URL, balance.Report{Region: "us"}, time.Millisecond)
		g.balancer.Reported(n.nodes[2].URL, balance.Report{Region: "us"}, time.Millisecond)
		rec, page := ask(g, "GET", rpc.PathLive, nil), ask(g, "GET", "/docs", nil)
		if strict && (rec.Code != http.StatusServiceUnavailable || page.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Body.String(), "region eu")) {
			t.Errorf("nobody is in the region: %d %s, %d", rec.Code, rec.Body, page.Code)
		}
		if !strict && rec.Code != http.StatusOK {
			t.Errorf("nobody is in the region: %d", rec.Code)
		}
	}
}

// TestBounds: at n and n+1.
func TestBounds(t *testing.T) {
	n := newNetwork(t, 1)
	got := make(chan int, 1)
	n.nodes[0].fails(func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		_, _ = b.ReadFrom(r.Body)
		got <- b.Len()
	})
	g := n.gateway(t, Options{})
	for path, most := range map[string]int{rpc.PathTransactions: int(bodyBytesMax), rpc.PathBatch: rpc.BatchBytesMax} {
		if rec := ask(g, "POST", path, make([]byte, most)); rec.Code != http.StatusOK || <-got != most {
			t.Errorf("%s with %d bytes: %d", path, most, rec.Code)
		}
		if rec := ask(g, "POST", path, make([]byte, most+1)); rec.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("%s with %d bytes: %d", path, most+1, rec.Code)
		}
	}
	path := rpc.PathLive + "?" + strings.Repeat("x", urlBytesMax-len(rpc.PathLive))
	if rec := ask(g, "GET", path, nil); rec.Code != http.StatusOK || <-got != 0 {
		t.Errorf("a long URL: %d", rec.Code)
	}
	if rec := ask(g, "GET", path+"x", nil); rec.Code != http.StatusRequestURITooLong {
		t.Errorf("a longer URL: %d", rec.Code)
	}
	hops := strings.TrimSuffix(strings.Repeat("1.1 x,", viaMax), ",")
	if rec := ask(g, "GET", rpc.PathLive, nil, "Via", hops); rec.Code != http.StatusOK || <-got != 0 {
		t.Errorf("%d hops: %d", viaMax, rec.Code)
	}
	if rec := ask(g, "GET", rpc.PathLive, nil, "Via", hops+",1.1 x"); rec.Code != http.StatusLoopDetected {
		t.Errorf("%d hops: %d", viaMax+1, rec.Code)
	}
}

// TestRequestsAreBounded: with n requests of a kind under way the next is refused at once, and others are not.
func TestRequestsAreBounded(t *testing.T) {
	const most = 2
	n := newNetwork(t, 1)
	entered, open := make(chan struct{}), make(chan struct{})
	n.nodes[0].fails(func(http.ResponseWriter, *http.Request) { entered <- struct{}{}; <-open })
	g := n.gateway(t, Options{RequestsMax: most, WaitersMax: most, NoHedge: true})
	kinds := [][]string{{"/v1/params"}, {"/v1/params", rpc.HeaderMinHeight, "1"}}
	done := make(chan int, 2*most)
	for _, kind := range kinds {
		for range most {
			go func() { done <- ask(g, "GET", kind[0], nil, kind[1:]...).Code }()
			<-entered
		}
		if rec := ask(g, "GET", kind[0], nil, kind[1:]...); rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" {
			t.Errorf("%v: one more was answered %d", kind, rec.Code)
		}
	}
	close(open)
	for range 2 * most {
		if code := <-done; code != http.StatusOK {
			t.Errorf("a request that had a place was answered %d", code)
		}
	}
}

// TestConnectionsAreBounded: one more than may be open waits until one is closed.
func TestConnectionsAreBounded(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newBoundedListener(inner, 1)
	dial := func() net.Conn {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	dial()
	dial()
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if len(l.open) != cap(l.open) {
		t.Fatal("a connection takes no place")
	}
	second := make(chan net.Conn)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		second <- c
	}()
	select {
	case <-second:
		t.Error("a second connection was accepted beside the first")
	default:
	}
	first.Close()
	first.Close() // a place is given back once
	(<-second).Close()
	dial()
	third, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	ended := make(chan error)
	go func() { _, err := l.Accept(); ended <- err }()
	l.Close()
	if err := <-ended; err == nil {
		t.Error("a closed listener accepts")
	}
}

// TestRetriesAreBounded: a network that has too much to do is not asked three times as much.
func TestRetriesAreBounded(t *testing.T) {
	const requests = 500
	n := newNetwork(t, 4)
	for _, b := range n.nodes {
		b.fails(func(w http.ResponseWriter, _ *http.Request) { fail(w, 0, rpc.NewError(ledger.CodePoolFull, "")) })
	}
	g := n.gateway(t, Options{NoHedge: true})
	for range requests {
		if rec := ask(g, "GET", rpc.PathParams, nil); rec.Code != http.StatusTooManyRequests {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
	}
	asked := int64(0)
	for _, b := range n.nodes {
		asked += b.asked.Load()
	}
	if most := int64(requests*(1+retryShare) + retryBurst); asked > most || asked <= requests {
		t.Errorf("%d requests became %d, at most %d are allowed", requests, asked, most)
	}
}

// TestBackends: what a gateway knows of its nodes, for people and for scripts.
func TestBackends(t *testing.T) {
	n := newNetwork(t, 4)
	for range 5 {
		n.Seal()
	}
	n.nodes[0].die()
	n.nodes[1].node.Hold(1)
	g := n.gateway(t, Options{Policy: balance.Listed, Region: "eu"})
	g.balancer.Note(n.nodes[2].URL, balance.Lied)
	check(t, g)
	rec := ask(g, "GET", PathBackends, nil)
	var got Backends
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || rec.Code != http.StatusOK {
		t.Fatalf("%d %s %v", rec.Code, rec.Body, err)
	}
	if got.Policy != balance.Listed || got.Faults != 1 || got.Region != "eu" || len(got.Backends) != 4 {
		t.Errorf("%+v", got)
	}
	for i, want := range []Backend{
		{Why: "down"}, {Why: "behind", Height: 1, Lag: 4}, {Why: "ejected: it said what it could not prove", Height: 5, Lies: 1}, {Fit: true, Height: 5},
	} {
		b := got.Backends[i]
		if b.Node != n.nodes[i].URL || b.Fit != want.Fit || b.Why != want.Why || b.Height != want.Height || b.Lag != want.Lag || b.Lies != want.Lies || (b.EjectedUntil != "") != (i == 2) {
			t.Errorf("node %d: %+v", i, b)
		}
	}
	if rec := ask(g, "POST", PathBackends, nil); rec.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", rec.Code)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{
		{},
		{Nodes: []string{"127.0.0.1:1"}},
		{Nodes: []string{"http://a", "http://a/"}},
		{Nodes: []string{"http://a?x=1"}},
		{Nodes: []string{"http://a"}, Policy: "best"},
		{Nodes: []string{"http://a"}, StrictRegion: true},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

// BenchmarkOverhead compares a read at a node with the same read over a gateway, in turn, both over loopback.
func BenchmarkOverhead(b *testing.B) {
	n := newNetwork(b, 4)
	url, _ := serving(b, n.gateway(b, Options{}))
	bases := []string{n.nodes[0].URL, url}
	took := make([][]time.Duration, len(bases))
	for b.Loop() {
		for i, base := range bases {
			begun := time.Now()
			get(b, base+"/v1/assets/usd")
			took[i] = append(took[i], time.Since(begun))
		}
	}
	for i, name := range []string{"direct", "gateway"} {
		slices.Sort(took[i])
		b.ReportMetric(float64(took[i][len(took[i])/2].Microseconds()), name+"-p50-us")
		b.ReportMetric(float64(took[i][len(took[i])*99/100].Microseconds()), name+"-p99-us")
	}
}
