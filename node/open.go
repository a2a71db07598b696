package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	cmtdb "github.com/cometbft/cometbft-db"
	cmtcfg "github.com/cometbft/cometbft/config"
	cmtlog "github.com/cometbft/cometbft/libs/log"
	cmtnode "github.com/cometbft/cometbft/node"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	cmtproxy "github.com/cometbft/cometbft/proxy"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/abci"
	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
	"github.com/tetradledger/tetrad/rpc"
)

// The steps of New, in the order in which an operator can do something about their errors: files, ports, the
// ledger, CometBFT.

// openHome takes the home and reads what it says about chain and peers.
func (n *Node) openHome() error {
	var err error
	if n.lock, err = lockHome(n.config.Home); err != nil {
		return err
	}
	if n.doc, err = readGenesis(n.config.Engine.GenesisFile()); err != nil {
		return err
	}
	n.allowed, err = newAllowList(n.config.Peers.Allow, configuredPeers(n.config.Engine.P2P))
	if err != nil {
		return fmt.Errorf("peers of config.toml: %w", err)
	}
	n.tuneMemory()
	return nil
}

// readGenesis reads the document the network begins with, and refuses a draft.
func readGenesis(path string) (*genesis.Doc, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is missing: put the network's genesis document there", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the genesis document: %w", err)
	}
	doc, err := genesis.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := doc.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return doc, nil
}

// openPorts opens the ports we serve and looks whether CometBFT's is free, before anything is written.
func (n *Node) openPorts() error {
	p2p, err := tcpAddress(n.config.Engine.P2P.ListenAddress)
	if err != nil {
		return fmt.Errorf("p2p.laddr: %w", err)
	}
	network := "tcp"
	if n.config.Engine.P2P.LibP2PEnabled() {
		network = "udp"
	}
	if err := probe("p2p.laddr in config.toml", network, p2p); err != nil {
		return err
	}
	if n.apiListener, err = listen("api.listen in app.toml", n.config.API.Listen, n.config.API.ConnectionsMax); err != nil {
		return err
	}
	if laddr := n.config.Engine.RPC.ListenAddress; laddr != "" {
		address, err := tcpAddress(laddr)
		if err != nil {
			return fmt.Errorf("rpc.laddr: %w", err)
		}
		if n.rpcListener, err = listen("rpc.laddr in config.toml", address, n.config.Engine.RPC.MaxOpenConnections); err != nil {
			return err
		}
	}
	if n.config.Plane.Enabled {
		if err := probe("plane.listen in app.toml", "tcp", n.config.Plane.Listen); err != nil {
			return err
		}
	}
	if n.config.Metrics.Listen == "" {
		return nil
	}
	n.metricsListener, err = listen("metrics.listen in app.toml", n.config.Metrics.Listen, metricsConnectionsMax)
	return err
}

// metricsConnectionsMax is more than the collectors one node has.
const metricsConnectionsMax = 16

