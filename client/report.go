package client

import (
	"context"
	"time"
)

// BenchReportVersion counts changes of the report's meaning. Fields may be added without a new one.
const BenchReportVersion = 2

// Kinds of reports.
const (
	ReportRun      = "run"
	ReportLadder   = "ladder"
	ReportOverload = "overload"
)

// BenchReport is the result of a run. A transfer is one movement of money; a transaction holds
// TransfersPerTx of them. Latency is from when a transaction should have been sent (without a rate: was sent)
// until a block with it was seen.
type BenchReport struct {
	Kind    string `json:"kind"`
	Version int    `json:"version"`

	Committed int     `json:"committed"` // transactions, like failed, refused and all other counts
	Failed    int     `json:"failed"`    // in a block, without effect
	Refused   int     `json:"refused"`   // not taken in by a node
	DurationS float64 `json:"duration_s"`
	Rate      float64 `json:"rate"` // transfers committed per second while load was on, after the warm-up
	P50MS     float64 `json:"p50_ms"`
	P99MS     float64 `json:"p99_ms"`
	CPUUs     float64 `json:"cpu_us_per_transfer_per_validator"`
	Audit     string  `json:"audit"` // ok, or what is wrong

	Transfers   int     `json:"transfers"` // committed
	P90MS       float64 `json:"p90_ms"`
	P999MS      float64 `json:"p999_ms"`
	MaxMS       float64 `json:"max_ms"`
	TargetRate  float64 `json:"target_rate"`  // transfers per second; 0: as much as the network takes
	OfferedRate float64 `json:"offered_rate"` // transfers sent per second
	Sent        int     `json:"sent"`
	Accepted    int     `json:"accepted"`
	Unsure      int     `json:"unsure"`        // sent, and no node said whether it took them in
	Unsent      int     `json:"unsent"`        // should have been sent in time and were not
	Lost        int     `json:"lost"`          // accepted, and without a receipt in the end
	Backlog     float64 `json:"backlog_per_s"` // by how much what is accepted and not decided grew, per second

	Blocks           int     `json:"blocks"` // with transactions of this run
	BlockIntervalP50 float64 `json:"block_interval_p50_ms"`
	BlockIntervalP99 float64 `json:"block_interval_p99_ms"`
	BlockIntervalMax float64 `json:"block_interval_max_ms"`
	LostRounds       int     `json:"lost_rounds"` // rounds that ended without a decision

	Refusals BenchRefusals `json:"refusals"`
	Load     BenchLoad     `json:"load"`

	GeneratorCPUUs float64 `json:"generator_cpu_us_per_transfer"` // sending and following
	SigningCPUUs   float64 `json:"signing_cpu_us_per_tx"`         // before the run
	Nodes          int     `json:"nodes"`
	Validators     int     `json:"validators"`
	NodeVersion    string  `json:"node_version"`
	ChainID        string  `json:"chain_id"`
	RSSBytes       int64   `json:"rss_bytes_max"`    // of the largest node, at any time
	RSSBytesBefore int64   `json:"rss_bytes_before"` // likewise, before the run
	PoolTxsMax     int     `json:"pool_txs_max"`
	AuditAccounts  int     `json:"audit_accounts"` // whose balances were checked to the unit

	Started time.Time     `json:"started"`
	Latency []Quantile    `json:"latency"`
	Series  []BenchSecond `json:"series"`
	Machine *Machine      `json:"machine,omitempty"`
	Disk    *DiskUse      `json:"disk,omitempty"`
	Labels  []string      `json:"labels,omitempty"`
}

// BenchLoad is what was sent.
type BenchLoad struct {
	Accounts       int      `json:"accounts"`
	Skew           float64  `json:"skew"`
	Arrivals       string   `json:"arrivals,omitempty"` // empty without a rate
	Path           string   `json:"path"`
	Targets        []string `json:"targets"`
	TransfersPerTx int      `json:"transfers_per_tx"`
	BatchTxs       int      `json:"batch_txs"`
	Connections    int      `json:"connections"`
	Outstanding    int      `json:"outstanding,omitempty"` // without a rate
	DurationS      float64  `json:"duration_s"`
	WarmupS        float64  `json:"warmup_s"`
	Seed           uint64   `json:"seed"`
}

// BenchRefusals is how nodes said no.
type BenchRefusals struct {
	BySlug          map[string]int `json:"by_slug"`      // transactions
	Requests429     int            `json:"requests_429"` // refused as a whole
	WithoutRetry    int            `json:"without_retry_after"`
	RetryAfterMinMS int64          `json:"retry_after_min_ms"`
	RetryAfterMaxMS int64          `json:"retry_after_max_ms"`
}

// Quantile is a point of the distribution of latencies.
type Quantile struct {
	Q  float64 `json:"q"` // in percent
	MS float64 `json:"ms"`
}

// Machine is where the load generator ran.
type Machine struct {
	CPU         string `json:"cpu"`
	Cores       int    `json:"cores"`
	MemoryBytes int64  `json:"memory_bytes"`
	OS          string `json:"os"`
	Kernel      string `json:"kernel"`
	Go          string `json:"go"`
	Tetrad      string `json:"tetrad"` // version of the generator
	Load1       string `json:"load1"`  // load average before the run
}

// DiskUse is how much the nodes' directories grew.
type DiskUse struct {
	Bytes       int64   `json:"bytes"`
	PerTransfer float64 `json:"bytes_per_transfer_per_validator"`
}

