package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	cmtabcicli "github.com/cometbft/cometbft/abci/client"
	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmtproxy "github.com/cometbft/cometbft/proxy"

	"github.com/tetradledger/tetrad/ledger/store"
)

// snapshotLie is how a peer lies about snapshots. Each function gets what an honest peer says and may change it.
type snapshotLie struct {
	list  func(newest *abcitypes.Snapshot) *abcitypes.Snapshot // one more snapshot, a height above the newest
	chunk func(chunk []byte, other []byte) []byte              // other is the same chunk of an older snapshot
}

// snapshotLiar stands between a node's application and CometBFT and lies about snapshots as it is told to.
type snapshotLiar struct {
	lie  atomic.Pointer[snapshotLie] // nil: it is honest
	told atomic.Int64                // lies
	// newest is the highest snapshot that it tells of; lies are above, so that they are tried first.
	newest atomic.Uint64
	// hold makes it answer no request for a chunk while it returns true.
	hold atomic.Pointer[func() bool]
}

func (l *snapshotLiar) option() Option {
	return WithParts(Parts{Creator: func(next cmtproxy.ClientCreator) cmtproxy.ClientCreator { return lyingCreator{next, l} }})
}

type lyingCreator struct {
	cmtproxy.ClientCreator
	liar *snapshotLiar
}

func (c lyingCreator) NewABCIClient() (cmtabcicli.Client, error) {
	client, err := c.ClientCreator.NewABCIClient()
	return &lyingClient{client, c.liar}, err
}

type lyingClient struct {
	cmtabcicli.Client
	liar *snapshotLiar
}

func (c *lyingClient) ListSnapshots(ctx context.Context, req *abcitypes.RequestListSnapshots) (*abcitypes.ResponseListSnapshots, error) {
	response, err := c.Client.ListSnapshots(ctx, req)
	if newest := c.liar.newest.Load(); err == nil && newest > 0 {
		response.Snapshots = slices.DeleteFunc(response.Snapshots, func(s *abcitypes.Snapshot) bool { return s.Height > newest })
	}
	lie := c.liar.lie.Load()
	if err != nil || lie == nil || lie.list == nil || len(response.Snapshots) == 0 {
		return response, err
	}
	// What is said of the newest is not touched, so that the honest peers' snapshot stays theirs.
	newest := *response.Snapshots[len(response.Snapshots)-1]
	response.Snapshots = append(response.Snapshots, lie.list(&newest))
	c.liar.told.Add(1)
	return response, nil
}

func (c *lyingClient) LoadSnapshotChunk(ctx context.Context, req *abcitypes.RequestLoadSnapshotChunk) (*abcitypes.ResponseLoadSnapshotChunk, error) {
	response, err := c.Client.LoadSnapshotChunk(ctx, req)
	if hold := c.liar.hold.Load(); hold != nil && (*hold)() {
		return &abcitypes.ResponseLoadSnapshotChunk{}, nil
	}
	lie := c.liar.lie.Load()
	if err != nil || lie == nil || lie.chunk == nil || len(response.Chunk) == 0 {
		return response, err
	}
	var other []byte
	if all, err := c.Client.ListSnapshots(ctx, &abcitypes.RequestListSnapshots{}); err == nil {
		for _, s := range all.Snapshots {
			if s.Height < req.Height {
				old, _ := c.Client.LoadSnapshotChunk(ctx, &abcitypes.RequestLoadSnapshotChunk{Height: s.Height, Format: req.Format, Chunk: req.Chunk})
				other = old.Chunk
			}
		}
	}
	if len(other) == 0 || bytes.Equal(other, response.Chunk) {
		other = append([]byte{1}, response.Chunk...) // nothing changed between the two heights
	}
	response.Chunk = lie.chunk(bytes.Clone(response.Chunk), other)
	c.liar.told.Add(1)
	return response, nil
}

// changed is a snapshot a height above an honest one, with a manifest that was changed and describes itself.
func changed(change func(m *store.Manifest)) func(*abcitypes.Snapshot) *abcitypes.Snapshot {
	return func(s *abcitypes.Snapshot) *abcitypes.Snapshot {
		m, err := store.DecodeManifest(s.Metadata)
		if err != nil {
			panic(err)
		}
		m.Height++
		change(&m)
		hash := m.Hash()
		return &abcitypes.Snapshot{Height: m.Height, Format: s.Format, Chunks: uint32(len(m.Chunks)), Hash: hash[:], Metadata: m.Append(nil)}
	}
}

