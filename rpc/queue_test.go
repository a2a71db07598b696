package rpc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// cutOff is a node that reaches nobody. It queues what is to be queued and nothing else.
type cutOff struct{ rpc.Backend }

func (c cutOff) Submit(ctx context.Context, raws [][]byte) []rpc.SubmitResult {
	out := make([]rpc.SubmitResult, len(raws))
	for i, raw := range raws {
		tx, err := ledger.DecodeTransaction(raw)
		if err != nil {
			out[i].Code = ledger.CodeBadEncoding
			continue
		}
		out[i].TxID = tx.ID
		if rpc.OnPartitionOf(ctx) != rpc.OnPartitionQueue {
			out[i].Code = ledger.CodeNoQuorum
			continue
		}
		out[i].Queued = &rpc.Queued{Partition: rpc.PartitionMinority, QueuedAt: "then", ExpiresAt: "later"}
	}
	return out
}

func (c cutOff) Status(ctx context.Context) (rpc.Status, error) {
	s, err := c.Backend.Status(ctx)
	s.Partition = rpc.PartitionMinority
	return s, err
}

// TestSubmitOnPartition: a node that is cut off is told what the caller wants, and what it says reaches the caller.
func TestSubmitOnPartition(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	h := rpc.NewHandler(cutOff{l.Node("node0")}, rpc.Options{})
	tx := transfer(t, l, 1)
	body, err := json.Marshal(rpc.SubmitRequest{Tx: tx.Raw})
	if err != nil {
		t.Fatal(err)
	}
	const kind = "application/json"
	for _, how := range []string{"", "?on_partition=fail"} {
		e := refusal(t, ask(h, "POST", rpc.PathTransactions+how, body, "Content-Type", kind), http.StatusServiceUnavailable, ledger.CodeNoQuorum)
		if !e.Retryable || e.RetryAfterMS == 0 {
			t.Errorf("%q: %+v does not say when to come back", how, e)
		}
	}
	rec := ask(h, "POST", rpc.PathTransactions+"?on_partition=queue", body, "Content-Type", kind)
	var got rpc.SubmitResponse
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || rec.Code != http.StatusAccepted {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	want := rpc.SubmitResponse{TxID: tx.TxID, Status: rpc.StatusQueued, Partition: rpc.PartitionMinority, QueuedAt: "then", ExpiresAt: "later"}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if state := rec.Header().Get(rpc.HeaderPartition); state != rpc.PartitionMinority {
		t.Errorf("the answer says %q", state)
	}
	if rec := ask(h, "POST", rpc.PathTransactions+"?on_partition=hope", body, "Content-Type", kind); rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), "on_partition") {
		t.Errorf("an unknown wish: %d %s", rec.Code, rec.Body)
	}
}

// TestBatchOnPartition is the same for batches.
func TestBatchOnPartition(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	h := rpc.NewHandler(cutOff{l.Node("node0")}, rpc.Options{})
	var body []byte
	for i := range 2 {
		body = ledger.AppendDelimited(body, transfer(t, l, i).Raw)
	}
	const kind = "application/octet-stream"
	refusal(t, ask(h, "POST", rpc.PathBatch, body, "Content-Type", kind), http.StatusServiceUnavailable, ledger.CodeNoQuorum)
	refusal(t, ask(h, "POST", rpc.PathBatch+"?on_partition=hope", body, "Content-Type", kind), http.StatusBadRequest, ledger.CodeBadRequest)
	rec := ask(h, "POST", rpc.PathBatch+"?on_partition=queue", body, "Content-Type", kind)
	var got rpc.BatchResponse
	if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || got.Accepted != 2 || got.Results[1].Status != rpc.StatusQueued {
		t.Errorf("%d %s", rec.Code, bytes.TrimSpace(rec.Body.Bytes()))
	}
}

// TestReadyWhileCutOff: whoever distributes requests hears of it.
func TestReadyWhileCutOff(t *testing.T) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	for state, word := range map[string]string{rpc.PartitionMinority: "voting power", rpc.PartitionStalled: "no blocks", rpc.PartitionSuspect: ""} {
		h := rpc.NewHandler(inState{l.Node("node0"), state}, rpc.Options{})
		rec := ask(h, "GET", rpc.PathReady, nil)
		if ready := rec.Code == http.StatusOK; ready != (word == "") || !strings.Contains(rec.Body.String(), word) {
			t.Errorf("%s: %d %s", state, rec.Code, rec.Body)
		}
	}
}

type inState struct {
	rpc.Backend
	state string
}

func (s inState) Status(ctx context.Context) (rpc.Status, error) {
	status, err := s.Backend.Status(ctx)
	status.Partition = s.state
	return status, err
}