// quantilesShown are the points of the distribution that a plot needs.
var quantilesShown = []float64{0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.99, 100}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// report puts together what was measured. before and after are the nodes' own figures.
func (b *bench) report(ctx context.Context, before, after []NodeStatus) BenchReport {
	f := b.follow
	perTx := float64(b.load.perTx)
	between := intervals(f.blocks, b.o.Warmup, b.o.Duration)
	r := BenchReport{
		Kind: ReportRun, Version: BenchReportVersion, Started: b.started.UTC(), ChainID: b.o.ChainID,
		Committed: int(f.committed.Load()), Failed: int(f.failed.Load()), Refused: int(b.refused.Load()),
		DurationS: f.last().Seconds(), P50MS: ms(f.quantile(50)), P90MS: ms(f.quantile(90)),
		P99MS: ms(f.quantile(99)), P999MS: ms(f.quantile(99.9)), MaxMS: ms(f.quantile(100)),
		TargetRate: b.o.Rate, OfferedRate: float64(b.sent.Load()) * perTx / b.o.Duration.Seconds(),
		Sent: int(b.sent.Load()), Accepted: int(b.accepted()), Unsure: int(b.unsure.Load()),
		BlockIntervalP50: ms(atQuantile(between, 0.50)), BlockIntervalP99: ms(atQuantile(between, 0.99)),
		BlockIntervalMax: ms(atQuantile(between, 1)), LostRounds: b.lostRounds(ctx),
		Load: b.loadReport(), Nodes: len(b.o.Endpoints), PoolTxsMax: b.watch.poolMax, RSSBytes: b.watch.rssMax,
		AuditAccounts: len(b.before.accounts), Series: b.watch.seconds, Backlog: b.backlogSlope(),
	}
	for _, block := range f.blocks {
		if block.ours > 0 {
			r.Blocks++
		}
	}
	for _, q := range quantilesShown {
		r.Latency = append(r.Latency, Quantile{q, ms(f.quantile(q))})
	}
	r.Transfers = r.Committed * b.load.perTx
	if b.load.timed {
		r.Unsent = b.load.total - r.Sent
	}
	r.Rate = steady(f.blocks, b.o.Warmup, b.o.Duration) * perTx
	if r.Rate == 0 && r.DurationS > 0 { // too short to have two blocks
		r.Rate = float64(r.Transfers) / r.DurationS
	}
	b.costs(&r, before, after)
	b.tally.fill(&r.Refusals)
	return r
}

// costs fills in processor time and memory.
func (b *bench) costs(r *BenchReport, before, after []NodeStatus) {
	var seconds float64
	nodes := 0
	for i := range after {
		if before[i].Err != nil || after[i].Err != nil {
			continue
		}
		r.NodeVersion, r.Validators = after[i].Status.Version, after[i].Status.Validators
		r.RSSBytesBefore = max(r.RSSBytesBefore, before[i].Status.RSSBytes)
		r.RSSBytes = max(r.RSSBytes, after[i].Status.RSSBytes)
		if used := after[i].Status.CPUSeconds - before[i].Status.CPUSeconds; used >= 0 { // less: it was restarted
			seconds += used
			nodes++
		}
	}
	if r.Transfers == 0 {
		return
	}
	if nodes > 0 {
		r.CPUUs = seconds / float64(nodes) / float64(r.Transfers) * 1e6
	}
	r.GeneratorCPUUs = b.sendingSeconds / float64(r.Transfers) * 1e6
	r.SigningCPUUs = b.signingSeconds / float64(max(1, b.load.prefill)) * 1e6
}

// loadReport says what was sent.
func (b *bench) loadReport() BenchLoad {
	l := BenchLoad{
		Accounts: b.o.Accounts, Skew: b.o.Skew, Path: b.o.Path, Targets: b.o.Targets, TransfersPerTx: b.load.perTx,
		BatchTxs: b.load.perSend, Connections: b.o.Connections, DurationS: b.o.Duration.Seconds(),
		WarmupS: b.o.Warmup.Seconds(), Seed: b.o.Seed,
	}
	if b.load.timed {
		l.Arrivals = b.o.Arrivals
	} else {
		l.Outstanding = b.o.Outstanding
	}
	return l
}

// backlogSlope is by how many transactions per second the backlog grew after the warm-up.
func (b *bench) backlogSlope() float64 {
	var values []float64
	for _, s := range b.watch.seconds {
		if s.Second > int(b.o.Warmup.Seconds()) && s.Second <= int(b.o.Duration.Seconds()) {
			values = append(values, float64(s.Backlog))
		}
	}
	return slope(values)
}

// roundsAsked bounds the headers that are read for the count of lost rounds.
const roundsAsked = 5000

// lostRounds counts the rounds of consensus that ended without a decision, by the commits of the blocks that
// were followed. A node that cannot say does not count.
func (b *bench) lostRounds(ctx context.Context) int {
	lost := 0
	nodes := b.client.Endpoints()
	for height := b.follow.first; height < b.follow.next-1 && height < b.follow.first+roundsAsked; height++ {
		block, err := b.client.fetchBlock(ctx, nodes[len(nodes)-1], b.o.ChainID, height)
		if err != nil {
			return lost
		}
		lost += int(block.Commit.Round)
	}
	return lost
}

// fill copies the counts.
func (t *tally) fill(r *BenchRefusals) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*r = BenchRefusals{BySlug: map[string]int{}, Requests429: t.full, WithoutRetry: t.bare, RetryAfterMinMS: t.afterMin, RetryAfterMaxMS: t.afterMax}
	for slug, n := range t.bySlug {
		r.BySlug[slug] = n
	}
}
