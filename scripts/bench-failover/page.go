package main

import (
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/tetradledger/tetrad/scripts/bench-plot/figure"
)

// page turns raw data into tables, charts and CSV.
func page(args []string) error {
	f := flag.NewFlagSet("page", flag.ContinueOnError)
	out := f.String("out", "docs/failover", "where the raw data is, and where charts and CSV go")
	text := f.String("page", "docs/FAILOVER.md", "the page to fill")
	if err := f.Parse(args); err != nil {
		return err
	}
	d, found, err := readDocument(*out)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("there is no %s in %s", rawName, *out)
	}
	charts := d.charts()
	for _, name := range slices.Sorted(maps.Keys(charts)) {
		if err := os.WriteFile(filepath.Join(*out, name+".svg"), charts[name].SVG(), 0o644); err != nil {
			return err
		}
	}
	if err := errors.Join(d.writeRepetitions(filepath.Join(*out, "repetitions.csv")), d.writeExtras(filepath.Join(*out, "extras.csv"))); err != nil {
		return err
	}
	old, err := os.ReadFile(*text)
	if err != nil {
		return err
	}
	filled, err := figure.Fill(old, d.tables())
	if err != nil {
		return err
	}
	return os.WriteFile(*text, filled, 0o644)
}

// writeRepetitions writes one row for each repetition.
func (d document) writeRepetitions(path string) error {
	head := []string{"system", "fault", "target", "repetition", "time", "load_average", "failed", "acked", "lost", "doubled", "unsaid", "dead", "behind_blocks"}
	for _, k := range []string{"write", "local", "strong"} {
		for _, column := range []string{
			"sent", "errors", "stale", "gap_ms", "gap_at_ms", "heal_gap_ms", "calm_gap_ms", "latency_max_ms",
			"p50_ms", "p99_ms", "calm_p50_ms", "calm_p99_ms",
		} {
			head = append(head, k+"_"+column)
		}
	}
	rows := [][]string{head}
	for _, r := range d.Repetitions {
		row := []string{
			r.System, r.Fault, r.Target, strconv.Itoa(r.Number), r.Time.Format("2006-01-02T15:04:05Z"), figureOf(r.Load), firstLine(r.Fail),
			strconv.Itoa(r.Acked), strconv.Itoa(r.Lost), strconv.Itoa(r.Doubled), strconv.Itoa(r.Unsaid),
			strconv.FormatBool(r.Dead), strconv.Itoa(r.Behind),
		}
		for _, g := range []gauge{r.Write, r.Local, r.Strong} {
			row = append(row, strconv.Itoa(g.Sent), strconv.Itoa(g.Errors), strconv.Itoa(g.Stale), figureOf(g.GapMS), figureOf(g.GapAtMS),
				figureOf(g.HealMS), figureOf(g.CalmMS), figureOf(g.WorstMS), figureOf(g.P50MS), figureOf(g.P99MS), figureOf(g.CalmP50), figureOf(g.CalmP99))
		}
		rows = append(rows, row)
	}
	return writeCSV(path, rows)
}

func (d document) writeExtras(path string) error {
	rows := [][]string{{"table", "system", "level", "nodes", "repetition", "value", "tried", "stale", "refused", "how"}}
	for _, e := range d.Extras {
		rows = append(rows, []string{
			e.Table, e.System, e.Level, strconv.Itoa(e.Nodes), strconv.Itoa(e.Number), figureOf(e.Value), strconv.Itoa(e.Tried),
			strconv.Itoa(e.Stale), strconv.Itoa(e.Refused), firstLine(e.How),
		})
	}
	return writeCSV(path, rows)
}

func writeCSV(path string, rows [][]string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(file)
	return errors.Join(w.WriteAll(rows), file.Close())
}

func figureOf(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// firstLine is what of a message a table has room for.
func firstLine(text string) string {
	for i, c := range text {
		if c == '\n' {
			return text[:i]
		}
	}
	return text
}

// charts are the pictures that can be drawn of what was measured, by file name.
func (d document) charts() map[string]figure.Chart {
	all := map[string]figure.Chart{}
	for _, fault := range []string{faultKill, faultStop, faultPartition} {
		c := figure.Chart{Title: "Longest time without a write, " + faultWords[fault] + " of the leader", Y: "ms, median, lowest and highest", LogY: true}
		for _, name := range systemNames() {
			if v := d.gaps(name, cell{fault, targetLeader}, func(r repetition) float64 { return r.Write.GapMS }); len(v) > 0 {
				m, _ := median(v)
				c.Bars = append(c.Bars, figure.Bar{Name: name, Value: m, Low: slices.Min(v), High: slices.Max(v)})
			}
		}
		if len(c.Bars) > 1 {
			all["writes-"+fault] = c
		}
		if c := d.lineChart(fault); len(c.Lines) > 1 {
			all["timeline-"+fault] = c
		}
	}
	if c := d.scalingChart(); len(c.Lines) > 1 {
		all["scaling"] = c
	}
	return all
}

// lineChart shows the first repetition of a fault on the leader, second by second.
func (d document) lineChart(fault string) figure.Chart {
	c := figure.Chart{
		Title: "Writes acknowledged in each half second, " + faultWords[fault] + " of the leader",
		X:     fmt.Sprintf("seconds; the fault lasts from %g to %g", d.CalmS, d.CalmS+d.FaultS), Y: "writes",
	}
	const tenths = 5
	for _, l := range d.Lines {
		if l.Fault != fault || l.Target != targetLeader {
			continue
		}
		line := figure.Line{Name: l.System}
		all := l.Counts[kindNames[write]]
		for at := 0; at+tenths <= len(all); at += tenths {
			sum := 0
			for _, n := range all[at : at+tenths] {
				sum += n
			}
			line.Points = append(line.Points, [2]float64{float64(at+tenths) / 10, float64(sum)})
		}
		c.Lines = append(c.Lines, line)
	}
	return c
}

func (d document) scalingChart() figure.Chart {
	c := figure.Chart{Title: "Reads per second by serving nodes, all on the same cores", X: "serving nodes", Y: "reads/s", LogY: true}
	for _, key := range d.levelsOf(extraScaling) {
		if key[0] == "raft-tuned" { // reads do not depend on the election's timeout
			continue
		}
		l := figure.Line{Name: key[0] + " " + key[1]}
		for n := 1; n <= tetradNodes; n++ {
			if m, ok := median(d.extrasOf(extraScaling, key[0], key[1], n)); ok && m > 0 {
				l.Points = append(l.Points, [2]float64{float64(n), m})
			}
		}
		if len(l.Points) > 0 {
			c.Lines = append(c.Lines, l)
		}
	}
	return c
}
