package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/tetradledger/tetrad/scripts/bench-plot/figure"
)

// extrasOf are the figures of one thing that was measured several times.
func (d document) extrasOf(table, system, level string, nodes int) (v []float64) {
	for _, e := range d.Extras {
		if e.Table == table && e.System == system && e.Level == level && e.Nodes == nodes {
			v = append(v, e.Value)
		}
	}
	return v
}

// levelsOf lists systems with their levels, in the order of systems.
func (d document) levelsOf(table string) (keys [][2]string) {
	for _, s := range systems {
		for _, e := range d.Extras {
			if key := [2]string{e.System, e.Level}; e.Table == table && e.System == s.name && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// operatorTable is what a promotion cost: what the follower lacked, and what was lost with it.
func (d document) operatorTable() string {
	var rows [][]string
	for _, fault := range []string{faultKill, faultStop} {
		c := cell{fault, targetLeader}
		if n := len(d.of("ap", c)); n > 0 {
			rows = append(rows, []string{
				faultWords[fault] + " of the active node", strconv.Itoa(n),
				spread(d.gaps("ap", c, func(r repetition) float64 { return float64(r.Behind) })),
				spread(d.gaps("ap", c, func(r repetition) float64 { return float64(r.Lost) })),
			})
		}
	}
	return figure.Table([]string{"promotion after", "runs", "blocks that the follower lacked", "acknowledged writes lost per run"}, rows)
}

func (d document) throughputTable() string {
	var rows [][]string
	for _, key := range d.levelsOf(extraThroughput) {
		v := d.extrasOf(extraThroughput, key[0], "", 0)
		m, _ := median(v)
		how := ""
		for _, e := range d.Extras {
			if e.Table == extraThroughput && e.System == key[0] {
				how = e.How
			}
		}
		rows = append(rows, []string{key[0], how, strconv.Itoa(len(v)), fmt.Sprintf("%s [%s..%s]", whole(m), whole(slices.Min(v)), whole(slices.Max(v)))})
	}
	return figure.Table([]string{"system", "load", "runs", "committed writes/s"}, rows)
}

func (d document) scalingTable() string {
	var rows [][]string
	for _, key := range d.levelsOf(extraScaling) {
		row := []string{key[0], key[1]}
		for n := 1; n <= tetradNodes; n++ {
			switch m, ok := median(d.extrasOf(extraScaling, key[0], key[1], n)); {
			case !ok:
				row = append(row, "–")
			case m == 0:
				row = append(row, "none")
			default:
				row = append(row, whole(m))
			}
		}
		rows = append(rows, row)
	}
	return figure.Table([]string{"system", "level", "1 node, reads/s", "2 nodes", "3 nodes", "4 nodes"}, rows)
}

func (d document) wireTable() string {
	var rows [][]string
	for _, s := range systems {
		v := d.extrasOf(extraWire, s.name, wirePerWrite, 0)
		m, ok := median(v)
		if !ok {
			continue
		}
		idle, _ := median(d.extrasOf(extraWire, s.name, wireIdle, 0))
		rows = append(rows, []string{s.name, strconv.Itoa(len(v)), whole(m), whole(idle)})
	}
	return figure.Table([]string{"system", "runs", "bytes per committed write", "bytes per second without load"}, rows)
}

func (d document) liesTable() string {
	var rows [][]string
	for _, key := range d.levelsOf(extraLies) {
		wrong, tried, stale, refused := 0, 0, 0, 0
		for _, e := range d.Extras {
			if e.Table == extraLies && e.System == key[0] && e.Level == key[1] {
				wrong, tried, stale, refused = wrong+int(e.Value), tried+e.Tried, stale+e.Stale, refused+e.Refused
			}
		}
		rows = append(rows, []string{key[0], key[1], whole(float64(tried)), whole(float64(wrong)), whole(float64(stale)), whole(float64(refused))})
	}
	return figure.Table([]string{"system", "level", "reads", "lies believed", "stale answers", "no answer"}, rows)
}

// contest is one figure by which systems are compared; less is better unless more is.
type contest struct {
	what, unit string
	more       bool
	figure     func(d document, system string) (float64, bool)
}

// ofCell makes a figure of the median over a cell's repetitions.
func ofCell(c cell, take func(repetition) float64) func(document, string) (float64, bool) {
	return func(d document, system string) (float64, bool) { return median(d.gaps(system, c, take)) }
}

// contests are what is compared in words.
func contests() []contest {
	calm := cell{faultNone, ""}
	all := []contest{
		{"write latency without faults, p50", "ms", false, ofCell(calm, func(r repetition) float64 { return r.Write.P50MS })},
		{"write latency without faults, p99", "ms", false, ofCell(calm, func(r repetition) float64 { return r.Write.P99MS })},
		{"local read latency without faults, p50", "ms", false, ofCell(calm, func(r repetition) float64 { return r.Local.P50MS })},
		{"strong read latency without faults, p50", "ms", false, ofCell(calm, func(r repetition) float64 { return r.Strong.P50MS })},
		{"committed writes per second", "", true, func(d document, s string) (float64, bool) { return median(d.extrasOf(extraThroughput, s, "", 0)) }},
		{"bytes between nodes per write", "", false, func(d document, s string) (float64, bool) { return median(d.extrasOf(extraWire, s, wirePerWrite, 0)) }},
	}
	for _, fault := range []string{faultKill, faultStop, faultPartition} {
		for _, target := range targetNames {
			c := cell{fault, target}
			where := faultWords[fault] + " of " + map[string]string{targetLeader: "the leader", targetOther: "another node"}[target]
			all = append(
				all,
				contest{"time without writes, " + where, "ms", false, ofCell(c, func(r repetition) float64 { return r.Write.GapMS })},
				contest{"time without strong reads, " + where, "ms", false, ofCell(c, func(r repetition) float64 { return r.Strong.GapMS })},
			)
		}
	}
	return all
}

// closeCall is how far apart two figures on a shared machine must be to count.
const closeCall = 1.25

// winners says of each figure, in words, who has the best one and how Tetrad does beside it.
func (d document) winners() string {
	var rows [][]string
	for _, c := range contests() {
		ours, ok := c.figure(d, "aa")
		if !ok {
			continue
		}
		best, by := 0.0, ""
		for _, s := range systemNames() {
			if v, ok := c.figure(d, s); ok && s != "aa" && (by == "" || c.more && v > best || !c.more && v < best) {
				best, by = v, s
			}
		}
		if by == "" {
			continue
		}
		ratio := ours / max(best, 1e-9) // how many times worse Tetrad is
		if c.more {
			ratio = best / max(ours, 1e-9)
		}
		words := "about the same"
		switch {
		case ratio > closeCall:
			words = fmt.Sprintf("**%s wins**, by %s times", by, fine(ratio))
		case ratio < 1/closeCall:
			words = fmt.Sprintf("Tetrad wins, by %s times", fine(1/ratio))
		}
		rows = append(rows, []string{c.what, fine(ours) + " " + c.unit, fine(best) + " " + c.unit + ", " + by, words})
	}
	return figure.Table([]string{"figure, medians", "Tetrad (aa)", "best of the others", "so"}, rows)
}
