package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

func TestSubmitWaitRead(t *testing.T) {
	n := newNetwork(t, 4)
	n.Instant()
	c := n.client(t, Options{})
	ctx := within(t, time.Minute)
	tx := n.pay(t, 1250)
	got, err := c.Submit(ctx, tx.Raw)
	if err != nil || got.TxID != tx.TxID || got.Status != rpc.StatusPending {
		t.Fatalf("%+v, %v", got, err)
	}
	status, err := c.WaitCommitted(ctx, tx)
	if err != nil || status.Status != rpc.StatusCommitted || status.Height != 1 {
		t.Fatalf("%+v, %v", status, err)
	}
	if c.Token() != 1 {
		t.Errorf("the session is at %d", c.Token())
	}
	again, err := c.Submit(ctx, tx.Raw)
	if err != nil || again.Status != rpc.StatusCommitted || again.Height != 1 {
		t.Errorf("submitted again: %+v, %v", again, err)
	}
	bob := rpctest.Address("bob").String()
	balance, err := c.Balance(ctx, bob, "usd", ReadOptions{})
	if err != nil || balance.Amount != "1000012.50" || balance.Height != 1 || balance.Consistency != rpc.ConsistencySession || balance.Verified {
		t.Errorf("%+v, %v", balance, err)
	}
	before, err := c.Balance(ctx, bob, "usd", ReadOptions{Consistency: rpc.ConsistencyEventual})
	if err != nil || before.Consistency != rpc.ConsistencyEventual {
		t.Errorf("%+v, %v", before, err)
	}
	if seen, err := c.Tx(ctx, tx.TxID, tx.ValidUntilMS); err != nil || seen.Status != rpc.StatusCommitted {
		t.Errorf("%+v, %v", seen, err)
	}
}

