package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// document is what a run leaves behind: every repetition, and what was measured besides.
type document struct {
	Kind    string    `json:"kind"` // failover
	Version int       `json:"version"`
	Time    time.Time `json:"time"`
	Machine string    `json:"machine"`
	Cores   int       `json:"cores"`
	Kernel  string    `json:"kernel"`
	Go      string    `json:"go"`
	Commit  string    `json:"commit"`
	Rate    float64   `json:"requests_per_second"`
	CalmS   float64   `json:"calm_s"`
	FaultS  float64   `json:"fault_s"`
	AfterS  float64   `json:"after_s"`
	// PatienceS is after how long a request counts as an error.
	PatienceS float64 `json:"patience_s"`
	// NoPartitions says why there are none, if there are none.
	NoPartitions string `json:"no_partitions,omitempty"`

	Repetitions []repetition `json:"repetitions"`
	Lines       []timeline   `json:"timelines"`
	Extras      []extra      `json:"extras"`
}

// repetition is one network, one load and one fault. Times are in milliseconds.
type repetition struct {
	System string    `json:"system"`
	Fault  string    `json:"fault"`
	Target string    `json:"target"`
	Number int       `json:"repetition"`
	Time   time.Time `json:"time"`
	Load   float64   `json:"load_average"` // of the machine, before it
	Fail   string    `json:"failed,omitempty"`

	Write  gauge `json:"write"`
	Local  gauge `json:"local_read"`
	Strong gauge `json:"strong_read"`
	// Behind is how many blocks the follower lacked that an operator promoted.
	Behind int `json:"behind_blocks,omitempty"`
	verdict
}

// gauge is how one kind of request fared.
type gauge struct {
	Sent    int     `json:"sent"`
	Errors  int     `json:"errors"`      // without success within the patience
	Stale   int     `json:"stale"`       // reads that missed an acknowledged write
	GapMS   float64 `json:"gap_ms"`      // the longest time without success from the fault on
	GapAtMS float64 `json:"gap_at_ms"`   // when it began, after the fault
	HealMS  float64 `json:"heal_gap_ms"` // the same from the fault's end on
	CalmMS  float64 `json:"calm_gap_ms"` // the same before the fault: how noisy the machine is
	WorstMS float64 `json:"latency_max_ms"`
	P50MS   float64 `json:"p50_ms"`
	P99MS   float64 `json:"p99_ms"`
	CalmP50 float64 `json:"calm_p50_ms"`
	CalmP99 float64 `json:"calm_p99_ms"`
}

// timeline is how many requests of a kind succeeded in each tenth of a second, of the first repetition of a cell.
type timeline struct {
	System string           `json:"system"`
	Fault  string           `json:"fault"`
	Target string           `json:"target"`
	Counts map[string][]int `json:"counts"`
}

// extra is one figure that is not about a fault.
type extra struct {
	Table  string  `json:"table"` // throughput, scaling, wire or lies
	System string  `json:"system"`
	Level  string  `json:"level,omitempty"` // of reads
	Nodes  int     `json:"nodes,omitempty"` // that serve
	Number int     `json:"repetition"`
	Value  float64 `json:"value"`
	// Tried, Stale and Refused belong to lies: how many reads there were, how many missed a write and how many gave no
	// answer. Value is how many believed a lie.
	Tried   int    `json:"tried,omitempty"`
	Stale   int    `json:"stale,omitempty"`
	Refused int    `json:"refused,omitempty"`
	How     string `json:"how,omitempty"`
}

const tenth = 100 * time.Millisecond

// measureGauge sums up the outcomes of one kind. fault, healed and end count from the beginning of the load.
func measureGauge(outcomes []outcome, k kind, fault, healed, end time.Duration) gauge {
	var g gauge
	var done, latencies, calm []time.Duration
	for _, o := range outcomes {
		if o.kind != k {
			continue
		}
		g.Sent++
		latency := o.done - o.due
		g.WorstMS = max(g.WorstMS, milliseconds(latency)) // a request that was given up has waited, too
		if o.err != nil {
			g.Errors++
			continue
		}
		if o.stale {
			g.Stale++
		}
		done, latencies = append(done, o.done), append(latencies, latency)
		if o.done < fault {
			calm = append(calm, latency)
		}
	}
	gap, at := stretch(done, fault, end)
	g.GapMS, g.GapAtMS = milliseconds(gap), milliseconds(at-fault)
	heal, _ := stretch(done, healed, end)
	g.HealMS = milliseconds(heal)
	quiet, _ := stretch(done, fault/3, fault) // the first third is for connections to be made
	g.CalmMS = milliseconds(quiet)
	g.P50MS, g.P99MS = milliseconds(quantile(latencies, 0.5)), milliseconds(quantile(latencies, 0.99))
	g.CalmP50, g.CalmP99 = milliseconds(quantile(calm, 0.5)), milliseconds(quantile(calm, 0.99))
	return g
}

// counts are the successes of each kind in each tenth of a second.
func counts(outcomes []outcome, end time.Duration) map[string][]int {
	all := map[string][]int{}
	for _, name := range kindNames {
		all[name] = make([]int, int(end/tenth)+1)
	}
	for _, o := range outcomes {
		if at := int(o.done / tenth); o.err == nil && at < len(all[kindNames[o.kind]]) {
			all[kindNames[o.kind]][at]++
		}
	}
	return all
}

func newDocument(p plan) document {
	return document{
		Kind: "failover", Version: 1, Time: time.Now().UTC().Truncate(time.Second), Machine: processor(), Cores: runtime.NumCPU(), Kernel: kernel(),
		Go: runtime.Version(), Commit: p.commit, Rate: p.rate, CalmS: p.calm.Seconds(), FaultS: p.hurt.Seconds(),
		AfterS: p.after.Seconds(), PatienceS: p.patience.Seconds(),
	}
}

// rawName is the file with everything that was measured.
const rawName = "failover.json"

func readDocument(dir string) (d document, found bool, err error) {
	text, err := os.ReadFile(filepath.Join(dir, rawName))
	if errors.Is(err, fs.ErrNotExist) {
		return d, false, nil
	}
	if err != nil {
		return d, false, err
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, false, fmt.Errorf("%s: %w", rawName, err)
	}
	if d.Kind != "failover" || d.Version != 1 {
		return d, false, fmt.Errorf("%s is of kind %q, version %d, and not of failover, 1", rawName, d.Kind, d.Version)
	}
	return d, true, nil
}

// save replaces the file as a whole: a run that is cut short leaves what it had.
func (d document) save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	// One item to a line keeps the file small, and what changes between two of them readable.
	text = bytes.ReplaceAll(text, []byte(`},{"`), []byte("},\n{\""))
	draft := filepath.Join(dir, rawName+".new")
	if err := os.WriteFile(draft, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(draft, filepath.Join(dir, rawName))
}

// processor is the processor's name.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // where there is none, the architecture has to do
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return runtime.GOARCH
}

func kernel() string {
	text, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.TrimSpace(string(text))
}

// loadAverage is that of the last minute; 0 where there is none.
func loadAverage() (load float64) {
	text, _ := os.ReadFile("/proc/loadavg")
	_, _ = fmt.Sscan(string(text), &load)
	return load
}
