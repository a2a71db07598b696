package client

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// ErrUndecided is what every error is that means: the transaction's outcome cannot be proven yet, or not any
// more. Its record appears with its block and is dropped some time after its validity ended.
var ErrUndecided = errors.New("the outcome of the transaction cannot be proven now")

// Outcome reads what became of a transaction and proves it: committed, failed with a code, or never_will. An
// outcome that nothing in the state shows yet is an ErrUndecided. tx.ValidUntilMS is needed for never_will.
func (v *Verified) Outcome(ctx context.Context, tx Signed) (rpc.TxStatus, error) {
	status, _, _, err := v.outcome(ctx, tx)
	return status, err
}

func (v *Verified) outcome(ctx context.Context, tx Signed) (rpc.TxStatus, *proven, string, error) {
	until := tx.tellUntilMS()
	r := request{method: http.MethodGet, path: rpc.PathTransactions + "/" + tx.TxID.String(), query: url.Values{}, header: http.Header{}}
	if until > 0 {
		r.query.Set("valid_until_ms", strconv.FormatUint(until, 10))
	}
	return prove(ctx, v, ReadOptions{Consistency: rpc.ConsistencyEventual}, query[rpc.TxStatus]{
		request: r,
		build:   func(p *proven) (rpc.TxStatus, error) { return judge(p, tx.TxID, until) },
		agree:   sameOutcome,
		unproven: func(text []byte, refusal *rpc.Error) error {
			var claimed rpc.TxStatus
			switch {
			case refusal != nil:
				return refusal
			case json.Unmarshal(text, &claimed) == nil && !claimed.Decided():
				return fmt.Errorf("%w: no block is known that holds %s", ErrUndecided, tx.TxID)
			}
			return nil
		},
	})
}

// judge finds out what the state at the proof's height shows of a transaction.
//
// Committed and failed are shown by its record. never_will is shown by there being none, if the next block was
// made when the transaction's time was over: that block could not take it any more, nor could any later one.
// Records are dropped long after that, so the next block must also be older than that time.
func judge(p *proven, id crypto.Hash, validUntilMS uint64) (rpc.TxStatus, error) {
	unknown := rpc.TxStatus{TxID: id, Status: rpc.StatusUnknown}
	params, err := provenParams(p)
	if err != nil {
		return unknown, err
	}
	bucket, known := bucketOf(p)
	if validUntilMS > 0 {
		bucket, known = params.Bucket(validUntilMS), true
	}
	if !known {
		return unknown, fmt.Errorf("%w: there is no record of %s; the end of its validity is needed to tell more", ErrUndecided, id)
	}
	record, found, err := provenRecord(p, bucket, id)
	switch {
	case err != nil:
		return unknown, err
	case found:
		return rpc.DecidedStatus(record.Receipt(id)), nil
	case validUntilMS == 0:
		return unknown, fmt.Errorf("%w: there is no record of %s at height %d", ErrUndecided, id, p.height)
	case p.timeMS < validUntilMS:
		return unknown, fmt.Errorf("%w: at height %d there is no record of %s yet", ErrUndecided, p.height, id)
	case p.timeMS >= params.BucketDropMS(bucket):
		return unknown, fmt.Errorf("%w: records of the time of %s are no longer kept at height %d", ErrUndecided, id, p.height)
	}
	return rpc.TxStatus{TxID: id, Status: rpc.StatusNeverWill}, nil
}

// provenRecord gives a transaction's replay record: the bucket's leaf holds the root under which it stands.
func provenRecord(p *proven, bucket uint64, id crypto.Hash) (ledger.Record, bool, error) {
	leaf, err := p.asked(ledger.KeyBucket(bucket))
	if err != nil {
		return ledger.Record{}, false, err
	}
	b, found, err := decoded(leaf, ledger.DecodeBucket)
	if err != nil || !found {
		return ledger.Record{}, false, err
	}
	leaf, err = p.leaf(b.Root, id[:], LieKey)
	if err != nil {
		return ledger.Record{}, false, err
	}
	return decoded(leaf, ledger.DecodeRecord)
}

// bucketOf is the bucket that a proof is about. Where a record is there, it does not matter who chose the
// bucket: a transaction has no second record. Where none is, only the validity's end tells which one counts.
func bucketOf(p *proven) (uint64, bool) {
	for key := range p.items {
		if len(key) == 9 && key[0] == ledger.PrefixBucket {
			return binary.BigEndian.Uint64([]byte(key[1:])), true
		}
	}
	return 0, false
}

// sameOutcome compares what a node said of a transaction with what it proved. It may know less than it proves.
func sameOutcome(claimed, built rpc.TxStatus) error {
	if claimed.TxID != built.TxID {
		return lie(LieKey, "it answered for the transaction %s", claimed.TxID)
	}
	if !claimed.Decided() {
		return nil
	}
	if claimed.Status != built.Status || claimed.Height != built.Height || claimed.Index != built.Index ||
		claimed.Code != built.Code || claimed.Op != built.Op {
		return lie(LieVerdict, "it said %s (code %d, height %d) and proved %s (code %d, height %d)",
			cut(claimed.Status), claimed.Code, claimed.Height, built.Status, built.Code, built.Height)
	}
	return nil
}
