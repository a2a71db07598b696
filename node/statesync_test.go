package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtprivval "github.com/cometbft/cometbft/privval"
	cmtclient "github.com/cometbft/cometbft/rpc/client"
	cmthttp "github.com/cometbft/cometbft/rpc/client/http"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// shortSnapshots makes blocks quickly and snapshots often. The ten that are kept must outlast the five seconds that
// CometBFT looks for snapshots, however fast this machine is.
var shortSnapshots = Overrides{"snapshots.interval": "50", "snapshots.keep": "10", "blocks.idle": "20ms", "statesync.chunk_request_timeout": "5s"}

// newSnapshotNetwork is newNetwork with settings and options for every node.
func newSnapshotNetwork(t *testing.T, libp2p bool, settings Overrides, options func(i int) []Option) *network {
	t.Helper()
	layout, err := Testnet(TestnetSpec{
		Dir: filepath.Join(t.TempDir(), "net"), Validators: 4, BasePort: freePorts(t, 4), ChainID: "test", LibP2P: libp2p,
	})
	if err != nil {
		t.Fatal(err)
	}
	n := &network{t: t, layout: layout, nodes: make([]*Node, 4)}
	t.Cleanup(func() {
		for i := range n.nodes {
			n.stop(i)
		}
	})
	for i := range n.nodes {
		var o []Option
		if options != nil {
			o = options(i)
		}
		n.start(i, settings, o...)
	}
	return n
}

// untilSnapshot waits until all running nodes offer a snapshot above a height, and returns the lowest of their newest.
func (n *network) untilSnapshot(above uint64) uint64 {
	n.t.Helper()
	lowest := uint64(0)
	for i, node := range n.nodes {
		if node == nil {
			continue
		}
		n.until(fmt.Sprintf("node %d has a snapshot above height %d", i, above), func() bool {
			all := node.app.Snapshots()
			if len(all) == 0 || all[len(all)-1].Height <= above {
				return false
			}
			if height := all[len(all)-1].Height; lowest == 0 || height < lowest {
				lowest = height
			}
			return true
		})
	}
	return lowest
}

// wipe empties a stopped node's data but for what it signed last.
func (n *network) wipe(i int) {
	n.t.Helper()
	data := filepath.Join(n.layout.Nodes[i].Home, "data")
	entries, err := os.ReadDir(data)
	n.must(err)
	for _, e := range entries {
		if e.Name() != "priv_validator_state.json" {
			n.must(os.RemoveAll(filepath.Join(data, e.Name())))
		}
	}
}

// syncing are the settings of a node that begins from a snapshot, with a block of node 0 as what it trusts.
func (n *network) syncing(i int, height uint64, settings Overrides) Overrides {
	n.t.Helper()
	block, err := backend{n.nodes[0]}.Block(context.Background(), height, false)
	n.must(err)
	out := n.elsewhere(i, settings)
	out["statesync.enable"] = "true"
	out["statesync.rpc_servers"] = n.rpcOf(0) + "," + n.rpcOf(1)
	out["statesync.trust_height"] = fmt.Sprint(height)
	out["statesync.trust_hash"] = block.Hash.String()
	return out
}

func (n *network) rpcOf(i int) string {
	return "http://" + localAddress(n.layout.Nodes[i].BasePort, portRPC)
}

// elsewhere copies settings for a node that starts again in this process. CometBFT never closes its libp2p host,
// which keeps the port until the process ends.
func (n *network) elsewhere(i int, settings Overrides) Overrides {
	n.t.Helper()
	out := Overrides{}
	for key, value := range settings {
		out[key] = value
	}
	config, err := Load(n.layout.Nodes[i].Home, nil)
	n.must(err)
	if config.Engine.P2P.LibP2PEnabled() {
		out["p2p.laddr"] = "tcp://" + localAddress(freePorts(n.t, 1), portP2P)
	}
	return out
}

// agreeFrom checks that the running nodes have the same root after each height from one on.
func (n *network) agreeFrom(height uint64) {
	n.t.Helper()
	n.until("all nodes are well past the height", func() bool {
		for _, node := range n.nodes {
			if node != nil && node.Height() < height+5 {
				return false
			}
		}
		return true
	})
	for h := height; h < height+5; h++ {
		var want crypto.Hash
		for i, node := range n.nodes {
			if node == nil {
				continue
			}
			block, err := backend{node}.Block(context.Background(), h, false)
			n.must(err)
			if want.IsZero() {
				want = block.AppHash
			}
			if block.AppHash != want {
				n.t.Fatalf("height %d: node %d has root %v, another one %v", h, i, block.AppHash, want)
			}
		}
	}
}

