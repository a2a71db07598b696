package node

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/genesis"
)

// blocksAt is a block store of which a retention needs only base and times: one block a second.
type blocksAt struct {
	blocksInMemory
	from int64
}

func (b *blocksAt) Base() int64 { return b.from }

func (b *blocksAt) LoadBlockMeta(height int64) *cmttypes.BlockMeta {
	return &cmttypes.BlockMeta{Header: cmttypes.Header{Height: height, Time: time.Unix(height, 0)}}
}

// forgetful is an index that is as far as it is told.
type forgetful struct{ asked, below int64 }

func (f *forgetful) forgetBelow(height int64) int64 {
	f.asked = max(f.asked, height)
	return f.below
}

// TestRetention: each rule holds back what it must, at its bound and one beyond.
func TestRetention(t *testing.T) {
	const all = 1 << 40
	for _, c := range []struct {
		name           string
		keep, height   uint64
		base           int64
		ageBlocks      int64
		age            time.Duration
		snapshot       int64 // -1: none are made
		forgotten      int64
		want           uint64
		asksToForget   int64
		withoutABlocks bool
	}{
		{name: "all are kept", keep: 0, height: 10_000, base: 1, snapshot: -1, forgotten: all},
		{name: "before CometBFT is open", keep: 100, height: 10_000, base: 1, snapshot: -1, forgotten: all, withoutABlocks: true},
		{name: "a chain without blocks", keep: 100, height: 10_000, base: 0, snapshot: -1, forgotten: all},
		{name: "a step is full", keep: 1000, height: 1100, base: 1, snapshot: -1, forgotten: all, want: 101, asksToForget: 101},
		{name: "a step is not full", keep: 1000, height: 1099, base: 1, snapshot: -1, forgotten: all},
		{name: "one step at a time", keep: 1000, height: 1_000_000, base: 501, snapshot: -1, forgotten: all, want: 601, asksToForget: 601},
		{name: "evidence by blocks", keep: 100, height: 1100, base: 1, ageBlocks: 999, snapshot: -1, forgotten: all, want: 101, asksToForget: 101},
		{name: "evidence by blocks, one more", keep: 100, height: 1100, base: 1, ageBlocks: 1000, snapshot: -1, forgotten: all},
		{name: "evidence by time", keep: 100, height: 1100, base: 1, age: 999 * time.Second, snapshot: -1, forgotten: all, want: 101, asksToForget: 101},
		{name: "evidence by time, one more", keep: 100, height: 1100, base: 1, age: 1000 * time.Second, snapshot: -1, forgotten: all},
		{name: "a snapshot", keep: 100, height: 5000, base: 1, snapshot: 101, forgotten: all, want: 101, asksToForget: 101},
		{name: "a snapshot, one lower", keep: 100, height: 5000, base: 1, snapshot: 100, forgotten: all},
		{name: "no snapshot yet", keep: 100, height: 5000, base: 1, snapshot: 0, forgotten: all},
		{name: "the index is behind", keep: 100, height: 5000, base: 1, snapshot: -1, forgotten: 100, asksToForget: 101},
		{name: "the index is there", keep: 100, height: 5000, base: 1, snapshot: -1, forgotten: 101, want: 101, asksToForget: 101},
	} {
		places := &forgetful{below: c.forgotten}
		r := retention{
			keep: c.keep, evidence: genesis.EvidenceParams{MaxAgeNumBlocks: c.ageBlocks, MaxAgeDuration: c.age}, step: pruneStep, places: places,
		}
		if !c.withoutABlocks {
			r.blocks = &blocksAt{from: c.base}
		}
		if c.snapshot >= 0 {
			r.oldest = func() uint64 { return uint64(c.snapshot) }
		}
		if got := r.retain(c.height, c.height*1000); got != c.want || places.asked != c.asksToForget {
			t.Errorf("%s: retain %d and forget below %d, want %d and %d", c.name, got, places.asked, c.want, c.asksToForget)
		}
	}
}

