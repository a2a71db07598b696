package node

import (
	"maps"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	cmtblocksync "github.com/cometbft/cometbft/blocksync"
	cmtcs "github.com/cometbft/cometbft/consensus"
	cmtmempool "github.com/cometbft/cometbft/mempool"
	cmtnode "github.com/cometbft/cometbft/node"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	cmtproxy "github.com/cometbft/cometbft/proxy"
	cmtstate "github.com/cometbft/cometbft/state"
	cmtstatesync "github.com/cometbft/cometbft/statesync"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store/outbox"
	"github.com/tetradledger/tetrad/rpc"
)

// namespace begins the names of our metrics; CometBFT's begin with cometbft.
const namespace = "tetrad"

// metrics are the node's own figures. It observes the app; what can be asked is asked at each scrape instead.
type metrics struct {
	registry *prometheus.Registry

	height    prometheus.Gauge
	txs       *prometheus.CounterVec // by result
	blockTxs  prometheus.Histogram
	execution prometheus.Histogram
	tree      prometheus.Histogram
	storing   prometheus.Histogram
	decoding  prometheus.Histogram
	verified  prometheus.Counter
	bad       prometheus.Counter
	verifying prometheus.Counter
	refused   *prometheus.CounterVec // by slug
	proposed  prometheus.Counter
	outbox    *prometheus.CounterVec   // by outcome
	requests  *prometheus.HistogramVec // by method, route and status
}

var _ app.Observer = (*metrics)(nil)

// timeBuckets range from what a nearly empty block takes to what stops consensus.
var timeBuckets = prometheus.ExponentialBuckets(0.0001, 2, 16)

func newMetrics(chainID, moniker string) *metrics {
	labels := prometheus.Labels{"chain_id": chainID, "node": moniker}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help, ConstLabels: labels})
	}
	times := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, ConstLabels: labels, Buckets: timeBuckets})
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		height:   prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "height", Help: "Newest committed height.", ConstLabels: labels}),
		txs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "transactions_total", Help: "Signed transactions in committed blocks.", ConstLabels: labels,
		}, []string{"result"}),
		blockTxs: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "block_transactions", Help: "Signed transactions per block.", ConstLabels: labels,
			Buckets: append([]float64{0}, prometheus.ExponentialBuckets(1, 4, 9)...),
		}),
		decoding:  times("block_decode_seconds", "Decoding a block and verifying what was not verified before."),
		execution: times("block_execution_seconds", "Executing a block's transactions."),
		tree:      times("tree_seconds", "Computing the state root of a block."),
		storing:   times("store_seconds", "Making a block durable."),
		verified:  counter("signatures_verified_total", "Signatures checked."),
		bad:       counter("signatures_bad_total", "Signatures that did not verify."),
		verifying: counter("signatures_seconds_total", "Time spent on checking signatures."),
		proposed:  counter("blocks_proposed_total", "Proposals made by this node."),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "refused_total", Help: "Transactions that were not let into the pool.", ConstLabels: labels,
		}, []string{"reason"}),
		outbox: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "outbox_total", Help: "Transactions queued while the node was cut off, and what became of them.", ConstLabels: labels,
		}, []string{"outcome"}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "http_request_seconds", Help: "Answers of the HTTP API.", ConstLabels: labels,
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
		}, []string{"method", "route", "status"}),
	}
	m.registry.MustRegister(m.height, m.txs, m.blockTxs, m.decoding, m.execution, m.tree, m.storing,
		m.verified, m.bad, m.verifying, m.proposed, m.refused, m.outbox, m.requests)
	return m
}

// gauge adds a figure that is asked for at each scrape.
func (m *metrics) gauge(chainID, moniker, name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: name, Help: help, ConstLabels: prometheus.Labels{"chain_id": chainID, "node": moniker},
	}, value))
}

// watchNetwork adds what the node sees of the network, and what it keeps for it.
func (m *metrics) watchNetwork(r *reach, box *outbox.Outbox, chainID, moniker string) {
	for _, state := range []string{rpc.PartitionOK, rpc.PartitionSuspect, rpc.PartitionMinority, rpc.PartitionStalled} {
		m.gauge(chainID, moniker, "partition_"+state, "1 while this is the node's state.", func() float64 {
			if r.partition() == state {
				return 1
			}
			return 0
		})
	}
	m.gauge(chainID, moniker, "reachable_power", "Voting power of the node and of the validators it hears from.",
		func() float64 { return float64(r.reachable.Load()) })
	m.gauge(chainID, moniker, "total_power", "Voting power of all validators.", func() float64 { return float64(r.total.Load()) })
	m.gauge(chainID, moniker, "outbox_transactions", "Transactions kept to be passed on.", func() float64 { return float64(box.Stats().Txs) })
	m.gauge(chainID, moniker, "outbox_bytes", "Bytes of the transactions kept to be passed on.", func() float64 { return float64(box.Stats().Bytes) })
}

