package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// await returns when a node gets a request of the kind.
func await(t *testing.T, s *server, method, mark string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		select {
		case r := <-s.seen:
			if r.Method == method && strings.Contains(r.URL.String(), mark) {
				return
			}
		case <-deadline:
			t.Errorf("no %s %s came", method, mark)
			return
		}
	}
}

// TestNodeDiesWhileWaiting: the node that took the transaction in dies with it. The client asks the next one,
// hands it the same bytes, and gets the outcome.
func TestNodeDiesWhileWaiting(t *testing.T) {
	n := newNetwork(t, 4)
	c := n.client(t, Options{})
	ctx := within(t, time.Minute)
	tx := n.pay(t, 1)
	if _, err := c.Submit(ctx, tx.Raw); err != nil {
		t.Fatal(err)
	}
	go func() {
		await(t, n.servers[0], "GET", "wait=committed")
		n.Forget()
		n.servers[0].die()
		await(t, n.servers[1], "GET", "wait=committed")
		n.Seal()
	}()
	status, err := c.WaitCommitted(ctx, tx)
	if err != nil || status.Status != rpc.StatusCommitted || status.Height != 1 {
		t.Fatalf("%+v, %v", status, err)
	}
}

// TestNodeFreezesWhileWaiting: a node that says nothing any more costs a few seconds, not the outcome.
func TestNodeFreezesWhileWaiting(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 2)
	c := n.client(t, Options{Policy: balance.Listed, Timeout: 500 * time.Millisecond})
	ctx := within(t, time.Minute)
	tx := n.pay(t, 1)
	for { // until it is taken in, however slow this machine is
		if _, err := c.Submit(ctx, tx.Raw); err == nil {
			break
		} else if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	n.Seal()
	n.servers[0].fails(hang)
	status, err := c.WaitCommitted(ctx, tx)
	if err != nil || status.Status != rpc.StatusCommitted {
		t.Fatalf("%+v, %v", status, err)
	}
}

// TestNodeKeepsTransactionBack: a node that says "pending" for ever does not keep the transaction from the
// others.
func TestNodeKeepsTransactionBack(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 2)
	c := n.client(t, Options{})
	ctx := within(t, time.Minute)
	tx := n.pay(t, 1)
	n.servers[0].fails(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(202)
		}
		fmt.Fprintf(w, `{"txid":"%s","status":"pending","code":0}`, tx.TxID)
	})
	if _, err := c.Submit(ctx, tx.Raw); err != nil {
		t.Fatal(err)
	}
	go func() {
		await(t, n.servers[1], "POST", rpc.PathTransactions)
		await(t, n.servers[1], "GET", "wait=committed")
		n.Seal()
	}()
	status, err := c.WaitCommitted(ctx, tx)
	if err != nil || status.Status != rpc.StatusCommitted {
		t.Fatalf("%+v, %v", status, err)
	}
}

// TestKeptBackBySeveral: in a network where two may be faulty, a transaction that two keep to themselves reaches
// a third without waiting for the second to be given up.
func TestKeptBackBySeveral(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 7)
	c := n.client(t, Options{Policy: balance.Listed})
	ctx := within(t, time.Minute)
	tx := n.pay(t, 1)
	for _, s := range n.servers[:2] {
		s.fails(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				w.WriteHeader(202)
			} else {
				<-r.Context().Done() // says nothing, so that waiting alone does not lead on
			}
			fmt.Fprintf(w, `{"txid":"%s","status":"pending","code":0}`, tx.TxID)
		})
	}
	if _, err := c.Submit(ctx, tx.Raw); err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(ctx)
	var sealing sync.WaitGroup
	sealing.Go(func() {
		for pause(ended, time.Millisecond) {
			// All nodes share a pool: it is there once one that does not keep it back has got it.
			if o, err := n.servers[2].node.Outcome(ended, tx.TxID, false); err == nil && o.Status == rpc.StatusPending {
				n.Seal()
				return
			}
		}
	})
	status, err := c.WaitCommitted(ctx, tx)
	end()
	sealing.Wait()
	if err != nil || status.Status != rpc.StatusCommitted {
		t.Fatalf("%+v, %v", status, err)
	}
}

