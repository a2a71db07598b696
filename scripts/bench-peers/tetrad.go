package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// tetradReport is what of `tetrad bench --report` is of interest.
type tetradReport struct {
	Committed int     `json:"committed"`
	Failed    int     `json:"failed"`
	DurationS float64 `json:"duration_s"`
	Rate      float64 `json:"rate"`
	P50MS     float64 `json:"p50_ms"`
	P99MS     float64 `json:"p99_ms"`
	CPUUs     float64 `json:"cpu_us_per_transfer_per_validator"`
	RSSBytes  int64   `json:"rss_bytes_max"`
	Audit     string  `json:"audit"`
}

// measureTetrad runs a network with Tetrad's defaults, first at light load and then at full load, with
// Tetrad's own load tool. Its audit must be clean.
func measureTetrad(ctx context.Context, _ string, p plan) (Result, error) {
	r := Result{Replicas: replicas, Signed: true, LightRate: p.lightRate}
	c, err := newCluster("tetrad")
	if err != nil {
		return r, err
	}
	defer c.stop()
	net := filepath.Join(c.dir, "net")
	out, err := exec.CommandContext(ctx, p.tetrad, "testnet", "--output-dir", net, "--validators", fmt.Sprint(replicas),
		"--base-port", fmt.Sprint(p.port), "--bench-accounts", fmt.Sprint(p.accounts)).CombinedOutput()
	if err != nil {
		return r, fmt.Errorf("testnet: %w: %s", err, out)
	}
	for i := range replicas {
		if err := c.start(nil, p.tetrad, "start", "--home", filepath.Join(net, fmt.Sprint("node", i))); err != nil {
			return r, err
		}
	}
	if err := awaitTetrad(ctx, p.port); err != nil {
		return r, fmt.Errorf("%w\n%s", err, c.words())
	}
	if p.light > 0 {
		light, err := benchTetrad(ctx, p, net, "--rate", fmt.Sprint(p.lightRate), "--arrivals", "poisson", "--duration", fmt.Sprintf("%ds", p.light))
		if err != nil {
			return r, err
		}
		r.LightP50MS, r.LightP99MS = light.P50MS, light.P99MS
	}
	full, err := benchTetrad(ctx, p, net, "--max", "--warmup", warmup.String(), "--duration", (warmup + time.Duration(p.seconds)*time.Second).String())
	if err != nil {
		return r, err
	}
	r.Committed, r.Failed, r.Seconds, r.PerSecond = full.Committed, full.Failed, full.DurationS, full.Rate
	r.LoadP50MS, r.LoadP99MS, r.RSSBytes = full.P50MS, full.P99MS, full.RSSBytes
	r.CPUUs, r.CPUUsPerReplica = full.CPUUs*replicas, full.CPUUs
	return r, nil
}

// awaitTetrad waits for the first block.
func awaitTetrad(ctx context.Context, port int) error {
	url := fmt.Sprintf("http://127.0.0.1:%d/v1/status", port+2)
	for sleep(ctx, 100*time.Millisecond) {
		response, err := http.Get(url)
		if err != nil {
			continue
		}
		var status struct{ Height uint64 }
		err = json.NewDecoder(response.Body).Decode(&status)
		response.Body.Close()
		if err == nil && status.Height > 1 {
			return nil
		}
	}
	return ctx.Err()
}

func benchTetrad(ctx context.Context, p plan, net string, flags ...string) (tetradReport, error) {
	var r tetradReport
	file := filepath.Join(net, "report.json")
	args := append([]string{"bench", "--home", filepath.Join(net, "client"), "--accounts", fmt.Sprint(p.accounts), "--report", file}, flags...)
	if out, err := exec.CommandContext(ctx, p.tetrad, args...).CombinedOutput(); err != nil {
		return r, fmt.Errorf("tetrad bench: %w: %s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, err
	}
	if r.Audit != "ok" {
		return r, fmt.Errorf("tetrad bench: the audit says: %s", r.Audit)
	}
	return r, nil
}
