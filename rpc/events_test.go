package rpc_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/client/stream"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// busy makes a ledger of blocks with 0, 1 and 2 transactions in turn, of which the second of a block fails.
func busy(t testing.TB, blocks int) *rpctest.Ledger {
	l := rpctest.NewLedger("tetrad-test", startMS)
	for i := range blocks {
		fill(t, l, i)
	}
	return l
}

func fill(t testing.TB, l *rpctest.Ledger, i int) {
	t.Helper()
	node := l.Node("filler")
	for k := range i % 3 {
		cents := uint64(1)
		if k == 1 {
			cents = 1 << 62 // more than there is
		}
		if r := node.Submit(t.Context(), [][]byte{pay(t, l, fmt.Sprintf("%d.%d", i, k), "alice", "bob", cents)}); r[0].Code != 0 {
			t.Fatal(r[0])
		}
	}
	l.Seal()
}

// listening serves a handler, until the test ends.
func listening(t *testing.T, h http.Handler) string {
	server := httptest.NewServer(h)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}

// events opens a stream.
func events(t *testing.T, url, query, after string) *stream.Reader {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+rpc.PathEvents+"?"+query, nil)
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
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	return stream.NewReader(resp.Body)
}

// next is the next event that is more than an id or a sign of life.
func next(t *testing.T, r *stream.Reader) stream.Frame {
	t.Helper()
	for {
		f, err := r.Next()
		if err != nil {
			t.Fatalf("the stream ended: %v", err)
		}
		if f.Event != "" {
			return f
		}
	}
}

// ids reads the ids of events, up to one of them.
func ids(t *testing.T, r *stream.Reader, last string) []string {
	t.Helper()
	var out []string
	for {
		f := next(t, r)
		if out = append(out, f.ID); f.ID == last || f.Event == rpc.EventEnd {
			return out
		}
	}
}

// wanted are the ids of blocks as busy makes them.
func wanted(from, to int) []string {
	var out []string
	for h := from; h <= to; h++ {
		for k := range (h - 1) % 3 {
			out = append(out, fmt.Sprintf("%d.%d", h, k))
		}
		out = append(out, fmt.Sprint(h))
	}
	return out
}

