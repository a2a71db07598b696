package client

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/rpc"
)

// cutOff makes a node answer everything as one that reaches nobody and has queued the transaction.
func (s *server) cutOff(tx Signed, wishes chan<- string) {
	s.fails(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPost {
			wishes <- r.URL.Query().Get("on_partition")
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"txid":"`+tx.TxID.String()+`","status":"queued","code":0,"partition":"minority","queued_at":"then","expires_at":"later"}`)
			return
		}
		_, _ = io.WriteString(w, `{"txid":"`+tx.TxID.String()+`","status":"queued","code":0,"queued_at":"then","expires_at":"later"}`)
	})
}

// TestQueued: a node that is cut off is told what the caller wants, and waiting for a transaction that it has queued ends
// with an unknown outcome that says so.
func TestQueued(t *testing.T) {
	n := newNetwork(t, 1)
	tx := n.pay(t, 1)
	wishes := make(chan string, 100)
	n.servers[0].cutOff(tx, wishes)
	c := n.client(t, Options{OnPartition: rpc.OnPartitionQueue})
	answer, err := c.Submit(within(t, time.Minute), tx.Raw)
	if err != nil || answer.Status != rpc.StatusQueued || answer.Partition != rpc.PartitionMinority || answer.ExpiresAt != "later" {
		t.Fatalf("%+v, %v", answer, err)
	}
	if how := <-wishes; how != rpc.OnPartitionQueue {
		t.Errorf("the node was told %q", how)
	}
	status, err := c.WaitCommitted(within(t, 2*time.Second), tx)
	if !errors.Is(err, ErrUnknownOutcome) || status.Status != rpc.StatusQueued {
		t.Errorf("%+v, %v", status, err)
	}
	if _, err := New(Options{Endpoints: n.urls(), OnPartition: "hope"}); err == nil || !strings.Contains(err.Error(), "fail or queue") {
		t.Errorf("an unknown wish: %v", err)
	}
}

// TestSeek: what one node has queued is found, whoever is asked first.
func TestSeek(t *testing.T) {
	n := newNetwork(t, 3)
	tx := n.pay(t, 1)
	c := n.client(t, Options{})
	if s, err := c.Seek(within(t, time.Minute), tx.TxID, 0); err != nil || s.Status != rpc.StatusUnknown {
		t.Errorf("nobody knows it: %+v, %v", s, err)
	}
	n.servers[2].cutOff(tx, make(chan string, 100))
	n.servers[1].die()
	if s, err := c.Seek(within(t, time.Minute), tx.TxID, 0); err != nil || s.Status != rpc.StatusQueued {
		t.Errorf("one has queued it: %+v, %v", s, err)
	}
}
