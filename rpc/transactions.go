package rpc

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

type submitInput struct {
	OnPartition string `query:"on_partition" enum:"fail,queue" doc:"What to do while too little voting power is reachable for blocks. fail: refuse at once with no_quorum; queue: keep the transaction on disk, answer 202 with status queued, and pass it on until it is in a block or its validity has ended. Default: queue for transactions of nothing but add, set_add, set_remove, write_last and write_multi, which never conflict; fail for all others"`
	Body        SubmitRequest
}

type simulateInput struct{ Body SubmitRequest }

type submitOutput struct{ Body SubmitResponse }

type statusOutput struct{ Body TxStatus }

type outcomeInput struct {
	TxID         string `path:"txid" doc:"The transaction's id, 64 hexadecimal digits"`
	Wait         string `query:"wait" enum:"committed" doc:"committed: answer when it is decided, or at the timeout"`
	Timeout      string `query:"timeout" doc:"How long to wait, such as 500ms or 10s; at most 60s" example:"10s"`
	ValidUntilMS uint64 `query:"valid_until_ms" doc:"The end of validity that its signer chose; lets the node say never_will. Not for transactions of a lane, which leave no record that could be missed"`
	Proof        bool   `query:"proof" doc:"Answer by the transaction's replay record, or by its absence, and prove it; waits, at most for timeout, until the next block makes that possible. Absence can be shown only with valid_until_ms"`
	Height       uint64 `query:"height" doc:"With proof: what the state after this block says, instead of the newest that can be proven"`
}

// registerTransactions makes the routes that take single transactions in and tell what became of them.
func (s *server) registerTransactions(api huma.API) {
	post := func(id, path, summary, text string, status int) huma.Operation {
		return huma.Operation{
			OperationID: id, Method: http.MethodPost, Path: path, Summary: summary, Description: text, Tags: []string{tagTransactions},
			DefaultStatus: status, MaxBodyBytes: txBodyMax + 1, BodyReadTimeout: readTimeout,
		}
	}
	huma.Register(api, post("submit", PathTransactions, "Submit a transaction",
		"The same bytes may be submitted any number of times and to any number of nodes: the transaction takes effect at most once.",
		http.StatusAccepted), s.submit)
	huma.Register(api, post("simulate", PathSimulate, "Try a transaction",
		"Says what would become of it in the next block. Nothing is submitted.", http.StatusOK), s.simulate)
	huma.Register(api, huma.Operation{
		OperationID: "outcome", Method: http.MethodGet, Path: PathTransactions + "/{txid}", Summary: "What became of a transaction",
		Tags: []string{tagTransactions},
	}, s.outcome)
}

func (s *server) submit(ctx context.Context, in *submitInput) (*submitOutput, error) {
	r, err := s.submitOne(WithOnPartition(ctx, in.OnPartition), in.Body.Tx)
	if err != nil {
		return nil, err
	}
	out := SubmitResponse{TxID: r.TxID, Status: StatusPending}
	if q := r.Queued; q != nil {
		out.Status, out.Partition, out.QueuedAt, out.ExpiresAt = StatusQueued, q.Partition, q.QueuedAt, q.ExpiresAt
	}
	if r.Code == ledger.CodeDuplicate {
		decided, err := s.backend.Outcome(ctx, r.TxID, false)
		if err != nil {
			return nil, s.asError(err, "look up a transaction that was submitted again")
		}
		if !decided.Decided() {
			return nil, Rejected(r.Code, r.Detail)
		}
		out.Status, out.Height, out.Code = decided.Status, decided.Height, decided.Code
	}
	return &submitOutput{Body: out}, nil
}

// submitOne submits a transaction. A duplicate is not an error: its outcome can be told.
func (s *server) submitOne(ctx context.Context, raw []byte) (SubmitResult, error) {
	ctx, cancel := context.WithTimeout(ctx, submitWait)
	defer cancel()
	results := s.backend.Submit(ctx, [][]byte{raw})
	if len(results) != 1 {
		panic("rpc: the backend gave not one result for one transaction")
	}
	if r := results[0]; r.Code == ledger.CodeOK || r.Code == ledger.CodeDuplicate {
		return r, nil
	}
	return results[0], Rejected(results[0].Code, results[0].Detail).again()
}

func (s *server) simulate(ctx context.Context, in *simulateInput) (*statusOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, submitWait)
	defer cancel()
	status, err := s.backend.Simulate(ctx, in.Body.Tx)
	if err != nil {
		return nil, s.asError(err, "simulate")
	}
	return &statusOutput{Body: withError(status)}, nil
}

