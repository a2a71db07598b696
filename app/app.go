package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
)

// Options are what an App is made of. Genesis and Store are needed; zero fields take their defaults.
type Options struct {
	Genesis *genesis.Doc
	Store   *store.Store
	// Logger may be nil: silent.
	Logger *slog.Logger
	// Now is the clock; it decides nothing that other replicas must agree on.
	Now      func() time.Time
	Observer Observer
	// SelfAddress is this validator's consensus address: its own proposals are recognised by it.
	SelfAddress []byte
	Pool        PoolOptions
	Verify      VerifyOptions
	// Idle is how long after the last commit a proposal waits for a transaction before it goes out empty.
	// Negative: not at all.
	Idle time.Duration
	// Retain says, after each commit, the lowest height whose block the engine must keep; zero: all. It is called
	// by the goroutine that executes blocks. Nil keeps all.
	Retain    func(height, timeMS uint64) uint64
	Snapshots SnapshotOptions
	// NoSpeculation executes a block only once it is decided.
	NoSpeculation bool
	// FrameTxs is how many transactions go into one frame, at most and by default ledger.FrameTxsMax. With 1 each
	// goes its way alone, without a frame.
	FrameTxs int
}

// App carries the ledger through the lives of blocks and transactions. Prepare, Process, Finalize and Commit
// are called one after another by the engine; everything else may be called at any time from anywhere, and
// waits for none of them.
type App struct {
	options     Options
	genesis     *genesis.Doc
	genesisHash crypto.Hash
	current     atomic.Pointer[store.Store] // another one once a snapshot was restored
	log         *slog.Logger
	observer    Observer

	pool         *pool
	verification *verification
	verified     *remembered // transactions verified outside the pool
	expired      *remembered // pooled transactions whose validity ended
	suspects     suspects
	waiters      waiters
	feed         feed
	rebuilt      rebuiltTrees
	snapshots    snapshots
	restoring    restoring

	// ready is set once there is a state to judge transactions by.
	ready  atomic.Bool
	closed chan struct{}
	once   sync.Once

	// What follows belongs to the goroutine of the engine that calls Prepare, Process, Finalize and Commit.
	prepared *block // what Prepare returned last
	parsed   parsedBlocks
	ahead    speculation
	staged   *stagedBlock
	pace     pace
	// committedAt is when the last block was committed here, by this node's clock.
	committedAt time.Time
}

var errClosed = errors.New("the app is closed")

// New starts an App on a store, which stays the caller's to close, after the App. One that a snapshot was restored
// into is the App's own.
func New(o Options) (*App, error) {
	if o.Genesis == nil || o.Store == nil {
		return nil, errors.New("app: a genesis document and a store are needed")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observer == nil {
		o.Observer = unobserved{}
	}
	if o.Idle == 0 {
		o.Idle = idleDefault
	}
	orDefault(&o.FrameTxs, ledger.FrameTxsMax)
	o.FrameTxs = min(o.FrameTxs, ledger.FrameTxsMax)
	a := &App{
		options: o, genesis: o.Genesis, genesisHash: o.Genesis.Hash(), log: o.Logger, observer: o.Observer,
		pool: newPool(o.Pool), verified: newRemembered(verifiedMax), expired: newRemembered(expiredMax),
		suspects: suspects{until: map[string]time.Time{}},
		waiters:  waiters{byID: map[ledger.TxID][]*waiter{}},
		closed:   make(chan struct{}),
	}
	orDefault(&a.options.Snapshots.Keep, snapshotsKept)
	a.current.Store(o.Store)
	if head, ok := o.Store.Head(); ok {
		if head.Genesis != a.genesisHash {
			return nil, fmt.Errorf("the store holds a ledger of genesis %s, this is %s", head.Genesis, a.genesisHash)
		}
		a.pool.commit(head.Height, head.TimeMS, nil, nil)
		a.feed.height = head.Height
		a.ready.Store(true)
	}
	a.openSnapshots()
	a.verification = newVerification(o.Verify, a.genesisHash, o.Observer)
	a.verification.settle = a.settle
	a.verification.start()
	return a, nil
}

// Close ends the background work. Callers that wait return; what waits in the pool is lost, and its senders
// will offer it again to this node or another.
func (a *App) Close() {
	a.once.Do(func() {
		close(a.closed)
		a.verification.close()
		a.ahead.drop(a.store())
		a.feed.close()
		a.snapshots.close()
		if err := a.restoring.close(); err != nil {
			a.log.Error("closing the restored store failed", "err", err)
		}
	})
}

// store is where the state is.
func (a *App) store() *store.Store { return a.current.Load() }

// StoreStats tells what the store holds, for metrics.
func (a *App) StoreStats() store.Stats { return a.store().Stats() }

// Head is the newest committed height; false before the first.
func (a *App) Head() (store.Head, bool) { return a.store().Head() }

// Genesis is the document the ledger began with, and its hash.
func (a *App) Genesis() (*genesis.Doc, crypto.Hash) { return a.genesis, a.genesisHash }

// InitChain makes the genesis state current and returns its root and the first validators. It leaves nothing
// durable: an engine that crashes before the first commit calls it again.
func (a *App) InitChain() (crypto.Hash, []ledger.ValidatorUpdate, error) {
	out, err := a.genesis.Outcome()
	if err != nil {
		return crypto.Hash{}, nil, err
	}
	a.ahead.drop(a.store())
	a.staged = nil
	root, err := a.store().Init(a.genesisHash, out, a.genesis.TimeMS)
	if err != nil {
		return crypto.Hash{}, nil, fmt.Errorf("begin the ledger: %w", err)
	}
	a.pool.commit(0, a.genesis.TimeMS, nil, nil)
	a.ready.Store(true)
	return root, out.Validators, nil
}

// View is the newest committed state. The caller closes it.
func (a *App) View() *store.View { return a.store().View() }

// FirstHeight is the lowest height whose state is still kept.
func (a *App) FirstHeight() uint64 { return a.store().Stats().First }

// ViewAt is the state at a height, if it is still kept.
func (a *App) ViewAt(height uint64) (*store.View, error) { return a.store().ViewAt(height) }

// Ready reports whether there is a state to answer from.
func (a *App) Ready() bool { return a.ready.Load() }

// PoolStats says how full the pool is.
func (a *App) PoolStats() PoolStats { return a.pool.stats() }

// DiskLow reports whether new transactions are refused for want of disk space.
func (a *App) DiskLow() bool { return a.store().DiskLow() }

// WaitHeight waits until a height is committed.
func (a *App) WaitHeight(ctx context.Context, height uint64) error {
	for {
		now, advanced := a.feed.now()
		if now >= height {
			return nil
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return ctx.Err()
		case <-a.closed:
			return errClosed
		}
	}
}
