package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// soon bounds waiting in these tests generously: it is reached only when something is broken.
const soon = 90 * time.Second

// network is a testnet whose validators all live in this process.
type network struct {
	t      *testing.T
	layout TestnetLayout
	nodes  []*Node // nil while stopped
	nonce  uint64
}

// newNetwork writes a network on free ports and starts it.
func newNetwork(t *testing.T, validators int, libp2p bool) *network {
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
		n.start(i, nil)
	}
	return n
}

// freePorts finds a base port from which all ports of a network are free.
func freePorts(t *testing.T, validators int) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		base := l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		if base+validators*PortStep < 65535 && allFree(base, validators*PortStep) {
			return base
		}
	}
	t.Fatal("no free ports")
	return 0
}

func allFree(base, count int) bool {
	for port := base; port < base+count; port++ {
		if probe("", "tcp", localAddress(port, 0)) != nil || probe("", "udp", localAddress(port, 0)) != nil {
			return false
		}
	}
	return true
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
	n.nonce++
	alice := crypto.DevKey("alice")
	bob := crypto.DevKey("bob").Public().Address()
	from, asset := alice.Public().Address(), ledger.AssetIDOf("usd")
	nonce := make([]byte, ledger.NonceLen)
	nonce[0], nonce[1] = byte(n.nonce>>8), byte(n.nonce)
	body := ledger.Body{
		Version: 1, ChainId: n.layout.ChainID, Actor: from[:], Nonce: nonce,
		ValidUntilMs: uint64(time.Now().Add(30 * time.Second).UnixMilli()),
		Ops: []ledger.Op{{Kind: &ledger.Op_Transfer{Transfer: &ledger.Transfer{
			To: bob[:], Asset: asset[:], Amount: ledger.Amount{Lo: 1}.Bytes(),
		}}}},
	}
	raw, err := body.Marshal()
	if err != nil {
		n.t.Fatal(err)
	}
	message := crypto.SignBytes(crypto.TagTx, n.layout.GenesisHash, crypto.Sum(raw))
	tx := ledger.Tx{Body: raw, Sigs: []ledger.Sig{{
		KeyType: uint32(crypto.KeyEd25519), PublicKey: alice.Public().Bytes, Signature: alice.Sign(message[:]),
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
	var id crypto.Hash
	raw := n.transfer()
	n.until(fmt.Sprintf("node %d takes a transfer", i), func() bool {
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

			status, err := backend{n.nodes[3]}.Status(context.Background())
			if err != nil || status.Peers != 3 || status.Validators != 4 || status.ChainID != "test" {
				t.Errorf("status of node 3: %+v, %v", status, err)
			}
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

// rpcCall asks CometBFT's RPC of a node and returns the result.
func (n *network) rpcCall(i int, path string) (map[string]any, error) {
	response, err := http.Get("http://" + localAddress(n.layout.Nodes[i].BasePort, portRPC) + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var out struct {
		Result map[string]any
		Error  *struct{ Message, Data string }
	}
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, fmt.Errorf("%w: %s", err, data)
	}
	if out.Error != nil {
		return nil, errors.New(out.Error.Message + ": " + out.Error.Data)
	}
	return out.Result, nil
}

// checkEngineRPC asks what existing tools ask.
func (n *network) checkEngineRPC(i int) {
	n.t.Helper()
	must := func(path string) map[string]any {
		n.t.Helper()
		result, err := n.rpcCall(i, path)
		if err != nil {
			n.t.Fatalf("%s: %v", path, err)
		}
		return result
	}
	status := must("/status")
	if info := status["node_info"].(map[string]any); info["other"].(map[string]any)["tx_index"] != "on" {
		n.t.Errorf("status: %v", status)
	}
	must("/block?height=1")
	must("/validators")
	must("/block_results?height=1")
	sent := must(fmt.Sprintf("/broadcast_tx_sync?tx=0x%x", n.transfer()))
	if sent["code"].(float64) != 0 {
		n.t.Fatalf("broadcast_tx_sync: %v", sent)
	}
	var found map[string]any
	n.until("tx finds what broadcast_tx_sync sent", func() bool {
		var err error
		found, err = n.rpcCall(i, "/tx?prove=true&hash=0x"+sent["hash"].(string))
		return err == nil
	})
	if found["tx_result"].(map[string]any)["code"].(float64) != 0 || found["proof"] == nil {
		n.t.Errorf("tx: %v", found)
	}
	id := n.submit(i)
	n.committed(id)
	inner := must("/tx?hash=0x" + id.String())
	if inner["tx_result"].(map[string]any)["code"].(float64) != 0 {
		n.t.Errorf("tx of an inner transaction: %v", inner)
	}
	if _, err := n.rpcCall(i, "/tx?hash=0x"+crypto.Sum([]byte("nothing")).String()); err == nil {
		n.t.Error("tx found what is not there")
	}
	alice := crypto.DevKey("alice").Public().Address()
	query := must(fmt.Sprintf("/abci_query?path=\"/accounts/%s\"", alice))["response"].(map[string]any)
	if query["value"] == nil || query["code"].(float64) != 0 {
		n.t.Errorf("abci_query: %v", query)
	}
	if _, err := n.rpcCall(i, "/check_tx?tx=0x00"); err == nil {
		n.t.Error("check_tx is served: it would submit")
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
