package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// document is what a run of all rounds leaves behind.
type document struct {
	Kind    string    `json:"kind"` // peers
	Version int       `json:"version"`
	Time    time.Time `json:"time"`
	Machine string    `json:"machine"`
	Cores   int       `json:"cores"`
	Go      string    `json:"go"`
	Commit  string    `json:"commit"`
	Results []Result  `json:"results"`
	Summary []summary `json:"summary"`
}

// summary is one system over all rounds.
type summary struct {
	System    string `json:"system"`
	Rounds    int    `json:"rounds"`
	PerSecond spread `json:"per_second"`
	LightP50  spread `json:"light_p50_ms"`
	LightP99  spread `json:"light_p99_ms"`
	LoadP50   spread `json:"load_p50_ms"`
	LoadP99   spread `json:"load_p99_ms"`
	CPUUs     spread `json:"cpu_us_per_tx"`
	Ratio     spread `json:"tetrad_ratio"` // Tetrad's rate over this one's, per round
}

// spread is the median of the rounds and how far they lie apart.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// rounds measures all systems in turn, several times.
func rounds(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("rounds", flag.ContinueOnError)
	var p plan
	p.flags(f)
	n := f.Int("rounds", 3, "how many rounds")
	out := f.String("out", "", "write peers.json into this directory")
	commit := f.String("commit", "", "Tetrad's commit, for the record")
	chosen := f.String("systems", strings.Join(systemNames(), ","), "which, separated by commas")
	if err := f.Parse(args); err != nil {
		return err
	}
	names := strings.Split(*chosen, ",")
	d := document{
		Kind: "peers", Version: 1, Time: time.Now().UTC(), Machine: machine(), Cores: runtime.NumCPU(),
		Go: runtime.Version(), Commit: *commit,
	}
	for round := range *n {
		for _, name := range names {
			r, err := measure(ctx, name, p)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				fmt.Fprintf(os.Stderr, "round %d: %v\n", round+1, err)
				continue // one system's failure is no reason to lose the others' figures
			}
			r.Round = round + 1
			fmt.Fprintf(os.Stderr, "round %d: %-12s %8.0f/s  p50 %6.0f ms  p99 %6.0f ms  %7.0f us CPU each\n",
				r.Round, name, r.PerSecond, r.LightP50MS, r.LightP99MS, r.CPUUs)
			d.Results = append(d.Results, r)
		}
	}
	d.Summary = summarise(names, d.Results)
	writeTable(os.Stdout, d)
	if *out == "" {
		return nil
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(*out, "peers.json"), append(text, '\n'), 0o644)
}

func summarise(names []string, results []Result) []summary {
	tetrad := map[int]float64{}
	for _, r := range results {
		if r.System == "tetrad" {
			tetrad[r.Round] = r.PerSecond
		}
	}
	var out []summary
	for _, name := range names {
		var rate, p50, p99, load50, load99, cpu, ratio []float64
		for _, r := range results {
			if r.System != name {
				continue
			}
			rate, p50, p99 = append(rate, r.PerSecond), append(p50, r.LightP50MS), append(p99, r.LightP99MS)
			load50, load99, cpu = append(load50, r.LoadP50MS), append(load99, r.LoadP99MS), append(cpu, r.CPUUs)
			if t := tetrad[r.Round]; t > 0 && r.PerSecond > 0 {
				ratio = append(ratio, t/r.PerSecond)
			}
		}
		if len(rate) > 0 {
			out = append(out, summary{name, len(rate), over(rate), over(p50), over(p99), over(load50), over(load99), over(cpu), over(ratio)})
		}
	}
	return out
}

// over is the spread of some figures.
func over(v []float64) spread {
	if len(v) == 0 {
		return spread{}
	}
	slices.Sort(v)
	median := v[len(v)/2]
	if len(v)%2 == 0 {
		median = (v[len(v)/2-1] + v[len(v)/2]) / 2
	}
	return spread{median, v[0], v[len(v)-1]}
}

func writeTable(w io.Writer, d document) {
	t := tabwriter.NewWriter(w, 2, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "system\tcommitted/s\tp50 light\tp99 light\tp50 full\tp99 full\tCPU us per tx\tTetrad is faster by\t")
	for _, s := range d.Summary {
		fmt.Fprintf(t, "%s\t%s\t%.0f ms\t%.0f ms\t%.0f ms\t%.0f ms\t%s\t%s\t\n", s.System, s.PerSecond.text("%.0f"),
			s.LightP50.Median, s.LightP99.Median, s.LoadP50.Median, s.LoadP99.Median, s.CPUUs.text("%.0f"), s.Ratio.text("%.2f"))
	}
	t.Flush()
}

func (s spread) text(format string) string {
	return fmt.Sprintf(format+" ["+format+".."+format+"]", s.Median, s.Min, s.Max)
}

// machine is the processor's name.
func machine() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
		}
	}
	return runtime.GOARCH
}
