package node

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
)

// Config is everything a node is told. The fields up to Engine are the keys of config/app.toml; Engine is
// CometBFT's own file, config/config.toml. A zero Config is refused: begin with Default or Load.
type Config struct {
	// Home is the node's directory: config/ and data/ are below it. It is not a key of any file.
	Home string `mapstructure:"-"`

	// Profile chooses the timeouts that are not set otherwise: "lan" for validators a few milliseconds
	// apart, "wan" for validators across a continent or an ocean.
	Profile string `mapstructure:"profile"`

	API       APIConfig       `mapstructure:"api"`
	Metrics   MetricsConfig   `mapstructure:"metrics"`
	Plane     PlaneConfig     `mapstructure:"plane"`
	Peers     PeersConfig     `mapstructure:"peers"`
	Blocks    BlocksConfig    `mapstructure:"blocks"`
	Pool      PoolConfig      `mapstructure:"pool"`
	Store     StoreConfig     `mapstructure:"store"`
	Snapshots SnapshotsConfig `mapstructure:"snapshots"`
	Memory    MemoryConfig    `mapstructure:"memory"`
	Ablation  AblationConfig  `mapstructure:"ablation"`
	Log       LogConfig       `mapstructure:"log"`

	// NewValidatorState lets a validator whose record of what it signed last is lost begin a new one, from which on
	// it keeps silent until the network is past everything it can have signed. It is not a key of any file.
	NewValidatorState bool `mapstructure:"-"`

	// Engine is CometBFT's configuration, tuned by the profile; see engine.go for what differs from its
	// own defaults, and why.
	Engine *cmtcfg.Config `mapstructure:"-"`

	settings []Setting // where each value came from; filled by Load
}

// APIConfig is the HTTP API that people and programs use.
type APIConfig struct {
	// Listen is the address of the HTTP API.
	Listen string `mapstructure:"listen"`
	// ConnectionsMax bounds open connections: each one costs a file descriptor and a few kilobytes.
	ConnectionsMax int `mapstructure:"connections_max"`
}

// MetricsConfig is the Prometheus endpoint: CometBFT's figures and ours in one place.
type MetricsConfig struct {
	// Listen is the endpoint's address; empty switches it off.
	Listen string `mapstructure:"listen"`
}

// PlaneConfig is the app plane, over which validators' nodes tell each other how far they are, for strong reads.
type PlaneConfig struct {
	// Enabled switches it on. Without it this node serves no strong reads; it still attests over the HTTP API.
	Enabled bool `mapstructure:"enabled"`
	// Listen is the address of the node's libp2p host, over TCP. Others learn it from the ledger, not from here.
	Listen string `mapstructure:"listen"`
}

// PeersConfig says who may be a peer. The network is permissioned: a node that is neither listed here nor
// configured as a peer in config.toml is dropped.
type PeersConfig struct {
	// Allow lists node ids in either form, 40 hex digits or 12D3Koo...; "*" admits every node.
	Allow []string `mapstructure:"allow"`
}

// BlocksConfig paces blocks.
type BlocksConfig struct {
	// Idle is how long a proposer with nothing to propose waits for a transaction before it makes an empty
	// block. It must be well below consensus.timeout_propose, or the others give up on an idle proposer.
	Idle time.Duration `mapstructure:"idle"`
}

// PoolConfig bounds the transactions that wait for a block.
type PoolConfig struct {
	// TxsMax and BytesMax bound the pool as a whole; beyond them callers are told to come back.
	TxsMax   int `mapstructure:"txs_max"`
	BytesMax int `mapstructure:"bytes_max"`
	// LocalTxsMax bounds what this node takes in from its own clients, so that validators whose clients all
	// press at once still fit into each other's pools.
	LocalTxsMax int `mapstructure:"local_txs_max"`
	// AccountTxsMax bounds one account's share of a pool that is filling up.
	AccountTxsMax int `mapstructure:"account_txs_max"`
	// VerifyWorkers is how many processors may check signatures at once.
	VerifyWorkers int `mapstructure:"verify_workers"`
}

