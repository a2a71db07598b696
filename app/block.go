package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
)

// Block is a decided block.
type Block struct {
	Height, TimeMS uint64
	Hash           []byte
	Proposer       []byte
	Txs            [][]byte
	Misbehaviour   []ledger.Misbehaviour
	// LastRound is how many proposers the block before needed, less one. It changes no outcome.
	LastRound int32
}

// Result is what a block did.
type Result struct {
	TxResults  []TxResult // one for each of the engine's transactions
	Validators []ledger.ValidatorUpdate
	Root       crypto.Hash
}

// TxResult is the result of one of the engine's transactions. Code and Data are part of consensus. Those of a
// single transaction are its receipt's; a frame has code zero and the Merkle root of its receipts.
type TxResult struct {
	Code uint32
	Data []byte
	Log  string
}

// block is a list of the engine's transactions, taken apart into signed ones.
type block struct {
	txs   [][]byte
	spans []span // one for each of txs
	inner []*ledger.Transaction
	bytes int
}

// span says which of the signed transactions one of the engine's holds.
type span struct {
	from, to int
	frame    bool
	fault    ledger.Code // the frame does not decode: it holds nothing
}

func (b *block) add(raw []byte, frame bool, inner ...*ledger.Transaction) {
	b.txs = append(b.txs, raw)
	b.spans = append(b.spans, span{from: len(b.inner), to: len(b.inner) + len(inner), frame: frame})
	b.inner = append(b.inner, inner...)
	b.bytes += len(raw)
}

