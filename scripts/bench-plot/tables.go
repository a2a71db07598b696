package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/scripts/bench-plot/figure"
)

// pictures are the charts below each table.
var pictures = map[string][]string{
	"headline": {"latency", "sustained"}, "ladder": {"ladder"}, "overload": {"overload"}, "stages": {"stages"},
	"growth": {"accounts", "validators"}, "peers": {"peers"},
}

// tables are the parts of the page, by name, with the charts that belong to them. An empty one was not
// measured.
func (s *set) tables() map[string]string {
	charts := s.charts()
	all := s.bareTables()
	for name, below := range pictures {
		for _, picture := range below {
			if c, ok := charts[picture]; ok && all[name] != "" {
				all[name] += fmt.Sprintf("\n![%s](performance/%s.svg)\n", c.Title, picture)
			}
		}
	}
	return all
}

func (s *set) bareTables() map[string]string {
	return map[string]string{
		"machine": s.machineTable(), "headline": s.headlineTable(), "ladder": s.ladderTable(), "overload": s.overloadTable(),
		"stages": s.stagesTable(), "paths": s.runTable("path-", "way in"), "ablations": s.ablationTable(),
		"growth": s.growthTable(), "memory": s.memoryTable(), "peers": s.peersTable(), "peer-configs": s.peerConfigs(),
	}
}

