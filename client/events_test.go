package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// follow reads the events of a client in the background.
func follow(ctx context.Context, c *Client, after rpc.EventID, f EventFilter) (<-chan Event, <-chan error) {
	events, end := make(chan Event), make(chan error, 1)
	go func() {
		for e, err := range c.Events(ctx, after, f) {
			if err != nil {
				end <- err
				break
			}
			select {
			case events <- e:
			case <-ctx.Done():
			}
		}
		close(events)
	}()
	return events, end
}

// upTo reads events until the block of a height, and fails unless each is the next of the one before.
func upTo(t *testing.T, events <-chan Event, after rpc.EventID, height uint64) rpc.EventID {
	t.Helper()
	for e := range events {
		want := rpc.EventID{Height: after.Height, Index: after.Index + 1}
		if after.Index == rpc.WholeBlock {
			want = rpc.EventID{Height: after.Height + 1}
		}
		if e.Block != nil {
			if e.Block.TxCount != want.Index || e.ID.Height != want.Height {
				t.Fatalf("block %+v after %s", e.Block, after)
			}
		} else if e.ID != want || e.Tx.TxID.IsZero() {
			t.Fatalf("%+v after %s", e, after)
		}
		if after = e.ID; e.Block != nil && e.ID.Height == height {
			return after
		}
	}
	t.Fatalf("the events ended after %s", after)
	return after
}

// TestEventsOutliveNodes: one node after the other dies while its events are read; nothing is missing and nothing
// comes twice. The last one is a node that comes back.
func TestEventsOutliveNodes(t *testing.T) {
	n := newNetwork(t, 4)
	c := n.client(t, Options{})
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	defer cancel()
	height := uint64(0)
	more := func() {
		for i := range 3 {
			for k := range i {
				n.servers[3].node.Submit(ctx, [][]byte{n.pay(t, uint64(k+1)).Raw})
			}
			height = n.Seal()
		}
	}
	more()
	at := rpc.BeforeHeight(1)
	events, end := follow(ctx, c, at, EventFilter{})
	at = upTo(t, events, at, height)
	for _, s := range n.servers[:3] {
		s.die()
		more()
		at = upTo(t, events, at, height)
	}
	last := n.servers[3]
	last.fails(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusInternalServerError) })
	last.CloseClientConnections()
	more()
	for asked := last.asked.Load(); last.asked.Load() < asked+3; { // it is asked again and again
		time.Sleep(time.Millisecond)
	}
	last.recovers()
	at = upTo(t, events, at, height)
	if c.Token() != height {
		t.Errorf("the session is at %d, not %d", c.Token(), height)
	}
	cancel()
	if err := <-end; !errors.Is(err, context.Canceled) {
		t.Errorf("the stream of %s ended with %v", at, err)
	}
}

// TestEventsOfLiars: what a node leaves out, repeats, makes up or does not send at all is had from another one.
func TestEventsOfLiars(t *testing.T) {
	tx := func(id, height, index string) string {
		return "id: " + id + "\nevent: tx\ndata: {\"height\":" + height + ",\"index\":" + index + "}\n\n"
	}
	block := func(id, height, count string) string {
		return "id: " + id + "\nevent: block\ndata: {\"height\":" + height + ",\"tx_count\":" + count + "}\n\n"
	}
	for name, text := range map[string]string{
		"leaves a block out":       block("2", "2", "0"),
		"leaves a transaction out": tx("1.1", "1", "1"),
		"leaves the last out":      block("1", "1", "0"),
		"of another place":         tx("1.0", "7", "0"),
		"of no place":              "event: tx\ndata: {}\n\n",
		"is not JSON":              "id: 1.0\nevent: tx\ndata: {\n\n",
		"comes from nowhere":       "id: 99\n\n",
		"is too large":             "id: 1.0\nevent: tx\ndata: " + strings.Repeat(" ", 1<<17) + "{}\n\n",
		"ends at once":             "",
		"is cut off":               "id: 1.0\nevent: tx\ndata: {\"height\":1,\"index\":0}\n",
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, 2)
			n.servers[1].node.Submit(t.Context(), [][]byte{n.pay(t, 1).Raw})
			n.Seal()
			n.servers[0].fails(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				io.WriteString(w, text)
			})
			events, _ := follow(within(t, time.Minute), n.client(t, Options{}), rpc.BeforeHeight(1), EventFilter{})
			upTo(t, events, rpc.BeforeHeight(1), 1)
			if n.servers[0].asked.Load() == 0 {
				t.Error("the liar was not asked")
			}
		})
	}
}

