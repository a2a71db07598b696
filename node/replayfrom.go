package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger/store"
)

// beginning finds what a replay begins with: genesis, which has no manifest, or a snapshot of the home whose root
// is what the chain says.
func (h *stoppedHome) beginning(from string) (store.Manifest, error) {
	if from == "" || from == FromGenesis {
		return store.Manifest{}, nil
	}
	have, damaged := store.Snapshots(h.config.snapshotsDir())
	asked, err := strconv.ParseUint(from, 10, 64)
	if err != nil && from != FromSnapshot {
		return store.Manifest{}, fmt.Errorf("%w: a replay begins at %s, %s or the height of a snapshot, not at %q",
			ErrHeightUnknown, FromGenesis, FromSnapshot, from)
	}
	for i := len(have) - 1; i >= 0; i-- {
		if from != FromSnapshot && have[i].Height != asked || have[i].Height >= uint64(h.state.LastBlockHeight) {
			continue
		}
		root, known, err := h.rootAfter(have[i].Height)
		if err != nil {
			return store.Manifest{}, fmt.Errorf("block %d: %w", have[i].Height+1, err)
		}
		if known && crypto.Hash(root) != have[i].Root {
			return store.Manifest{}, fmt.Errorf("the snapshot of height %d has root %s, the chain says %x", have[i].Height, have[i].Root, root)
		}
		if known {
			return have[i], nil
		}
	}
	return store.Manifest{}, errors.Join(fmt.Errorf("%w below height %d with the blocks after it: the home has %s",
		ErrNoSnapshot, h.state.LastBlockHeight, heightsOf(have)), damaged)
}

// scratchStore opens a ledger to execute blocks on: an empty one in memory for genesis, and otherwise one that the
// snapshot is restored into. Heights fold away soon: nobody asks for them.
func (h *stoppedHome) scratchStore(ctx context.Context, begin store.Manifest, progress func(AuditProgress)) (*store.Store, error) {
	o := store.Options{Genesis: h.doc.Hash(), KeepVersions: 2, KeepHeights: 2, NoHistory: true, FoldInterval: 5 * time.Second, FoldBytes: 32 << 20}
	if begin.Height == 0 {
		o.InMemory = true
		return store.Open(o)
	}
	o.Dir = filepath.Join(h.scratch, "ledger")
	r, err := store.NewRestore(o, begin, store.Trust{Root: begin.Root})
	if err != nil {
		return nil, err
	}
	for i := range begin.Chunks {
		if err := ctx.Err(); err != nil {
			return nil, errors.Join(err, r.Abort())
		}
		chunk, err := store.LoadChunk(h.config.snapshotsDir(), begin.Height, i)
		if err == nil {
			err = r.Apply(i, chunk)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("restore the snapshot of height %d: %w", begin.Height, err), r.Abort())
		}
		progress(AuditProgress{Phase: "chunks", Done: uint64(i) + 1, Total: uint64(len(begin.Chunks))})
	}
	if _, err := r.Finish(); err != nil {
		return nil, fmt.Errorf("restore the snapshot of height %d: %w", begin.Height, err)
	}
	return store.Open(o)
}
