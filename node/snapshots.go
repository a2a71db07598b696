package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
	cmtlog "github.com/cometbft/cometbft/libs/log"
	cmtlight "github.com/cometbft/cometbft/light"
	cmtversionproto "github.com/cometbft/cometbft/proto/tendermint/state"
	cmtstate "github.com/cometbft/cometbft/state"
	cmtstatesync "github.com/cometbft/cometbft/statesync"
	cmtstore "github.com/cometbft/cometbft/store"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger/store"
)

// A Snapshot describes one, in a home or in a file.
type Snapshot struct {
	Height  uint64      `json:"height"`
	Time    string      `json:"time"` // of the block, RFC 3339
	AppHash crypto.Hash `json:"app_hash"`
	Hash    crypto.Hash `json:"hash"` // of the snapshot's description; the same on every node
	Format  uint32      `json:"format"`
	Chunks  int         `json:"chunks"`
	Bytes   uint64      `json:"bytes"`
	Leaves  uint64      `json:"leaves"`
	Records uint64      `json:"replay_records"`
	Path    string      `json:"path,omitempty"`
}

func describeSnapshot(m store.Manifest) Snapshot {
	return Snapshot{
		Height: m.Height, Time: time.UnixMilli(int64(m.TimeMS)).UTC().Format(time.RFC3339Nano), AppHash: m.Root, Hash: m.Hash(),
		Format: m.Format, Chunks: len(m.Chunks), Bytes: m.Bytes(), Leaves: m.Leaves, Records: m.Records,
	}
}

// Snapshots lists the finished snapshots of a home, lowest height first, whether its node runs or not. The error
// names damaged ones; the list holds the others.
func Snapshots(c Config) ([]Snapshot, error) {
	found, err := store.Snapshots(c.snapshotsDir())
	list := []Snapshot{}
	for _, m := range found {
		s := describeSnapshot(m)
		s.Path = filepath.Join(c.snapshotsDir(), fmt.Sprint(m.Height))
		list = append(list, s)
	}
	return list, err
}

// ErrBadSnapshot says that a snapshot is not of the state that the chain says.
var ErrBadSnapshot = errors.New("the snapshot does not hold")

// ErrNoSnapshot says that a home has no snapshot that could be exported.
var ErrNoSnapshot = errors.New("there is no such snapshot")

// ExportSnapshot writes a snapshot into one file: the finished one of a height, or the newest for height zero,
// also while the node runs. Where a stopped node has none, the newest state of its ledger is exported.
func ExportSnapshot(ctx context.Context, c Config, height uint64, path string, progress func(AuditProgress)) (Snapshot, error) {
	report := func(phase string) func(done, total uint64) {
		return func(done, total uint64) {
			if progress != nil {
				progress(AuditProgress{Phase: phase, Done: done, Total: total})
			}
		}
	}
	have, damaged := store.Snapshots(c.snapshotsDir())
	for i := len(have) - 1; i >= 0; i-- {
		if height == 0 || have[i].Height == height {
			m, err := store.PackSnapshot(ctx, c.snapshotsDir(), have[i].Height, path, report("bytes"))
			return describeSnapshot(m), err
		}
	}
	if damaged != nil {
		return Snapshot{}, fmt.Errorf("%w: %w", ErrNoSnapshot, damaged)
	}
	if height > 0 {
		return Snapshot{}, fmt.Errorf("%w at height %d; the home has %s", ErrNoSnapshot, height, heightsOf(have))
	}
	m, err := exportStopped(ctx, c, path, report("leaves"))
	return describeSnapshot(m), err
}

func heightsOf(have []store.Manifest) string {
	if len(have) == 0 {
		return "none"
	}
	text := ""
	for i, m := range have {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprint(m.Height)
	}
	return text
}

// exportStopped exports the newest state of a node that does not run.
func exportStopped(ctx context.Context, c Config, path string, progress func(done, total uint64)) (store.Manifest, error) {
	doc, err := readGenesis(c.Engine.GenesisFile())
	if err != nil {
		return store.Manifest{}, err
	}
	if _, err := os.Stat(c.ledgerDir()); errors.Is(err, fs.ErrNotExist) {
		return store.Manifest{}, fmt.Errorf("%s has no ledger: no node has run there yet", c.Home)
	}
	lock, err := lockHome(c.Home)
	if err != nil {
		return store.Manifest{}, fmt.Errorf("the home has no finished snapshot, and only a stopped node's ledger can be exported: %w", err)
	}
	defer func() { _ = lock.release() }() // the process ends soon
	s, err := store.Open(store.Options{Dir: c.ledgerDir(), Genesis: doc.Hash(), KeepHeights: c.Store.KeepHeights, FoldInterval: -1})
	if err != nil {
		return store.Manifest{}, err
	}
	m, err := s.ExportFile(ctx, 0, path, progress)
	return m, errors.Join(err, s.Close())
}

// RestoreOptions say what a snapshot from a file is verified with: a block that the operator trusts, and nodes that
// tell the headers from there to the snapshot. They cannot lie: each header is verified from the one before.
type RestoreOptions struct {
	Servers     []string // CometBFT RPC addresses of two nodes or more
	TrustHeight uint64
	TrustHash   crypto.Hash
	Progress    func(AuditProgress)
}

