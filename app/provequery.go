package app

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
)

// QueryProof shows the value of a key, or that there is none: a marshalled ics23 CommitmentProof for
// ics23.SmtSpec.
type QueryProof struct{ Key, ICS23 []byte }

// ProveQuery answers like Query and proves it, at a height whose root stands in a header already; zero chooses
// the newest of them. Where Query refuses the name of an asset that does not exist, this shows that it does not.
//
// A transaction is answered by its replay record, proven under its bucket's root, and by the bucket's leaf,
// which is proven under the state's. If it is absent there is no value; to show that, the path goes on with the
// end of validity its signer chose: /transactions/{txid}/{valid_until_ms}. Where the bucket itself is absent,
// the second proof is the only one.
//
// A namespace is answered by the leaf that counts its entries, and proven with a page of them:
// /entries/{account}?after={path}&limit={n}.
func (a *App) ProveQuery(path string, height uint64) QueryResult {
	if !a.ready.Load() {
		return failedQuery(0, &ledger.Reject{Code: ledger.CodeSyncing})
	}
	p, err := a.OpenProver(height)
	if err != nil {
		return a.refuseProof(path, height, err)
	}
	defer p.Close()
	q, err := p.query(pathParts(path))
	if err != nil {
		return a.refuseProof(path, p.Height(), err)
	}
	q.Height = p.Height()
	return q
}

// refuseProof turns an error into an answer. What is not the asker's fault goes to the log.
func (a *App) refuseProof(path string, height uint64, err error) QueryResult {
	var pruned store.ErrPruned
	var future store.ErrFuture
	var reject *ledger.Reject
	switch {
	case errors.As(err, &reject):
	case errors.As(err, &pruned):
		reject = &ledger.Reject{Code: ledger.CodePruned, Detail: fmt.Sprintf("the first that can be proven is %d", pruned.First)}
	case errors.As(err, &future):
		reject = &ledger.Reject{Code: ledger.CodeFuture, Detail: fmt.Sprintf("the newest that can be proven is %d", future.Head)}
	case errors.Is(err, store.ErrNoTree):
		reject = &ledger.Reject{Code: ledger.CodeUnavailable, Detail: "nothing can be proven before the next block"}
	case errors.Is(err, ErrProverBusy):
		reject = &ledger.Reject{Code: ledger.CodeRateLimited, Detail: err.Error()}
	default:
		a.log.Error("a proof failed", "path", clip(path), "height", height, "error", err)
		reject = &ledger.Reject{Code: ledger.CodeInternal}
	}
	return failedQuery(height, reject)
}

// pathParts are the words of a query's path; the version in front may be left out.
func pathParts(path string) []string {
	return strings.Split(strings.TrimPrefix(strings.TrimPrefix(path, "/v1"), "/"), "/")
}

func (p *Prover) query(parts []string) (QueryResult, error) {
	if parts[0] == "transactions" && (len(parts) == 2 || len(parts) == 3) {
		return p.queryRecord(parts[1:])
	}
	if isHistory(parts) {
		return p.queryHistory(parts)
	}
	if isEntryList(parts) {
		return p.queryEntries(parts)
	}
	key, note, err := resolve(p, parts)
	var reject *ledger.Reject
	if errors.As(err, &reject) && reject.Code == ledger.CodeAssetNotFound {
		key, note, err = ledger.KeyAsset(ledger.AssetIDOf(parts[len(parts)-1])), reject.Error(), nil
	}
	if err != nil {
		return QueryResult{}, err
	}
	value, err := p.Get(key)
	if err != nil {
		return QueryResult{}, err
	}
	if value == nil && note == "" {
		note = "there is no such leaf"
	}
	proof, err := p.Prove(key)
	if err != nil {
		return QueryResult{}, err
	}
	return QueryResult{Key: key, Value: append([]byte(nil), value...), Log: note, Proofs: []QueryProof{{key, proof}}}, nil
}

// queryRecord answers with a transaction's replay record.
func (p *Prover) queryRecord(parts []string) (QueryResult, error) {
	id, err := crypto.ParseHash(parts[0])
	if err != nil {
		return QueryResult{}, badPath("transaction: %v", err)
	}
	bucket, err := p.bucketOf(id, parts[1:])
	if err != nil {
		return QueryResult{}, err
	}
	q := QueryResult{Key: id[:], Log: "there is no record of the transaction"}
	value, err := p.Get(ledger.KeyRecord(bucket, id))
	if err != nil {
		return QueryResult{}, err
	}
	if value != nil {
		q.Value, q.Log = append([]byte(nil), value...), "the transaction's replay record"
	}
	record, err := p.ProveRecord(bucket, id)
	if err != nil {
		return QueryResult{}, err
	}
	if record != nil {
		q.Proofs = append(q.Proofs, QueryProof{id[:], record})
	}
	leaf := ledger.KeyBucket(bucket)
	proof, err := p.Prove(leaf)
	if err != nil {
		return QueryResult{}, err
	}
	q.Proofs = append(q.Proofs, QueryProof{leaf, proof})
	return q, nil
}

// bucketOf finds the bucket of a transaction: by the end of its validity, if that is given, or else by looking
// for its record.
func (p *Prover) bucketOf(id ledger.TxID, until []string) (uint64, error) {
	if len(until) > 0 {
		ms, err := strconv.ParseUint(until[0], 10, 64)
		if err != nil {
			return 0, badPath("end of validity: %q is not a number of milliseconds", clip(until[0]))
		}
		leaf, err := p.Get(ledger.KeyParams())
		if err != nil {
			return 0, err
		}
		params, err := ledger.DecodeParams(leaf)
		return params.Bucket(ms), err
	}
	// Looking through all buckets is not for everybody who can make up an id.
	outcome, err := p.app.Outcome(id)
	if err != nil {
		return 0, err
	}
	if h := outcome.Receipt.Height; h > 0 && h <= p.Height() {
		bucket, found, err := ledger.FindBucket(p, id)
		if err != nil || found {
			return bucket, err
		}
	}
	return 0, &ledger.Reject{
		Code:   ledger.CodeNotFound,
		Detail: "no block up to this height recorded the transaction, or it used a lane, or its record is dropped; to prove absence, add the end of its validity",
	}
}
