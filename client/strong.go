package client

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetradledger/tetrad/rpc"
)

const (
	// ConsistencyStrong is what answers of a Strong say of themselves.
	ConsistencyStrong = "strong"
	// strongWaitDefault is within what a reader on the smaller side of a cut network is told so: with what a command
	// needs to begin and end, two seconds.
	strongWaitDefault = rpc.StrongMax
	// settleWait is how long Close waits for slow nodes to be found out.
	settleWait = 300 * time.Millisecond
)

// StrongOptions configure a Strong.
type StrongOptions struct {
	VerifiedOptions

	// Wait is how long may pass until it is known which height a read must have reached, or until the error is an
	// ErrNoQuorum; 0: rpc.StrongMax.
	Wait time.Duration
	// Proven makes nodes prove every answer. Without it, an answer in which nodes with more than a third of the
	// voting power agree is good enough, which saves the wait for one block more.
	Proven bool
	// Fence, if it is there, signs a new transaction whose draft is a Draft.Fence, for when the attestations of the
	// validators do not suffice. It is called only then, once for each read.
	Fence func(ctx context.Context) (Signed, error)
}

// Strong reads linearizably, and believes no node alone: an answer holds every write that was acknowledged to
// anybody before the read began. It asks validators with more than two thirds of the voting power how far they have
// come (see ledger.ReadIndex), waits for that height where it must, and takes the value that nodes with more than a
// third of the power agree on at it, or one that is proven at it or later. It is safe for concurrent use.
//
// Where there is no such quorum, as on the smaller side of a cut network, the error is an ErrNoQuorum.
type Strong struct {
	v      *Verified
	wait   time.Duration
	proven bool
	fence  func(ctx context.Context) (Signed, error)
	keys   serviceKeys
	loose  sync.WaitGroup // goroutines that outlive a read to find out about slow nodes

	fast, slow, fenced, refused atomic.Int64
}

// NewStrong makes a Strong. It sends nothing yet.
func NewStrong(o StrongOptions) (*Strong, error) {
	if o.Wait < 0 {
		return nil, errors.New("client: the time to wait for a quorum is negative")
	}
	if o.Wait == 0 {
		o.Wait = strongWaitDefault
	}
	v, err := NewVerified(o.VerifiedOptions)
	if err != nil {
		return nil, err
	}
	return &Strong{v: v, wait: o.Wait, proven: o.Proven, fence: o.Fence, keys: serviceKeys{v: v}}, nil
}

// Verified is the Verified whose connections, headers and session the strong reads share.
func (s *Strong) Verified() *Verified { return s.v }

// EvidenceFiles lists the files in which this Strong has kept what nodes lied about.
func (s *Strong) EvidenceFiles() []string { return s.v.EvidenceFiles() }

// Close keeps the newest trusted headers for the next run. Before that it waits a little for answers that came too
// late to be needed, so that a node that lies is not spared because it is slow.
func (s *Strong) Close() error {
	done := make(chan struct{})
	go func() {
		s.loose.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(settleWait):
	}
	return s.v.Close()
}

// StrongStats count the reads of a Strong by how they found the height they had to reach.
type StrongStats struct {
	Fast    int64 // at once
	Slow    int64 // after the next block
	Fenced  int64 // by a transaction of their own
	Refused int64 // not at all
}

// Stats counts what this Strong did.
func (s *Strong) Stats() StrongStats {
	return StrongStats{Fast: s.fast.Load(), Slow: s.slow.Load(), Fenced: s.fenced.Load(), Refused: s.refused.Load()}
}

// Index finds the height that a read which begins now must have reached: no block above it was committed before the
// call. It is what the reads begin with.
func (s *Strong) Index(ctx context.Context) (uint64, error) {
	ix, err := s.index(ctx)
	return ix.height, err
}

// Account reads an account with all its balances.
func (s *Strong) Account(ctx context.Context, id string, o ReadOptions) (rpc.Account, error) {
	return strongly[rpc.Account](ctx, s, o, Question{What: AskAccount, Account: id})
}

