package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	cmtcfg "github.com/cometbft/cometbft/config"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// keyValues is what the index needs of a database of CometBFT's kind.
type keyValues interface {
	Get(key []byte) ([]byte, error)
	Set(key, value []byte) error
	SetSync(key, value []byte) error
	Delete(key []byte) error
	Close() error
}

// locator finds a CometBFT transaction by the hash CometBFT gives it, for the stock route `tx`. It keeps
// where transactions are, not what they are: those that came in by CometBFT's own RPC stay single and get an
// entry; frames, which carry nearly all the traffic, get none, since the transactions inside them are found
// by their own ids through the ledger's receipts.
//
// It runs behind consensus and costs it nothing but a channel send. Blocks it has not seen when the process
// ends are read again from the block store at the next start. Entries of blocks that are to be pruned go first,
// while the block can still be read.
type locator struct {
	db     keyValues
	blocks blockStore
	log    *slog.Logger
	wake   chan struct{} // capacity 1: there are new blocks

	mu     sync.RWMutex
	height int64             // every block up to here is indexed; guarded by mu
	recent map[int64][]place // handed over by note, not written yet; guarded by mu
	below  int64             // entries of lower blocks are to go; guarded by mu
	base   int64             // entries of lower blocks are gone; guarded by mu
}

// place is one single transaction of a block.
type place struct {
	hash  [32]byte
	index uint32
}

// blockStore is what the node reads of CometBFT's blocks.
type blockStore interface {
	Base() int64
	Height() int64
	LoadBlock(height int64) *cmttypes.Block
	LoadBlockMeta(height int64) *cmttypes.BlockMeta
}

var (
	locatorHeightKey = []byte("height")
	locatorBaseKey   = []byte("base")
)

// recentBlocksMax bounds what note keeps in memory; beyond it the index reads the block store instead.
const recentBlocksMax = 1024

// markEvery bounds how many blocks without a single transaction are read again after a crash.
const markEvery = 64

func openLocator(config *cmtcfg.Config, log *slog.Logger) (*locator, error) {
	const hint = "the transaction index cannot be read; delete it, and it is made again from the blocks"
	db, err := engineDB(&cmtcfg.DBContext{ID: "tx_places", Config: config})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", hint, err)
	}
	l := &locator{db: db, log: log, recent: map[int64][]place{}, wake: make(chan struct{}, 1)}
	for key, into := range map[string]*int64{string(locatorHeightKey): &l.height, string(locatorBaseKey): &l.base} {
		raw, err := db.Get([]byte(key))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", hint, err), db.Close())
		}
		if len(raw) == 8 {
			*into = int64(binary.BigEndian.Uint64(raw))
		}
	}
	return l, nil
}

// note hands over a decided block. It is called by the goroutine that executes blocks and does not wait.
func (l *locator) note(height int64, txs [][]byte) {
	places := placesOf(txs)
	l.mu.Lock()
	if height > l.height && len(l.recent) < recentBlocksMax {
		l.recent[height] = places
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default: // it is awake already
	}
}

// run writes places until ctx ends. Blocks are given to run once the block store is open.
func (l *locator) run(ctx context.Context, blocks blockStore) {
	l.blocks = blocks
	for {
		err := l.catchUp(ctx, max(blocks.Height(), 0))
		if err == nil {
			err = l.forget(ctx)
		}
		if err != nil {
			l.log.Error("the index of single transactions stops: `tx` will not find new ones by their bytes' hash", "err", err)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		}
	}
}

// catchUp indexes every block up to a height.
func (l *locator) catchUp(ctx context.Context, to int64) error {
	for h := max(l.indexed()+1, l.blocks.Base(), 1); h <= to && ctx.Err() == nil; h++ {
		l.mu.RLock()
		places, ok := l.recent[h]
		l.mu.RUnlock()
		if !ok {
			if block := l.blocks.LoadBlock(h); block != nil { // nil: pruned since we looked
				places = placesOf(block.Txs.ToSliceOfBytes())
			}
		}
		if err := l.write(h, places); err != nil {
			return err
		}
	}
	return nil
}

