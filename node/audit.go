package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	cmtdb "github.com/cometbft/cometbft-db"
	cmtstate "github.com/cometbft/cometbft/state"
	cmtstore "github.com/cometbft/cometbft/store"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/gofrs/flock"
	"github.com/syndtr/goleveldb/leveldb/opt"

	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger/store"
)

// A Fault is one thing that is wrong in a home.
type Fault = store.Fault

// AuditProgress says how far an audit is.
type AuditProgress = store.FsckProgress

// FsckReport is what Fsck found.
type FsckReport struct {
	Height  uint64 `json:"height"`
	First   uint64 `json:"first_height"` // the lowest readable height
	AppHash string `json:"app_hash"`
	Genesis string `json:"genesis_hash"`
	FsckCounts
	Faults   []Fault `json:"faults"`
	Unlisted uint64  `json:"faults_unlisted"`
}

// FsckCounts says how much was read.
type FsckCounts struct {
	store.FsckCounts
	Headers uint64 `json:"headers"` // heights compared with the headers of CometBFT's blocks
}

// Fsck reads the whole ledger of a home on which nothing runs, and compares it with itself and with the
// headers of CometBFT's blocks. It changes nothing. What is wrong stands in the report; the error says that
// the home could not be read.
func Fsck(ctx context.Context, c Config, progress func(AuditProgress)) (*FsckReport, error) {
	h, err := openStopped(c)
	if err != nil {
		return nil, err
	}
	defer h.close()
	found, err := store.Fsck(ctx, store.FsckOptions{
		Dir: h.config.ledgerDir(), Snapshots: h.config.snapshotsDir(),
		Scratch: h.scratch, Genesis: h.doc.Hash(), Progress: progress,
	})
	if err != nil {
		return nil, err
	}
	report := &FsckReport{
		Height: found.Head.Height, First: found.First, AppHash: found.Head.Root.String(), Genesis: found.Head.Genesis.String(),
		FsckCounts: FsckCounts{FsckCounts: found.Counts}, Faults: found.Faults, Unlisted: found.Unlisted,
	}
	if report.Faults == nil {
		report.Faults = []Fault{}
	}
	if len(found.Heads) == 0 && len(found.Faults) > 0 {
		return report, nil // nothing could be read
	}
	if err := h.openBlocks(); errors.Is(err, fs.ErrNotExist) && len(found.Heads) == 0 {
		return report, nil // neither has begun
	} else if err != nil {
		report.fault("CometBFT's databases", "%v", err)
		return report, nil
	}
	return report, report.compareBlocks(ctx, h, found.Heads)
}

// faultsMax bounds what a report lists: where one root differs, all those after it may.
const faultsMax = 1100

func (r *FsckReport) fault(where, format string, args ...any) {
	if len(r.Faults) >= faultsMax {
		r.Unlisted++
		return
	}
	r.Faults = append(r.Faults, Fault{Where: where, What: fmt.Sprintf(format, args...)})
}

// compareBlocks compares roots with what the header of the next block says, and the newest height with
// CometBFT's. The ledger is never behind what CometBFT has executed: it is durable first.
func (r *FsckReport) compareBlocks(ctx context.Context, h *stoppedHome, heads []store.Head) error {
	executed := uint64(h.state.LastBlockHeight)
	if r.Height < executed {
		r.fault("the ledger", "it ends at height %d, but CometBFT has had height %d executed: what came after was lost", r.Height, executed)
	}
	if newest := h.newest(); r.Height > newest {
		r.fault("the ledger", "it is at height %d, CometBFT's newest block is %d", r.Height, newest)
	}
	for _, head := range heads {
		if err := ctx.Err(); err != nil {
			return err
		}
		want, known, err := h.rootAfter(head.Height)
		switch {
		case err != nil:
			r.fault(fmt.Sprintf("block %d", head.Height+1), "%v", err)
		case known && !bytes.Equal(want, head.Root[:]):
			r.fault(fmt.Sprintf("height %d", head.Height), "its root is %s, CometBFT's is %x", head.Root, want)
		case known:
			r.Headers++
		}
	}
	return nil
}

