package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cmthttp "github.com/cometbft/cometbft/rpc/client/http"
	cmtcoretypes "github.com/cometbft/cometbft/rpc/core/types"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// soon bounds waiting in these tests generously: it is reached only when something is broken.
const soon = 3 * time.Minute

// network is a testnet whose validators all live in this process.
type network struct {
	t      *testing.T
	layout TestnetLayout
	nodes  []*Node // nil while stopped
	nonce  uint64
}

// newNetwork writes a network on free ports and starts it, or only the nodes that are named.
func newNetwork(t *testing.T, validators int, libp2p bool, only ...int) *network {
	t.Helper()
	layout, err := Testnet(TestnetSpec{
		Dir: filepath.Join(t.TempDir(), "net"), Validators: validators, BasePort: freePorts(t, validators), ChainID: "test", LibP2P: libp2p,
	})
	if err != nil {
		t.Fatal(err)
	}
	n := &network{t: t, layout: layout, nodes: make([]*Node, validators)}
	t.Cleanup(func() {
		for i := range n.nodes {
			n.stop(i)
		}
	})
	for i := range n.nodes {
		if len(only) == 0 || slices.Contains(only, i) {
			n.start(i, nil)
		}
	}
	return n
}

// TestMain gives nodes all the time they need to stop.
func TestMain(m *testing.M) {
	stopPatience, upPatience = soon, soon
	code := m.Run()
	for _, dir := range leftBehind {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// leftBehind are directories that something uses until the process ends.
var leftBehind []string

// keptDir is a directory that stays until all tests have ended: CometBFT watches the log of a consensus that panicked
// while it started until the process ends, and panics if it is gone.
func keptDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tetrad-test-")
	if err != nil {
		t.Fatal(err)
	}
	leftBehind = append(leftBehind, dir)
	return dir
}

// testLogger writes a node's log to the test's directory, where it is found when the test fails.
func (n *network) testLogger(i int) *slog.Logger {
	f, err := os.OpenFile(filepath.Join(n.layout.Nodes[i].Home, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = f.Close() })
	log, err := NewLogger(f, LogConfig{Level: "debug,engine:" + envOr("TETRAD_TEST_ENGINE_LEVEL", "error"), Format: "text"}, false)
	if err != nil {
		n.t.Fatal(err)
	}
	return log
}

func envOr(name, otherwise string) string {
	if v, ok := os.LookupEnv(name); ok {
		return v
	}
	return otherwise
}

// start makes a node of a home and starts it; flags override its files.
func (n *network) start(i int, flags Overrides, opts ...Option) {
	n.t.Helper()
	config, err := Load(n.layout.Nodes[i].Home, flags)
	if err != nil {
		n.t.Fatal(err)
	}
	config.Store.DiskFreeMin = diskFreeFloor // a test machine may be fuller than a validator should be
	config.Engine.RPC.TimeoutBroadcastTxCommit = soon
	if config.Store.KeepVersions == Default("", ProfileLAN).Store.KeepVersions {
		config.Store.KeepVersions = 1000 // a slow test asks for heights that are long past
	}
	node, err := New(config, n.testLogger(i), opts...)
	if err != nil {
		n.t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		n.t.Fatal(errors.Join(err, node.Stop()))
	}
	n.nodes[i] = node
}

func (n *network) stop(i int) {
	if n.nodes[i] == nil {
		return
	}
	began := time.Now()
	if err := n.nodes[i].Stop(); err != nil {
		n.t.Errorf("stop node %d after %v: %v", i, time.Since(began), err)
	}
	n.nodes[i] = nil
}

// until asks again and again until a condition holds.
func (n *network) until(what string, holds func() bool) {
	n.t.Helper()
	deadline := time.Now().Add(soon)
	for !holds() {
		if time.Now().After(deadline) {
			n.t.Fatalf("%s: not after %v\n%s", what, soon, n.describe())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (n *network) describe() string {
	var b bytes.Buffer
	for i, node := range n.nodes {
		if node == nil {
			fmt.Fprintf(&b, "node %d is stopped\n", i)
			continue
		}
		status, err := backend{node}.Status(context.Background())
		fmt.Fprintf(&b, "node %d: %+v %v\n", i, status, err)
		log, _ := os.ReadFile(filepath.Join(n.layout.Nodes[i].Home, "log"))
		b.Write(log[max(0, len(log)-2000):])
	}
	return b.String()
}

// transfer makes a signed transfer of one cent from alice to bob.
func (n *network) transfer() []byte {
	bob, asset := crypto.DevKey("bob").Public().Address(), ledger.AssetIDOf("usd")
	return n.operation("alice", ledger.Op{Kind: &ledger.Op_Transfer{Transfer: &ledger.Transfer{
		To: bob[:], Asset: asset[:], Amount: ledger.Amount{Lo: 1}.Bytes(),
	}}})
}

// operation makes a signed transaction of one operation.
func (n *network) operation(by string, op ledger.Op) []byte {
	n.nonce++
	key := crypto.DevKey(by)
	from := key.Public().Address()
	nonce := make([]byte, ledger.NonceLen)
	nonce[0], nonce[1] = byte(n.nonce>>8), byte(n.nonce)
	body := ledger.Body{
		Version: 1, ChainId: n.layout.ChainID, Actor: from[:], Nonce: nonce,
		ValidUntilMs: uint64(time.Now().Add(soon).UnixMilli()),
		Ops:          []ledger.Op{op},
	}
	raw, err := body.Marshal()
	if err != nil {
		n.t.Fatal(err)
	}
	message := crypto.SignBytes(crypto.TagTx, n.layout.GenesisHash, crypto.Sum(raw))
	tx := ledger.Tx{Body: raw, Sigs: []ledger.Sig{{
		KeyType: uint32(crypto.KeyEd25519), PublicKey: key.Public().Bytes, Signature: key.Sign(message[:]),
	}}}
	out, err := tx.Marshal()
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

// submit hands a transfer to a node and returns its id.
func (n *network) submit(i int) crypto.Hash {
	n.t.Helper()
	return n.hand(i, n.transfer())
}

// send hands a transaction of one operation to node 0.
func (n *network) send(by string, op ledger.Op) crypto.Hash {
	n.t.Helper()
	return n.hand(0, n.operation(by, op))
}

// hand hands a transaction to a node until it takes it.
func (n *network) hand(i int, raw []byte) crypto.Hash {
	n.t.Helper()
	var id crypto.Hash
	n.until(fmt.Sprintf("node %d takes a transaction", i), func() bool {
		result := backend{n.nodes[i]}.Submit(context.Background(), [][]byte{raw})[0]
		if result.Code != ledger.CodeOK && !result.Code.Info().Retryable {
			n.t.Fatalf("node %d refuses: %v %s", i, result.Code, result.Detail)
		}
		id = result.TxID
		return result.Code == ledger.CodeOK
	})
	return id
}

// committed waits until every running node has a transaction in a block, with success.
func (n *network) committed(id crypto.Hash) uint64 {
	n.t.Helper()
	var height uint64
	for i, node := range n.nodes {
		if node == nil {
			continue
		}
		n.until(fmt.Sprintf("node %d has transaction %v", i, id), func() bool {
			status, err := backend{node}.Outcome(context.Background(), id, false)
			if err != nil {
				n.t.Fatal(err)
			}
			if status.Status == rpc.StatusFailed {
				n.t.Fatalf("transaction failed: %+v", status)
			}
			height = status.Height
			return status.Status == rpc.StatusCommitted
		})
	}
	return height
}

// agree checks that the running nodes have the same root after each height up to the lowest head.
func (n *network) agree() {
	n.t.Helper()
	lowest := uint64(1 << 62)
	for _, node := range n.nodes {
		if node != nil {
			lowest = min(lowest, node.Height())
		}
	}
	for h := uint64(1); h <= lowest; h++ {
		var want crypto.Hash
		for i, node := range n.nodes {
			if node == nil {
				continue
			}
			block, err := backend{node}.Block(context.Background(), h, false)
			if err != nil {
				n.t.Fatalf("block %d of node %d: %v", h, i, err)
			}
			if want.IsZero() {
				want = block.AppHash
			} else if block.AppHash != want {
				n.t.Fatalf("height %d: node %d has root %v, another one %v", h, i, block.AppHash, want)
			}
		}
	}
}

// transports are the two ways peers talk; everything about networks holds for both.
var transports = map[string]bool{"classic": false, "libp2p": true}

// TestNetwork: four validators commit what any of them takes in; with one stopped the others go on; it comes
// back, catches up and takes part again; all have the same state at every height.
func TestNetwork(t *testing.T) {
	for name, libp2p := range transports {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, 4, libp2p)
			for i := range n.nodes {
				n.committed(n.submit(i))
			}
			n.checkEngineRPC(0)
			n.checkAPI(1)

			n.stop(3)
			for i := range 3 {
				n.committed(n.submit(i))
			}
			// CometBFT never closes its libp2p host, which keeps the port until the process ends. The node comes
			// back on another port, from which it connects to the others.
			var flags Overrides
			if libp2p {
				flags = Overrides{"p2p.laddr": "tcp://" + localAddress(freePorts(t, 1), portP2P)}
			}
			n.start(3, flags)
			n.committed(n.submit(0)) // also on the one that was away
			n.until("node 3 takes part again", func() bool { return !n.nodes[3].catchingUp() })
			n.committed(n.submit(3))
			n.agree()

			n.until("node 3 has all its peers again", func() bool {
				status, err := backend{n.nodes[3]}.Status(context.Background())
				if err != nil || status.Validators != 4 || status.ChainID != "test" {
					t.Fatalf("status of node 3: %+v, %v", status, err)
				}
				return status.Peers == 3
			})
		})
	}
}

// TestSevenValidators: a larger network forms and commits.
func TestSevenValidators(t *testing.T) {
	n := newNetwork(t, 7, false)
	for i := range n.nodes {
		n.committed(n.submit(i))
	}
	n.agree()
}

// checkEngineRPC asks a node what existing tools ask, with CometBFT's own client.
func (n *network) checkEngineRPC(i int) {
	n.t.Helper()
	ctx := context.Background()
	address := "tcp://" + localAddress(n.layout.Nodes[i].BasePort, portRPC)
	client, err := cmthttp.New(address, "/websocket")
	n.must(err)
	n.must(client.Start())
	defer func() { _ = client.Stop() }()
	blocks, err := client.Subscribe(ctx, "test", "tm.event='NewBlock'")
	n.must(err)
	txs, err := client.Subscribe(ctx, "test", "tm.event='Tx'")
	n.must(err)

	status, err := client.Status(ctx)
	n.must(err)
	if status.NodeInfo.Other.TxIndex != "on" || status.NodeInfo.Other.RPCAddress == "" || status.SyncInfo.CatchingUp {
		n.t.Errorf("status: %+v", status)
	}
	first := int64(1)
	_, err = client.Block(ctx, &first)
	n.must(err)
	_, err = client.BlockResults(ctx, &first)
	n.must(err)
	validators, err := client.Validators(ctx, nil, nil, nil)
	n.must(err)
	if validators.Total != len(n.nodes) {
		n.t.Errorf("%d validators", validators.Total)
	}
	alice := crypto.DevKey("alice").Public().Address()
	query, err := client.ABCIQuery(ctx, "/accounts/"+alice.String(), nil)
	n.must(err)
	if query.Response.Code != 0 || len(query.Response.Value) == 0 {
		n.t.Errorf("abci_query: %+v", query)
	}
	n.checkTx(client)
	for name, events := range map[string]<-chan cmtcoretypes.ResultEvent{"blocks": blocks, "transactions": txs} {
		select {
		case <-events:
		case <-time.After(soon):
			n.t.Errorf("no %s came over the websocket", name)
		}
	}
	response, err := http.Get("http" + strings.TrimPrefix(address, "tcp") + "/check_tx?tx=0x00")
	n.must(err)
	_ = response.Body.Close()
	if response.StatusCode == http.StatusOK {
		n.t.Error("check_tx is served: it would submit")
	}
}

// checkTx submits over CometBFT's RPC and finds transactions there, single ones and those in frames.
func (n *network) checkTx(client *cmthttp.HTTP) {
	n.t.Helper()
	ctx := context.Background()
	sent, err := client.BroadcastTxSync(ctx, n.transfer())
	n.must(err)
	if sent.Code != 0 {
		n.t.Fatalf("broadcast_tx_sync: %+v", sent)
	}
	n.until("tx finds what broadcast_tx_sync sent", func() bool {
		found, err := client.Tx(ctx, sent.Hash, true)
		if err != nil {
			return false
		}
		if found.TxResult.Code != 0 || found.Proof.Validate(found.Proof.RootHash) != nil || string(found.Tx.Hash()) != string(sent.Hash) {
			n.t.Errorf("tx: %+v", found)
		}
		return true
	})
	committed, err := client.BroadcastTxCommit(ctx, n.transfer())
	n.must(err)
	if committed.TxResult.Code != 0 || committed.Height == 0 {
		n.t.Errorf("broadcast_tx_commit: %+v", committed)
	}
	id := n.submit(1)
	n.committed(id)
	inner, err := client.Tx(ctx, id[:], true)
	n.must(err)
	receipt, err := ledger.DecodeReceipt(inner.TxResult.Data)
	if err != nil || receipt.ID() != id || inner.TxResult.Code != 0 {
		n.t.Errorf("tx of a transaction in a frame: %+v, %v", inner, err)
	}
	nothing := crypto.Sum([]byte("nothing"))
	if _, err := client.Tx(ctx, nothing[:], false); err == nil {
		n.t.Error("tx found what is not there")
	}
	if _, err := client.Tx(ctx, []byte{1}, false); err == nil {
		n.t.Error("tx found one byte")
	}
	if _, err := client.TxSearch(ctx, "tx.height=1", false, nil, nil, ""); err == nil || !strings.Contains(err.Error(), "not offered") {
		n.t.Errorf("tx_search: %v", err)
	}
}

func (n *network) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// checkAPI asks the HTTP API and the metrics of a node.
func (n *network) checkAPI(i int) {
	n.t.Helper()
	for _, url := range []string{
		n.layout.Nodes[i].API + "/v1/status",
		n.layout.Nodes[i].API + "/v1/blocks/1?receipts=list",
		"http://" + localAddress(n.layout.Nodes[i].BasePort, portMetrics) + "/metrics",
	} {
		response, err := http.Get(url)
		if err != nil {
			n.t.Fatal(err)
		}
		data, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			n.t.Errorf("%s: %s\n%s", url, response.Status, data)
		}
		if filepath.Base(url) == "metrics" {
			for _, name := range []string{
				"tetrad_height", "tetrad_pool_transactions", "tetrad_pool_bytes", "tetrad_signatures_verified_total",
				"tetrad_block_execution_seconds", "tetrad_tree_seconds", "tetrad_store_seconds", "tetrad_disk_free_bytes",
				"cometbft_consensus_height",
			} {
				if !bytes.Contains(data, []byte("\n"+name)) {
					n.t.Errorf("metrics lack %s", name)
				}
			}
		}
	}
}