// liarRound is what two nodes tell: node 1 the first lie, node 2 the second.
type liarRound struct {
	name   string
	first  snapshotLie
	second snapshotLie
	want   []string // what the log of the node that begins anew says of it
}

var snapshotLies = []liarRound{
	{
		"a flipped and a truncated chunk",
		snapshotLie{chunk: func(c, _ []byte) []byte { c[len(c)/2] ^= 1; return c }},
		snapshotLie{chunk: func(c, _ []byte) []byte { return c[:len(c)-1] }},
		[]string{"refusing a chunk of a snapshot"},
	},
	{
		"the chunk of another height, and another state's manifest",
		snapshotLie{chunk: func(c, other []byte) []byte { return other }},
		snapshotLie{list: changed(func(m *store.Manifest) { m.Root[0] ^= 1 })},
		[]string{"refusing a chunk of a snapshot", "its root is"},
	},
	{
		"an unknown format, and garbage",
		snapshotLie{list: func(s *abcitypes.Snapshot) *abcitypes.Snapshot { s.Height, s.Format = s.Height+1, 99; return s }},
		snapshotLie{list: func(s *abcitypes.Snapshot) *abcitypes.Snapshot {
			s.Height, s.Metadata = s.Height+1, []byte("garbage")
			return s
		}},
		[]string{"its format is 99", "decode manifest"},
	},
	{
		"too many chunks, and another number than in the manifest",
		snapshotLie{list: func(s *abcitypes.Snapshot) *abcitypes.Snapshot {
			s.Height, s.Chunks = s.Height+1, store.SnapshotChunksMax+1
			return s
		}},
		snapshotLie{list: func(s *abcitypes.Snapshot) *abcitypes.Snapshot {
			lie := changed(func(*store.Manifest) {})(s)
			lie.Chunks++
			return lie
		}},
		[]string{"more than 65536", "chunks, not"},
	},
}

// TestStateSyncFromLiars: two of three peers lie about snapshots. Each lie is refused for what it is, and the node
// gets its state from the one that is honest.
func TestStateSyncFromLiars(t *testing.T) {
	liars := make([]*snapshotLiar, 4)
	for i := range liars {
		liars[i] = &snapshotLiar{}
	}
	// A snapshot must outlast a round, in which requests to a peer that does not answer take five seconds each.
	settings := Overrides{"snapshots.interval": "100", "snapshots.keep": "10", "blocks.idle": "20ms", "statesync.chunk_request_timeout": "5s"}
	n := newSnapshotNetwork(t, false, settings, func(i int) []Option { return []Option{liars[i].option()} })
	for _, round := range snapshotLies {
		var unsaid []string
		for range liarTries {
			if unsaid = n.syncFromLiars(round, liars, settings); len(unsaid) == 0 {
				break
			}
			t.Logf("%s: node 3 had its state before it heard of %q", round.name, unsaid)
		}
		if len(unsaid) > 0 {
			t.Errorf("%s: the log never says %q", round.name, unsaid)
		}
	}
}

// liarTries is how often a node begins anew until it meets the lies of a round. CometBFT takes the best snapshot that it
// has heard of when it stops looking for them, after five seconds: on a machine that is busy with others that may be
// before it hears the lie.
const liarTries = 8