// stoppedHome is a home on which nothing runs, open for reading.
type stoppedHome struct {
	config    Config
	doc       *genesis.Doc
	lock      *flock.Flock
	scratch   string // a directory that is removed by close
	databases []cmtdb.DB
	blocks    *cmtstore.BlockStore
	state     cmtstate.State
}

// openStopped reads a home's genesis and keeps nodes away from the home.
func openStopped(c Config) (h *stoppedHome, err error) {
	h = &stoppedHome{config: c}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	if _, err = os.Stat(c.ledgerDir()); errors.Is(err, fs.ErrNotExist) {
		return h, fmt.Errorf("%s has no ledger: no node has run there yet", c.Home)
	} else if err != nil {
		return h, err
	}
	if h.doc, err = readGenesis(c.Engine.GenesisFile()); err != nil {
		return h, err
	}
	if h.lock, err = lockForReading(c.Home); err != nil {
		return h, err
	}
	h.scratch, err = os.MkdirTemp("", "tetrad-audit-")
	return h, err
}

// lockForReading keeps nodes away without leaving a trace. A home that has no lock file, such as a copy, is
// nobody's.
func lockForReading(home string) (*flock.Flock, error) {
	path := filepath.Join(home, "data", "node.lock")
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	taken, err := lock.TryLock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", path, err)
	case !taken:
		return nil, fmt.Errorf("home %s is in use by another tetrad process%s; stop it first", home, holder(path))
	}
	return lock, nil
}

// close ends an audit. Nothing was written that is needed.
func (h *stoppedHome) close() {
	for _, db := range h.databases {
		_ = db.Close()
	}
	if h.scratch != "" {
		_ = os.RemoveAll(h.scratch)
	}
	if h.lock != nil {
		_ = h.lock.Unlock()
	}
}

// openBlocks opens CometBFT's blocks and what it says of the newest one it had executed.
func (h *stoppedHome) openBlocks() error {
	if backend := h.config.Engine.DBBackend; backend != string(cmtdb.GoLevelDBBackend) {
		return fmt.Errorf("db_backend is %s: only %s can be opened without changing it", backend, cmtdb.GoLevelDBBackend)
	}
	blocks, err := h.openDatabase("blockstore")
	if err != nil {
		return err
	}
	states, err := h.openDatabase("state")
	if err != nil {
		return err
	}
	return guard("read them", func() error {
		h.blocks = cmtstore.NewBlockStore(blocks)
		h.state, err = cmtstate.NewStore(states, cmtstate.StoreOptions{}).Load()
		return err
	})
}

func (h *stoppedHome) openDatabase(name string) (cmtdb.DB, error) {
	db, err := cmtdb.NewGoLevelDBWithOpts(name, h.config.Engine.DBDir(), &opt.Options{ReadOnly: true, ErrorIfMissing: true})
	if err != nil {
		return nil, fmt.Errorf("open %s.db: %w", name, err)
	}
	h.databases = append(h.databases, db)
	return db, nil
}

// newest is the height of the newest block. After a restore from a snapshot there are none at first, and
// CometBFT's state stands for them.
func (h *stoppedHome) newest() uint64 { return uint64(max(h.blocks.Height(), h.state.LastBlockHeight)) }

// rootAfter is the root after a height as CometBFT knows it: from the next header or, for the newest height,
// from its state. It is not known of heights whose next block was pruned or has not come.
func (h *stoppedHome) rootAfter(height uint64) (root []byte, known bool, err error) {
	if height > 0 && height == uint64(h.state.LastBlockHeight) {
		return h.state.AppHash, true, nil
	}
	var meta *cmttypes.BlockMeta
	err = guard("read it", func() error {
		meta = h.blocks.LoadBlockMeta(int64(height) + 1)
		return nil
	})
	if err != nil || meta == nil {
		return nil, false, err
	}
	return meta.Header.AppHash, true, nil
}

// guard says what an error is about, and makes one of a panic, which is how CometBFT reports that its data is damaged.
func guard(what string, fn func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%s: %v", what, cause)
		}
	}()
	if err := fn(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
