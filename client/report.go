package client

import "time"

// BenchReport is the result of a run. Latency is from when a transfer should have been sent (without a rate:
// was sent) until a block with it was seen.
type BenchReport struct {
	Committed int     `json:"committed"`
	Failed    int     `json:"failed"`  // in a block, without effect
	Refused   int     `json:"refused"` // not taken in by a node
	DurationS float64 `json:"duration_s"`
	Rate      float64 `json:"rate"` // committed per second, from the first one sent to the last one seen
	P50MS     float64 `json:"p50_ms"`
	P99MS     float64 `json:"p99_ms"`
	CPUUs     float64 `json:"cpu_us_per_transfer_per_validator"`
	Audit     string  `json:"audit"` // ok, or what is wrong

	P90MS      float64 `json:"p90_ms"`
	P999MS     float64 `json:"p999_ms"`
	MaxMS      float64 `json:"max_ms"`
	TargetRate float64 `json:"target_rate"` // 0: as much as the network takes
	Sent       int     `json:"sent"`
	Accepted   int     `json:"accepted"`
	Unsent     int     `json:"unsent"` // should have been sent in time and were not
	Accounts   int     `json:"accounts"`
	BatchTxs   int     `json:"batch_txs"`
	Blocks     int     `json:"blocks"` // with transfers of this run
	Nodes      int     `json:"nodes"`
	RSSBytes   int64   `json:"rss_bytes_max"` // of the largest node, after the run
}

// report puts together what was measured. before and after are the nodes' own figures.
func (b *bench) report(before, after []NodeStatus) BenchReport {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	r := BenchReport{
		Committed: int(b.follow.committed.Load()), Failed: int(b.follow.failed.Load()), Refused: int(b.refused.Load()),
		DurationS: b.follow.last.Seconds(), P50MS: ms(b.follow.quantile(50)), P90MS: ms(b.follow.quantile(90)),
		P99MS: ms(b.follow.quantile(99)), P999MS: ms(b.follow.quantile(99.9)), MaxMS: ms(b.follow.quantile(100)),
		TargetRate: b.o.Rate, Sent: int(b.sent.Load()), Accepted: int(b.accepted()), Accounts: len(b.o.Keys),
		BatchTxs: b.load.perSend, Blocks: b.follow.blocks, Nodes: len(b.o.Endpoints),
	}
	if b.load.timed {
		r.Unsent = b.load.total - r.Sent
	}
	if r.DurationS > 0 {
		r.Rate = float64(r.Committed) / r.DurationS
	}
	var seconds float64
	nodes := 0
	for i := range after {
		if before[i].Err != nil || after[i].Err != nil {
			continue
		}
		r.RSSBytes = max(r.RSSBytes, after[i].Status.RSSBytes)
		if used := after[i].Status.CPUSeconds - before[i].Status.CPUSeconds; used >= 0 { // less: it was restarted
			seconds += used
			nodes++
		}
	}
	if nodes > 0 && r.Committed > 0 {
		r.CPUUs = seconds / float64(nodes) / float64(r.Committed) * 1e6
	}
	return r
}
