package rpc

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tetradledger/tetrad/ledger"
)

const octets = "application/octet-stream"

// batch takes thousands of transactions in one request. It is the hot path, so it is a plain handler: the
// transactions are slices of the body, which is read once and belongs to the backend from then on, and the
// answer is written without reflection.
func (s *server) batch(w http.ResponseWriter, r *http.Request) {
	if !enter(s.batching) {
		// The same answer as of a full pool: to come back later, or to go elsewhere.
		writeError(w, NewError(ledger.CodeRateLimited, "The node is already taking in %d batches, which is as many as it does at once.",
			cap(s.batching)).RetryAfter(retryAfterDefault))
		return
	}
	defer leave(s.batching)
	raws, err := readBatch(w, r)
	if err != nil {
		writeError(w, err)
		return
	}
	how := r.URL.Query().Get("on_partition")
	if how != OnPartitionDefault && how != OnPartitionFail && how != OnPartitionQueue {
		writeError(w, badRequest("query on_partition: %q is neither fail nor queue.", shorten(how)))
		return
	}
	ctx, cancel := context.WithTimeout(WithOnPartition(r.Context(), how), submitWait)
	defer cancel()
	results := s.backend.Submit(ctx, raws)
	if len(results) != len(raws) {
		panic("rpc: the backend gave not one result for each transaction")
	}
	if e := allRefused(results); e != nil {
		writeError(w, e)
		return
	}
	minimal := strings.Contains(r.Header.Get("Prefer"), "return=minimal")
	writeText(w, http.StatusOK, s.appendBatch(ctx, w.Header(), results, minimal))
}

// readBatch reads and splits the body.
func readBatch(w http.ResponseWriter, r *http.Request) ([][]byte, *Error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != octets {
		return nil, badRequest("A batch is %s, not %q: each transaction after its length as a varint.", octets, shorten(r.Header.Get("Content-Type"))).
			withStatus(http.StatusUnsupportedMediaType)
	}
	tooLarge := NewError(ledger.CodeTooLarge, "The batch is larger than %d bytes.", BatchBytesMax)
	if r.ContentLength > BatchBytesMax {
		return nil, tooLarge
	}
	body, err := readBody(http.MaxBytesReader(w, r.Body, BatchBytesMax), r.ContentLength)
	var exceeded *http.MaxBytesError
	switch {
	case errors.As(err, &exceeded):
		return nil, tooLarge
	case err != nil:
		return nil, badRequest("The batch did not arrive whole: %v.", err)
	}
	raws, err := ledger.SplitDelimited(body, BatchTxsMax)
	var fault *ledger.Reject
	switch {
	case errors.As(err, &fault) && fault.Code == ledger.CodeTooMany:
		return nil, Rejected(fault.Code, fault.Detail).withStatus(http.StatusRequestEntityTooLarge)
	case errors.As(err, &fault):
		return nil, Rejected(fault.Code, fault.Detail)
	}
	return raws, nil
}

// readBody reads a body into one allocation, if its length is announced.
func readBody(body io.Reader, length int64) ([]byte, error) {
	if length < 0 {
		return io.ReadAll(body)
	}
	b := make([]byte, length)
	_, err := io.ReadFull(body, b)
	return b, err
}

// allRefused makes one error of a batch of which nothing was taken in because the node has no room: the
// caller should send all of it again, later or elsewhere.
func allRefused(results []SubmitResult) *Error {
	for _, r := range results {
		if class := r.Code.Info().Class; class != ledger.ClassLimit && class != ledger.ClassNode {
			return nil
		}
	}
	return Rejected(results[0].Code, results[0].Detail).again()
}

// appendBatch encodes a BatchResponse.
func (s *server) appendBatch(ctx context.Context, h http.Header, results []SubmitResult, minimal bool) []byte {
	const resultLen = 110 // of one that was accepted
	var list []byte
	if !minimal {
		list = make([]byte, 0, resultLen*len(results))
	}
	accepted, refused := 0, 0
	for i, result := range results {
		status := s.batchStatus(ctx, result)
		var e *Error
		if status == StatusRefused {
			refused++
			e = Rejected(result.Code, result.Detail)
			if after := e.GetHeaders().Get("Retry-After"); after != "" {
				h.Set("Retry-After", after)
			}
		} else {
			accepted++
			if minimal {
				continue
			}
		}
		if len(list) > 0 {
			list = append(list, ',')
		}
		list = appendResult(list, i, result, status, e)
	}
	text := append(make([]byte, 0, 64+len(list)), `{"accepted":`...)
	text = strconv.AppendInt(text, int64(accepted), 10)
	text = append(text, `,"refused":`...)
	text = strconv.AppendInt(text, int64(refused), 10)
	text = append(text, `,"results":[`...)
	text = append(text, list...)
	return append(text, "]}\n"...)
}

// batchStatus is what became of one transaction. One that was in a block before is asked for.
func (s *server) batchStatus(ctx context.Context, result SubmitResult) string {
	switch result.Code {
	case ledger.CodeOK:
		if result.Queued != nil {
			return StatusQueued
		}
		return StatusPending
	case ledger.CodeDuplicate:
		if decided, err := s.backend.Outcome(ctx, result.TxID, false); err == nil && decided.Decided() {
			return decided.Status
		}
	}
	return StatusRefused
}

// appendResult encodes a BatchResult.
func appendResult(b []byte, i int, result SubmitResult, status string, e *Error) []byte {
	b = append(b, `{"index":`...)
	b = strconv.AppendInt(b, int64(i), 10)
	b = append(b, `,"txid":"`...)
	b = hex.AppendEncode(b, result.TxID[:])
	b = append(b, `","status":"`...)
	b = append(b, status...)
	b = append(b, '"')
	if e != nil {
		text, err := json.Marshal(e)
		if err != nil {
			panic("rpc: an error cannot be encoded: " + err.Error())
		}
		b = append(append(b, `,"error":`...), text...)
	}
	return append(b, '}')
}

// documentBatch puts the batch route, which package huma does not serve, into the OpenAPI document.
func documentBatch(doc *huma.OpenAPI) {
	answers := func(text, schema string) *huma.Response {
		return &huma.Response{Description: text, Content: map[string]*huma.MediaType{
			"application/json": {Schema: &huma.Schema{Ref: "#/components/schemas/" + schema}},
		}}
	}
	registerSchema[BatchResponse](doc)
	doc.AddOperation(&huma.Operation{
		OperationID: "batch", Method: http.MethodPost, Path: PathBatch, Summary: "Submit many transactions", Tags: []string{tagTransactions},
		Description: "The fast way in: up to " + strconv.Itoa(BatchTxsMax) + " transactions and " + strconv.Itoa(BatchBytesMax) +
			" bytes, each transaction after its length as an unsigned varint. The answer has one result for each; with the header " +
			"\"Prefer: return=minimal\" only for those that were refused. 429 means that none was taken in.",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			octets: {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}},
		Parameters: []*huma.Param{
			{Name: "Prefer", In: "header", Schema: &huma.Schema{Type: huma.TypeString}, Description: "return=minimal"},
			{
				Name: "on_partition", In: "query", Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{OnPartitionFail, OnPartitionQueue}},
				Description: "What to do while too little voting power is reachable for blocks, as for a single transaction",
			},
		},
		Responses: map[string]*huma.Response{"200": answers("OK", "BatchResponse"), "default": answers("Error", "Error")},
	})
}