// watch adds what is asked of the application at scrape time.
func (m *metrics) watch(a *app.App, chainID, moniker string) {
	gauge := func(name, help string, value func() float64) { m.gauge(chainID, moniker, name, help, value) }
	gauge("pool_transactions", "Transactions waiting for a block.", func() float64 { return float64(a.PoolStats().Txs) })
	gauge("pool_bytes", "Bytes of the transactions waiting for a block.", func() float64 { return float64(a.PoolStats().Bytes) })
	gauge("pool_queued", "Transactions waiting to be verified.", func() float64 { return float64(a.PoolStats().Queued) })
	gauge("state_leaves", "Leaves of the state tree.", func() float64 { return float64(a.StoreStats().Tree.Leaves) })
	gauge("disk_free_bytes", "Free space on the disk that holds the ledger.", func() float64 { return float64(a.StoreStats().DiskFree) })
	gauge("store_unfolded_bytes", "Bytes that a restart would replay.", func() float64 { return float64(a.StoreStats().Unfolded) })
	gauge("store_table_bytes", "Size of the ledger's tables on disk.", func() float64 { return float64(a.StoreStats().TableBytes) })
	gauge("replay_records", "Replay records in memory.", func() float64 { return float64(a.StoreStats().Records) })
}

// Verified implements app.Observer.
func (m *metrics) Verified(signatures, bad int, took time.Duration) {
	m.verified.Add(float64(signatures))
	m.bad.Add(float64(bad))
	m.verifying.Add(took.Seconds())
}

// Refused implements app.Observer.
func (m *metrics) Refused(code ledger.Code, txs int) {
	m.refused.WithLabelValues(code.Info().Slug).Add(float64(txs))
}

// Proposed implements app.Observer.
func (m *metrics) Proposed(uint64, int, int) { m.proposed.Inc() }

// Committed implements app.Observer.
func (m *metrics) Committed(b app.BlockStats) {
	m.height.Set(float64(b.Height))
	m.txs.WithLabelValues("committed").Add(float64(b.Txs - b.Failed))
	m.txs.WithLabelValues("failed").Add(float64(b.Failed))
	m.blockTxs.Observe(float64(b.Txs))
	m.decoding.Observe(b.Decode.Seconds())
	m.execution.Observe(b.Execute.Seconds())
	m.tree.Observe(b.Stage.Seconds())
	m.storing.Observe(b.Commit.Seconds())
}

// watchStrong adds what strong reads and the app plane have to show.
func (m *metrics) watchStrong(n *Node) {
	labels := prometheus.Labels{"chain_id": n.doc.ChainID, "node": n.config.Engine.Moniker}
	gauge := func(name, help string, value func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help, ConstLabels: labels}, value))
	}
	counter := func(name, result, help string, value func() uint64) {
		o := prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help, ConstLabels: maps.Clone(labels)}
		if result != "" {
			o.ConstLabels["result"] = result
		}
		m.registry.MustRegister(prometheus.NewCounterFunc(o, func() float64 { return float64(value()) }))
	}
	const reads, help = "strong_reads_total", "Strong reads: answered at once, after waiting for a block, or refused for want of a quorum."
	counter(reads, "fast", help, n.strong.fast.Load)
	counter(reads, "slow", help, n.strong.slow.Load)
	counter(reads, "refused", help, n.strong.failed.Load)
	gauge("strong_fast_path_ratio", "Share of the answered strong reads that did not have to wait for a block.", n.strong.fastRatio)
	gauge("plane_peers", "Validators' nodes connected over the app plane.", func() float64 { return float64(n.planePeers()) })
	counter("plane_refused_total", "", "Connections to the app plane refused to hosts that the ledger does not name.", n.planeRefused)
}

// answered takes in one request of the HTTP API.
func (m *metrics) answered(method, route string, status int, took time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(took.Seconds())
}

// handler serves our figures and CometBFT's, which live in Prometheus' global registry.
func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	both := prometheus.Gatherers{m.registry, prometheus.DefaultGatherer}
	mux.Handle("GET /metrics", promhttp.HandlerFor(both, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	return mux
}

// engineMetricsTaken is set once a node of this process has CometBFT's metrics. They register themselves
// globally and hold state of the one consensus they belong to; further nodes of the process, in tests, have
// none.
var engineMetricsTaken atomic.Bool

// engineMetrics is how CometBFT asks for its metrics.
func engineMetrics(enabled bool) cmtnode.MetricsProvider {
	return func(chainID string) (*cmtcs.Metrics, *cmtp2p.Metrics, *cmtmempool.Metrics, *cmtstate.Metrics,
		*cmtproxy.Metrics, *cmtblocksync.Metrics, *cmtstatesync.Metrics,
	) {
		if !enabled || !engineMetricsTaken.CompareAndSwap(false, true) {
			return cmtcs.NopMetrics(), cmtp2p.NopMetrics(), cmtmempool.NopMetrics(), cmtstate.NopMetrics(),
				cmtproxy.NopMetrics(), cmtblocksync.NopMetrics(), cmtstatesync.NopMetrics()
		}
		const prefix, label = "cometbft", "chain_id"
		return cmtcs.PrometheusMetrics(prefix, label, chainID), cmtp2p.PrometheusMetrics(prefix, label, chainID),
			cmtmempool.PrometheusMetrics(prefix, label, chainID), cmtstate.PrometheusMetrics(prefix, label, chainID),
			cmtproxy.PrometheusMetrics(prefix, label, chainID), cmtblocksync.PrometheusMetrics(prefix, label, chainID),
			cmtstatesync.PrometheusMetrics(prefix, label, chainID)
	}
}
