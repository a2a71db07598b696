package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/scripts/bench-plot/figure"
)

const traces = `File: tetrad
Type: cpu
-----------+-------------------------------------------------------
      30ms   runtime.memmove
             github.com/oasisprotocol/curve25519-voi/curve.Mul
             github.com/tetradledger/tetrad/app.(*verification).verify
-----------+-------------------------------------------------------
     10ms   crypto/sha256.block
             github.com/tetradledger/tetrad/crypto.Sum
             github.com/tetradledger/tetrad/crypto/merkle.(*Tree).Commit
             github.com/tetradledger/tetrad/ledger/store.(*Store).Stage
-----------+-------------------------------------------------------
    0.02s   runtime.futex
             runtime.schedule
-----------+-------------------------------------------------------
     40ms   runtime.scanobject
             runtime.gcDrain
             runtime.gcBgMarkWorker
`

// TestStages: the innermost part of ours counts, the runtime only where nobody else is.
func TestStages(t *testing.T) {
	parts := attribute([]byte(traces))
	for name, want := range map[string]float64{
		"signatures": 0.3, "state tree": 0.1, "Go's scheduler and system calls": 0.2, "garbage collection": 0.4, "store, fold and index": 0,
	} {
		if math.Abs(parts[name]-want) > 1e-9 {
			t.Errorf("%s: %g, want %g (%v)", name, parts[name], want, parts)
		}
	}
}

// TestPage fills the real page from reports of every kind, and from one alone.
func TestPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "PERFORMANCE.md"))
	if err != nil {
		t.Fatal(err)
	}
	run := func(rate float64) client.BenchReport {
		return client.BenchReport{
			Kind: client.ReportRun, Version: client.BenchReportVersion, Rate: rate, CPUUs: 40, P50MS: 100, P99MS: 300, Audit: "ok", Validators: 4,
			Load: client.BenchLoad{Accounts: 1000, TransfersPerTx: 1}, Machine: &client.Machine{CPU: "some", Cores: 2},
			Latency: []client.Quantile{{Q: 50, MS: 100}, {Q: 99, MS: 300}, {Q: 100, MS: 400}},
			Series:  []client.BenchSecond{{Second: 1, Committed: 7}, {Second: 2, Committed: 8}},
		}
	}
	big := run(9000)
	big.Load.Accounts = 1_000_000
	all := map[string]any{
		"max": run(10_000), "light": run(20), "million-max": big, "path-single": run(3000), "ablation-some-thing": run(5000), "ablation-defaults": run(10_000),
		"ladder": client.LadderReport{
			Kind: client.ReportLadder, Version: client.BenchReportVersion, Sustainable: 9500,
			Steps: []client.LadderStep{{Rate: 9500, Sustained: true, Report: run(9500)}, {Rate: 11000, Why: "p99 is 2000 ms", Report: run(9600)}},
		},
		"overload": client.OverloadReport{
			Kind: client.ReportOverload, Version: client.BenchReportVersion, Base: 10_000,
			Steps: []client.OverloadStep{{Factor: 2, Goodput: 0.9, Passed: true, Report: run(9000)}},
		},
		"idle":          map[string]any{"kind": "idle", "version": 1, "blocks_per_s": 3.5, "cpu_percent": 7.0, "rss_bytes": 1 << 27},
		"size-10000000": map[string]any{"kind": "size", "version": 1, "accounts": 10_000_000, "genesis_s": 60.5, "restart_s": 15, "rss_bytes": 4 << 30},
		"peers": map[string]any{"kind": "peers", "version": 1, "results": []any{map[string]any{"system": "etcd", "config": "three members"}}, "summary": []any{
			map[string]any{"system": "etcd", "rounds": 2, "per_second": map[string]any{"median": 5000, "min": 4000, "max": 6000}},
			map[string]any{"system": "tetrad", "rounds": 2, "per_second": map[string]any{"median": 10_000, "min": 9000, "max": 11_000}},
		}},
	}
	reports, docs := t.TempDir(), t.TempDir()
	for name, r := range all {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(reports, name+".json"), text)
	}
	write(t, filepath.Join(reports, "profile.traces"), []byte(traces))
	write(t, filepath.Join(docs, "PERFORMANCE.md"), page)
	if err := start(reports, docs); err != nil {
		t.Fatal(err)
	}
	text := read(t, filepath.Join(docs, "PERFORMANCE.md"))
	for _, want := range []string{
		"| as much as goes, 1,000 accounts | 0 | 10,000 |", "| signatures | 11.1 | 12.0 | 30 % |", "The highest rate sustained: 9,500 transfers/s.",
		"| some-thing | 5,000 | -50 % |", "| etcd | 2 | 5,000 [4,000..6,000] |", "* **etcd**: three members.", "Idle: 3.5 blocks/s", "| 10,000,000 | 60.5 | 15.0 | 4,096 MiB |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		name, ok := strings.CutPrefix(line, "![")
		if !ok {
			continue
		}
		_, path, _ := strings.Cut(name, "](")
		if err := figure.Check([]byte(read(t, filepath.Join(docs, strings.TrimSuffix(path, ")"))))); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if n := strings.Count(text, "Not measured"); n != 0 {
		t.Errorf("%d parts are not filled", n)
	}
}

// TestReportsThatAreStrange: what cannot be read is said, and not passed over.
func TestReportsThatAreStrange(t *testing.T) {
	for name, text := range map[string]string{
		"no json": "{", "unknown kind": `{"kind":"dance"}`, "older": fmt.Sprintf(`{"kind":"run","version":%d}`, client.BenchReportVersion-1),
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "a.json"), []byte(text))
		if _, err := readSet(dir); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := readSet(t.TempDir()); err == nil {
		t.Error("an empty directory was accepted")
	}
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