func whole(v float64) string { return figure.Grouped(strconv.FormatFloat(v, 'f', 0, 64)) }
func tenth(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
func mib(bytes int64) string { return whole(float64(bytes)/(1<<20)) + " MiB" }

func (s *set) machineTable() string {
	for _, name := range slices.Sorted(maps.Keys(s.runs)) {
		if m := s.runs[name].Machine; m != nil {
			kernel, _, _ := strings.Cut(m.Kernel, "-") // what a distribution adds says nothing here
			return fmt.Sprintf("%s, %d cores, %s of memory, %s, Linux %s, %s; Tetrad %s, measured on %s. Load average before the first run: %s.\n",
				m.CPU, m.Cores, mib(m.MemoryBytes), m.OS, kernel, m.Go, m.Tetrad, s.runs[name].Started.Format("2006-01-02"), m.Load1)
		}
	}
	return ""
}

// headlines are the runs of the first table, in order.
var headlines = []struct{ name, text string }{
	{"light", "20 transfers/s, Poisson"},
	{"max", "as much as goes, 1,000 accounts"},
	{"rate80", "80 % of that, Poisson"},
	{"dead", "as much as goes, one of four validators dead"},
	{"skew", "as much as goes, Zipf 1.1"},
	{"million-max", "as much as goes, 1,000,000 accounts"},
	{"million-rate80", "80 % of that, Poisson"},
	{"million-16", "16 transfers per transaction, 1,000,000 accounts"},
	{"soak", "as much as goes, ten minutes"},
}

func (s *set) headlineTable() string {
	var rows [][]string
	for _, h := range headlines {
		if r, ok := s.runs[h.name]; ok {
			rows = append(rows, append([]string{h.text}, figures(r)...))
		}
	}
	text := figure.Table(append([]string{"load"}, figureNames...), rows)
	if text != "" && s.idle != nil {
		text += fmt.Sprintf("\nIdle: %.1f blocks/s, %.1f %% of one core and %s per validator.\n", s.idle.BlocksPerS, s.idle.CPUPercent, mib(s.idle.RSSBytes))
	}
	return text
}

var figureNames = []string{
	"seconds", "committed transfers/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU us per transfer and validator", "blocks apart p50 / p99 ms", "lost rounds", "audit",
}

func figures(r client.BenchReport) []string {
	return []string{
		whole(r.Load.DurationS), whole(r.Rate), whole(r.P50MS), whole(r.P99MS), whole(r.P999MS), tenth(r.CPUUs),
		whole(r.BlockIntervalP50) + " / " + whole(r.BlockIntervalP99), strconv.Itoa(r.LostRounds), r.Audit,
	}
}

func (s *set) ladderTable() string {
	if s.ladder == nil {
		return ""
	}
	var rows [][]string
	for _, step := range s.ladder.Steps {
		verdict := "yes"
		if !step.Sustained {
			verdict = "no: " + step.Why
		}
		rows = append(rows, []string{
			whole(step.Rate), whole(step.Report.Rate), whole(step.Report.P50MS), whole(step.Report.P99MS), tenth(step.Report.CPUUs), verdict,
		})
	}
	return figure.Table([]string{"offered transfers/s", "committed", "p50 ms", "p99 ms", "CPU us", "sustained"}, rows) +
		fmt.Sprintf("\nThe highest rate sustained: %s transfers/s.\n", whole(s.ladder.Sustainable))
}

func (s *set) overloadTable() string {
	var rows [][]string
	for _, name := range slices.Sorted(maps.Keys(s.overloads)) {
		for _, step := range s.overloads[name].Steps {
			r := step.Report
			verdict := "yes"
			if !step.Passed {
				verdict = "no: " + step.Why
			}
			rows = append(rows, []string{
				fmt.Sprintf("%gx, %s", step.Factor, r.Load.Path), whole(r.OfferedRate), whole(r.Rate), whole(100*step.Goodput) + " %",
				whole(float64(r.Refused)), whole(float64(r.Refusals.Requests429)), whole(r.BlockIntervalP99), strconv.Itoa(r.LostRounds),
				strconv.Itoa(r.Lost), mib(r.RSSBytes), verdict,
			})
		}
	}
	return figure.Table([]string{
		"overload, way in", "offered transfers/s", "committed", "goodput", "refused", "requests with 429", "blocks apart p99 ms", "lost rounds",
		"accepted and lost", "memory", "passed",
	}, rows)
}

func (s *set) stagesTable() string {
	r, ok := s.runs["max"]
	if s.stages == nil || !ok {
		return ""
	}
	var rows [][]string
	model, sum := 0.0, 0.0
	row := func(name string, m float64) {
		us := s.stages[name] * r.CPUUs
		model, sum = model+m, sum+us
		text := "–"
		if m > 0 {
			text = tenth(m)
		}
		rows = append(rows, []string{name, text, tenth(us), whole(100*s.stages[name]) + " %"})
	}
	for _, stage := range stages {
		row(stage.name, stage.model)
	}
	row(other, 0)
	rows = append(rows, []string{"**all**", tenth(model), tenth(sum), ""})
	return figure.Table([]string{"stage", "model, us", "measured, us", "part"}, rows)
}

// runTable lists runs whose name begins with the prefix.
func (s *set) runTable(prefix, what string) string {
	var rows [][]string
	if r, ok := s.runs["max"]; ok && prefix == "path-" {
		rows = append(rows, append([]string{"batch"}, figures(r)...))
	}
	for _, name := range slices.Sorted(maps.Keys(s.runs)) {
		if short, ok := strings.CutPrefix(name, prefix); ok {
			rows = append(rows, append([]string{short}, figures(s.runs[name])...))
		}
	}
	if prefix == "path-" && len(rows) < 2 {
		return ""
	}
	return figure.Table(append([]string{what}, figureNames...), rows)
}

func (s *set) ablationTable() string {
	base, ok := s.runs["ablation-defaults"]
	if !ok {
		return ""
	}
	var rows [][]string
	for _, name := range slices.Sorted(maps.Keys(s.runs)) {
		short, is := strings.CutPrefix(name, "ablation-")
		if !is {
			continue
		}
		r := s.runs[name]
		rows = append(rows, []string{
			short, whole(r.Rate), fmt.Sprintf("%+.0f %%", 100*(r.Rate/base.Rate-1)), tenth(r.CPUUs), fmt.Sprintf("%+.1f", r.CPUUs-base.CPUUs),
			whole(r.P50MS), whole(r.P99MS),
		})
	}
	return figure.Table([]string{"one thing changed", "committed transfers/s", "against all defaults", "CPU us", "difference", "p50 ms", "p99 ms"}, rows)
}

// growths are the runs that differ in one size from each other.
var growths = []struct{ name, what string }{
	{"max", "1,000 accounts, 4 validators"},
	{"accounts-100000", "100,000 accounts"},
	{"million-max", "1,000,000 accounts"},
	{"alone-1000000", "1,000,000 accounts, one validator alone"},
	{"alone-10000000", "10,000,000 accounts, one validator alone"},
	{"validators-7", "7 validators"},
	{"validators-10", "10 validators"},
	{"million-16", "16 transfers per transaction"},
}

func (s *set) growthTable() string {
	var rows [][]string
	for _, g := range growths {
		if r, ok := s.runs[g.name]; ok {
			rows = append(rows, []string{g.what, whole(r.Rate), tenth(r.CPUUs), whole(r.P50MS), whole(r.P99MS), mib(r.RSSBytes)})
		}
	}
	if len(rows) < 2 {
		return ""
	}
	text := figure.Table([]string{"size", "committed transfers/s", "CPU us per transfer and validator", "p50 ms", "p99 ms", "memory"}, rows)
	if len(s.sizes) > 0 {
		text += "\n" + s.sizeTable()
	}
	return text
}

// sizeTable says how long a validator takes to be there.
func (s *set) sizeTable() string {
	slices.SortFunc(s.sizes, func(a, b size) int { return cmp.Compare(a.Accounts, b.Accounts) })
	var rows [][]string
	for _, z := range s.sizes {
		rows = append(rows, []string{whole(float64(z.Accounts)), tenth(z.GenesisS), tenth(z.RestartS), mib(z.RSSBytes)})
	}
	return figure.Table([]string{"accounts", "from genesis to the first block, s", "from a restart to the next block, s", "memory after it"}, rows)
}

func (s *set) memoryTable() string {
	var rows [][]string
	for _, h := range append(slices.Clone(headlines), struct{ name, text string }{"accounts-100000", "as much as goes, 100,000 accounts"}) {
		r, ok := s.runs[h.name]
		if !ok || r.TargetRate > 0 && r.TargetRate < 1000 {
			continue
		}
		disk := "–"
		if r.Disk != nil {
			disk = whole(r.Disk.PerTransfer)
		}
		rows = append(rows, []string{h.text, mib(r.RSSBytesBefore), mib(r.RSSBytes), whole(float64(r.PoolTxsMax)), disk, tenth(r.GeneratorCPUUs)})
	}
	return figure.Table([]string{
		"load", "memory before", "highest, of the largest validator", "waiting transactions, highest", "disk bytes per transfer and validator",
		"generator's CPU us per transfer",
	}, rows)
}

func (s *set) peersTable() string {
	if s.peers == nil {
		return ""
	}
	var rows [][]string
	for _, p := range s.peers.Summary {
		rows = append(rows, []string{
			p.System, strconv.Itoa(p.Rounds), p.PerSecond.text(whole), whole(p.LightP50.Median), whole(p.LightP99.Median), p.CPUUs.text(whole),
			p.Ratio.text(func(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }),
		})
	}
	return figure.Table([]string{
		"system", "rounds", "committed/s", "p50 ms, light load", "p99 ms, light load", "CPU us per transaction, all replicas", "Tetrad's rate over it",
	}, rows)
}

func (s spread) text(format func(float64) string) string {
	return fmt.Sprintf("%s [%s..%s]", format(s.Median), format(s.Min), format(s.Max))
}

// peerConfigs says how each system was set up.
func (s *set) peerConfigs() string {
	if s.peers == nil {
		return ""
	}
	var b strings.Builder
	seen := map[string]bool{}
	for _, r := range s.peers.Results {
		if !seen[r.System] {
			seen[r.System] = true
			fmt.Fprintf(&b, "* **%s**: %s.\n", r.System, r.Config)
		}
	}
	return b.String()
}
