package main

import (
	"cmp"
	"slices"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/scripts/bench-plot/figure"
)

// charts are the pictures that can be drawn of what was measured, by file name.
func (s *set) charts() map[string]figure.Chart {
	all := map[string]figure.Chart{}
	put := func(name string, c figure.Chart) {
		lines := 0
		for _, l := range c.Lines {
			lines += len(l.Points)
		}
		if lines > 1 || len(c.Bars) > 1 {
			all[name] = c
		}
	}
	put("latency", s.latencyChart())
	put("ladder", s.ladderChart())
	put("overload", s.overloadChart())
	put("accounts", s.accountsChart())
	put("validators", s.validatorsChart())
	put("peers", s.peersChart())
	put("sustained", s.sustainedChart())
	put("stages", s.stagesChart())
	return all
}

// latencyChart shows the distribution of latency at several loads.
func (s *set) latencyChart() figure.Chart {
	c := figure.Chart{Title: "Latency from the intended send time", X: "1 / (1 - quantile)", Y: "ms", LogX: true, LogY: true}
	for _, name := range []string{"light", "rate80", "max", "million-rate80"} {
		r, ok := s.runs[name]
		if !ok {
			continue
		}
		l := figure.Line{Name: name}
		for _, q := range r.Latency {
			if q.Q < 100 && q.MS > 0 {
				l.Points = append(l.Points, [2]float64{1 / (1 - q.Q/100), q.MS})
			}
		}
		c.Lines = append(c.Lines, l)
	}
	return c
}

func (s *set) ladderChart() figure.Chart {
	c := figure.Chart{Title: "Latency at rising rates", X: "offered transfers/s", Y: "ms", LogY: true}
	if s.ladder == nil {
		return c
	}
	p50, p99 := figure.Line{Name: "p50"}, figure.Line{Name: "p99"}
	for _, step := range s.ladder.Steps {
		p50.Points = append(p50.Points, [2]float64{step.Rate, step.Report.P50MS})
		p99.Points = append(p99.Points, [2]float64{step.Rate, step.Report.P99MS})
	}
	c.Lines = []figure.Line{p50, p99}
	return c
}

func (s *set) overloadChart() figure.Chart {
	c := figure.Chart{Title: "Committed under overload", X: "offered, as a multiple of what the network can do", Y: "committed transfers/s", LogX: true}
	for name, o := range s.overloads {
		l := figure.Line{Name: name, Points: [][2]float64{{1, o.Base}}}
		for _, step := range o.Steps {
			l.Points = append(l.Points, [2]float64{step.Factor, step.Report.Rate})
		}
		c.Lines = append(c.Lines, l)
	}
	slices.SortFunc(c.Lines, func(a, b figure.Line) int { return cmp.Compare(a.Name, b.Name) })
	return c
}

func (s *set) accountsChart() figure.Chart {
	return figure.Chart{
		Title: "Growth with the number of accounts", X: "accounts", Y: "us of CPU per transfer and validator", LogX: true,
		Lines: []figure.Line{s.against([]string{"max", "accounts-100000", "million-max", "alone-10000000"}, func(r client.BenchReport) [2]float64 {
			return [2]float64{float64(r.Load.Accounts), r.CPUUs}
		})},
	}
}

func (s *set) validatorsChart() figure.Chart {
	return figure.Chart{
		Title: "Growth with the number of validators", X: "validators", Y: "us of CPU per transfer and validator",
		Lines: []figure.Line{s.against([]string{"max", "validators-7", "validators-10"}, func(r client.BenchReport) [2]float64 {
			return [2]float64{float64(r.Validators), r.CPUUs}
		})},
	}
}

// against makes a line of the runs that are there.
func (s *set) against(names []string, point func(client.BenchReport) [2]float64) figure.Line {
	var l figure.Line
	for _, name := range names {
		if r, ok := s.runs[name]; ok {
			l.Points = append(l.Points, point(r))
		}
	}
	l.Name = "measured"
	return l
}

func (s *set) peersChart() figure.Chart {
	c := figure.Chart{Title: "Committed per second, same machine, interleaved rounds", Y: "per second", LogY: true}
	if s.peers == nil {
		return c
	}
	for _, p := range s.peers.Summary {
		c.Bars = append(c.Bars, figure.Bar{Name: p.System, Value: p.PerSecond.Median, Low: p.PerSecond.Min, High: p.PerSecond.Max})
	}
	return c
}

// sustainedChart shows the longest run second by second.
func (s *set) sustainedChart() figure.Chart {
	c := figure.Chart{Title: "Committed in each second, 1,000,000 accounts", X: "second", Y: "transfers"}
	r, ok := s.runs["soak"]
	if ok {
		c.Title = "Committed in each second of ten minutes"
	} else if r, ok = s.runs["million-max"]; !ok {
		return c
	}
	l := figure.Line{Name: "committed"}
	for _, second := range r.Series {
		l.Points = append(l.Points, [2]float64{float64(second.Second), float64(second.Committed * r.Load.TransfersPerTx)})
	}
	c.Lines = []figure.Line{l}
	return c
}

func (s *set) stagesChart() figure.Chart {
	c := figure.Chart{Title: "Where a validator's processor time goes", Y: "us per transfer"}
	r, ok := s.runs["max"]
	if s.stages == nil || !ok {
		return c
	}
	for _, stage := range stages {
		us := s.stages[stage.name] * r.CPUUs
		c.Bars = append(c.Bars, figure.Bar{Name: stage.short, Value: us, Low: us, High: us})
	}
	return c
}
