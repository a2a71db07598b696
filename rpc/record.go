package rpc

import (
	"context"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// provenOutcome answers what became of a transaction by what the state says, with proof: its replay record, or
// that there is none.
func (s *server) provenOutcome(ctx context.Context, id crypto.Hash, in *outcomeInput, wait time.Duration) (*answer[TxStatus], error) {
	validUntilMS := in.ValidUntilMS
	if in.Height > 0 {
		wait, validUntilMS = 0, 0 // what the newest state says decides nothing here
	}
	known, err := s.await(ctx, id, validUntilMS, wait)
	if err != nil {
		return nil, s.asError(err, "look up a transaction")
	}
	p, err := s.proveAfter(ctx, known, in)
	if err != nil {
		return nil, s.asError(err, "open the state for a proof")
	}
	defer p.Close()
	snap := newProving(p)
	status, err := provenStatus(snap, id, in.ValidUntilMS, known)
	if err != nil {
		return nil, s.asError(err, "look up a transaction's record")
	}
	out := answered(s, p.Height(), p.TimeMS(), withError(status))
	if len(snap.read) > 0 {
		proof, err := snap.proof()
		if err != nil {
			return nil, s.asError(err, "prove a transaction")
		}
		out.Body.Proof, out.Trust = proof, trustProof
	}
	return out, nil
}

// proveAfter opens a height that is late enough to show what is known already. What the newest block decided,
// the next one's header proves.
func (s *server) proveAfter(ctx context.Context, known TxStatus, in *outcomeInput) (Prover, error) {
	limit, err := parseWait(in.Timeout)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	o := ReadOptions{Height: in.Height, MinHeight: known.Height}
	if in.Height > 0 {
		o.MinHeight = 0
	}
	for {
		p, err := s.backend.Prove(ctx, o)
		if err != nil || known.Status != StatusNeverWill || p.TimeMS() >= in.ValidUntilMS {
			return p, err
		}
		o.MinHeight = p.Height() + 1
		p.Close()
	}
}

// provenStatus tells what the state says of a transaction. If it can say nothing, because nobody knows where to
// look, the status is what is known anyway, and nothing was read that could be proven.
func provenStatus(snap *proving, id crypto.Hash, validUntilMS uint64, known TxStatus) (TxStatus, error) {
	status := TxStatus{TxID: id, Status: StatusUnknown}
	if known.Status == StatusPending {
		status.Status = StatusPending
	}
	inBlock := known.Height > 0 && known.Height <= snap.Height()
	if validUntilMS == 0 {
		if !inBlock {
			return status, nil // looking through all buckets is not for everybody who can make up an id
		}
		bucket, found, err := ledger.FindBucket(snap.Prover, id)
		if err == nil && !found {
			err = errNoRecord(id)
		}
		if err != nil {
			return status, err
		}
		return recordedStatus(snap, bucket, status)
	}
	params, err := mustGet(snap.Prover, ledger.KeyParams(), ledger.DecodeParams)
	if err != nil {
		return status, err
	}
	bucket := params.Bucket(validUntilMS)
	if snap.TimeMS() >= params.BucketDropMS(bucket) {
		return status, NewError(ledger.CodePruned, "The records of transactions whose validity ended then are dropped; nothing can be proven about them any more.")
	}
	status, err = recordedStatus(snap, bucket, status)
	switch {
	case err != nil || status.Decided():
	case inBlock:
		return status, errNoRecord(id)
	case snap.TimeMS() >= validUntilMS:
		status.Status = StatusNeverWill
	}
	return status, err
}

// recordedStatus looks for a transaction's record in a bucket. It reads the parameters as well: by them, whoever
// checks the answer knows which bucket it must be in, and until when buckets are kept.
func recordedStatus(snap *proving, bucket uint64, status TxStatus) (TxStatus, error) {
	if _, err := snap.Get(ledger.KeyParams()); err != nil {
		return status, err
	}
	record, found, err := get(snap, ledger.KeyRecord(bucket, status.TxID), ledger.DecodeRecord)
	if err == nil && found {
		status = DecidedStatus(record.Receipt(status.TxID))
	}
	return status, err
}

// errNoRecord says why a decided transaction cannot be proven.
func errNoRecord(id crypto.Hash) *Error {
	return NewError(ledger.CodeNotFound, "There is no replay record that could prove what became of transaction %s: "+
		"it used a lane, or its record is dropped, or valid_until_ms is not its own.", id)
}