// TestPruning: after "keep all", a node with a bound lets go of old blocks step by step, with results and index, and
// says of each what the first is that it has. The others keep theirs.
func TestPruning(t *testing.T) {
	settings := Overrides{"store.keep_blocks": "100", "snapshots.interval": "50", "snapshots.keep": "1", "blocks.idle": "5ms"}
	n := newNetwork(t, 1, false)
	sent, err := n.engineClient(0).BroadcastTxSync(context.Background(), n.transfer())
	n.must(err)
	n.until("the transaction is in a block", func() bool {
		_, err := n.engineClient(0).Tx(context.Background(), sent.Hash, false)
		return err == nil
	})
	found, err := n.engineClient(0).Tx(context.Background(), sent.Hash, false)
	n.must(err)
	n.stop(0)

	config, err := Load(n.layout.Nodes[0].Home, settings)
	n.must(err)
	config.Store.DiskFreeMin = diskFreeFloor
	node, err := New(config, n.testLogger(0))
	n.must(err)
	// The genesis document allows no age of evidence that a test could wait for.
	node.retention.evidence = genesis.EvidenceParams{MaxAgeNumBlocks: 1, MaxAgeDuration: time.Millisecond}
	node.retention.step = 10
	n.must(node.Start())
	n.nodes[0] = node
	blocks := node.engine.BlockStore()
	n.until("the block of the transaction is pruned", func() bool {
		base, height := blocks.Base(), blocks.Height()
		if base > 1 && base > height-100+1 {
			t.Fatalf("at height %d blocks below %d are gone", height, base)
		}
		return base > found.Height
	})
	base := blocks.Base()
	for oldest := uint64(0); oldest != node.app.OldestSnapshot(); { // again, if another is the oldest by now
		oldest = node.app.OldestSnapshot()
		if oldest > 0 && blocks.LoadBlock(int64(oldest)) != nil {
			break
		}
		if oldest == node.app.OldestSnapshot() {
			t.Errorf("the block of the oldest snapshot, %d, is gone; blocks begin at %d", oldest, blocks.Base())
		}
	}
	client := n.engineClient(0)
	for what, ask := range map[string]func(height *int64) error{
		"block":         func(h *int64) error { _, err := client.Block(context.Background(), h); return err },
		"block_results": func(h *int64) error { _, err := client.BlockResults(context.Background(), h); return err },
		"commit":        func(h *int64) error { _, err := client.Commit(context.Background(), h); return err },
		"tx":            func(*int64) error { _, err := client.Tx(context.Background(), sent.Hash, false); return err },
	} {
		one := int64(1)
		if err := ask(&one); err == nil || !strings.ContainsAny(err.Error(), "0123456789") {
			t.Errorf("%s of a pruned height: %v", what, err)
		}
	}
	if _, _, ok, err := node.places.find(sent.Hash); ok || err != nil {
		t.Errorf("the index still has a transaction of height %d, blocks begin at %d: %v", found.Height, base, err)
	}
	if _, err := node.env.StateStore.LoadFinalizeBlockResponse(1); err == nil {
		t.Error("the results of height 1 are still there")
	}
	block, err := backend{node}.Block(context.Background(), 1, false)
	if err == nil || !strings.Contains(err.Error(), "the oldest") {
		t.Errorf("block 1: %+v, %v", block, err)
	}
	n.committed(n.submit(0))
}

// TestSnapshotSettings: every bound, and one beyond.
func TestSnapshotSettings(t *testing.T) {
	for key, bounds := range map[string]struct{ good, bad []uint64 }{
		"snapshots.interval": {[]uint64{0, 1, heightsMax}, []uint64{heightsMax + 1}},
		"snapshots.keep":     {[]uint64{1, snapshotsKeepMax}, []uint64{0, snapshotsKeepMax + 1}},
		"store.keep_blocks":  {[]uint64{0, keepBlocksMin, heightsMax}, []uint64{1, keepBlocksMin - 1, heightsMax + 1}},
	} {
		check := func(value uint64) error {
			c := Default(t.TempDir(), ProfileLAN)
			switch key {
			case "snapshots.interval":
				c.Snapshots.Interval = value
			case "snapshots.keep":
				c.Snapshots.Keep = int(value)
			default:
				c.Store.KeepBlocks = value
			}
			return c.Validate()
		}
		for _, value := range bounds.good {
			if err := check(value); err != nil {
				t.Errorf("%s = %d: %v", key, value, err)
			}
		}
		for _, value := range bounds.bad {
			if err := check(value); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%s: %d", key, value)) {
				t.Errorf("%s = %d: %v", key, value, err)
			}
		}
	}
}
