package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// Submit hands a signed transaction to one node, whichever takes it. The error is an *rpc.Error if the
// ledger's rules or all nodes refuse it, an ErrNoNode if no node got it, and an ErrUnknownOutcome if one may
// have got it but did not say so; the same bytes may be submitted again in every case.
func (c *Client) Submit(ctx context.Context, raw []byte) (rpc.SubmitResponse, error) {
	tx, err := Decode(raw)
	if err != nil {
		return rpc.SubmitResponse{}, err
	}
	var out rpc.SubmitResponse
	sent, err := c.anywhere(ctx, c.submitRequest(raw), &out)
	switch {
	case err == nil && out.TxID != tx.TxID:
		return out, &UnknownOutcomeError{TxID: tx.TxID, Last: fmt.Errorf("the node answered for another transaction: %s", out.TxID)}
	case err != nil && sent && !refusedForGood(err):
		return out, &UnknownOutcomeError{TxID: tx.TxID, Last: err}
	}
	return out, err
}

// SubmitTo is Submit to one node and no other.
func (c *Client) SubmitTo(ctx context.Context, endpoint string, raw []byte) (rpc.SubmitResponse, error) {
	var out rpc.SubmitResponse
	return out, c.ask(ctx, endpoint, c.submitRequest(raw), &out)
}

// SubmitBatch hands many transactions to one node in one request; at most rpc.BatchTxsMax of them and
// rpc.BatchBytesMax bytes. Only those that were refused are in the results.
func (c *Client) SubmitBatch(ctx context.Context, endpoint string, raws [][]byte) (rpc.BatchResponse, error) {
	size := 0
	for _, raw := range raws {
		size += ledger.DelimitedSize(len(raw))
	}
	body := make([]byte, 0, size)
	for _, raw := range raws {
		body = ledger.AppendDelimited(body, raw)
	}
	return c.SubmitBatchBody(ctx, endpoint, body)
}

// SubmitBatchBody is SubmitBatch for transactions that are length-delimited already.
func (c *Client) SubmitBatchBody(ctx context.Context, endpoint string, body []byte) (rpc.BatchResponse, error) {
	var out rpc.BatchResponse
	return out, c.ask(ctx, endpoint, request{
		method: http.MethodPost, path: rpc.PathBatch, query: c.wish(), body: body, contentType: "application/octet-stream",
		header: http.Header{"Prefer": {"return=minimal"}},
	}, &out)
}

// Simulate asks a node what would become of a transaction in the next block.
func (c *Client) Simulate(ctx context.Context, raw []byte) (rpc.TxStatus, error) {
	var out rpc.TxStatus
	_, err := c.anywhere(ctx, txRequest(rpc.PathSimulate, raw), &out)
	return out, err
}

// Tx asks what became of a transaction, without waiting. validUntilMS, if it is known, lets the node say
// never_will; it is 0 if it is not known, and for transactions of a lane.
func (c *Client) Tx(ctx context.Context, id crypto.Hash, validUntilMS uint64) (rpc.TxStatus, error) {
	var out rpc.TxStatus
	_, err := c.anywhere(ctx, outcomeRequest(id, validUntilMS, 0), &out)
	return out, err
}

// Seek asks every node, one after another, what became of a transaction, and returns what the one says that knows most
// of it: a transaction that was queued while the network was cut is known only where it was queued.
func (c *Client) Seek(ctx context.Context, id crypto.Hash, validUntilMS uint64) (rpc.TxStatus, error) {
	best, err := c.Tx(ctx, id, validUntilMS)
	if err != nil || best.Status != rpc.StatusUnknown {
		return best, err
	}
	for _, node := range c.Endpoints() {
		var status rpc.TxStatus
		if err := c.ask(ctx, node, outcomeRequest(id, validUntilMS, 0), &status); err != nil || status.TxID != id {
			continue // the others may know
		}
		if tells(status) > tells(best) {
			best = status
		}
	}
	return best, nil
}

// tells ranks what is known of a transaction.
func tells(s rpc.TxStatus) int {
	switch s.Status {
	case rpc.StatusUnknown:
		return 0
	case rpc.StatusPending:
		return 1
	case rpc.StatusQueued:
		return 2
	}
	return 3
}

// wish is what a node that is cut off is to do with what it gets.
func (c *Client) wish() url.Values {
	if c.onPartition == rpc.OnPartitionDefault {
		return nil
	}
	return url.Values{"on_partition": {c.onPartition}}
}

func (c *Client) submitRequest(raw []byte) request {
	r := txRequest(rpc.PathTransactions, raw)
	r.query = c.wish()
	return r
}

func txRequest(path string, raw []byte) request {
	body, err := json.Marshal(rpc.SubmitRequest{Tx: raw})
	if err != nil {
		panic("client: encoding a byte string failed: " + err.Error())
	}
	return request{method: http.MethodPost, path: path, body: body, contentType: "application/json"}
}

// outcomeRequest asks for a transaction's outcome and, if wait is not 0, to be answered when it is decided.
func outcomeRequest(id crypto.Hash, validUntilMS uint64, wait time.Duration) request {
	r := request{method: http.MethodGet, path: rpc.PathTransactions + "/" + id.String(), query: url.Values{}, patience: wait}
	if wait > 0 {
		r.query.Set("wait", rpc.StatusCommitted)
		r.query.Set("timeout", wait.String())
	}
	if validUntilMS > 0 {
		r.query.Set("valid_until_ms", fmt.Sprint(validUntilMS))
	}
	return r
}

// refusedForGood tells whether a refusal is about the transaction and not about a node.
func refusedForGood(err error) bool {
	var refused *rpc.Error
	return errors.As(err, &refused) && !refused.Retryable
}