// openLedger opens the state and the application over it.
func (n *Node) openLedger() error {
	c := n.config
	n.metrics = newMetrics(n.doc.ChainID, c.Engine.Moniker)
	var err error
	n.validator, err = loadValidator(c.Engine.PrivValidatorKeyFile(), c.Engine.PrivValidatorStateFile(), hasBlocks(c.Engine))
	if err != nil {
		return err
	}
	opening := store.Options{
		Dir: c.ledgerDir(), Genesis: n.doc.Hash(), Logger: n.log.With("module", "store"),
		KeepVersions: c.Store.KeepVersions, KeepHeights: c.Store.KeepHeights, DiskFreeMin: c.Store.DiskFreeMin,
		KeepHistory: uint64(max(0, c.Store.KeepHistory)), NoHistory: c.Store.KeepHistory < 0,
	}
	if n.store, err = store.Open(opening); errors.Is(err, store.ErrHalfRestored) {
		return errInterrupted
	} else if err != nil {
		return fmt.Errorf("open the ledger for %s: %w", c.Engine.GenesisFile(), err)
	}
	n.app, err = app.New(app.Options{
		Genesis: n.doc, Store: n.store, Logger: n.log.With("module", "app"), Observer: n.metrics,
		SelfAddress: n.validator.GetAddress(), Idle: c.Blocks.Idle,
		Pool: app.PoolOptions{
			TxsMax: c.Pool.TxsMax, BytesMax: c.Pool.BytesMax, LocalTxsMax: c.Pool.LocalTxsMax, AccountTxsMax: c.Pool.AccountTxsMax,
		},
		Verify: app.VerifyOptions{
			Workers: c.Pool.VerifyWorkers, BatchTxs: c.Ablation.VerifyBatch, KeysCached: c.Ablation.KeysCached,
		},
		NoSpeculation: c.Ablation.NoSpeculation, FrameTxs: c.Ablation.FrameTxs,
		Retain: n.retention.retain, Snapshots: n.snapshotOptions(opening),
	})
	if err != nil {
		return fmt.Errorf("open the ledger: %w", err)
	}
	if err := n.openOutbox(); err != nil {
		return err
	}
	n.metrics.watch(n.app, n.doc.ChainID, c.Engine.Moniker)
	n.metrics.watchNetwork(n.reach, n.outbox, n.doc.ChainID, c.Engine.Moniker)
	if n.places, err = openLocator(c.Engine, n.log.With("module", "index")); err != nil {
		return err
	}
	n.openRetention()
	return nil
}

// hasBlocks tells whether CometBFT has kept blocks in this home before.
func hasBlocks(e *cmtcfg.Config) bool {
	entries, err := os.ReadDir(filepath.Join(e.DBDir(), "blockstore.db"))
	return err == nil && len(entries) > 0
}

// openEngine makes CometBFT's node, which replays blocks that the ledger has not executed.
func (n *Node) openEngine() error {
	nodeKey, err := loadNodeKey(n.config.Engine.NodeKeyFile())
	if err != nil {
		return err
	}
	if n.identity, err = identify(nodeKey.PrivKey, n.validator.Key.PrivKey); err != nil {
		return err
	}
	n.turns = newTurns(n.config.Engine.Consensus, n.validator.GetAddress(), n.log.With("module", "turns"))
	application := abci.New(n.app, abci.Options{
		Version: n.options.version, ChainID: n.doc.ChainID, Logger: n.log.With("module", "abci"),
		Peer: n.allowed.allows, Decided: n.decided,
	})
	creator := abci.NewClientCreator(application)
	if wrap := n.options.parts.Creator; wrap != nil {
		creator = wrap(creator)
	}
	var signer cmttypes.PrivValidator = n.validator
	if wrap := n.options.parts.Signer; wrap != nil {
		signer = wrap(signer)
	}
	head, _ := n.app.Head()
	n.pledges.begin(n.validator.LastSignState, n.options.parts.Signer != nil, head.Height)
	signer = pledging{signer, &n.pledges}
	// CometBFT's own RPC server stays off: ours serves its handlers (engineRPC). The consensus part must be
	// the very one turns holds.
	engine := *n.config.Engine
	ownRPC := *engine.RPC
	ownRPC.ListenAddress = ""
	engine.RPC = &ownRPC
	ownSync := *engine.StateSync
	ownSync.Enable = n.syncing.Load()
	engine.StateSync = &ownSync
	engineLog := newBridge(n.log, n.dog.hear, &n.stopping)
	n.engine, err = n.newEngine(&engine, signer, nodeKey, creator, engineLog)
	if err != nil {
		return fmt.Errorf("open CometBFT: %w", err)
	}
	if n.env, err = n.engine.ConfigureRPC(); err != nil {
		return fmt.Errorf("open CometBFT's rpc: %w", err)
	}
	n.env.Mempool = abci.NewPool(n.env.Mempool, application)
	n.retention.blocks = n.engine.BlockStore()
	n.turns.validators = n.env.StateStore.LoadValidators
	return n.openEngineRPC(engineLog)
}