// Balances reads all that an account holds.
func (s *Strong) Balances(ctx context.Context, id string, o ReadOptions) (rpc.Balances, error) {
	return strongly[rpc.Balances](ctx, s, o, Question{What: AskBalances, Account: id})
}

// Balance reads what an account holds of one asset.
func (s *Strong) Balance(ctx context.Context, id, asset string, o ReadOptions) (rpc.Balance, error) {
	b, err := strongly[rpc.Balance](ctx, s, o, Question{What: AskBalance, Account: id, Asset: asset})
	b.Consistency = ConsistencyStrong
	return b, err
}

// Asset reads an asset and its supply.
func (s *Strong) Asset(ctx context.Context, code string, o ReadOptions) (rpc.Asset, error) {
	return strongly[rpc.Asset](ctx, s, o, Question{What: AskAsset, Asset: code})
}

// Entry reads an entry.
func (s *Strong) Entry(ctx context.Context, namespace, path string, o ReadOptions) (rpc.Entry, error) {
	return strongly[rpc.Entry](ctx, s, o, Question{What: AskEntry, Account: namespace, Path: path})
}

// Validators reads all validators.
func (s *Strong) Validators(ctx context.Context, o ReadOptions) (rpc.Validators, error) {
	return strongly[rpc.Validators](ctx, s, o, Question{What: AskValidators})
}

// Node reads what is registered of a validator's node.
func (s *Strong) Node(ctx context.Context, validator string, o ReadOptions) (rpc.Node, error) {
	return strongly[rpc.Node](ctx, s, o, Question{What: AskNode, Validator: validator})
}

// Params reads the network's parameters.
func (s *Strong) Params(ctx context.Context, o ReadOptions) (rpc.Params, error) {
	return strongly[rpc.Params](ctx, s, o, Question{What: AskParams})
}

// Entries reads all entries of a namespace whose paths begin with prefix. Lists are always proven.
func (s *Strong) Entries(ctx context.Context, namespace, prefix string, o ReadOptions) (rpc.Entries, error) {
	_, o, err := s.begin(ctx, o)
	if err != nil {
		return rpc.Entries{}, err
	}
	return s.v.Entries(ctx, namespace, prefix, o)
}

// History lists the transactions of an account, newest first. Lists are always proven.
func (s *Strong) History(ctx context.Context, id string, o HistoryOptions) (rpc.History, error) {
	var err error
	if _, o.ReadOptions, err = s.begin(ctx, o.ReadOptions); err != nil {
		return rpc.History{}, err
	}
	return s.v.History(ctx, id, o)
}

// ReadBlock reads the newest block. Blocks are always proven.
func (s *Strong) ReadBlock(ctx context.Context, receipts string, o ReadOptions) (rpc.Block, error) {
	_, o, err := s.begin(ctx, o)
	if err != nil {
		return rpc.Block{}, err
	}
	return s.v.ReadBlock(ctx, receipts, o)
}

// errStrongHeight refuses what contradicts itself.
var errStrongHeight = errors.New("client: a strong read is of the newest state; the state of a height is what it is")

// begin finds the height a read must have reached, and makes options that ask for no less.
func (s *Strong) begin(ctx context.Context, o ReadOptions) (index, ReadOptions, error) {
	if o.Height > 0 {
		return index{}, o, errStrongHeight
	}
	ix, err := s.index(ctx)
	o.Consistency, o.least = rpc.ConsistencyEventual, ix.height
	return ix, o, err
}

// strongly answers a question about the state.
func strongly[T any](ctx context.Context, s *Strong, o ReadOptions, q Question) (T, error) {
	var nothing T
	if o.IncludePending {
		return nothing, ErrPendingUnprovable
	}
	if err := q.check(); err != nil {
		return nothing, err
	}
	ix, o, err := s.begin(ctx, o)
	if err != nil {
		return nothing, err
	}
	if !s.proven && o.Prove == nil {
		out, err := matched[T](ctx, s, ix, q)
		if !errors.Is(err, errNoMatch) {
			return out, err
		}
	}
	return askState[T](ctx, s.v, o, q)
}