// forgetBelow says that blocks below a height will be pruned. It returns up to where their entries are gone, and
// does not wait for more.
func (l *locator) forgetBelow(height int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if height > l.below {
		l.below = height
		select {
		case l.wake <- struct{}{}:
		default: // it is awake already
		}
	}
	return l.base
}

// forget deletes the entries of blocks that are to be pruned. A crash leaves the mark below them, and they are
// deleted again.
func (l *locator) forget(ctx context.Context) error {
	l.mu.RLock()
	from, to := max(l.base, l.blocks.Base(), 1), min(l.below, l.height+1)
	l.mu.RUnlock()
	for h := from; h < to && ctx.Err() == nil; h++ {
		block := l.blocks.LoadBlock(h)
		if block == nil {
			continue
		}
		for _, p := range placesOf(block.Txs.ToSliceOfBytes()) {
			if err := l.forgetPlace(p, h); err != nil {
				return fmt.Errorf("delete from the transaction index: %w", err)
			}
		}
	}
	if to <= from || ctx.Err() != nil {
		return nil
	}
	if err := l.db.Set(locatorBaseKey, binary.BigEndian.AppendUint64(nil, uint64(to))); err != nil {
		return fmt.Errorf("write the transaction index: %w", err)
	}
	l.mu.Lock()
	l.base = to
	l.mu.Unlock()
	return nil
}

// forgetPlace deletes an entry, unless a later block holds the same bytes.
func (l *locator) forgetPlace(p place, height int64) error {
	value, err := l.db.Get(p.hash[:])
	if err != nil || len(value) != 12 || int64(binary.BigEndian.Uint64(value)) != height {
		return err
	}
	return l.db.Delete(p.hash[:])
}

// write stores one block's places, and then that the block is done. A crash in between writes them again.
func (l *locator) write(height int64, places []place) error {
	for _, p := range places {
		value := binary.BigEndian.AppendUint64(nil, uint64(height))
		value = binary.BigEndian.AppendUint32(value, p.index)
		if err := l.db.Set(p.hash[:], value); err != nil {
			return fmt.Errorf("write the transaction index: %w", err)
		}
	}
	if len(places) > 0 || height%markEvery == 0 {
		marker := binary.BigEndian.AppendUint64(nil, uint64(height))
		if err := l.db.Set(locatorHeightKey, marker); err != nil {
			return fmt.Errorf("write the transaction index: %w", err)
		}
	}
	l.mu.Lock()
	l.height = height
	delete(l.recent, height) // only now, so that find always has it somewhere
	l.mu.Unlock()
	return nil
}

// placesOf finds the single transactions of a block.
func placesOf(txs [][]byte) []place {
	var places []place
	for i, raw := range txs {
		if !ledger.IsFrame(raw) {
			places = append(places, place{crypto.Sum(raw), uint32(i)})
		}
	}
	return places
}

// find returns where the transaction with these bytes' hash is.
func (l *locator) find(hash []byte) (height int64, index uint32, ok bool, err error) {
	l.mu.RLock()
	for h, places := range l.recent {
		for _, p := range places {
			if string(p.hash[:]) == string(hash) {
				height, index, ok = h, p.index, true
			}
		}
	}
	l.mu.RUnlock()
	if ok {
		return height, index, true, nil
	}
	value, err := l.db.Get(hash)
	if err != nil || len(value) != 12 {
		return 0, 0, false, err
	}
	return int64(binary.BigEndian.Uint64(value)), binary.BigEndian.Uint32(value[8:]), true, nil
}

func (l *locator) indexed() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.height
}

// close ends the index; run must have been told to stop before.
func (l *locator) close() error {
	marker := binary.BigEndian.AppendUint64(nil, uint64(l.indexed()))
	return errors.Join(l.db.SetSync(locatorHeightKey, marker), l.db.Close())
}
