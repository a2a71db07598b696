package client

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// TestReadYourWrites: after a write is seen at one node, no node shows a state without it.
func TestReadYourWrites(t *testing.T) {
	n := newNetwork(t, 2)
	n.Instant()
	c := n.client(t, Options{})
	ctx := within(t, time.Minute)
	n.servers[1].node.Hold(1)
	for range 2 {
		tx := n.pay(t, 1)
		if _, err := c.Submit(ctx, tx.Raw); err != nil {
			t.Fatal(err)
		}
		if _, err := c.WaitCommitted(ctx, tx); err != nil {
			t.Fatal(err)
		}
	}
	n.servers[0].die()
	_, err := c.Balance(ctx, rpctest.Address("bob").String(), "usd", ReadOptions{})
	var refused *rpc.Error
	if !errors.As(err, &refused) || refused.Slug != "behind" {
		t.Fatalf("the node that is behind answered: %v", err)
	}
	old, err := c.Balance(ctx, rpctest.Address("bob").String(), "usd", ReadOptions{Consistency: rpc.ConsistencyEventual})
	if err != nil || old.Amount != "1000000.01" {
		t.Fatalf("an eventual read: %+v, %v", old, err)
	}
	n.servers[1].node.Hold(0)
	now, err := c.Balance(ctx, rpctest.Address("bob").String(), "usd", ReadOptions{})
	if err != nil || now.Amount != "1000000.02" || now.Height != 2 {
		t.Fatalf("once it has caught up: %+v, %v", now, err)
	}
}

// TestTokenGoesAlong: a second client that begins with the first one's token sees what that one saw.
func TestTokenGoesAlong(t *testing.T) {
	n := newNetwork(t, 2)
	n.Seal()
	n.servers[0].node.Hold(1)
	n.Seal()
	c := n.client(t, Options{MinHeight: 2})
	if a, err := c.Asset(within(t, time.Minute), "usd", ReadOptions{}); err != nil || a.Height != 2 {
		t.Fatalf("%+v, %v", a, err)
	}
}

// lie changes a node's answers on the way.
func (s *server) lies(from, to string) {
	api := rpc.NewHandler(s.node, rpc.Options{Node: "liar"})
	s.fails(func(w http.ResponseWriter, r *http.Request) {
		api.ServeHTTP(&liar{ResponseWriter: w, from: from, to: to}, r)
	})
}

type liar struct {
	http.ResponseWriter
	from, to string
}

func (l *liar) WriteHeader(status int) {
	l.Header().Del("Content-Length")
	if l.from == "height" {
		l.Header().Set(rpc.HeaderHeight, l.to)
	}
	l.ResponseWriter.WriteHeader(status)
}

func (l *liar) Write(b []byte) (int, error) {
	_, err := l.ResponseWriter.Write([]byte(strings.ReplaceAll(string(b), l.from, l.to)))
	return len(b), err
}

// TestLiarIsSeen: one node of four lies about a balance. Whoever asks one more than can lie sees it.
func TestLiarIsSeen(t *testing.T) {
	n := newNetwork(t, 4)
	n.Seal()
	ctx := within(t, time.Minute)
	path := rpc.PathAccounts + "/" + rpctest.Address("bob").String() + "/balances/usd"
	for place := range n.servers {
		n.servers[place].lies("1000000.00", "9999999.99")
		c := n.client(t, Options{})
		var b rpc.Balance
		err := c.AskQuorum(ctx, 1, path, &b)
		var split *DisagreementError
		switch {
		case errors.As(err, &split):
			text := split.Error()
			if len(split.Answers) != 4 || split.Height != 1 || !strings.Contains(text, n.servers[place].URL+": {") {
				t.Errorf("the liar is not told apart: %s", text)
			}
		case err != nil || b.Amount != "1000000.00" || place < 2:
			t.Errorf("place %d: %+v, %v", place, b, err)
		}
		n.servers[place].recovers()
	}
}

func TestQuorumNeedsEnoughNodes(t *testing.T) {
	n := newNetwork(t, 4)
	n.Seal()
	c := n.client(t, Options{})
	ctx := within(t, time.Minute)
	path := rpc.PathAssets + "/usd"
	var a rpc.Asset
	for _, s := range n.servers[:2] {
		s.die()
	}
	if err := c.AskQuorum(ctx, 1, path, &a); err != nil || a.Supply != "4000000.00" {
		t.Errorf("two of four: %+v, %v", a, err)
	}
	err := c.AskQuorum(ctx, 1, rpc.PathAssets+"/eur", &a)
	var refused *rpc.Error
	if !errors.As(err, &refused) || refused.Slug != "asset_not_found" {
		t.Errorf("that there is nothing is an answer, too: %v", err)
	}
	n.servers[2].die()
	if err := c.AskQuorum(ctx, 1, path, &a); !errors.Is(err, ErrNoNode) || !strings.Contains(err.Error(), "1 of the 2") {
		t.Errorf("one of four: %v", err)
	}
}

// TestFalseHeight: a node that claims a height which does not exist cannot lock the client out for good.
func TestFalseHeight(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 4)
	n.Seal()
	c := n.client(t, Options{})
	ctx := within(t, time.Minute)
	n.servers[0].lies("height", "1000000000000")
	if _, err := c.Asset(ctx, "usd", ReadOptions{}); err != nil {
		t.Fatal(err)
	}
	if c.Token() != 1_000_000_000_000 {
		t.Fatalf("token %d", c.Token())
	}
	n.servers[0].die()
	var refused *rpc.Error
	if _, err := c.Asset(ctx, "usd", ReadOptions{}); !errors.As(err, &refused) || refused.Slug != "behind" {
		t.Fatalf("%v", err)
	}
	if a, err := c.Asset(ctx, "usd", ReadOptions{}); err != nil || a.Height != 1 {
		t.Fatalf("%+v, %v; token %d", a, err, c.Token())
	}
	if err := c.AskQuorum(ctx, 1, rpc.PathAssets+"/usd", new(rpc.Asset)); err != nil {
		t.Error(err)
	}
}
