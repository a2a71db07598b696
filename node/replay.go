package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/abci"
	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/ledger/store"
)

// ReplayOptions say what to execute again.
type ReplayOptions struct {
	// From says where to begin: FromGenesis, FromSnapshot for the newest snapshot of the home, or the height of one.
	From string
	// To is the last height; zero is the newest that was executed.
	To uint64
	// Progress hears of every block; nil hears nothing.
	Progress func(AuditProgress)
}

// Where a replay begins.
const (
	FromGenesis  = "genesis"
	FromSnapshot = "snapshot"
)

// ReplayReport is what Replay found.
type ReplayReport struct {
	From    uint64 `json:"from"`
	To      uint64 `json:"to"`
	Blocks  uint64 `json:"blocks"` // executed
	Bytes   uint64 `json:"bytes"`  // of their transactions
	AppHash string `json:"app_hash"`
	// Difference is the first; nil if there is none.
	Difference *Difference `json:"difference"`
}

// Difference is where executing the blocks again led somewhere else.
type Difference struct {
	Height uint64 `json:"height"`
	What   string `json:"what"`
	Got    string `json:"got"`  // computed here
	Want   string `json:"want"` // what the chain says
}

func (d Difference) String() string {
	return fmt.Sprintf("height %d: %s is %s, the chain says %s", d.Height, d.What, d.Got, d.Want)
}

// ErrHeightUnknown says that a replay was asked to go further than the blocks.
var ErrHeightUnknown = errors.New("there is no such height")

// Replay executes the blocks of a home on which nothing runs again, from genesis or from a snapshot, on a ledger of
// its own, and compares what comes out of each with the header of the next. It stops at the first difference, and
// changes nothing.
func Replay(ctx context.Context, c Config, o ReplayOptions) (*ReplayReport, error) {
	h, err := openStopped(c)
	if err != nil {
		return nil, err
	}
	defer h.close()
	if err := h.openBlocks(); err != nil {
		return nil, err
	}
	begin, err := h.beginning(o.From)
	if err != nil {
		return nil, err
	}
	if o.To, err = h.replayable(begin.Height, o.To); err != nil {
		return nil, err
	}
	if o.Progress == nil {
		o.Progress = func(AuditProgress) {}
	}
	s, err := h.scratchStore(ctx, begin, o.Progress)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	a, err := app.New(app.Options{Genesis: h.doc, Store: s, Idle: -1, NoSpeculation: true})
	if err != nil {
		return nil, err
	}
	defer a.Close()
	r := &replay{home: h, app: a, engine: abci.New(a, abci.Options{ChainID: h.doc.ChainID}), begin: begin}
	r.report = ReplayReport{From: begin.Height + 1, To: o.To}
	return &r.report, r.run(ctx, o.Progress)
}

// replayable says up to which height a replay goes. All blocks from where it begins are needed.
func (h *stoppedHome) replayable(begin, to uint64) (uint64, error) {
	executed, base := uint64(h.state.LastBlockHeight), uint64(max(0, h.blocks.Base()))
	switch {
	case executed == 0 || base == 0:
		return 0, errors.New("there are no blocks to execute: the chain has not begun here")
	case base > begin+1 && begin == 0:
		return 0, fmt.Errorf("this node keeps blocks from height %d on, and a replay from genesis begins with the first: "+
			"replay with --from snapshot, or on a node that keeps all blocks", base)
	case base > begin+1:
		return 0, fmt.Errorf("this node keeps blocks from height %d on, the snapshot is of height %d", base, begin)
	case to > executed, begin >= executed:
		return 0, fmt.Errorf("%w: %d; the newest block that was executed is %d", ErrHeightUnknown, max(to, begin+1), executed)
	case to > 0 && to <= begin:
		return 0, fmt.Errorf("%w: %d is not above the snapshot's height, %d", ErrHeightUnknown, to, begin)
	case to == 0:
		return executed, nil
	}
	return to, nil
}

// replay is one replay under way.
type replay struct {
	home   *stoppedHome
	app    *app.App
	engine *abci.Application
	begin  store.Manifest // of height 0 for genesis
	report ReplayReport
	last   abci.Replayed    // of the height below
	lastID cmttypes.BlockID // of its block
}

// run executes block after block until the end or a difference.
func (r *replay) run(ctx context.Context, progress func(AuditProgress)) error {
	root := r.begin.Root
	if r.begin.Height == 0 {
		var err error
		if root, _, err = r.app.InitChain(); err != nil {
			return err
		}
	}
	r.last.AppHash = root[:]
	for height := r.report.From; height <= r.report.To; height++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		block, err := r.load(height)
		if err != nil || r.report.Difference != nil {
			return err
		}
		if r.last, err = r.engine.Replay(ctx, block); err != nil {
			return fmt.Errorf("execute block %d: %w", height, err)
		}
		r.report.Blocks++
		for _, tx := range block.Txs {
			r.report.Bytes += uint64(len(tx))
		}
		r.report.AppHash = fmt.Sprintf("%x", r.last.AppHash)
		progress(AuditProgress{Phase: "blocks", Done: height, Total: r.report.To})
	}
	return r.compareLast()
}

// compareLast compares the last height with the block after it or, where there is none, with CometBFT's state.
func (r *replay) compareLast() error {
	state := r.home.state
	if to := r.report.To; to < uint64(state.LastBlockHeight) {
		_, err := r.load(to + 1)
		return err
	}
	r.compare(r.report.To, "the app hash", r.last.AppHash, state.AppHash)
	r.compare(r.report.To, "the hash of the results", r.last.ResultsHash, state.LastResultsHash)
	return nil
}

// load reads a block, compares what it says of the one before with what was computed, and checks that it is
// the block that was decided. A block whose own hashes do not hold cannot be decoded further than that.
func (r *replay) load(height uint64) (block *cmttypes.Block, err error) {
	err = guard(fmt.Sprintf("read block %d", height), func() error {
		blocks := r.home.blocks
		meta, encoded := blocks.LoadBlockMeta(int64(height)), blocks.LoadBlockProto(int64(height))
		if encoded == nil || meta == nil {
			return errors.New("it is missing")
		}
		header := encoded.Header
		r.compare(height-1, "the app hash", r.last.AppHash, header.AppHash)
		if height > r.report.From { // of the first one, nothing but its root was computed here
			r.compare(height-1, "the hash of the results", r.last.ResultsHash, header.LastResultsHash)
			r.compare(height-1, "the hash of the block", r.lastID.Hash, header.LastBlockId.Hash)
		}
		r.compare(height, "the hash of the transactions", cmttypes.ToTxs(encoded.Data.Txs).Hash(), header.DataHash)
		if r.report.Difference != nil {
			return nil
		}
		var err error
		if block, err = cmttypes.BlockFromProto(encoded); err != nil {
			return err
		}
		if block.Height != int64(height) || block.ChainID != r.home.doc.ChainID {
			return fmt.Errorf("it says it is block %d of chain %q", block.Height, block.ChainID)
		}
		r.compare(height, "the hash of the block", block.Hash(), meta.BlockID.Hash)
		r.lastID = meta.BlockID
		return nil
	})
	return block, err
}

// compare notes a difference, if it is the first.
func (r *replay) compare(height uint64, what string, got, want []byte) {
	if r.report.Difference == nil && !bytes.Equal(got, want) {
		r.report.Difference = &Difference{Height: height, What: what, Got: fmt.Sprintf("%x", got), Want: fmt.Sprintf("%x", want)}
	}
}
