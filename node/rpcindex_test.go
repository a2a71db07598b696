package node

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// blocksInMemory is a block store that can be pruned.
type blocksInMemory struct {
	mu     sync.Mutex
	base   int64
	blocks []*cmttypes.Block // of heights 1, 2, ...
	loads  int
}

func (b *blocksInMemory) add(txs ...[]byte) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	block := &cmttypes.Block{}
	for _, tx := range txs {
		block.Txs = append(block.Txs, tx)
	}
	b.blocks = append(b.blocks, block)
	return int64(len(b.blocks))
}

func (b *blocksInMemory) Base() int64 { return max(b.base, 1) }

func (b *blocksInMemory) Height() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(len(b.blocks))
}

func (b *blocksInMemory) LoadBlock(h int64) *cmttypes.Block {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.loads++; h < b.base || h < 1 || h > int64(len(b.blocks)) {
		return nil
	}
	return b.blocks[h-1]
}

func (*blocksInMemory) LoadBlockMeta(int64) *cmttypes.BlockMeta { return nil }

func withLocator(t *testing.T, home string, blocks blockStore, use func(l *locator)) {
	t.Helper()
	l, err := openLocator(engineDefaults(home, ProfileLAN), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { l.run(ctx, blocks) })
	use(l)
	cancel()
	done.Wait()
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
}

func reached(t *testing.T, l *locator, height int64) {
	t.Helper()
	for deadline := time.Now().Add(soon); l.indexed() < height; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("indexed up to %d, not %d", l.indexed(), height)
		}
	}
}

func expectPlace(t *testing.T, l *locator, tx []byte, height int64, index uint32) {
	t.Helper()
	hash := crypto.Sum(tx)
	h, i, ok, err := l.find(hash[:])
	if err != nil || ok != (height > 0) || h != height || i != index {
		t.Errorf("%q is at %d/%d (%v, %v), want %d/%d", tx, h, i, ok, err, height, index)
	}
}

// TestLocator: single transactions are found at once and after a restart, frames are left out, and blocks that
// were not handed over are read from the block store.
func TestLocator(t *testing.T) {
	home := t.TempDir()
	blocks := &blocksInMemory{}
	frame := ledger.EncodeFrame([][]byte{[]byte("inner")})
	one, two, three := []byte("one"), []byte("two"), []byte("three")

	withLocator(t, home, blocks, func(l *locator) {
		height := blocks.add(frame, one)
		l.note(height, [][]byte{frame, one})
		expectPlace(t, l, one, 1, 1) // before it is written
		reached(t, l, 1)
		expectPlace(t, l, one, 1, 1) // and after
		expectPlace(t, l, frame, 0, 0)
		expectPlace(t, l, []byte("never"), 0, 0)
	})
	// What happened while the index was away.
	blocks.add(two)
	blocks.add()
	withLocator(t, home, blocks, func(l *locator) {
		reached(t, l, 3)
		expectPlace(t, l, one, 1, 1)
		expectPlace(t, l, two, 2, 0)
		l.note(2, [][]byte{[]byte("replayed")}) // CometBFT executes the last block again at start
		l.note(blocks.add(three), [][]byte{three})
		reached(t, l, 4)
		expectPlace(t, l, three, 4, 0)
		if len(l.recent) > 0 {
			t.Errorf("%d blocks are kept in memory", len(l.recent))
		}
	})
	if blocks.loads != 2 {
		t.Errorf("%d blocks were read although only two were not handed over", blocks.loads)
	}
}

// TestLocatorAfterPruning: blocks that are gone are skipped, and after a crash no more than a few are read
// again.
func TestLocatorAfterPruning(t *testing.T) {
	home := t.TempDir()
	blocks := &blocksInMemory{}
	for range 3*markEvery + 5 {
		blocks.add([]byte("x"))
	}
	blocks.base = 10
	l, err := openLocator(engineDefaults(home, ProfileLAN), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l.blocks = blocks
	if err := l.catchUp(context.Background(), blocks.Height()); err != nil {
		t.Fatal(err)
	}
	if err := l.db.Close(); err != nil { // as a crash leaves it: without the marker of an orderly end
		t.Fatal(err)
	}
	if blocks.loads != 3*markEvery+5-9 {
		t.Errorf("%d blocks were read", blocks.loads)
	}
	before := blocks.loads
	withLocator(t, home, blocks, func(l *locator) { reached(t, l, blocks.Height()) })
	if again := blocks.loads - before; again > markEvery {
		t.Errorf("%d blocks were read again after a crash", again)
	}
}

// TestLocatorBoundsMemory: an index that does not keep up reads blocks from the store later.
func TestLocatorBoundsMemory(t *testing.T) {
	l, err := openLocator(engineDefaults(t.TempDir(), ProfileLAN), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.close() }()
	for h := range int64(recentBlocksMax + 10) {
		l.note(h+1, [][]byte{[]byte("x")})
	}
	if len(l.recent) != recentBlocksMax {
		t.Errorf("%d blocks are kept in memory, at most %d may be", len(l.recent), recentBlocksMax)
	}
}

// TestSignedTx: positions count signed transactions, across frames and singles; a frame that does not decode holds
// none.
func TestSignedTx(t *testing.T) {
	frame := func(txs ...string) []byte {
		var raws [][]byte
		for _, tx := range txs {
			raws = append(raws, []byte(tx))
		}
		return ledger.EncodeFrame(raws)
	}
	broken := []byte{0, 1, 200}
	block := &cmttypes.Block{}
	for _, tx := range [][]byte{frame("a", "b"), []byte("c"), broken, frame("d")} {
		block.Txs = append(block.Txs, tx)
	}
	for n, want := range []struct {
		raw   string
		index int
	}{{"a", 0}, {"b", 0}, {"c", 1}, {"d", 3}} {
		raw, index, err := signedTx(block, uint32(n))
		if err != nil || string(raw) != want.raw || index != want.index {
			t.Errorf("number %d is %q in %d (%v), want %q in %d", n, raw, index, err, want.raw, want.index)
		}
	}
	if _, _, err := signedTx(block, 4); err == nil {
		t.Error("found a transaction beyond the last")
	}
	if got := len(signedTxs(block)); got != 4 {
		t.Errorf("the block holds %d transactions, not 4", got)
	}
}