// StoreConfig is the ledger's storage.
type StoreConfig struct {
	// DiskFreeMin is the free space in bytes below which new transactions are refused; the node stops
	// cleanly before the disk is full.
	DiskFreeMin uint64 `mapstructure:"disk_free_min"`
	// KeepVersions is how many past heights stay in memory, provable, as far as their changes fit into 16 MiB, and
	// KeepHeights from disk. On a quiet network a thousand cost some 40 MB and 0.2 s of a restart.
	KeepVersions int    `mapstructure:"keep_versions"`
	KeepHeights  uint64 `mapstructure:"keep_heights"`
	// KeepHistory is how many heights back the histories of accounts go at least; 0 keeps all, -1 none.
	KeepHistory int64 `mapstructure:"keep_history"`
	// KeepBlocks is how many of CometBFT's blocks are kept at least; 0 keeps all. See retention for what keeps
	// more of them.
	KeepBlocks uint64 `mapstructure:"keep_blocks"`
}

// SnapshotsConfig is how new nodes, and those that lost their data, get the state without all blocks.
type SnapshotsConfig struct {
	// Interval makes a snapshot at every multiple of this height; 0 makes none. All nodes should have the same, so
	// that whoever restores one can take its parts from several of them.
	Interval uint64 `mapstructure:"interval"`
	// Keep is how many snapshots stay on disk.
	Keep int `mapstructure:"keep"`
}

// MemoryConfig tunes the garbage collector. The environment variables GOGC and GOMEMLIMIT, where set, win.
type MemoryConfig struct {
	// GCPercent is how much the heap may grow over what lives before it is collected. State lives in
	// arenas without pointers, which are cheap to keep and make a high figure affordable.
	GCPercent int `mapstructure:"gc_percent"`
	// HeadroomBytes is how much it may grow in bytes, if that is less: a large state would otherwise keep
	// memory in proportion that nothing needs. 0 sets no such bound.
	HeadroomBytes int64 `mapstructure:"headroom_bytes"`
	// LimitBytes is a soft limit of the whole process; 0 sets none.
	LimitBytes int64 `mapstructure:"limit_bytes"`
}

// AblationConfig switches off, one by one, what makes a node fast, so that measurements can tell what each is worth.
// Nodes that differ here agree on everything; none of it belongs into a network in use.
type AblationConfig struct {
	// FrameTxs bounds the transactions of a frame; 1: no frames, 0: the ledger's bound.
	FrameTxs int `mapstructure:"frame_txs"`
	// NoSpeculation executes a block only once it is decided.
	NoSpeculation bool `mapstructure:"no_speculation"`
	// KeysCached bounds the cache of expanded keys; negative: none, 0: the default.
	KeysCached int `mapstructure:"keys_cached"`
	// VerifyBatch bounds the signatures of one batch; 0: the default.
	VerifyBatch int `mapstructure:"verify_batch"`
}

// LogConfig says what is logged and how.
type LogConfig struct {
	// Level is a level for Tetrad's own lines, and after commas levels for parts: "engine" is all of
	// CometBFT, and one of its modules can be named alone. Example: "info,engine:error,consensus:debug".
	Level string `mapstructure:"level"`
	// Format is text, json, or auto: text on a terminal, json otherwise.
	Format string `mapstructure:"format"`
}

const (
	// ProfileLAN suits validators in one building or region.
	ProfileLAN = "lan"
	// ProfileWAN suits validators up to about 150 ms apart.
	ProfileWAN = "wan"

	// BasePort is where a node's five ports begin unless it is told otherwise.
	BasePort = 26656
	// PortStep is the distance between the base ports of the nodes of a network on one machine.
	PortStep = 10
)

// Ports of a node counted from its base port.
const (
	portP2P = iota
	portRPC
	portAPI
	portPlane
	portMetrics
	portsUsed
)