// TestEventsFromHistoryToLive: everything is there once and in order, where blocks were there before and where they
// come later; and whichever event is the last that was seen, the stream goes on behind it.
func TestEventsFromHistoryToLive(t *testing.T) {
	l := busy(t, 9)
	url := listening(t, rpc.NewHandler(l.Node("node0"), rpc.Options{}))
	r := events(t, url, "from_height=1", "")
	got := ids(t, r, "9")
	for i := 9; i < 15; i++ {
		fill(t, l, i)
	}
	got = append(got, ids(t, r, "15")...)
	want := wanted(1, 15)
	if !slices.Equal(got, want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
	for i, id := range want[:len(want)-1] {
		if got := ids(t, events(t, url, "", id), "15"); !slices.Equal(got, want[i+1:]) {
			t.Errorf("after %s: got %v", id, got)
		}
	}
	live := events(t, url, "", "")
	if f, err := live.Next(); err != nil || f.ID != "15" {
		t.Errorf("a live stream begins with where it is: %+v %v", f, err)
	}
	fill(t, l, 15)
	if got := ids(t, live, "16"); !slices.Equal(got, wanted(16, 16)) {
		t.Errorf("live: %v", got)
	}
}

// TestEventsSayWhatBlocksSay compares events with the answers of the other routes.
func TestEventsSayWhatBlocksSay(t *testing.T) {
	l := busy(t, 3)
	h := rpc.NewHandler(l.Node("node0"), rpc.Options{})
	r := events(t, listening(t, h), "from_height=3", "")
	var block rpc.Block
	if err := json.Unmarshal(ask(h, "GET", "/v1/blocks/3?receipts=list", nil).Body.Bytes(), &block); err != nil {
		t.Fatal(err)
	}
	parties := []string{rpctest.Address("alice").String(), rpctest.Address("bob").String()}
	for i, status := range []string{rpc.StatusCommitted, rpc.StatusFailed} {
		var tx rpc.TxEvent
		f := next(t, r)
		if err := json.Unmarshal(f.Data, &tx); err != nil || f.Event != rpc.EventTx {
			t.Fatalf("%+v: %v", f, err)
		}
		receipt := block.Receipts[i]
		if tx.Height != 3 || tx.Index != i || tx.TxID != receipt.TxID || tx.Code != receipt.Code || tx.Op != receipt.Op || tx.Status != status {
			t.Errorf("event %+v, receipt %+v", tx, receipt)
		}
		if !slices.Equal(tx.Accounts, parties) || !slices.Equal(tx.Assets, []string{"usd"}) || (tx.Slug == "insufficient_funds") != (i == 1) {
			t.Errorf("event %+v", tx)
		}
	}
	var own rpc.BlockEvent
	f := next(t, r)
	if err := json.Unmarshal(f.Data, &own); err != nil || f.Event != rpc.EventBlock {
		t.Fatalf("%+v: %v", f, err)
	}
	if want := (rpc.BlockEvent{
		Height: 3, Hash: block.Hash, Time: block.Time, TimeMS: block.TimeMS, Proposer: block.Proposer, AppHash: block.AppHash, TxCount: 2,
	}); own != want {
		t.Errorf("event %+v, block %+v", own, want)
	}
}

// TestEventsOfOneAccountOrAsset: a filter takes what it says, and ids of nothing else tell how far the stream is.
func TestEventsOfOneAccountOrAsset(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	node := l.Node("node0")
	for i, to := range []string{"bob", "carol", "bob"} {
		node.Submit(t.Context(), [][]byte{pay(t, l, to+fmt.Sprint(i), "alice", to, 1), pay(t, l, "dave"+fmt.Sprint(i), "dave", "alice", 1)})
		l.Seal()
	}
	url := listening(t, rpc.NewHandler(node, rpc.Options{Heartbeat: time.Millisecond}))
	id := ledger.AssetIDOf("usd").String()
	for query, want := range map[string][]string{
		"account=" + rpctest.Address("bob").String():                 {"1.0", "3.0"},
		"account=" + rpctest.Address("carol").String():               {"2.0"},
		"account=" + rpctest.Address("dave").String() + "&asset=usd": {"1.1", "2.1", "3.1"},
		"account=@gov": nil, "asset=eur": nil,
		"asset=usd": {"1.0", "1.1", "2.0", "2.1", "3.0", "3.1"},
		"blocks=true&account=" + rpctest.Address("carol").String(): {"1", "2.0", "2", "3"},
		"blocks=false": {"1.0", "1.1", "2.0", "2.1", "3.0", "3.1"},
		"asset=" + id:  {"1.0", "1.1", "2.0", "2.1", "3.0", "3.1"},
	} {
		var got []string
		for r := events(t, url, "from_height=1&"+query, ""); ; {
			f, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if f.Event != "" {
				got = append(got, f.ID)
			}
			if f.ID == "3" { // with or without an event
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
}

// end reads a stream to its end.
func end(t *testing.T, r *stream.Reader) (seen []string, end rpc.EndEvent) {
	t.Helper()
	for {
		f := next(t, r)
		if f.Event == rpc.EventEnd {
			if err := json.Unmarshal(f.Data, &end); err != nil || f.ID != "" {
				t.Fatalf("%+v: %v", f, err)
			}
			if _, err := r.Next(); err != io.EOF {
				t.Errorf("after its end the stream goes on: %v", err)
			}
			return seen, end
		}
		seen = append(seen, f.ID)
	}
}

// TestEventsEndWhereBlocksArePruned: a reader that is overtaken is told so.
func TestEventsEndWhereBlocksArePruned(t *testing.T) {
	l := busy(t, 6)
	node := l.Node("node0")
	node.Hold(2)
	r := events(t, listening(t, rpc.NewHandler(node, rpc.Options{})), "from_height=1", "")
	ids(t, r, "2")
	node.KeepFrom(5)
	node.Hold(0)
	if seen, e := end(t, r); len(seen) > 0 || e.Reason != rpc.EndPruned || e.After != "2" || e.Error.Slug != "pruned" || !strings.Contains(e.Error.Message, "5") {
		t.Errorf("%v %+v %+v", seen, e, e.Error)
	}
}

// TestEventsEndWithTheNode: the reader learns where to go on.
func TestEventsEndWithTheNode(t *testing.T) {
	l := busy(t, 2)
	running, stop := context.WithCancel(t.Context())
	server := httptest.NewUnstartedServer(rpc.NewHandler(l.Node("node0"), rpc.Options{}))
	server.Config.BaseContext = func(net.Listener) context.Context { return running }
	server.Start()
	defer server.Close()
	r := events(t, server.URL, "from_height=1", "")
	ids(t, r, "2")
	stop()
	if seen, e := end(t, r); len(seen) > 0 || e.Reason != rpc.EndStopping || e.After != "2" {
		t.Errorf("%v %+v", seen, e)
	}
}

// pipes is a listener whose connections hold nothing that was not read.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// TestSlowReadersAreCutOff: who leaves a piece unread while the chain moves on by more blocks than it may is cut
// off, is told after which event, and misses nothing when it goes on there.
func TestSlowReadersAreCutOff(t *testing.T) {
	const lagMax = 64
	for _, lag := range []int{lagMax, lagMax + 1} {
		l := rpctest.NewLedger("tetrad-test", startMS)
		h := rpc.NewHandler(l.Node("node0"), rpc.Options{})
		listener := make(pipes, 1)
		server := &http.Server{Handler: h}
		served := make(chan struct{})
		go func() { _ = server.Serve(listener); close(served) }()
		near, far := net.Pipe()
		listener <- far
		if _, err := io.WriteString(near, "GET /v1/events?from_height=1 HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		buffered := bufio.NewReaderSize(near, 16)
		resp, err := http.ReadResponse(buffered, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := stream.NewReader(io.LimitReader(resp.Body, 1<<20))
		if f, err := r.Next(); err != nil || f.ID != "0" {
			t.Fatal(f, err)
		}
		l.Seal()
		if _, err := buffered.Peek(1); err != nil { // the node is in the middle of writing block 1
			t.Fatal(err)
		}
		for range lag {
			l.Seal()
		}
		if lag > lagMax {
			if seen, e := end(t, r); !slices.Equal(seen, []string{"1"}) || e.Reason != rpc.EndBehind || e.After != "1" || !e.Error.Retryable {
				t.Errorf("%v %+v", seen, e)
			}
			rest := ids(t, events(t, listening(t, h), "", "1"), fmt.Sprint(lag+1))
			if len(rest) != lag {
				t.Errorf("it went on with %d events", len(rest))
			}
		} else if got := ids(t, r, fmt.Sprint(lag+1)); len(got) != lag+1 {
			t.Errorf("a reader that is just fast enough got %v", got)
		}
		near.Close()
		close(listener)
		server.Close()
		<-served
	}
}

// TestStreamsAreBounded: at n and n+1; a place that is given up can be taken again.
func TestStreamsAreBounded(t *testing.T) {
	l := busy(t, 1)
	url := listening(t, rpc.NewHandler(l.Node("node0"), rpc.Options{StreamsMax: 2, RequestsMax: 1, WaitersMax: 1}))
	open := func() (*http.Response, context.CancelFunc) {
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+rpc.PathEvents, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cancel(); resp.Body.Close() })
		return resp, cancel
	}
	_, leave := open()
	open()
	third, _ := open()
	if third.StatusCode != http.StatusServiceUnavailable || third.Header.Get("Retry-After") == "" {
		t.Fatalf("one more than there is room for: %s", third.Status)
	}
	leave()
	for {
		if resp, _ := open(); resp.StatusCode == http.StatusOK {
			break
		}
	}
}

// pay makes one account pay another.
func pay(t testing.TB, l *rpctest.Ledger, name, from, to string, cents uint64) []byte {
	t.Helper()
	nonce := crypto.Sum([]byte(name))
	tx, err := client.NewTx(l.ChainID, l.Genesis, rpctest.Address(from)).Transfer(rpctest.Address(to), "usd", ledger.Amount{Lo: cents}).
		Nonce([16]byte(nonce[:16])).ValidUntilMS(startMS + 60_000).Sign(crypto.DevKey(from))
	if err != nil {
		t.Fatal(err)
	}
	return tx.Raw
}

// FuzzEventID: what is accepted is written in one way only, and stands where it says.
func FuzzEventID(f *testing.F) {
	for _, seed := range []string{"0", "1", "12.3", "9223372036854775807.2147483647", "1.", ".1", "01", "1.-1", "+1", "1.2.3", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, err := rpc.ParseEventID(text)
		if err != nil {
			return
		}
		if id.String() != text || id.IsZero() {
			t.Fatalf("%q is %+v, which is %q", text, id, id)
		}
		before := rpc.BeforeHeight(id.Height)
		end := rpc.EventID{Height: id.Height, Index: rpc.WholeBlock}
		if id.After(id) || id.Height > 0 && !id.After(before) || id.After(end) || id != end && !end.After(id) {
			t.Fatalf("%s stands in no place", id)
		}
	})
}

// TestEventBlocksAreShared: blocks that many read are made once, and few are kept.
func TestEventBlocksAreShared(t *testing.T) {
	const streams, blocks = 8, 100
	l := rpctest.NewLedger("tetrad-test", startMS)
	for range blocks {
		l.Seal()
	}
	counting := &contents{Backend: l.Node("node0"), asked: make(chan uint64, 10*blocks)}
	url := listening(t, rpc.NewHandler(counting, rpc.Options{}))
	readers := make([]*stream.Reader, streams)
	for i := range readers {
		readers[i] = events(t, url, "", fmt.Sprint(blocks))
	}
	l.Seal()
	for _, r := range readers {
		ids(t, r, fmt.Sprint(blocks+1))
	}
	if got := len(counting.asked); got != 1 {
		t.Errorf("a block that %d streams carry was read %d times", streams, got)
	}
	for range 2 { // when one that was read comes to its turn again, 64 others have been read since
		ids(t, events(t, url, "from_height=1", ""), fmt.Sprint(blocks+1))
	}
	if got := len(counting.asked) - 1; got != 2*(blocks+1) {
		t.Errorf("%d blocks were read, of two times %d", got, blocks+1)
	}
}

// contents is a backend that tells which blocks it was asked for.
type contents struct {
	rpc.Backend
	asked chan uint64
}

func (c *contents) Contents(ctx context.Context, height uint64) (rpc.Block, [][]byte, error) {
	c.asked <- height
	return c.Backend.Contents(ctx, height)
}

// TestEventsOfABlockThatCannotBeRead: a bug or a damaged disk ends the stream with an event, and not the node.
func TestEventsOfABlockThatCannotBeRead(t *testing.T) {
	l := busy(t, 2)
	node := l.Node("node0")
	url := listening(t, rpc.NewHandler(&buggy{node}, rpc.Options{}))
	r := events(t, url, "from_height=2", "")
	ids(t, r, "2")
	fill(t, l, 2)
	if seen, e := end(t, r); len(seen) > 0 || e.Reason != rpc.EndFailed || e.After != "2" || e.Error.Slug != "internal" {
		t.Errorf("%v %+v", seen, e)
	}
}

// buggy panics for blocks above 2.
type buggy struct{ rpc.Backend }

func (b *buggy) Contents(ctx context.Context, height uint64) (rpc.Block, [][]byte, error) {
	if height > 2 {
		panic("a bug")
	}
	return b.Backend.Contents(ctx, height)
}
