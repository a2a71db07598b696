package client

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/rpc"
)

// TestProbing: a client that probes knows that a node catches up, or is gone, before it has asked it for anything,
// and hears when it is back.
func TestProbing(t *testing.T) {
	n := newNetwork(t, 4)
	n.Seal()
	c := n.client(t, Options{Probe: true})
	running, stop := context.WithCancel(within(t, time.Minute))
	done := make(chan struct{})
	go func() { c.Run(running); close(done) }()
	until := func(what string, fit ...int) {
		t.Helper()
		for {
			got := c.endpoints.fit()
			known := true
			for _, b := range c.Backends() {
				known = known && b.Trip > 0
			}
			same := known && len(got) == len(fit)
			for i := range got {
				same = same && got[i] == n.servers[fit[i]].URL
			}
			if same {
				return
			}
			if running.Err() != nil {
				t.Fatalf("%s: fit are %v", what, got)
			}
			time.Sleep(time.Millisecond)
		}
	}
	until("all are well", 0, 1, 2, 3)
	n.servers[0].node.Adjust(func(s *rpc.Status) { s.CatchingUp = true })
	until("one catches up", 1, 2, 3)
	n.servers[1].fails(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	until("another is gone", 2, 3)
	n.servers[0].node.Adjust(nil)
	n.servers[1].recovers()
	until("both are back", 0, 1, 2, 3)
	stop()
	<-done
	still := n.client(t, Options{})
	still.Run(t.Context()) // without the option it returns
}