// parse takes the engine's transactions apart and verifies every signature that this node has not verified
// before. With judge it fails at the first fault. Without, as for a block that is decided already, a fault
// becomes the transaction's, so that every replica gives it the same receipt.
func (a *App) parse(txs [][]byte, judge *strict) (*block, error) {
	b := &block{txs: txs, spans: make([]span, 0, len(txs))}
	var raws [][]byte
	for i, raw := range txs {
		b.bytes += len(raw)
		s := span{from: len(raws), frame: ledger.IsFrame(raw)}
		if !s.frame {
			raws = append(raws, raw)
		} else if inner, err := ledger.DecodeFrame(raw); err == nil {
			raws = append(raws, inner...)
		} else if judge != nil {
			return nil, fmt.Errorf("frame %d: %w", i, err)
		} else {
			s.fault = codeOf(err)
		}
		s.to = len(raws)
		b.spans = append(b.spans, s)
	}
	keys := make([]crypto.Hash, len(raws))
	for i, raw := range raws {
		keys[i] = crypto.Sum(raw)
	}
	b.inner = a.pool.verified(keys)
	if err := a.complete(b.inner, raws, keys, judge); err != nil {
		return nil, err
	}
	if judge != nil {
		for _, t := range b.inner {
			if err := judge.check(t); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

// complete decodes and verifies the transactions that the pool did not have.
func (a *App) complete(inner []*ledger.Transaction, raws [][]byte, keys []crypto.Hash, judge *strict) error {
	var unverified []*ledger.Transaction
	var fresh []crypto.Hash
	for i := range inner {
		if inner[i] != nil {
			continue
		}
		t, err := ledger.DecodeTransaction(raws[i])
		if err == nil {
			err = t.CheckChain(a.genesis.ChainID)
		}
		switch {
		case err == nil && !a.verified.has(keys[i]):
			unverified = append(unverified, t)
			fresh = append(fresh, keys[i])
		case err != nil && judge != nil:
			return fmt.Errorf("transaction %d: %w", i, err)
		case t == nil:
			t = ledger.UndecodableTransaction(raws[i], codeOf(err))
		case err != nil:
			t.Fault = codeOf(err)
		}
		inner[i] = t
	}
	if len(unverified) == 0 {
		return nil
	}
	good := fresh[:0]
	for i, ok := range a.verification.now(unverified) {
		if ok {
			good = append(good, fresh[i])
		} else {
			unverified[i].Fault = ledger.CodeBadSignature
		}
	}
	a.verified.add(good...)
	return nil
}

func codeOf(err error) ledger.Code {
	var reject *ledger.Reject
	if errors.As(err, &reject) {
		return reject.Code
	}
	return ledger.CodeBadEncoding
}

// parsedBlocks are the proposals of the height being decided, one for each round, oldest first.
type parsedBlocks []parsedBlock

type parsedBlock struct {
	hash []byte
	*block
}

func (p *parsedBlocks) keep(hash []byte, b *block) {
	if len(hash) == 0 {
		return
	}
	if len(*p) == blocksParsedMax {
		*p = (*p)[1:]
	}
	*p = append(*p, parsedBlock{bytes.Clone(hash), b})
}

// find returns the proposal with a hash; it was parsed strictly, and holds no fault.
func (p parsedBlocks) find(hash []byte, txs [][]byte) *block {
	for _, one := range p {
		if len(hash) > 0 && bytes.Equal(one.hash, hash) && sameTxs(one.txs, txs) {
			return one.block
		}
	}
	return nil
}

// stagedBlock is a block that is executed and not committed.
type stagedBlock struct {
	Block
	*block
	*execution
	stats BlockStats
}

// Finalize executes a decided block and stages what it does: nothing is durable until Commit. If it is
// called again instead, what was staged is given up. An error means that this replica cannot go on.
func (a *App) Finalize(_ context.Context, b Block) (Result, error) {
	if !a.ready.Load() {
		return Result{}, errNoState
	}
	if a.staged != nil {
		a.store().Discard(a.staged.pending)
		a.staged = nil
	}
	a.pace.decided(b.LastRound)
	started := a.options.Now()
	parsed := a.parsed.find(b.Hash, b.Txs)
	if parsed == nil {
		parsed, _ = a.parse(b.Txs, nil) // never fails without a judge
	}
	stats := BlockStats{Height: b.Height, TimeMS: b.TimeMS, Txs: len(parsed.inner), Bytes: parsed.bytes}
	stats.Decode = a.options.Now().Sub(started)
	done, adopted, err := a.adopt(b)
	if !adopted {
		done, err = a.execute(b, parsed, nil)
	}
	if err != nil {
		return Result{}, fmt.Errorf("execute height %d: %w", b.Height, err)
	}
	stats.Speculated, stats.Execute, stats.Stage = adopted, done.executing, done.staging
	a.pace.executed(stats.Execute+stats.Stage, stats.Txs)
	a.staged = &stagedBlock{b, parsed, done, stats}
	return done.result, nil
}

// execution is an executed block: its outcome, staged, and what the engine is told.
type execution struct {
	outcome            ledger.Outcome
	pending            *store.Pending
	result             Result
	executing, staging time.Duration
}

var errCancelled = errors.New("cancelled")

// execute runs a block on the current state and stages the outcome. A closed cancel ends it early.
func (a *App) execute(b Block, parsed *block, cancel <-chan struct{}) (*execution, error) {
	view := a.store().View()
	defer view.Close()
	if b.Height != view.Height()+1 {
		return nil, fmt.Errorf("the state is at height %d", view.Height())
	}
	x := &execution{}
	started := a.options.Now()
	var err error
	x.outcome, err = ledger.Execute(view, ledger.Block{Height: b.Height, TimeMS: b.TimeMS, Txs: parsed.inner, Misbehaviour: b.Misbehaviour})
	if err != nil {
		return nil, err
	}
	if x.result.Validators, err = refreshed(view, b.Height, x.outcome.Validators); err != nil {
		return nil, err
	}
	x.result.TxResults = results(parsed, x.outcome.Receipts)
	select {
	case <-cancel:
		return nil, errCancelled
	default:
	}
	executed := a.options.Now()
	x.executing = executed.Sub(started)
	x.pending, err = a.store().Stage(store.Record{
		Height: b.Height, TimeMS: b.TimeMS, Changes: x.outcome.Changes, Receipts: x.outcome.Receipts, Touched: x.outcome.Touched,
	})
	if err != nil {
		return nil, err
	}
	x.result.Root = x.pending.Root()
	x.staging = a.options.Now().Sub(executed)
	return x, nil
}

// results are what the engine is told of each of its transactions.
func results(b *block, receipts []ledger.Receipt) []TxResult {
	out := make([]TxResult, len(b.spans))
	var leaves [][]byte
	for i, s := range b.spans {
		switch {
		case s.fault != ledger.CodeOK:
			out[i] = TxResult{Code: uint32(s.fault), Log: s.fault.Info().Message}
		case s.frame:
			leaves = leaves[:0]
			for k := s.from; k < s.to; k++ {
				leaves = append(leaves, receipts[k].Encode())
			}
			root := merkle.ListRoot(leaves)
			out[i] = TxResult{Data: root[:]}
		default:
			r := &receipts[s.from]
			out[i] = TxResult{Code: r.Code, Data: r.Encode(), Log: ledger.Code(r.Code).Info().Message}
		}
	}
	return out
}

// refreshed adds, every refreshBlocks, a validator that did not change to updates that are empty.
func refreshed(r ledger.Reader, height uint64, updates []ledger.ValidatorUpdate) ([]ledger.ValidatorUpdate, error) {
	if height%refreshBlocks != 0 || len(updates) > 0 {
		return updates, nil
	}
	leaf, err := r.Get(ledger.KeyValidators())
	if err != nil || leaf == nil {
		return nil, err
	}
	ids, err := ledger.DecodeValidators(leaf)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if leaf, err = r.Get(ledger.KeyValidator(id)); err != nil {
			return nil, err
		}
		v, err := ledger.DecodeValidator(leaf)
		if err != nil {
			return nil, err
		}
		if v.Power > 0 {
			return []ledger.ValidatorUpdate{{KeyType: v.KeyType, PublicKey: v.PublicKey, Power: v.Power}}, nil
		}
	}
	return nil, nil
}

// Commit makes the finalized block durable, then lets go of its transactions and tells those who wait. It
// returns the lowest height the engine must keep, zero for all. After an error the replica must stop.
func (a *App) Commit() (retainHeight uint64, err error) {
	s := a.staged
	if s == nil {
		panic("app: Commit without Finalize")
	}
	a.ahead.drop(a.store())
	started := a.options.Now()
	if err := a.store().Commit(s.pending); err != nil {
		return 0, err
	}
	before := a.committedAt
	a.committedAt = a.options.Now()
	s.stats.Commit = a.committedAt.Sub(started)
	if !before.IsZero() {
		a.pace.committed(a.committedAt.Sub(before), s.stats.Txs)
	}
	a.staged, a.prepared, a.parsed = nil, nil, nil
	a.release(s)
	a.snapshot(s.Height)
	if a.options.Retain == nil {
		return 0, nil
	}
	return a.options.Retain(s.Height, s.TimeMS), nil
}

// release lets the pool forget what was decided, and wakes those who waited for it. The block is durable and
// readable by now: whoever is woken finds it.
func (a *App) release(s *stagedBlock) {
	var decided []ledger.TxID
	var refused []crypto.Hash
	for i := range s.outcome.Receipts {
		r := &s.outcome.Receipts[i]
		if r.Code != uint32(ledger.CodeOK) {
			s.stats.Failed++
		}
		if final(r) {
			decided = append(decided, r.ID())
		} else {
			// It may have been another one's signatures on the same body: only these very bytes go.
			refused = append(refused, crypto.Sum(s.inner[i].Raw))
		}
	}
	a.pool.decided(s.inner)
	expired, turnedAway := a.pool.commit(s.Height, s.TimeMS, decided, refused)
	a.expired.add(expired...)
	a.waiters.tell(s.outcome.Receipts, turnedAway, expired)
	a.feed.publish(Committed{Height: s.Height, TimeMS: s.TimeMS, Receipts: s.outcome.Receipts, Changes: s.outcome.Changes})
	a.observer.Committed(s.stats)
}
