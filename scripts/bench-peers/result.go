package main

import (
	"slices"
	"time"
)

// Result is one measurement of one system. The JSON names are those that the etcd module prints, too.
type Result struct {
	System   string `json:"system"`
	Round    int    `json:"round"`
	Config   string `json:"config"`
	Replicas int    `json:"replicas"`
	Signed   bool   `json:"signed"` // every transaction carries a signature that is checked

	Committed int     `json:"committed"`
	Failed    int     `json:"failed"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
	LoadP50MS float64 `json:"load_p50_ms"` // at full load, from when it was sent
	LoadP99MS float64 `json:"load_p99_ms"`

	LightRate  float64 `json:"light_rate"` // latencies below: Poisson arrivals, from the intended time
	LightP50MS float64 `json:"light_p50_ms"`
	LightP99MS float64 `json:"light_p99_ms"`

	CPUUs           float64 `json:"cpu_us_per_tx"` // of all replicas together
	CPUUsPerReplica float64 `json:"cpu_us_per_tx_per_replica"`
	RSSBytes        int64   `json:"rss_bytes_max"`
}

// finish fills in what follows from the rest and from the processors that were busy on average.
func (r *Result) finish(processors float64) {
	if r.Seconds > 0 && r.Committed > 0 {
		r.PerSecond = float64(r.Committed) / r.Seconds
		r.CPUUs = processors / r.PerSecond * 1e6
		r.CPUUsPerReplica = r.CPUUs / float64(r.Replicas)
	}
}

// quantiles of latencies, in milliseconds.
func quantiles(latencies []time.Duration) (p50, p99 float64) {
	if len(latencies) == 0 {
		return 0, 0
	}
	slices.Sort(latencies)
	at := func(q float64) float64 {
		return float64(latencies[min(len(latencies)-1, int(q*float64(len(latencies))))].Microseconds()) / 1000
	}
	return at(0.50), at(0.99)
}