func TestEveryRead(t *testing.T) {
	n := newNetwork(t, 1)
	n.Instant()
	c := n.client(t, Options{})
	ctx := within(t, time.Minute)
	tx, err := NewTx(n.ChainID, n.Genesis, rpctest.Address("alice")).Put("config/limits", []byte("10")).Sign(crypto.DevKey("alice"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Submit(ctx, tx.Raw); err != nil {
		t.Fatal(err)
	}
	alice := rpctest.Address("alice").String()
	if a, err := c.Account(ctx, alice, ReadOptions{}); err != nil || a.LogCount != 1 || len(a.Balances) != 1 {
		t.Errorf("account %+v, %v", a, err)
	}
	if b, err := c.Balances(ctx, alice, ReadOptions{}); err != nil || len(b.Balances) != 1 {
		t.Errorf("balances %+v, %v", b, err)
	}
	if a, err := c.Asset(ctx, "usd", ReadOptions{}); err != nil || a.Supply != "4000000.00" {
		t.Errorf("asset %+v, %v", a, err)
	}
	if e, err := c.Entry(ctx, alice, "config/limits", ReadOptions{}); err != nil || string(e.Value) != "10" || e.Version != 1 {
		t.Errorf("entry %+v, %v", e, err)
	}
	if v, err := c.Validators(ctx, ReadOptions{}); err != nil || len(v.Validators) != 4 || v.TotalPower != 40 {
		t.Errorf("validators %+v, %v", v, err)
	}
	if p, err := c.Params(ctx, ReadOptions{}); err != nil || p.ValidForMaxMS != 600_000 {
		t.Errorf("params %+v, %v", p, err)
	}
	if b, err := c.Block(ctx, 0, ReceiptsList); err != nil || b.Height != 1 || len(b.Receipts) != 1 || b.Receipts[0].TxID != tx.TxID {
		t.Errorf("block %+v, %v", b, err)
	}
	if b, err := c.Block(ctx, 1, ReceiptsPacked); err != nil || len(b.Packed.TxIDs) != 32 {
		t.Errorf("block %+v, %v", b, err)
	}
	if s, err := c.Status(ctx); err != nil || s.Height != 1 || s.ChainID != n.ChainID {
		t.Errorf("status %+v, %v", s, err)
	}
	if s, err := c.Simulate(ctx, n.pay(t, 1).Raw); err != nil || s.Status != rpc.StatusCommitted {
		t.Errorf("simulate %+v, %v", s, err)
	}
	if b, err := c.Balance(ctx, alice, "usd", ReadOptions{Height: 1}); err != nil || b.Height != 1 {
		t.Errorf("balance %+v, %v", b, err)
	}
	_, err = c.Asset(ctx, "eur", ReadOptions{})
	var refused *rpc.Error
	if !errors.As(err, &refused) || refused.Slug != "asset_not_found" {
		t.Errorf("an asset that is not there: %v", err)
	}
}

func TestSubmitBatch(t *testing.T) {
	n := newNetwork(t, 1)
	c := n.client(t, Options{})
	ctx := within(t, time.Minute)
	good, bad := n.pay(t, 1), n.pay(t, 2)
	bad.Raw[len(bad.Raw)-1] ^= 1
	got, err := c.SubmitBatch(ctx, n.servers[0].URL, [][]byte{good.Raw, bad.Raw})
	if err != nil || got.Accepted != 1 || got.Refused != 1 || len(got.Results) != 1 || got.Results[0].Index != 1 || got.Results[0].Error.Slug != "bad_signature" {
		t.Fatalf("%+v, %v", got, err)
	}
}

// TestDeadNodes: as long as one node answers, nothing is noticed; when none does, the error says so, and who
// did what. A transaction that no node got has no unknown outcome.
func TestDeadNodes(t *testing.T) {
	n := newNetwork(t, 4)
	n.Instant()
	c := n.client(t, Options{})
	ctx := within(t, time.Minute)
	for _, s := range n.servers[:3] {
		s.die()
		if _, err := c.Submit(ctx, n.pay(t, 1).Raw); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Asset(ctx, "usd", ReadOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if asked := n.servers[3].asked.Load(); asked == 0 {
		t.Fatal("the last node was not asked")
	}
	n.servers[3].die()
	c.http.CloseIdleConnections() // on a connection that breaks, a request may have got through
	_, err := c.Submit(ctx, n.pay(t, 1).Raw)
	if errors.Is(err, ErrUnknownOutcome) {
		t.Errorf("no node can have got the transaction, but: %v", err)
	}
	if !errors.Is(err, ErrNoNode) {
		t.Errorf("%v is not ErrNoNode", err)
	}
	for _, url := range n.urls() {
		if !strings.Contains(err.Error(), url) {
			t.Errorf("%v does not name %s", err, url)
		}
	}
	if _, err := c.Asset(ctx, "usd", ReadOptions{}); !errors.Is(err, ErrNoNode) {
		t.Errorf("a read: %v", err)
	}
	for _, s := range c.StatusAll(ctx) {
		var silent *NodeError
		if !errors.As(s.Err, &silent) || silent.Endpoint != s.Endpoint {
			t.Errorf("%s: %v", s.Endpoint, s.Err)
		}
	}
}

// TestSilentNodes: a node that took the request and then says nothing leaves the outcome open.
func TestSilentNodes(t *testing.T) {
	n := newNetwork(t, 2)
	c := n.client(t, Options{Timeout: 50 * time.Millisecond})
	for _, s := range n.servers {
		s.fails(hang)
	}
	tx := n.pay(t, 1)
	_, err := c.Submit(within(t, time.Minute), tx.Raw)
	if !errors.Is(err, ErrUnknownOutcome) || !strings.Contains(err.Error(), tx.TxID.String()) {
		t.Fatalf("%v", err)
	}
	// A node that says itself that it did not come to a verdict leaves it open, too.
	undecided := func(w http.ResponseWriter, _ *http.Request) { sendError(w, rpc.NewError(ledger.CodeTimeout, "")) }
	for _, s := range n.servers {
		s.fails(undecided)
	}
	if _, err := c.Submit(within(t, time.Minute), tx.Raw); !errors.Is(err, ErrUnknownOutcome) {
		t.Fatalf("%v", err)
	}
	n.servers[0].fails(hang)
	// One of them is slow, the other one works: nobody notices.
	n.servers[1].recovers()
	patient := n.client(t, Options{Timeout: 3 * time.Second})
	for ctx := within(t, soon); ; { // until it is taken in, however slow this machine is
		if _, err := patient.Submit(ctx, tx.Raw); err == nil {
			break
		} else if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	// The caller's own deadline is not a wrong answer of a node.
	n.servers[1].fails(hang)
	_, err = c.Asset(within(t, 20*time.Millisecond), "usd", ReadOptions{})
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrNoNode) {
		t.Fatalf("%v", err)
	}
}

// TestNonsense: whatever is not an answer of the API is the node's fault, and the next node is asked.
func TestNonsense(t *testing.T) {
	big := strings.Repeat("x", answerBytesMax)
	for name, fault := range map[string]http.HandlerFunc{
		"garbage":    func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>hello</html>")) },
		"empty":      func(http.ResponseWriter, *http.Request) {},
		"wrong type": func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"height":"high"}`)) },
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Write([]byte(`{"`))
		},
		"plain 500":    func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oops", 500) },
		"plain 404":    func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "nothing here", 404) },
		"other errors": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"error":"x"}`, 400) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		},
		"too large":     func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(big + "x")) },
		"large error":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400); w.Write([]byte(big)) },
		"catching up":   func(w http.ResponseWriter, _ *http.Request) { sendError(w, rpc.NewError(ledger.CodeSyncing, "")) },
		"internal":      func(w http.ResponseWriter, _ *http.Request) { sendError(w, rpc.NewError(ledger.CodeInternal, "")) },
		"no connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, 2)
			c := n.client(t, Options{})
			n.servers[0].fails(fault)
			ctx := within(t, soon)
			began := time.Now()
			if a, err := c.Asset(ctx, "usd", ReadOptions{}); err != nil || a.Supply != "4000000.00" {
				t.Fatalf("the other node was not asked: %+v %v", a, err)
			}
			const rest = 500 * time.Millisecond // after that the faulty node has another chance
			if first := c.endpoints.order(t.Context())[0]; first != n.servers[1].URL && time.Since(began) < rest {
				t.Error("the faulty node would be asked first again")
			}
			n.servers[1].die()
			if _, err := c.Asset(ctx, "usd", ReadOptions{}); err == nil {
				t.Error("nonsense was believed")
			} else if len(err.Error()) > 2000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

// TestAnswersAreBounded: an answer of exactly the bound is read.
func TestAnswersAreBounded(t *testing.T) {
	n := newNetwork(t, 1)
	c := n.client(t, Options{Timeout: 5 * time.Second})
	n.servers[0].fails(func(w http.ResponseWriter, _ *http.Request) {
		body := `{"asset":"` + strings.Repeat("x", answerBytesMax-len(`{"asset":""}`)) + `"}`
		w.Write([]byte(body))
	})
	if _, err := c.Asset(within(t, time.Minute), "usd", ReadOptions{}); err != nil {
		t.Fatal(err)
	}
}

func sendError(w http.ResponseWriter, e *rpc.Error) {
	w.WriteHeader(e.GetStatus())
	json.NewEncoder(w).Encode(e)
}

// TestRefusalsAreFinal: what the ledger's rules refuse, no other node is asked about.
func TestRefusalsAreFinal(t *testing.T) {
	n := newNetwork(t, 4)
	c := n.client(t, Options{})
	tx, err := NewTx(n.ChainID, n.Genesis, rpctest.Address("alice")).Put("a", []byte("b")).Sign(crypto.DevKey("mallory"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Submit(within(t, time.Minute), tx.Raw)
	var refused *rpc.Error
	if !errors.As(err, &refused) || refused.Slug != "not_authorised" || refused.Retryable {
		t.Fatalf("%v", err)
	}
	if errors.Is(err, ErrUnknownOutcome) || errors.Is(err, ErrNoNode) {
		t.Errorf("%v is not what happened", err)
	}
	for _, s := range n.servers[1:] {
		if s.asked.Load() > 0 {
			t.Error("another node was asked")
		}
	}
	if _, err := c.Submit(within(t, time.Minute), []byte("not a transaction")); err == nil || n.servers[0].asked.Load() > 1 {
		t.Errorf("bytes that are no transaction were sent: %v", err)
	}
}

// TestFullPools: when all pools are full, the client comes back after the time it was told, and not before.
func TestFullPools(t *testing.T) {
	n := newNetwork(t, 2)
	c := n.client(t, Options{})
	ctx := within(t, time.Minute)
	const after = 200 * time.Millisecond
	full := func(w http.ResponseWriter, _ *http.Request) {
		sendError(w, rpc.NewError(ledger.CodePoolFull, "").RetryAfter(after))
	}
	n.servers[0].fails(full)
	n.servers[1].fails(func(w http.ResponseWriter, r *http.Request) {
		full(w, r)
		n.servers[1].recovers() // by the time the client comes back there is room
	})
	began := time.Now()
	if _, err := c.Submit(ctx, n.pay(t, 1).Raw); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < after {
		t.Errorf("it came back after %s", took)
	}
	if asked := n.servers[0].asked.Load() + n.servers[1].asked.Load(); asked > 4 {
		t.Errorf("%d requests were made", asked)
	}

	// A refusal that does not end is passed on, as soon as waiting would take longer than the caller has.
	full = func(w http.ResponseWriter, _ *http.Request) {
		sendError(w, rpc.NewError(ledger.CodePoolFull, "").RetryAfter(time.Hour))
	}
	n.servers[0].fails(full)
	n.servers[1].fails(full)
	_, err := c.Submit(ctx, n.pay(t, 1).Raw)
	var refused *rpc.Error
	if !errors.As(err, &refused) || refused.Slug != "pool_full" || refused.RetryAfterMS != time.Hour.Milliseconds() {
		t.Errorf("%v", err)
	}
}

// TestRetryAfterHeader: a proxy before the node knows only the header.
func TestRetryAfterHeader(t *testing.T) {
	n := newNetwork(t, 1)
	c := n.client(t, Options{})
	n.servers[0].fails(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(429)
		w.Write([]byte(`{"code":802,"slug":"rate_limited","class":"limit","message":"Too many requests.","retryable":true}`))
	})
	_, err := c.Asset(within(t, time.Minute), "usd", ReadOptions{})
	var refused *rpc.Error
	if !errors.As(err, &refused) || refused.RetryAfterMS != 3_600_000 {
		t.Fatalf("%v", err)
	}
}
