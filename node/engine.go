package node

import (
	"fmt"
	"path/filepath"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"

	"github.com/tetradledger/tetrad/ledger"
)

// engineDefaults is CometBFT's configuration for a profile. What is not mentioned here is as CometBFT
// ships it.
func engineDefaults(home, profile string) *cmtcfg.Config {
	e := cmtcfg.DefaultConfig()
	e.SetRoot(home)
	// A default may not depend on the machine: it would show as a difference between nodes.
	e.Moniker = "node"
	// The application is in this process, so there is nothing to dial.
	e.ProxyApp, e.ABCI = "tetrad", "local"
	// Every new peer is shown to the allow-list (classic transport; libp2p has its own way in peer.go).
	e.FilterPeers = true
	// Publishing an event costs consensus a queue slot, not a wait for whoever listens.
	e.EventBusBufferCapacity = 1000
	// Transactions are found through the ledger's receipts and a small index of our own (rpcindex.go):
	// CometBFT's index would store every frame a second time.
	e.TxIndex.Indexer = "null"
	// Results are a few bytes per frame, and block_results needs them.
	e.Storage.DiscardABCIResponses = false

	e.RPC.ListenAddress = "tcp://" + localAddress(BasePort, portRPC)
	// Peers of a permissioned network are known, and say at once which snapshots they have.
	e.StateSync.DiscoveryTime = 5 * time.Second
	tuneP2P(e.P2P)
	tunePool(e.Mempool)
	tuneConsensus(e.Consensus, profile)
	if profile == ProfileWAN {
		e.P2P.DialTimeout = 5 * time.Second
		e.P2P.FlushThrottleTimeout = 5 * time.Millisecond
	}
	return e
}

// tuneP2P raises rates that are set for a public network of strangers, and turns peer discovery off: peers
// of a permissioned network are known by name.
func tuneP2P(p *cmtcfg.P2PConfig) {
	p.ListenAddress = "tcp://" + localAddress(BasePort, portP2P)
	p.PexReactor = false
	p.AddrBookStrict = false
	p.AllowDuplicateIP = true // several validators behind one address are the rule in tests and datacentres
	p.MaxNumInboundPeers = 64
	p.MaxNumOutboundPeers = 64
	// 5 MB/s per peer, the default, carries 14,000 transfers per second; a block must not queue behind them.
	p.SendRate = 500_000_000
	p.RecvRate = 500_000_000
	// Packets of 1 KiB, the default, cost more than what they carry. All nodes must agree on this figure:
	// a peer that receives a larger packet than it expects drops the connection.
	p.MaxPacketMsgPayloadSize = 32 << 10
	p.FlushThrottleTimeout = 1 * time.Millisecond
	p.HandshakeTimeout = 5 * time.Second
	p.DialTimeout = 1 * time.Second
	p.PersistentPeersMaxDialPeriod = 2 * time.Second

	// libp2p opens a stream per message; the default of 64 at once per protocol and peer is less than a
	// burst of votes and frames needs, and what does not get a stream is lost.
	p.LibP2PConfig.Limits = cmtcfg.LibP2PLimits{Mode: cmtcfg.LibP2PLimitsModeCustom, MaxPeers: 256, MaxPeerStreams: 4096}
}

// tunePool makes the application's pool the only one. Sizes follow the ledger's: no CometBFT transaction is
// larger than a frame.
func tunePool(m *cmtcfg.MempoolConfig) {
	m.Type = cmtcfg.MempoolTypeApp
	m.Recheck = false
	m.MaxTxBytes = ledger.FrameBytesMax
	m.MaxBatchBytes = 4 * ledger.FrameBytesMax
	m.SeenCacheSize = 100_000
	m.ReapMaxBytes = uint64(m.MaxBatchBytes)
	// The default of half a second would be added to every transaction's latency.
	m.ReapInterval = 5 * time.Millisecond
	m.CheckTxRetryDelay = 1 * time.Second
}

// tuneConsensus sets the timeouts of a profile. Two of them decide how long commits stop when a proposer
// dies: timeout_propose, after which the others vote for no block, and timeout_precommit, after which the
// next one proposes. proposer.go shortens the first for a proposer that stays away.
func tuneConsensus(c *cmtcfg.ConsensusConfig, profile string) {
	// An idle proposer keeps the others waiting for blocks.idle, so timeout_propose is twice that.
	c.TimeoutPropose, c.TimeoutProposeDelta = 500*time.Millisecond, 150*time.Millisecond
	c.TimeoutPrevote, c.TimeoutPrevoteDelta = 100*time.Millisecond, 50*time.Millisecond
	c.TimeoutPrecommit, c.TimeoutPrecommitDelta = 50*time.Millisecond, 50*time.Millisecond
	// The wait after a commit collects late precommits. It is skipped once all are in, so that only a
	// missing validator makes it felt.
	c.TimeoutCommit = 10 * time.Millisecond
	c.SkipTimeoutCommit = true
	// The default of 100 ms is slept between steps of gossip and makes blocks five times slower.
	c.PeerGossipSleepDuration = 5 * time.Millisecond
	c.PeerQueryMaj23SleepDuration = 500 * time.Millisecond
	// Empty blocks are paced by PrepareProposal (blocks.idle). Waiting for transactions here instead would
	// stop the chain for good: the application's pool does not tell CometBFT that it has some.
	c.CreateEmptyBlocks = true
	c.CreateEmptyBlocksInterval = 0
	if profile == ProfileWAN {
		c.TimeoutPropose, c.TimeoutProposeDelta = 1000*time.Millisecond, 300*time.Millisecond
		c.TimeoutPrevote, c.TimeoutPrevoteDelta = 300*time.Millisecond, 150*time.Millisecond
		c.TimeoutPrecommit, c.TimeoutPrecommitDelta = 200*time.Millisecond, 150*time.Millisecond
		c.TimeoutCommit = 20 * time.Millisecond
		c.PeerGossipSleepDuration = 10 * time.Millisecond
		c.PeerQueryMaj23SleepDuration = 1 * time.Second
	}
}

