package node

import (
	"fmt"
	"strings"
	"text/template"
	"time"
)

// The files below hold what differs from node to node. Everything else keeps its default, so that a new
// version can improve it; `tetrad config show --origin` prints all keys.

var engineTemplate = template.Must(template.New(EngineFile).Funcs(templateFuncs).Parse(`# CometBFT's configuration, with CometBFT's keys. A key that is not here has the default of the profile in
# app.toml; "tetrad config show --origin" prints them all. Keys not known are refused.

# A name for people.
moniker = {{ quote .Moniker }}

[rpc]
# CometBFT's own RPC: status, block, tx, abci_query, /websocket. Anybody who reaches it can use it.
laddr = {{ quote (tcp .BasePort 1) }}

[p2p]
# Where peers connect to: TCP for the classic transport, UDP of the same port for libp2p.
laddr = {{ quote (tcp .BasePort 0) }}
# The nodes to stay connected with over the classic transport: id@host:port, separated by commas.
persistent_peers = {{ quote (persistent .Peers) }}

[p2p.libp2p]
# false: the classic transport, true: libp2p (experimental in CometBFT). All nodes of a network must agree.
enabled = {{ .LibP2P }}
# The same nodes by their libp2p ids.
bootstrap_peers = [
{{- range .Peers }}
  { host = {{ quote .Address }}, id = {{ quote .PeerID }}, persistent = true },
{{- end }}
]

# Timeouts follow the profile. To override one:
# [consensus]
# timeout_propose = "500ms"
`))

var appTemplate = template.Must(template.New(AppFile).Funcs(templateFuncs).Parse(`# Tetrad's configuration. A key that is commented out shows its default. Keys not known are refused.
# Precedence: flag, then environment (api.listen is TETRAD_API_LISTEN), then this file, then the default.

# lan: validators a few milliseconds apart. wan: across a continent or an ocean.
profile = {{ quote .Profile }}

[api]
# The HTTP API.
listen = {{ quote (local .BasePort 2) }}
# connections_max = 1024

[plane]
# Where validators' nodes tell each other how far they are, for strong reads (libp2p over TCP). Only nodes that the
# ledger records with a service key get in.
# enabled = true
listen = {{ quote (local .BasePort 3) }}

[metrics]
# Prometheus: CometBFT's figures and Tetrad's. Empty switches it off.
listen = {{ quote (local .BasePort 4) }}

[peers]
# Who may connect, besides the peers of config.toml: node ids, 40 hex digits or 12D3Koo... "*" admits everybody.
allow = [
{{- range .Peers }}
  {{ quote .NodeID }},
{{- end }}
]

[blocks]
# How long a proposer waits for a transaction before it makes an empty block.
# idle = {{ quote (idle .Profile) }}

[pool]
# Transactions waiting for a block: in all, in bytes, of our own clients, and of one account.
# txs_max = {{ (defaults .Profile).Pool.TxsMax }}
# bytes_max = {{ (defaults .Profile).Pool.BytesMax }}
# local_txs_max = {{ (defaults .Profile).Pool.LocalTxsMax }}
# account_txs_max = {{ (defaults .Profile).Pool.AccountTxsMax }}
# How many processors may check signatures at once.
# verify_workers = {{ (defaults .Profile).Pool.VerifyWorkers }}

[store]
# Free bytes on the disk below which new transactions are refused.
# disk_free_min = {{ (defaults .Profile).Store.DiskFreeMin }}
# Past heights that stay readable from memory, and from disk.
# keep_versions = {{ (defaults .Profile).Store.KeepVersions }}
# keep_heights = {{ (defaults .Profile).Store.KeepHeights }}
# How many heights back the histories of accounts go at least; 0 keeps all, -1 none. What is kept is some 120 bytes
# for each account that a transaction touches.
# keep_history = {{ (defaults .Profile).Store.KeepHistory }}
# CometBFT blocks that are kept at least; 0 keeps all. Those within the age of evidence (genesis document) stay in
# any case, and those above the oldest snapshot. Without all blocks "tetrad replay" begins at a snapshot, and
# receipts and histories reach back no further.
# keep_blocks = {{ (defaults .Profile).Store.KeepBlocks }}

[snapshots]
# A snapshot of the state is made at every multiple of this height, the same on all nodes; 0 makes none.
# interval = {{ (defaults .Profile).Snapshots.Interval }}
# How many of them stay in data/snapshots, for nodes that begin from one.
# keep = {{ (defaults .Profile).Snapshots.Keep }}

[memory]
# How much the heap grows before garbage is collected: in percent, at most in bytes; and a soft limit of it all (0: none).
# gc_percent = {{ (defaults .Profile).Memory.GCPercent }}
# headroom_bytes = {{ (defaults .Profile).Memory.HeadroomBytes }}
# limit_bytes = {{ (defaults .Profile).Memory.LimitBytes }}

[log]
# A level (debug, info, warn, error), then levels of parts: "info,engine:error,consensus:debug".
# level = {{ quote (defaults .Profile).Log.Level }}
# text, json, or auto: text on a terminal, json otherwise.
# format = {{ quote (defaults .Profile).Log.Format }}
`))

var clientTemplate = template.Must(template.New("client.toml").Funcs(templateFuncs).Parse(`# Where the tetrad command finds the network, and who speaks. Keys not known are refused.
chain_id = {{ quote .ChainID }}
genesis_hash = {{ quote .GenesisHash }}
endpoints = [
{{- range .Endpoints }}
  {{ quote . }},
{{- end }}
]
# table or json
output = "table"
# The key used where --from is absent; empty for none.
default_key = {{ quote .DefaultKey }}
# test: keys lie unencrypted in keys/, for development networks only. age: encrypted.
keyring = "test"
`))

var templateFuncs = template.FuncMap{
	"quote":      quoteTOML,
	"tcp":        func(base, port int) string { return "tcp://" + localAddress(base, port) },
	"local":      localAddress,
	"persistent": persistentPeers,
	"defaults":   func(profile string) Config { return Default("", profile) },
	"idle":       func(profile string) time.Duration { return Default("", profile).Blocks.Idle },
}

// quoteTOML writes a TOML basic string. Go's quoting agrees with TOML's for printable text.
func quoteTOML(v any) string { return fmt.Sprintf("%q", fmt.Sprint(v)) }

func persistentPeers(peers []Peer) string {
	parts := make([]string, len(peers))
	for i, p := range peers {
		parts[i] = p.NodeID + "@" + p.Address
	}
	return strings.Join(parts, ",")
}
