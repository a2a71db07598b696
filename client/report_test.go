package client

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestReportShape pins the names in reports: plots and scripts read them. A name that changes its meaning or
// goes away needs a new BenchReportVersion; a new one is added here.
func TestReportShape(t *testing.T) {
	for kind, c := range map[string]struct {
		report any
		want   string
	}{
		"run": {BenchReport{Machine: &Machine{}, Disk: &DiskUse{}, Labels: []string{"a"}}, `
			accepted audit audit_accounts backlog_per_s block_interval_max_ms block_interval_p50_ms block_interval_p99_ms blocks
			chain_id committed cpu_us_per_transfer_per_validator disk duration_s failed generator_cpu_us_per_transfer kind labels
			latency load lost lost_rounds machine max_ms node_version nodes offered_rate p50_ms p90_ms p999_ms p99_ms
			pool_txs_max rate refusals refused rss_bytes_before rss_bytes_max sent series signing_cpu_us_per_tx started
			target_rate transfers unsent unsure validators version`},
		"load": {BenchLoad{Arrivals: "a", Outstanding: 1}, `
			accounts arrivals batch_txs connections duration_s outstanding path seed skew targets transfers_per_tx warmup_s`},
		"refusals": {BenchRefusals{}, `by_slug requests_429 retry_after_max_ms retry_after_min_ms without_retry_after`},
		"machine":  {Machine{}, `cores cpu go kernel load1 memory_bytes os tetrad`},
		"second":   {BenchSecond{}, `backlog committed pool_txs rss_bytes second sent`},
		"ladder": {LadderReport{Probe: &BenchReport{}, Machine: &Machine{}, Labels: []string{"a"}}, `
			audit kind labels machine p99_max_ms probe steps sustainable version`},
		"step": {LadderStep{Why: "a"}, `rate report sustained why`},
		"overload": {OverloadReport{Probe: &BenchReport{}, Machine: &Machine{}, Labels: []string{"a"}}, `
			audit base kind labels machine passed probe steps version`},
		"overload step": {OverloadStep{Why: "a"}, `factor goodput passed report why`},
	} {
		text, err := json.Marshal(c.report)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatal(err)
		}
		var names []string
		for name := range fields {
			names = append(names, name)
		}
		slices.Sort(names)
		if got, want := strings.Join(names, " "), strings.Join(strings.Fields(c.want), " "); got != want {
			t.Errorf("%s: the names are\n%s\nnot\n%s", kind, got, want)
		}
	}
}
