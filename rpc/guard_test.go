package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// ask runs one request through a handler.
func ask(h http.Handler, method, path string, body []byte, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

// refusal reads the error of an answer and checks that it is one of the API.
func refusal(t *testing.T, rec *httptest.ResponseRecorder, status int, code ledger.Code) rpc.Error {
	t.Helper()
	var e rpc.Error
	if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil {
		t.Fatalf("%d %s: %v", rec.Code, rec.Body, err)
	}
	if rec.Code != status || e.Code != uint32(code) || e.Slug != code.String() || e.Class == "" || e.Message == "" {
		t.Fatalf("got %d %+v, want %d with code %s", rec.Code, e, status, code)
	}
	return e
}

func transfer(t testing.TB, l *rpctest.Ledger, i int) client.Signed {
	t.Helper()
	nonce := crypto.Sum(fmt.Appendf(nil, "transfer %d", i))
	tx, err := client.NewTx(l.ChainID, l.Genesis, rpctest.Address("alice")).
		Transfer(rpctest.Address("bob"), "usd", ledger.Amount{Lo: 1}).Nonce([16]byte(nonce[:16])).
		ValidUntilMS(startMS + 60_000).Sign(crypto.DevKey("alice"))
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// gate is a backend that holds a request back until it is let go.
type gate struct {
	rpc.Backend
	entered chan struct{}
	open    chan struct{}
}

func newGate(b rpc.Backend) *gate {
	return &gate{Backend: b, entered: make(chan struct{}, 16), open: make(chan struct{})}
}

func (g *gate) Simulate(ctx context.Context, raw []byte) (rpc.TxStatus, error) {
	g.entered <- struct{}{}
	<-g.open
	return g.Backend.Simulate(ctx, raw)
}

func (g *gate) Outcome(ctx context.Context, id crypto.Hash, wait bool) (rpc.TxStatus, error) {
	g.entered <- struct{}{}
	<-g.open
	return g.Backend.Outcome(ctx, id, wait)
}

func (g *gate) Submit(ctx context.Context, raws [][]byte) []rpc.SubmitResult {
	g.entered <- struct{}{}
	<-g.open
	return g.Backend.Submit(ctx, raws)
}

// TestBatchesAreBounded: as many batches as may be held in memory are taken in at once; the next one is told to
// come back, by the same status as when the pool is full.
func TestBatchesAreBounded(t *testing.T) {
	const most = 64 // batches; requests of other kinds may be more
	l := rpctest.NewLedger("tetrad-test", startMS)
	g := newGate(l.Node("node0"))
	h := rpc.NewHandler(g, rpc.Options{})
	send := func(n int) *httptest.ResponseRecorder {
		body := ledger.AppendDelimited(nil, transfer(t, l, n).Raw)
		return ask(h, "POST", rpc.PathBatch, body, "Content-Type", "application/octet-stream")
	}
	done := make(chan int, most)
	for n := range most {
		go func() { done <- send(n).Code }()
	}
	for range most {
		<-g.entered
	}
	rec := send(most)
	if e := refusal(t, rec, http.StatusTooManyRequests, ledger.CodeRateLimited); !e.Retryable || rec.Header().Get("Retry-After") != "1" {
		t.Errorf("%+v with %v does not say that and when to come back", e, rec.Header())
	}
	close(g.open)
	for range most {
		if code := <-done; code != http.StatusOK {
			t.Errorf("a batch that had a place was answered %d", code)
		}
	}
	if rec := send(most); rec.Code != http.StatusOK {
		t.Errorf("after all were done: %d %s", rec.Code, rec.Body)
	}
}

// TestRequestsAreBounded: with n requests of a kind at work the next one is refused at once, those that wait
// do not keep out those that do not, and a place that is given up can be taken again.
func TestRequestsAreBounded(t *testing.T) {
	const n = 3
	l := rpctest.NewLedger("tetrad-test", startMS)
	g := newGate(l.Node("node0"))
	h := rpc.NewHandler(g, rpc.Options{RequestsMax: n, WaitersMax: n})
	body, _ := json.Marshal(rpc.SubmitRequest{Tx: transfer(t, l, 1).Raw})
	kinds := map[string]func() *httptest.ResponseRecorder{
		"working": func() *httptest.ResponseRecorder { return ask(h, "POST", rpc.PathSimulate, body) },
		"waiting": func() *httptest.ResponseRecorder {
			return ask(h, "GET", rpc.PathTransactions+"/"+strings.Repeat("0", 64)+"?wait=committed&timeout=1ms", nil)
		},
	}
	done := make(chan int, 2*n)
	for _, send := range kinds {
		for range n {
			go func() { done <- send().Code }()
		}
	}
	for range 2 * n {
		<-g.entered
	}
	for kind, send := range kinds {
		e := refusal(t, send(), http.StatusServiceUnavailable, ledger.CodeUnavailable)
		if !e.Retryable || e.RetryAfterMS == 0 || !strings.Contains(e.Message, fmt.Sprint(n)) {
			t.Errorf("%s: %+v does not say that and when to come back", kind, e)
		}
	}
	close(g.open)
	for range 2 * n {
		if code := <-done; code != http.StatusOK {
			t.Errorf("a request that had a place was answered %d", code)
		}
	}
	for kind, send := range kinds {
		if rec := send(); rec.Code != http.StatusOK {
			t.Errorf("%s: after all were done: %d %s", kind, rec.Code, rec.Body)
		}
	}
}

func TestBatchIsBoundedInTransactions(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	h := rpc.NewHandler(l.Node("node0"), rpc.Options{})
	var body []byte
	for range rpc.BatchTxsMax {
		body = ledger.AppendDelimited(body, []byte{0x0a})
	}
	rec := ask(h, "POST", rpc.PathBatch, body, "Content-Type", "application/octet-stream")
	var answer rpc.BatchResponse
	if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil || rec.Code != 200 || len(answer.Results) != rpc.BatchTxsMax {
		t.Fatalf("%d transactions: %d %v, %d results", rpc.BatchTxsMax, rec.Code, err, len(answer.Results))
	}
	body = ledger.AppendDelimited(body, []byte{0x0a})
	refusal(t, ask(h, "POST", rpc.PathBatch, body, "Content-Type", "application/octet-stream"), 413, ledger.CodeTooMany)
}

func TestBatchIsBoundedInBytes(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	h := rpc.NewHandler(l.Node("node0"), rpc.Options{})
	full := func(size int) []byte {
		var body []byte
		for len(body) < size {
			room := min(size-len(body), ledger.TxBytesMax)
			body = ledger.AppendDelimited(body, make([]byte, room-(ledger.DelimitedSize(room)-room)))
		}
		return body
	}
	body := full(rpc.BatchBytesMax)
	if len(body) != rpc.BatchBytesMax {
		t.Fatalf("the test made %d bytes", len(body))
	}
	if rec := ask(h, "POST", rpc.PathBatch, body, "Content-Type", "application/octet-stream"); rec.Code != 200 {
		t.Fatalf("%d bytes: %d %s", len(body), rec.Code, rec.Body)
	}
	// One byte more, announced and not announced.
	over := append(body, 0)
	refusal(t, ask(h, "POST", rpc.PathBatch, over, "Content-Type", "application/octet-stream"), 413, ledger.CodeTooLarge)
	r := httptest.NewRequest("POST", rpc.PathBatch, io.NopCloser(bytes.NewReader(over)))
	r.Header.Set("Content-Type", "application/octet-stream")
	r.ContentLength = -1
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	refusal(t, rec, 413, ledger.CodeTooLarge)
}

func TestSubmittedBodyIsBounded(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	h := rpc.NewHandler(l.Node("node0"), rpc.Options{})
	// The largest transaction there can be passes, even with some white space around it.
	body, _ := json.Marshal(rpc.SubmitRequest{Tx: bytes.Repeat([]byte{0x0a}, ledger.TxBytesMax)})
	refusal(t, ask(h, "POST", rpc.PathTransactions, body), 400, ledger.CodeBadEncoding)
	body, _ = json.Marshal(rpc.SubmitRequest{Tx: bytes.Repeat([]byte{0x0a}, ledger.TxBytesMax+1)})
	refusal(t, ask(h, "POST", rpc.PathTransactions, body), 413, ledger.CodeTooLarge)

	const limit = (ledger.TxBytesMax+2)/3*4 + 1024
	exact := append(bytes.Repeat([]byte{' '}, limit-2), "{}"...)
	refusal(t, ask(h, "POST", rpc.PathTransactions, exact), 400, ledger.CodeBadRequest)
	refusal(t, ask(h, "POST", rpc.PathTransactions, append(exact, ' ')), 413, ledger.CodeTooLarge)
}

func TestURLIsBounded(t *testing.T) {
	h := rpc.NewHandler(rpctest.NewLedger("tetrad-test", startMS).Node("node0"), rpc.Options{})
	path := "/v1/assets/" + strings.Repeat("a", 1024-len("/v1/assets/"))
	refusal(t, ask(h, "GET", path, nil), 404, ledger.CodeAssetNotFound)
	refusal(t, ask(h, "GET", path+"a", nil), 414, ledger.CodeBadRequest)
}

// broken is a backend with a bug.
type broken struct{ rpc.Backend }

func (broken) Simulate(context.Context, []byte) (rpc.TxStatus, error) { panic("a bug") }

func (broken) Block(context.Context, uint64, bool) (rpc.Block, error) {
	return rpc.Block{}, fmt.Errorf("read /var/lib/tetrad/data/000001.vlog: input/output error")
}

// TestFaultsOfTheNodeStayInside: a bug or a failing disk is answered, logged, and not told to the caller.
func TestFaultsOfTheNodeStayInside(t *testing.T) {
	var logged bytes.Buffer
	l := rpctest.NewLedger("tetrad-test", startMS)
	h := rpc.NewHandler(broken{l.Node("node0")}, rpc.Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	for _, rec := range []*httptest.ResponseRecorder{
		ask(h, "POST", rpc.PathSimulate, []byte(`{"tx":"AAAA"}`)),
		ask(h, "GET", rpc.PathBlocks+"/1", nil),
	} {
		refusal(t, rec, 500, ledger.CodeInternal)
		if body := rec.Body.String(); strings.Contains(body, "vlog") || strings.Contains(body, "a bug") {
			t.Errorf("the caller was told %s", body)
		}
	}
	for _, want := range []string{"a bug", "guard_test.go", "000001.vlog"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("the log does not mention %q", want)
		}
	}
}

func TestOtherOriginsNeedLeave(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	h := rpc.NewHandler(l.Node("node0"), rpc.Options{AllowedOrigins: []string{"https://app.example"}})
	rec := ask(h, "GET", rpc.PathLive, nil, "Origin", "https://app.example")
	if got := rec.Header().Get("Access-Control-Allow-Origin"); got != "https://app.example" {
		t.Errorf("the allowed origin got %q", got)
	}
	rec = ask(h, "OPTIONS", rpc.PathTransactions, nil, "Origin", "https://app.example", "Access-Control-Request-Method", "POST")
	if rec.Code != http.StatusNoContent || !strings.Contains(rec.Header().Get("Access-Control-Allow-Methods"), "POST") {
		t.Errorf("preflight: %d %v", rec.Code, rec.Header())
	}
	for _, origin := range []string{"https://app.example.evil", "http://app.example", "null"} {
		rec = ask(h, "OPTIONS", rpc.PathTransactions, nil, "Origin", origin, "Access-Control-Request-Method", "POST")
		if rec.Code == http.StatusNoContent || rec.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s was let in", origin)
		}
	}
}

func TestObserverSeesRoutes(t *testing.T) {
	var seen []string
	l := rpctest.NewLedger("tetrad-test", startMS)
	h := rpc.NewHandler(l.Node("node0"), rpc.Options{Observe: func(method, route string, status int, _ time.Duration) {
		seen = append(seen, fmt.Sprintf("%s %s %d", method, route, status))
	}})
	ask(h, "GET", rpc.PathAssets+"/usd", nil)
	ask(h, "GET", rpc.PathAssets+"/eur", nil)
	ask(h, "GET", "/nowhere", nil)
	want := "[GET /v1/assets/{code} 200 GET /v1/assets/{code} 404 GET  404]"
	if got := fmt.Sprint(seen); got != want {
		t.Errorf("observed %s, want %s", got, want)
	}
}

// TestWaitOutlivesReadTimeout: the server's read timeout is for requests that arrive slowly; a request that
// waits for a block must not be cut off by it.
func TestWaitOutlivesReadTimeout(t *testing.T) {
	t.Parallel()
	l := rpctest.NewLedger("tetrad-test", startMS)
	server := rpc.NewServer(l.Node("node0"), rpc.Options{})
	server.ReadTimeout = 2 * time.Second // far more than the request takes to arrive
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(listener)
	defer server.Close()
	tx := transfer(t, l, 1)
	sealed := time.AfterFunc(3*time.Second, func() {
		l.Node("other").Submit(context.Background(), [][]byte{tx.Raw})
		l.Seal()
	})
	defer sealed.Stop()
	resp, err := http.Get("http://" + listener.Addr().String() + rpc.PathTransactions + "/" + tx.TxID.String() + "?wait=committed&timeout=60s")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var status rpc.TxStatus
	if err := json.NewDecoder(resp.Body).Decode(&status); err != nil || status.Status != rpc.StatusCommitted || status.Height != 1 {
		t.Fatalf("%+v, %v", status, err)
	}
}

// TestMinHeightWakesUp: a read that waits for a height is answered when the height comes, not at the timeout.
func TestMinHeightWakesUp(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	h := rpc.NewHandler(l.Node("node0"), rpc.Options{})
	answered := make(chan *httptest.ResponseRecorder)
	go func() {
		answered <- ask(h, "GET", rpc.PathParams+"?timeout=60s", nil, rpc.HeaderMinHeight, "2")
	}()
	l.Seal()
	l.Seal()
	select {
	case rec := <-answered:
		if rec.Code != 200 || rec.Header().Get(rpc.HeaderHeight) != "2" {
			t.Fatalf("%d %v", rec.Code, rec.Header())
		}
	case <-time.After(50 * time.Second):
		t.Fatal("not woken up")
	}
}

// TestClientOf: the backend learns who submits, whatever port the connection has.
func TestClientOf(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	var seen string
	h := rpc.NewHandler(witness{l.Node("node0"), &seen}, rpc.Options{})
	r := httptest.NewRequest("POST", rpc.PathTransactions, strings.NewReader(`{"tx":"AAAA"}`))
	r.RemoteAddr = "[2001:db8::1]:4711"
	h.ServeHTTP(httptest.NewRecorder(), r)
	if seen != "2001:db8::1" {
		t.Errorf("the backend saw %q", seen)
	}
	if got := rpc.ClientOf(context.Background()); got != "" {
		t.Errorf("outside of a request there is %q", got)
	}
}

type witness struct {
	rpc.Backend
	seen *string
}

func (w witness) Submit(ctx context.Context, raws [][]byte) []rpc.SubmitResult {
	*w.seen = rpc.ClientOf(ctx)
	return w.Backend.Submit(ctx, raws)
}

// FuzzRequests: whatever comes in over HTTP, the answer is one of the API and never a fault of the node.
func FuzzRequests(f *testing.F) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	h := rpc.NewHandler(l.Node("node0"), rpc.Options{})
	tx := transfer(f, l, 1)
	f.Add("POST", "/v1/transactions:batch", "application/octet-stream", ledger.AppendDelimited(nil, tx.Raw))
	f.Add("POST", "/v1/transactions", "application/json", []byte(`{"tx":"AAAA"}`))
	f.Add("GET", "/v1/accounts/"+rpctest.Address("alice").String()+"/balances/usd?height=1", "", []byte{})
	f.Add("GET", "/v1/entries/@gov/a%2Fb/../c", "", []byte{})
	f.Add("GET", "/v1/blocks/latest?receipts=packed&timeout=1ms", "", []byte{})
	f.Add("GET", "/v1/transactions/"+tx.TxID.String()+"?wait=committed&timeout=1ms&valid_until_ms=18446744073709551615", "", []byte{})
	f.Fuzz(func(t *testing.T, method, path, kind string, body []byte) {
		r, err := http.NewRequest(method, "http://node"+path, bytes.NewReader(body))
		if err != nil || strings.Contains(path, "timeout=") && !strings.Contains(path, "timeout=1ms") {
			t.Skip() // no HTTP client sends the one, and nobody wants to wait for the other
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		r = r.WithContext(ctx)
		r.Header.Set("Content-Type", kind)
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		slow := rec.Code == http.StatusServiceUnavailable || rec.Code == http.StatusGatewayTimeout
		if rec.Code >= 500 && !slow {
			t.Fatalf("%s %q: %d %s", method, path, rec.Code, rec.Body)
		}
		if rec.Code >= 400 {
			var e rpc.Error
			if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil || e.Slug == "" || e.Message == "" {
				t.Fatalf("%s %q: %d %q", method, path, rec.Code, rec.Body)
			}
		}
	})
}