func (s *server) outcome(ctx context.Context, in *outcomeInput) (*answer[TxStatus], error) {
	id, err := crypto.ParseHash(in.TxID)
	if err != nil {
		return nil, badRequest("path txid: %v.", err)
	}
	if in.Height > 0 && !in.Proof {
		return nil, badRequest("query height: an outcome does not change; a height is for proof=true.")
	}
	wait, err := parseWait(in.Timeout)
	if err != nil {
		return nil, err
	}
	if in.Wait == "" {
		wait = 0
	}
	if in.Proof {
		return s.provenOutcome(ctx, id, in, wait)
	}
	status, err := s.await(ctx, id, in.ValidUntilMS, wait)
	if err != nil {
		return nil, s.asError(err, "look up a transaction")
	}
	recent := s.recentStatus()
	out := answered(s, max(recent.Height, status.Height), 0, withError(status))
	out.AgeMS = strconv.FormatInt(recent.BlockAgeMS, 10)
	return out, nil
}

// await asks what became of a transaction, until it is decided or the wait is over. A decision in a block
// wakes it up. That the transaction's time has run out does not, so it looks for that now and then.
func (s *server) await(ctx context.Context, id crypto.Hash, validUntilMS uint64, wait time.Duration) (TxStatus, error) {
	deadline := time.Now().Add(wait)
	for {
		left := time.Until(deadline)
		status, err := s.awaitOnce(ctx, id, left, validUntilMS)
		if err != nil || status.Decided() {
			return status, err
		}
		if validUntilMS > 0 {
			if over, err := s.overdue(ctx, id, validUntilMS); err != nil || over.Decided() {
				return over, err
			}
		}
		if left <= 0 || ctx.Err() != nil {
			return status, nil
		}
	}
}

// awaitOnce asks the backend once, and lets it wait no longer than until the transaction may be overdue.
func (s *server) awaitOnce(ctx context.Context, id crypto.Hash, left time.Duration, validUntilMS uint64) (TxStatus, error) {
	if left <= 0 {
		return s.backend.Outcome(ctx, id, false)
	}
	if validUntilMS > 0 {
		untilOver := time.UnixMilli(int64(min(validUntilMS, 1<<62))).Sub(s.now())
		left = min(left, max(untilOver, neverWillPoll))
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	return s.backend.Outcome(ctx, id, true)
}

// overdue decides a transaction whose time is over: its replay record in the state tells what became of it,
// and that there is none, at a block time at which it could not come any more, tells that it never will. Once
// the records are dropped nothing can be told, and the status stays unknown.
func (s *server) overdue(ctx context.Context, id crypto.Hash, validUntilMS uint64) (TxStatus, error) {
	undecided := TxStatus{TxID: id, Status: StatusUnknown}
	snap, err := s.backend.Read(ctx, ReadOptions{})
	if err != nil {
		return undecided, err
	}
	defer snap.Close()
	if snap.TimeMS() < validUntilMS {
		return undecided, nil
	}
	params, err := mustGet(snap, ledger.KeyParams(), ledger.DecodeParams)
	if err != nil {
		return undecided, err
	}
	bucket := params.Bucket(validUntilMS)
	if snap.TimeMS() >= params.BucketDropMS(bucket) {
		return undecided, nil
	}
	record, found, err := get(snap, ledger.KeyRecord(bucket, id), ledger.DecodeRecord)
	switch {
	case err != nil:
		return undecided, err
	case !found:
		return TxStatus{TxID: id, Status: StatusNeverWill}, nil
	}
	return DecidedStatus(record.Receipt(id)), nil
}

// DecidedStatus is the status of a transaction that has a receipt.
func DecidedStatus(r ledger.Receipt) TxStatus {
	s := TxStatus{TxID: r.ID(), Status: StatusCommitted, Height: r.Height, Index: r.Index, Code: r.Code, Op: r.Op}
	if r.Outcome() != ledger.CodeOK {
		s.Status = StatusFailed
	}
	return s
}

// withError spells out the code of a failed transaction.
func withError(s TxStatus) TxStatus {
	if s.Code != 0 && s.Error == nil {
		s.Error = NewError(ledger.Code(s.Code), "")
		s.Error.Retryable, s.Error.RetryAfterMS = false, 0 // in a block, it has used up its nonce
		if s.Op > 0 {
			s.Error.Message += " (operation " + strconv.FormatUint(uint64(s.Op), 10) + ")"
		}
	}
	return s
}
