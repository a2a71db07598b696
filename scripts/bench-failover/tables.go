package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tetradledger/tetrad/scripts/bench-plot/figure"
)

// faultWords name faults in sentences.
var faultWords = map[string]string{faultNone: "none", faultKill: "SIGKILL", faultStop: "SIGSTOP", faultPartition: "partition"}

// targetWords name whom a fault hits.
var targetWords = map[string]string{targetLeader: "leader, proposer, active", targetOther: "another node"}

// tables are the parts of the page, by name. An empty one was not measured.
func (d document) tables() map[string]string {
	all := map[string]string{
		"machine": d.machineText(), "configs": d.configs(), "calm": d.calmTable(), "throughput": d.throughputTable(), "scaling": d.scalingTable(),
		"wire": d.wireTable(), "lies": d.liesTable(), "winners": d.winners(), "operator": d.operatorTable(),
	}
	for _, fault := range []string{faultKill, faultStop, faultPartition} {
		all[fault] = d.faultTable(fault)
	}
	if d.NoPartitions != "" && all[faultPartition] == "" {
		all[faultPartition] = "Not measured in this run: " + d.NoPartitions + ".\n"
	}
	charts := d.charts()
	for table, names := range map[string][]string{
		faultKill: {"writes-kill", "timeline-kill"}, faultStop: {"writes-stop", "timeline-stop"},
		faultPartition: {"writes-partition", "timeline-partition"}, "scaling": {"scaling"},
	} {
		for _, name := range names {
			if c, ok := charts[name]; ok && all[table] != "" {
				all[table] += fmt.Sprintf("\n![%s](failover/%s.svg)\n", c.Title, name)
			}
		}
	}
	return all
}

func whole(v float64) string { return figure.Grouped(strconv.FormatFloat(v, 'f', 0, 64)) }

// fine writes small figures with what matters of them.
func fine(v float64) string {
	if v < 10 && v != float64(int(v)) {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return whole(v)
}

func (d document) machineText() string {
	kernel, _, _ := strings.Cut(d.Kernel, "-") // what a distribution adds says nothing here
	var from, to float64
	failed := 0
	for i, r := range d.Repetitions {
		if i == 0 || r.Load < from {
			from = r.Load
		}
		to = max(to, r.Load)
		if r.Fail != "" {
			failed++
		}
	}
	text := fmt.Sprintf("%s, %d cores, Linux %s, %s; Tetrad %s, measured on %s. %d repetitions, of which %d could not be measured. ",
		d.Machine, d.Cores, kernel, d.Go, d.Commit, d.Time.Format("2006-01-02"), len(d.Repetitions), failed)
	return text + fmt.Sprintf("Load average before them: %.1f to %.1f. %g requests/s; %g s of load before each fault, %g s with it, %g s after its end.\n",
		from, to, d.Rate, d.CalmS, d.FaultS, d.AfterS)
}

func (d document) configs() string {
	var b strings.Builder
	for _, s := range systems {
		if slices.ContainsFunc(d.Repetitions, func(r repetition) bool { return r.System == s.name }) {
			fmt.Fprintf(&b, "* **%s**: %s.\n", s.name, s.config)
		}
	}
	return b.String()
}

// of are the repetitions of a cell that could be measured.
func (d document) of(system string, c cell) (all []repetition) {
	for _, r := range d.Repetitions {
		if r.System == system && r.Fault == c.fault && r.Target == c.target && r.Fail == "" {
			all = append(all, r)
		}
	}
	return all
}

// gaps takes one figure of each repetition of a cell.
func (d document) gaps(system string, c cell, take func(repetition) float64) (v []float64) {
	for _, r := range d.of(system, c) {
		v = append(v, take(r))
	}
	return v
}

// spread is the median and the worst of some figures.
func spread(v []float64) string {
	m, ok := median(v)
	if !ok {
		return "–"
	}
	return fine(m) + " / " + fine(slices.Max(v))
}

// faultTable has a row for each system and target.
func (d document) faultTable(fault string) string {
	var rows [][]string
	for _, target := range targetNames {
		for _, s := range systems {
			c := cell{fault, target}
			all := d.of(s.name, c)
			if len(all) == 0 {
				continue
			}
			var v verdict
			var writeErrors, readErrors, stale, dead int
			for _, r := range all {
				v.Acked, v.Lost, v.Doubled = v.Acked+r.Acked, v.Lost+r.Lost, v.Doubled+r.Doubled
				writeErrors, readErrors = writeErrors+r.Write.Errors, readErrors+r.Local.Errors+r.Strong.Errors
				stale += r.Local.Stale + r.Strong.Stale
				if r.Dead {
					dead++
				}
			}
			lost := strconv.Itoa(v.Lost)
			if dead > 0 {
				lost += fmt.Sprintf(", and %d runs did not recover", dead)
			}
			rows = append(rows, []string{
				targetWords[target], s.name, strconv.Itoa(len(all)),
				d.gapText(s.name, c, func(r repetition) gauge { return r.Write }), d.gapText(s.name, c, func(r repetition) gauge { return r.Local }),
				d.gapText(s.name, c, func(r repetition) gauge { return r.Strong }),
				spread(d.gaps(s.name, c, func(r repetition) float64 { return r.Write.WorstMS })),
				spread(d.gaps(s.name, c, func(r repetition) float64 { return max(r.Local.WorstMS, r.Strong.WorstMS) })),
				strconv.Itoa(writeErrors), strconv.Itoa(readErrors), strconv.Itoa(stale), whole(float64(v.Acked)), lost, strconv.Itoa(v.Doubled),
			})
		}
	}
	return figure.Table([]string{
		"hit", "system", "runs", "no write, ms", "no local read, ms", "no strong read, ms", "slowest write, ms", "slowest read, ms", "write errors",
		"read errors", "stale reads", "acknowledged", "lost", "doubled",
	}, rows)
}

// gapText is the spread of gaps. One that the load's end cut off is at least that long.
func (d document) gapText(system string, c cell, of func(repetition) gauge) string {
	text := spread(d.gaps(system, c, func(r repetition) float64 { return of(r).GapMS }))
	for _, r := range d.of(system, c) {
		if g := of(r); g.GapAtMS+g.GapMS >= 1000*(d.FaultS+d.AfterS)-1 && g.GapMS > 1000 {
			return text + " or more"
		}
	}
	return text
}

// calmTable is latency where nothing is broken.
func (d document) calmTable() string {
	var rows [][]string
	for _, s := range systems {
		c := cell{faultNone, ""}
		n := len(d.of(s.name, c))
		if n == 0 {
			continue
		}
		row := []string{s.name, strconv.Itoa(n)}
		for _, of := range []func(repetition) gauge{
			func(r repetition) gauge { return r.Write }, func(r repetition) gauge { return r.Local }, func(r repetition) gauge { return r.Strong },
		} {
			row = append(row, spread(d.gaps(s.name, c, func(r repetition) float64 { return of(r).P50MS })),
				spread(d.gaps(s.name, c, func(r repetition) float64 { return of(r).P99MS })))
		}
		rows = append(rows, append(row, spread(d.gaps(s.name, c, func(r repetition) float64 { return r.Write.GapMS }))))
	}
	return figure.Table([]string{
		"system", "runs", "write p50 ms", "write p99 ms", "local read p50 ms", "local read p99 ms", "strong read p50 ms", "strong read p99 ms",
		"longest time without a write, ms",
	}, rows)
}