// A fixedKey is a key of config.toml that this program decides, because another value would break it or do
// nothing.
type fixedKey struct {
	key   string
	value func(*cmtcfg.Config) any
	why   string
}

var fixedKeys = []fixedKey{
	{"proxy_app", func(e *cmtcfg.Config) any { return e.ProxyApp }, "the application is part of this program"},
	{"abci", func(e *cmtcfg.Config) any { return e.ABCI }, "the application is part of this program"},
	{"log_level", func(e *cmtcfg.Config) any { return e.LogLevel }, "set log.level in app.toml"},
	{"log_format", func(e *cmtcfg.Config) any { return e.LogFormat }, "set log.format in app.toml"},
	{"filter_peers", func(e *cmtcfg.Config) any { return e.FilterPeers }, "the network is permissioned; set peers.allow in app.toml"},
	{"priv_validator_laddr", func(e *cmtcfg.Config) any { return e.PrivValidatorListenAddr }, "remote signers are not supported"},
	{"p2p.pex", func(e *cmtcfg.Config) any { return e.P2P.PexReactor }, "peers are configured, not discovered"},
	{"mempool.type", func(e *cmtcfg.Config) any { return e.Mempool.Type }, "the pool is the application's"},
	{"mempool.max_tx_bytes", func(e *cmtcfg.Config) any { return e.Mempool.MaxTxBytes }, "the ledger's frame size decides, and peers that disagree disconnect"},
	{"mempool.max_batch_bytes", func(e *cmtcfg.Config) any { return e.Mempool.MaxBatchBytes }, "peers that disagree disconnect"},
	{"consensus.create_empty_blocks", func(e *cmtcfg.Config) any { return e.Consensus.CreateEmptyBlocks }, "the chain would stop; set blocks.idle in app.toml"},
	{"consensus.create_empty_blocks_interval", func(e *cmtcfg.Config) any { return e.Consensus.CreateEmptyBlocksInterval }, "set blocks.idle in app.toml"},
	{"blocksync.adaptive_sync", func(e *cmtcfg.Config) any { return e.BlockSync.AdaptiveSync }, "a validator could sign twice"},
	{"tx_index.indexer", func(e *cmtcfg.Config) any { return e.TxIndex.Indexer }, "transactions are found through the ledger's receipts"},
	{"tx_index.psql-conn", func(e *cmtcfg.Config) any { return e.TxIndex.PsqlConn }, "transactions are found through the ledger's receipts"},
	{"instrumentation.prometheus", func(e *cmtcfg.Config) any { return e.Instrumentation.Prometheus }, "set metrics.listen in app.toml"},
}

// engineFaults lists what is wrong with config.toml.
func engineFaults(c Config) []error {
	var faults []error
	want := engineDefaults(c.Home, c.Profile)
	for _, k := range fixedKeys {
		if got := k.value(c.Engine); got != k.value(want) {
			faults = append(faults, fmt.Errorf("%s: must be %v, not %v: %s", k.key, k.value(want), got, k.why))
		}
	}
	if err := c.Engine.ValidateBasic(); err != nil {
		faults = append(faults, err)
	}
	// Each of these makes CometBFT panic or spin instead of complaining.
	if c.Engine.Mempool.SeenCacheSize < 1 {
		faults = append(faults, fmt.Errorf("mempool.seen_cache_size: %d, at least 1", c.Engine.Mempool.SeenCacheSize))
	}
	if c.Engine.Mempool.CheckTxRetryDelay <= 0 {
		faults = append(faults, fmt.Errorf("mempool.check_tx_retry_delay: %v is not positive", c.Engine.Mempool.CheckTxRetryDelay))
	}
	if propose := c.Engine.Consensus.TimeoutPropose; propose < c.Blocks.Idle+c.Blocks.Idle/2 {
		faults = append(faults, fmt.Errorf("consensus.timeout_propose: %v is less than one and a half times blocks.idle, %v: "+
			"the others would give up on a proposer that waits for work", propose, c.Blocks.Idle))
	}
	for key, address := range map[string]string{"p2p.laddr": c.Engine.P2P.ListenAddress, "rpc.laddr": c.Engine.RPC.ListenAddress} {
		if key == "rpc.laddr" && address == "" {
			continue
		}
		if _, err := tcpAddress(address); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", key, err))
		}
	}
	return faults
}

func (c Config) ledgerDir() string { return filepath.Join(c.Engine.DBDir(), "ledger") }

func (c Config) outboxDir() string { return filepath.Join(c.Engine.DBDir(), "outbox") }

func (c Config) snapshotsDir() string { return filepath.Join(c.Engine.DBDir(), "snapshots") }
