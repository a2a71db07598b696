package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// A route hands a length-delimited batch to one node. The answer holds what was refused; the error is one of
// Client.ask's. sure is false if nobody said whether the transactions were taken in.
type route func(ctx context.Context, node string, body []byte) (answer rpc.BatchResponse, sure bool, err error)

// routeOf finds the route of a path.
func (b *bench) routeOf(path string) (route, error) {
	switch path {
	case PathBatch:
		return b.byBatch, nil
	case PathSingle:
		return b.bySingle, nil
	case PathStock:
		return b.byStock("broadcast_tx_async", false), nil
	case PathStockSync:
		return b.byStock("broadcast_tx_sync", true), nil
	}
	return nil, fmt.Errorf("the path is %s, %s, %s or %s, not %q", PathBatch, PathSingle, PathStock, PathStockSync, path)
}

func (b *bench) byBatch(ctx context.Context, node string, body []byte) (rpc.BatchResponse, bool, error) {
	answer, err := b.client.SubmitBatchBody(ctx, node, body)
	return answer, true, err
}

func (b *bench) bySingle(ctx context.Context, node string, body []byte) (rpc.BatchResponse, bool, error) {
	text := append(make([]byte, 0, 16+len(body)*4/3), `{"tx":"`...)
	text = append(base64.StdEncoding.AppendEncode(text, onlyTx(body)), `"}`...)
	var out rawAnswer
	err := b.client.ask(ctx, node, request{
		method: http.MethodPost, path: rpc.PathTransactions, body: text, contentType: "application/json",
	}, &out)
	return rpc.BatchResponse{}, true, err
}

// byStock speaks JSON-RPC with CometBFT, as any tool of its world does.
func (b *bench) byStock(method string, sure bool) route {
	head := `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{"tx":"`
	return func(ctx context.Context, node string, body []byte) (rpc.BatchResponse, bool, error) {
		ctx, cancel := context.WithTimeout(ctx, benchTimeout)
		defer cancel()
		text := append(make([]byte, 0, len(head)+8+len(body)*4/3), head...)
		text = append(base64.StdEncoding.AppendEncode(text, onlyTx(body)), `"}}`...)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, node, bytes.NewReader(text))
		if err != nil {
			return rpc.BatchResponse{}, sure, fmt.Errorf("build the request: %w", err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := b.o.HTTP.Do(req)
		if err != nil {
			return rpc.BatchResponse{}, sure, &NodeError{Endpoint: node, Err: plainCause(err)}
		}
		defer resp.Body.Close()
		answer, err := readStock(resp)
		if err != nil {
			err = &NodeError{Endpoint: node, Err: err}
		}
		return answer, sure, err
	}
}

// stockAnswerMax is far above what CometBFT says to a transaction.
const stockAnswerMax = 64 << 10

// readStock reads CometBFT's word on one transaction.
func readStock(resp *http.Response) (rpc.BatchResponse, error) {
	text, err := io.ReadAll(io.LimitReader(resp.Body, stockAnswerMax))
	if err != nil {
		return rpc.BatchResponse{}, fmt.Errorf("read the answer: %w", err)
	}
	var said struct {
		Result struct {
			Code uint32 `json:"code"`
		} `json:"result"`
		Error *struct {
			Message string `json:"message"`
			Data    string `json:"data"`
		} `json:"error"`
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return rpc.BatchResponse{}, fmt.Errorf("the node answered %s without JSON-RPC", resp.Status)
	}
	var answer rpc.BatchResponse
	switch {
	case said.Error != nil: // such as: no room for more requests
		answer.Results = []rpc.BatchResult{{Status: rpc.StatusRefused, Error: &rpc.Error{Slug: "rpc_error", Message: said.Error.Message}}}
	case said.Result.Code != 0:
		e := rpc.NewError(ledger.Code(said.Result.Code), "")
		answer.Results = []rpc.BatchResult{{Status: rpc.StatusRefused, Error: e}}
	}
	return answer, nil
}

// onlyTx is the transaction of a batch that holds one.
func onlyTx(body []byte) []byte {
	txs, err := ledger.SplitDelimited(body, 1)
	if err != nil {
		panic("client: a batch of one does not split: " + err.Error())
	}
	return txs[0]
}

// tally counts what nodes refused, and how.
type tally struct {
	mu       sync.Mutex // guards everything below
	bySlug   map[string]int
	full     int   // requests that were answered with 429
	afterMin int64 // Retry-After of those, in milliseconds
	afterMax int64
	bare     int // 429 without a Retry-After
}

// note counts the refusal of n transactions.
func (t *tally) note(e *rpc.Error, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bySlug == nil {
		t.bySlug = map[string]int{}
	}
	slug := "unknown"
	if e != nil && e.Slug != "" {
		slug = e.Slug
	}
	t.bySlug[slug] += n
}

// noteRequest counts a request that was refused as a whole.
func (t *tally) noteRequest(e *rpc.Error) {
	if e.GetStatus() != http.StatusTooManyRequests {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.full++
	if e.RetryAfterMS == 0 {
		t.bare++
		return
	}
	if t.afterMin == 0 || e.RetryAfterMS < t.afterMin {
		t.afterMin = e.RetryAfterMS
	}
	t.afterMax = max(t.afterMax, e.RetryAfterMS)
}