// RestoreSnapshot fills the home of a node that has no blocks from a file, so that the node goes on with the blocks
// that come after. Until it returns, the home says that it is half restored, and can be restored again.
func RestoreSnapshot(ctx context.Context, c Config, path string, o RestoreOptions) (Snapshot, error) {
	m, err := store.FileManifest(path)
	if err != nil {
		return Snapshot{}, err
	}
	n := &Node{config: c, log: slog.New(slog.DiscardHandler)}
	if n.doc, err = readGenesis(c.Engine.GenesisFile()); err != nil {
		return Snapshot{}, err
	}
	if m.Genesis != n.doc.Hash() {
		return Snapshot{}, fmt.Errorf("%s is a snapshot of the chain of genesis %s, this home's is %s", path, m.Genesis, n.doc.Hash())
	}
	if n.lock, err = lockHome(c.Home); err != nil {
		return Snapshot{}, err
	}
	defer func() { _ = n.lock.release() }() // the process ends soon
	engine := *c.Engine
	sync := *engine.StateSync
	sync.Enable, sync.RPCServers = true, o.Servers
	engine.StateSync = &sync
	n.config.Engine = &engine
	if err := n.openStateSync(); err != nil {
		return Snapshot{}, err
	}
	if !n.syncing.Load() {
		return Snapshot{}, fmt.Errorf("%s has blocks already: a snapshot is restored into an empty data directory only; "+
			"move the old one away, but keep priv_validator_state.json", c.Home)
	}
	state, commit, err := verifiedState(ctx, n.doc.ChainID, m.Height, sync.TrustPeriod, o)
	if err != nil {
		return Snapshot{}, err
	}
	trust := store.Trust{Root: crypto.Hash(state.AppHash), TimeMS: uint64(state.LastBlockTime.UnixMilli())}
	opening := store.Options{Dir: c.ledgerDir(), Genesis: n.doc.Hash(), KeepVersions: c.Store.KeepVersions, KeepHeights: c.Store.KeepHeights}
	_, err = store.RestoreFile(ctx, opening, path, trust, func(done, total uint64) {
		if o.Progress != nil {
			o.Progress(AuditProgress{Phase: "bytes", Done: done, Total: total})
		}
	})
	if errors.Is(err, store.ErrBadChunk) || errors.Is(err, store.ErrBadSnapshot) {
		return Snapshot{}, fmt.Errorf("%w: %s: %w", ErrBadSnapshot, path, err)
	}
	if err != nil {
		return Snapshot{}, err
	}
	return describeSnapshot(m), bootstrapEngine(&engine, state, commit)
}

// verifiedState is CometBFT's state after a height, which its light client verifies from the trusted block on.
func verifiedState(ctx context.Context, chainID string, height uint64, period time.Duration, o RestoreOptions) (cmtstate.State, *cmttypes.Commit, error) {
	trust := cmtlight.TrustOptions{Period: period, Height: int64(o.TrustHeight), Hash: o.TrustHash[:]}
	provider, err := cmtstatesync.NewLightClientStateProvider(
		ctx, chainID, cmtversionproto.Version{}, 1, o.Servers, trust, cmtlog.NewNopLogger())
	if err != nil {
		return cmtstate.State{}, nil, fmt.Errorf("begin to verify headers from block %d: %w", o.TrustHeight, err)
	}
	state, err := provider.State(ctx, height)
	if err != nil {
		return cmtstate.State{}, nil, fmt.Errorf("verify the headers after height %d: %w", height, err)
	}
	commit, err := provider.Commit(ctx, height)
	if err != nil {
		return cmtstate.State{}, nil, fmt.Errorf("verify the header of height %d: %w", height, err)
	}
	if len(state.AppHash) != crypto.HashSize {
		return cmtstate.State{}, nil, fmt.Errorf("the app hash of height %d has %d bytes", height, len(state.AppHash))
	}
	return state, commit, nil
}

// bootstrapEngine gives CometBFT the state it would have after executing a height. The mark comes last: it is what
// makes CometBFT accept state without blocks.
func bootstrapEngine(config *cmtcfg.Config, state cmtstate.State, commit *cmttypes.Commit) (err error) {
	blockDB, err := cmtcfg.DefaultDBProvider(&cmtcfg.DBContext{ID: "blockstore", Config: config})
	if err != nil {
		return fmt.Errorf("open blockstore.db: %w", err)
	}
	defer func() { err = errors.Join(err, blockDB.Close()) }()
	stateDB, err := cmtcfg.DefaultDBProvider(&cmtcfg.DBContext{ID: "state", Config: config})
	if err != nil {
		return fmt.Errorf("open state.db: %w", err)
	}
	defer func() { err = errors.Join(err, stateDB.Close()) }()
	states := cmtstate.NewStore(stateDB, cmtstate.StoreOptions{})
	return guard("write CometBFT's state", func() error {
		if err := states.Bootstrap(state); err != nil {
			return err
		}
		if err := cmtstore.NewBlockStore(blockDB).SaveSeenCommit(state.LastBlockHeight, commit); err != nil {
			return err
		}
		return states.SetOfflineStateSyncHeight(state.LastBlockHeight)
	})
}