// TestEventsFilter: the filter is passed on, over a failing node, too.
func TestEventsFilter(t *testing.T) {
	n := newNetwork(t, 2)
	n.servers[0].fails(hang)
	n.servers[0].die()
	for range 2 {
		n.servers[1].node.Submit(t.Context(), [][]byte{n.pay(t, 1).Raw, n.pay(t, 2).Raw})
		n.Seal()
	}
	yes := true
	c := n.client(t, Options{})
	for want, f := range map[string]EventFilter{
		"1.0 1.1 2.0 2.1":     {Account: rpctest.Address("bob").String(), Asset: "usd"},
		"1.0 1.1 1 2.0 2.1 2": {Asset: "usd", Blocks: &yes},
		"1 2":                 {Asset: "eur", Blocks: &yes},
	} {
		var got []string
		for e, err := range c.Events(within(t, time.Minute), rpc.BeforeHeight(1), f) {
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, e.ID.String()); len(got) == len(strings.Fields(want)) {
				break
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%+v: %v", f, got)
		}
	}
}

// TestEventsThatCannotBeHad: what no node has ends the stream with the reason, at once.
func TestEventsThatCannotBeHad(t *testing.T) {
	n := newNetwork(t, 2)
	for range 5 {
		n.Seal()
	}
	c := n.client(t, Options{})
	ctx := within(t, time.Minute)
	only := func(after rpc.EventID, f EventFilter) error {
		for e, err := range c.Events(ctx, after, f) {
			if err != nil {
				return err
			}
			t.Errorf("there is %+v", e)
			break
		}
		return nil
	}
	for _, s := range n.servers {
		s.node.KeepFrom(4)
	}
	var refused *rpc.Error
	if err := only(rpc.BeforeHeight(2), EventFilter{}); !errors.As(err, &refused) || refused.Slug != "pruned" {
		t.Errorf("pruned everywhere: %v", err)
	}
	if err := only(rpc.BeforeHeight(5), EventFilter{Account: "nobody"}); !errors.As(err, &refused) || refused.Slug != "bad_request" {
		t.Errorf("a wrong filter: %v", err)
	}
	// One that keeps more is found.
	n.servers[1].node.KeepFrom(0)
	events, _ := follow(ctx, c, rpc.BeforeHeight(2), EventFilter{})
	upTo(t, events, rpc.BeforeHeight(2), 5)
	for _, s := range n.servers {
		s.die()
	}
	var none *NoNodeError
	if err := only(rpc.BeforeHeight(5), EventFilter{}); !errors.As(err, &none) || len(none.Attempts) != 2 {
		t.Errorf("no node: %v", err)
	}
}

// TestEventsLeaveNodesThatKnowNothing: a node that is alive and turns out to be cut off is left for one that is not.
func TestEventsLeaveNodesThatKnowNothing(t *testing.T) {
	n := newNetwork(t, 2)
	n.Seal()
	n.servers[0].node.Hold(1)
	c := n.client(t, Options{})
	events, _ := follow(within(t, time.Minute), c, rpc.BeforeHeight(1), EventFilter{})
	at := upTo(t, events, rpc.BeforeHeight(1), 1)
	n.Seal()
	c.endpoints.Reported(n.servers[0].URL, balance.Report{Height: 1, Minority: true}, time.Millisecond)
	c.endpoints.Reported(n.servers[1].URL, balance.Report{Height: 2}, time.Millisecond)
	upTo(t, events, at, 2)
}

// TestEventIDsSurviveText: what a program keeps of a stream is the id of its last event.
func TestEventIDsSurviveText(t *testing.T) {
	n := newNetwork(t, 1)
	n.servers[0].node.Submit(t.Context(), [][]byte{n.pay(t, 1).Raw, n.pay(t, 2).Raw})
	n.Seal()
	n.Seal()
	c := n.client(t, Options{})
	for first, err := range c.Events(within(t, time.Minute), rpc.BeforeHeight(1), EventFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		kept, err := rpc.ParseEventID(fmt.Sprint(first.ID))
		if err != nil {
			t.Fatal(err)
		}
		if first.ID.Height == 2 {
			break
		}
		events, _ := follow(within(t, time.Minute), c, kept, EventFilter{})
		upTo(t, events, first.ID, 2)
	}
}