// TestStateSync: a validator whose data is gone comes back from a snapshot of the others, over either transport. It
// has no block below, the same state above, takes part again, and refuses a transaction that was executed before.
func TestStateSync(t *testing.T) {
	for name, libp2p := range transports {
		t.Run(name, func(t *testing.T) {
			n := newSnapshotNetwork(t, libp2p, shortSnapshots, nil)
			old := n.transfer()
			id := n.submitRaw(0, old)
			height := n.untilSnapshot(n.committed(id))
			n.stop(3)
			n.wipe(3)
			n.start(3, n.syncing(3, height, shortSnapshots))
			n.until("node 3 takes part again", func() bool { return !n.nodes[3].syncing.Load() && !n.nodes[3].catchingUp() })

			var status rpc.Status
			n.until("node 3 has blocks", func() bool {
				var err error
				status, err = backend{n.nodes[3]}.Status(context.Background())
				n.must(err)
				return status.FirstBlock > 0
			})
			if status.FirstHeight < height || status.FirstBlock != status.FirstHeight+1 {
				t.Errorf("node 3 has state from %d and blocks from %d, the snapshot was of %d or later", status.FirstHeight, status.FirstBlock, height)
			}
			log, err := os.ReadFile(filepath.Join(n.layout.Nodes[3].Home, "log"))
			n.must(err)
			if strings.Contains(string(log), errOtherBlocksync.Error()) {
				t.Error(errOtherBlocksync)
			}
			n.checkPruned(3, status)
			n.agreeFrom(status.FirstBlock)
			result := backend{n.nodes[3]}.Submit(context.Background(), [][]byte{old})[0]
			if result.Code != ledger.CodeDuplicate && result.Code != ledger.CodeExpired {
				t.Errorf("an executed transaction is answered with %v", result.Code)
			}
			n.committed(n.submit(3))
			n.until("node 3 has all its peers again", func() bool { return len(peersOfNode(n.nodes[3])) == 3 })
			n.restartsAsUsual(3)
			n.beginsNewState()
		})
	}
}

// submitRaw hands a transaction to a node.
func (n *network) submitRaw(i int, raw []byte) (id crypto.Hash) {
	n.t.Helper()
	n.until(fmt.Sprintf("node %d takes a transfer", i), func() bool {
		result := backend{n.nodes[i]}.Submit(context.Background(), [][]byte{raw})[0]
		id = result.TxID
		return result.Code == ledger.CodeOK
	})
	return id
}

// checkPruned asks for heights that a node does not have: each answer names the first that it has.
func (n *network) checkPruned(i int, status rpc.Status) {
	n.t.Helper()
	b := backend{n.nodes[i]}
	var refused *rpc.Error
	if _, err := b.Block(context.Background(), 1, false); !errors.As(err, &refused) || ledger.Code(refused.Code) != ledger.CodePruned ||
		!strings.Contains(refused.Message, fmt.Sprint(status.FirstBlock)) {
		n.t.Errorf("block 1 of node %d: %v, not the first block %d", i, err, status.FirstBlock)
	}
	if _, err := b.Read(context.Background(), rpc.ReadOptions{Height: status.FirstHeight - 1}); !errors.As(err, &refused) ||
		ledger.Code(refused.Code) != ledger.CodePruned || !strings.Contains(refused.Message, fmt.Sprint(status.FirstHeight)) {
		n.t.Errorf("height %d of node %d: %v", status.FirstHeight-1, i, err)
	}
	if view, err := b.Read(context.Background(), rpc.ReadOptions{Height: status.FirstHeight}); err != nil {
		n.t.Errorf("the first height %d of node %d: %v", status.FirstHeight, i, err)
	} else {
		view.Close()
	}
	client := n.engineClient(i)
	one := int64(1)
	if _, err := client.Block(context.Background(), &one); err == nil || !strings.Contains(err.Error(), fmt.Sprint(status.FirstBlock)) {
		n.t.Errorf("CometBFT's block 1 of node %d: %v", i, err)
	}
	query, err := client.ABCIQueryWithOptions(context.Background(), "/params", nil, abciHeight(status.FirstHeight-1))
	if err != nil || !strings.Contains(query.Response.Log, fmt.Sprint(status.FirstHeight)) {
		n.t.Errorf("abci_query at height %d of node %d: %+v, %v", status.FirstHeight-1, i, query, err)
	}
}

func (n *network) engineClient(i int) *cmthttp.HTTP {
	n.t.Helper()
	client, err := cmthttp.New(n.rpcOf(i), "/websocket")
	n.must(err)
	return client
}

func abciHeight(height uint64) cmtclient.ABCIQueryOptions {
	return cmtclient.ABCIQueryOptions{Height: int64(height)}
}

// restartsAsUsual stops a node and starts it with nothing but its files.
func (n *network) restartsAsUsual(i int) {
	n.t.Helper()
	n.stop(i)
	n.start(i, n.elsewhere(i, shortSnapshots))
	n.committed(n.submit(0))
	n.until(fmt.Sprintf("node %d takes part again", i), func() bool { return !n.nodes[i].catchingUp() })
}

// beginsNewState: a validator that forgot what it signed is refused, or told to be silent until the network is well
// past what the servers show.
func (n *network) beginsNewState() {
	n.t.Helper()
	config := Default(n.t.TempDir(), ProfileLAN)
	config.Engine.SetRoot(config.Home)
	config.Engine.StateSync.RPCServers = []string{n.rpcOf(0), n.rpcOf(1)}
	n.must(os.MkdirAll(filepath.Join(config.Home, "data"), 0o700))
	node := &Node{config: config, log: slog.New(slog.DiscardHandler)}
	if err := node.checkValidatorState(); err == nil || !strings.Contains(err.Error(), "could sign twice") {
		n.t.Errorf("without a record: %v", err)
	}
	node.config.NewValidatorState = true
	least := n.nodes[0].Height()
	n.must(node.checkValidatorState())
	data, err := os.ReadFile(config.Engine.PrivValidatorStateFile())
	n.must(err)
	var state cmtprivval.FilePVLastSignState
	n.must(cmtjson.Unmarshal(data, &state))
	if uint64(state.Height) < least+silentBlocks {
		n.t.Errorf("the new record begins at height %d, the network was at %d", state.Height, least)
	}
	if err := node.checkValidatorState(); err == nil || !strings.Contains(err.Error(), "leave --new-validator-state away") {
		n.t.Errorf("with a record: %v", err)
	}
	node.config.NewValidatorState = false
	n.must(node.checkValidatorState())
}