// localAddress is host and port of one of a node's ports; everything binds the loopback interface unless
// the operator decides otherwise.
func localAddress(base, port int) string {
	return fmt.Sprintf("127.0.0.1:%d", base+port)
}

// Default is the configuration of a node that is told nothing but its home and profile.
func Default(home, profile string) Config {
	c := Config{
		Home:      home,
		Profile:   profile,
		API:       APIConfig{Listen: localAddress(BasePort, portAPI), ConnectionsMax: 1024},
		Metrics:   MetricsConfig{Listen: localAddress(BasePort, portMetrics)},
		Plane:     PlaneConfig{Enabled: true, Listen: localAddress(BasePort, portPlane)},
		Peers:     PeersConfig{Allow: []string{}},
		Blocks:    BlocksConfig{Idle: 250 * time.Millisecond},
		Pool:      PoolConfig{TxsMax: 50_000, BytesMax: 64 << 20, LocalTxsMax: 12_500, AccountTxsMax: 3_125, VerifyWorkers: 1},
		Store:     StoreConfig{DiskFreeMin: 1 << 30, KeepVersions: 1000, KeepHeights: 1000},
		Snapshots: SnapshotsConfig{Interval: 5000, Keep: 2},
		Memory:    MemoryConfig{GCPercent: 200, HeadroomBytes: 192 << 20},
		Log:       LogConfig{Level: "info", Format: "auto"},
		Engine:    engineDefaults(home, profile),
	}
	if profile == ProfileWAN {
		c.Blocks.Idle = 400 * time.Millisecond
	}
	return c
}

// Validate lists every fault of the configuration at once, each naming the key it is about.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if c.Profile != ProfileLAN && c.Profile != ProfileWAN {
		fault("profile: %q is not one of lan, wan", c.Profile)
	}
	for key, address := range map[string]string{"api.listen": c.API.Listen, "plane.listen": c.Plane.Listen} {
		if err := checkAddress(address); err != nil {
			fault("%s: %w", key, err)
		}
	}
	if c.Metrics.Listen != "" {
		if err := checkAddress(c.Metrics.Listen); err != nil {
			fault("metrics.listen: %w", err)
		}
	}
	if c.API.ConnectionsMax < 1 {
		fault("api.connections_max: %d leaves nobody in", c.API.ConnectionsMax)
	}
	if _, err := newAllowList(c.Peers.Allow, nil); err != nil {
		fault("peers.allow: %w", err)
	}
	faults = append(faults, c.validateLimits()...)
	if _, err := parseLevels(c.Log.Level); err != nil {
		fault("log.level: %w", err)
	}
	if f := c.Log.Format; f != "auto" && f != "text" && f != "json" {
		fault("log.format: %q is not one of auto, text, json", f)
	}
	faults = inFile(AppFile, faults)
	if c.Home == "" {
		faults = append(faults, errors.New("home: a node needs a directory of its own"))
	}
	if c.Engine == nil {
		return errors.Join(append(faults, errors.New("engine: no CometBFT configuration"))...)
	}
	return errors.Join(append(faults, inFile(EngineFile, engineFaults(c))...)...)
}

// inFile names the file whose keys have the faults, wherever their values are from.
func inFile(file string, faults []error) []error {
	for i, fault := range faults {
		faults[i] = fmt.Errorf("%s: %w", file, fault)
	}
	return faults
}