// syncFromLiars lets node 3 begin anew among liars, and returns what its log does not say of them.
func (n *network) syncFromLiars(round liarRound, liars []*snapshotLiar, settings Overrides) (unsaid []string) {
	n.t.Helper()
	height := n.untilSnapshot(100) // and an older one, on all nodes
	for _, l := range liars {
		l.newest.Store(height)
	}
	liars[1].told.Store(0)
	liars[2].told.Store(0)
	liars[1].lie.Store(&round.first)
	liars[2].lie.Store(&round.second)
	hold := func() bool { return liars[1].told.Load() == 0 || liars[2].told.Load() == 0 }
	liars[0].hold.Store(&hold)

	n.stop(3)
	n.wipe(3)
	n.must(os.Remove(filepath.Join(n.layout.Nodes[3].Home, "log")))
	n.start(3, n.syncing(3, height, settings))
	n.until("node 3 takes part again in spite of "+round.name, func() bool {
		return !n.nodes[3].syncing.Load() && !n.nodes[3].catchingUp()
	})
	log, err := os.ReadFile(filepath.Join(n.layout.Nodes[3].Home, "log"))
	n.must(err)
	for _, want := range round.want {
		if !strings.Contains(string(log), want) {
			unsaid = append(unsaid, want)
		}
	}
	for i := 1; i <= 2; i++ {
		if liars[i].told.Load() == 0 {
			unsaid = append(unsaid, fmt.Sprintf("a lie of node %d", i))
		}
	}
	if first := n.nodes[3].app.FirstHeight(); first < height {
		n.t.Errorf("%s: node 3 has state from height %d, the snapshot was of %d", round.name, first, height)
	}
	n.agreeFrom(n.nodes[3].Height())
	n.committed(n.submit(3))
	return unsaid
}

// TestInterruptedStateSync: a node that ends in the middle of a restore says so when it is started as usual, and
// begins anew when it is started for it.
func TestInterruptedStateSync(t *testing.T) {
	liars := make([]*snapshotLiar, 4)
	for i := range liars {
		liars[i] = &snapshotLiar{}
	}
	settings := Overrides{"snapshots.interval": "50", "snapshots.keep": "10", "blocks.idle": "20ms", "statesync.chunk_request_timeout": "5s"}
	n := newSnapshotNetwork(t, false, settings, func(i int) []Option { return []Option{liars[i].option()} })
	height := n.untilSnapshot(0)
	var holding atomic.Bool
	holding.Store(true)
	hold := holding.Load
	for _, l := range liars {
		l.hold.Store(&hold)
	}
	n.stop(3)
	n.wipe(3)
	sync := n.syncing(3, height, settings)
	n.start(3, sync)
	n.until("node 3 restores a snapshot", func() bool { return n.nodes[3].toldAt.Load() != 0 })
	data := filepath.Join(n.layout.Nodes[3].Home, "data")
	n.must(os.CopyFS(data+".crashed", os.DirFS(data))) // what a crash would leave now
	n.stop(3)
	n.must(os.RemoveAll(data))
	n.must(os.Rename(data+".crashed", data))

	config, err := Load(n.layout.Nodes[3].Home, settings)
	n.must(err)
	config.Store.DiskFreeMin = diskFreeFloor
	if node, err := New(config, nil); !errors.Is(err, errInterrupted) {
		t.Errorf("a node that is half restored: %v", err)
		if err == nil {
			n.must(node.Stop())
		}
	}
	holding.Store(false)
	n.start(3, sync)
	n.until("node 3 takes part again", func() bool { return !n.nodes[3].syncing.Load() && !n.nodes[3].catchingUp() })
	n.agreeFrom(n.nodes[3].Height())
	n.committed(n.submit(3))
}

// TestSnapshotVanishes: no peer serves a chunk of the snapshot that is being restored. The node says so and ends.
func TestSnapshotVanishes(t *testing.T) {
	defer func(before int) { chunkTries = before }(chunkTries)
	chunkTries = 1
	liars := make([]*snapshotLiar, 4)
	never := func() bool { return true }
	for i := range liars {
		liars[i] = &snapshotLiar{}
		liars[i].hold.Store(&never)
	}
	settings := Overrides{"snapshots.interval": "50", "snapshots.keep": "10", "blocks.idle": "20ms", "statesync.chunk_request_timeout": "5s"}
	n := newSnapshotNetwork(t, false, settings, func(i int) []Option { return []Option{liars[i].option()} })
	height := n.untilSnapshot(0)
	n.stop(3)
	n.wipe(3)
	n.start(3, n.syncing(3, height, settings))
	node := n.nodes[3]
	if err := node.Wait(); !errors.Is(err, ErrSyncFailed) || !strings.Contains(err.Error(), "no peer has served a chunk") {
		t.Errorf("it ended with %v", err)
	}
}