// TestStrictRegionKeepsTransactions: a transaction that a node may be keeping back is handed on within the region only.
func TestStrictRegionKeepsTransactions(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 7)
	c := n.client(t, Options{Region: "eu", RegionStrict: true})
	for i, s := range n.servers {
		region := "us"
		if i == 0 || i == 6 {
			region = "eu/de"
		}
		c.endpoints.Reported(s.URL, balance.Report{Region: region}, time.Millisecond)
	}
	ctx := within(t, soon)
	c.spread(ctx, n.pay(t, 1), []string{n.servers[0].URL}) // to two more, if there were so many
	for handed := false; !handed; {
		select {
		case r := <-n.servers[6].seen:
			handed = r.Method == http.MethodPost
		case <-ctx.Done():
			t.Fatal("the other node of the region was not handed the transaction")
		}
	}
	for i, s := range n.servers[:6] {
		for len(s.seen) > 0 {
			if r := <-s.seen; r.Method == http.MethodPost {
				t.Errorf("node%d was handed the transaction", i)
			}
		}
	}
}

func TestWaitEnds(t *testing.T) {
	n := newNetwork(t, 2)
	c := n.client(t, Options{})
	ctx := within(t, time.Minute)

	poor, err := NewTx(n.ChainID, n.Genesis, rpctest.Address("alice")).
		Transfer(rpctest.Address("bob"), "usd", ledger.Amount{Lo: 1 << 60}).Sign(crypto.DevKey("alice"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Submit(ctx, poor.Raw); err != nil {
		t.Fatal(err)
	}
	n.Seal()
	status, err := c.WaitCommitted(ctx, poor)
	if err != nil || status.Status != rpc.StatusFailed || status.Error == nil || status.Error.Slug != "insufficient_funds" || status.Op != 1 {
		t.Errorf("failed: %+v, %v", status, err)
	}

	lost := n.pay(t, 1)
	n.SealAfter(120_000)
	status, err = c.WaitCommitted(ctx, Signed{TxID: lost.TxID, ValidUntilMS: lost.ValidUntilMS})
	if err != nil || status.Status != rpc.StatusNeverWill {
		t.Errorf("never: %+v, %v", status, err)
	}

	open := n.pay(t, 2)
	open.ValidUntilMS += 1_000_000
	status, err = c.WaitCommitted(within(t, 100*time.Millisecond), Signed{TxID: open.TxID, ValidUntilMS: open.ValidUntilMS})
	var unknown *UnknownOutcomeError
	if !errors.As(err, &unknown) || !errors.Is(err, ErrUnknownOutcome) || unknown.TxID != open.TxID || status.Status != rpc.StatusUnknown {
		t.Errorf("unknown: %+v, %v", status, err)
	}

	for _, s := range n.servers {
		s.die()
	}
	// The first round asks both nodes in turn; with the second the caller's patience ends.
	ended, end := context.WithCancel(ctx)
	defer end()
	var requests atomic.Int64
	c = n.client(t, Options{HTTP: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if requests.Add(1) == 3 {
			end()
		}
		return http.DefaultTransport.RoundTrip(r)
	})}})
	_, err = c.WaitCommitted(ended, open)
	if !errors.Is(err, ErrUnknownOutcome) || !strings.Contains(err.Error(), n.servers[1].URL) {
		t.Errorf("with nobody left: %v", err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestWrongAnswerWhileWaiting: a node that tells the outcome of another transaction is not believed.
func TestWrongAnswerWhileWaiting(t *testing.T) {
	n := newNetwork(t, 2)
	n.Instant()
	c := n.client(t, Options{})
	tx := n.pay(t, 1)
	n.servers[0].fails(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"txid":"%064d","status":"committed","height":9,"code":0}`, 0)
	})
	status, err := c.WaitCommitted(within(t, 20*time.Second), tx)
	if err != nil || status.TxID != tx.TxID || status.Height != 1 {
		t.Fatalf("%+v, %v", status, err)
	}
}