// validateLimits checks the figures of blocks, pool, store and memory.
func (c Config) validateLimits() []error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if c.Blocks.Idle < 0 {
		fault("blocks.idle: %v is negative", c.Blocks.Idle)
	}
	if c.Pool.TxsMax < 1 {
		fault("pool.txs_max: %d leaves no room for a transaction", c.Pool.TxsMax)
	}
	if c.Pool.BytesMax < poolBytesFloor {
		fault("pool.bytes_max: %d is less than one block holds, %d", c.Pool.BytesMax, poolBytesFloor)
	}
	if c.Pool.LocalTxsMax < 1 || c.Pool.LocalTxsMax > c.Pool.TxsMax {
		fault("pool.local_txs_max: %d is not between 1 and pool.txs_max, %d", c.Pool.LocalTxsMax, c.Pool.TxsMax)
	}
	if c.Pool.VerifyWorkers < 1 || c.Pool.VerifyWorkers > verifyWorkersMax {
		fault("pool.verify_workers: %d is not between 1 and %d", c.Pool.VerifyWorkers, verifyWorkersMax)
	}
	if c.Pool.AccountTxsMax < 1 || c.Pool.AccountTxsMax > c.Pool.TxsMax {
		fault("pool.account_txs_max: %d is not between 1 and pool.txs_max, %d", c.Pool.AccountTxsMax, c.Pool.TxsMax)
	}
	if c.Store.KeepVersions < 2 {
		fault("store.keep_versions: %d is less than 2: readers of the last height would lose it with the next block", c.Store.KeepVersions)
	}
	if c.Store.KeepHistory < -1 {
		fault("store.keep_history: %d is neither a number of heights, nor 0 for all, nor -1 for none", c.Store.KeepHistory)
	}
	if c.Store.DiskFreeMin < diskFreeFloor {
		fault("store.disk_free_min: %d is less than %d: the node stops at that in any case", c.Store.DiskFreeMin, uint64(diskFreeFloor))
	}
	if c.Store.KeepBlocks > 0 && c.Store.KeepBlocks < keepBlocksMin {
		fault("store.keep_blocks: %d is less than %d, and not 0, which keeps all", c.Store.KeepBlocks, keepBlocksMin)
	}
	if c.Store.KeepBlocks > heightsMax {
		fault("store.keep_blocks: %d is more than %d; 0 keeps all", c.Store.KeepBlocks, uint64(heightsMax))
	}
	if c.Snapshots.Interval > heightsMax {
		fault("snapshots.interval: %d is more than %d; 0 makes none", c.Snapshots.Interval, uint64(heightsMax))
	}
	if c.Snapshots.Keep < 1 || c.Snapshots.Keep > snapshotsKeepMax {
		fault("snapshots.keep: %d is not between 1 and %d, which is what peers are told of", c.Snapshots.Keep, snapshotsKeepMax)
	}
	if c.Memory.GCPercent < 10 {
		fault("memory.gc_percent: %d would spend the machine on collecting garbage; at least 10", c.Memory.GCPercent)
	}
	if h := c.Memory.HeadroomBytes; h != 0 && h < headroomFloor {
		fault("memory.headroom_bytes: %d would spend the machine on collecting garbage; at least %d, or 0 for no bound", h, headroomFloor)
	}
	if c.Memory.LimitBytes < 0 {
		fault("memory.limit_bytes: %d is negative", c.Memory.LimitBytes)
	}
	return faults
}

// poolBytesFloor is one full block: a smaller pool could never fill one.
const poolBytesFloor = 2 << 20

// headroomFloor is a few blocks' worth of garbage.
const headroomFloor = 16 << 20

// verifyWorkersMax is beyond what any machine's signature checks profit from.
const verifyWorkersMax = 64

const (
	// keepBlocksMin serves peers that were away for a moment.
	keepBlocksMin = 100
	// heightsMax is more than a chain of twenty blocks a second makes in a thousand years.
	heightsMax = 1_000_000_000_000
	// snapshotsKeepMax is how many snapshots CometBFT tells a peer of.
	snapshotsKeepMax = 10
)

// diskFreeFloor is where the store stops by itself.
const diskFreeFloor = 256 << 20

// checkAddress accepts host:port with a numeric port.
func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is not host:port", address)
	}
	if n, err := net.LookupPort("tcp", port); err != nil || n == 0 || strings.Trim(port, "0123456789") != "" {
		return fmt.Errorf("%q has no port between 1 and 65535", address)
	}
	return nil
}