// newEngine calls CometBFT's constructor, which panics, or fails in its handshake, where its data and the
// ledger's do not fit together.
func (n *Node) newEngine(config *cmtcfg.Config, signer cmttypes.PrivValidator, key *cmtp2p.NodeKey,
	creator cmtproxy.ClientCreator, log cmtlog.Logger,
) (engine *cmtnode.Node, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			n.log.Debug("CometBFT panicked while it opened", "cause", cause, "stack", string(debug.Stack()))
			err = n.misfit(cause)
		} else if err != nil && (errors.As(err, new(*databaseError)) || strings.HasPrefix(err.Error(), handshakeFailed)) {
			err = n.misfit(err)
		}
	}()
	metrics := engineMetrics(n.config.Metrics.Listen != "")
	return cmtnode.NewNode(config, signer, key, creator, n.engineGenesis, n.openDatabase, metrics, log)
}

// handshakeFailed begins what CometBFT says when it could not bring the ledger up to its blocks. The error has no
// type.
const handshakeFailed = "error during handshake"

// openDatabase opens one of CometBFT's databases and remembers it for closing.
func (n *Node) openDatabase(context *cmtcfg.DBContext) (cmtdb.DB, error) {
	db, err := engineDB(context)
	if err != nil {
		return nil, err
	}
	n.databases = append(n.databases, db)
	if context.ID == "state" {
		return db, n.mend(n.databases[0], db) // the blocks' is the first that CometBFT opens
	}
	return db, nil
}

// engineGenesis gives CometBFT the bytes our own hash covers.
func (n *Node) engineGenesis() (*cmttypes.GenesisDoc, error) {
	return cmttypes.GenesisDocFromJSON(n.doc.JSON())
}

// openEngineRPC prepares CometBFT's RPC; an empty rpc.laddr switches it off.
func (n *Node) openEngineRPC(log cmtlog.Logger) error {
	if n.config.Engine.RPC.ListenAddress == "" {
		return nil
	}
	find := &finder{places: n.places, blocks: n.engine.BlockStore(), states: n.env.StateStore, receipt: n.receipt}
	n.engineRPC = newEngineRPC(n.env, n.config.Engine.RPC, find, n.rpcListener, log.With("module", "rpc-server"))
	return nil
}

// openServers prepares the HTTP API and the metrics.
func (n *Node) openServers() error {
	var serving rpc.Backend = backend{n}
	if wrap := n.options.parts.Backend; wrap != nil {
		serving = wrap(serving)
	}
	n.api = rpc.NewServer(serving, rpc.Options{
		Node: n.config.Engine.Moniker, Version: n.options.version, Logger: n.log.With("module", "rpc"),
		Observe: n.metrics.answered, Root: n.options.root,
	})
	// Requests that wait for something end with the node.
	n.api.BaseContext = func(net.Listener) context.Context { return n.running }
	if n.metricsListener != nil {
		n.metricsServer = &http.Server{Handler: n.metrics.handler(), ReadHeaderTimeout: 5 * time.Second}
	}
	return nil
}

// decided hears of every decided block, in the goroutine that executes blocks.
func (n *Node) decided(d abci.Decision) {
	n.turns.decided(d)
	n.places.note(d.Height, d.Txs)
}

// receipt finds what became of a transaction.
func (n *Node) receipt(id crypto.Hash) (ledger.Receipt, bool) {
	outcome, err := n.app.Outcome(id)
	if err != nil {
		n.log.Error("a receipt cannot be read", "txid", id, "err", err)
		return ledger.Receipt{}, false
	}
	decided := outcome.Status == app.StatusCommitted || outcome.Status == app.StatusFailed
	return outcome.Receipt, decided
}
