package main

import (
	"slices"

	"github.com/tetradledger/tetrad/client"
)

// charts are the pictures that can be drawn of what was measured, by file name.
func (s *set) charts() map[string]chart {
	all := map[string]chart{}
	put := func(name string, c chart) {
		lines := 0
		for _, l := range c.lines {
			lines += len(l.points)
		}
		if lines > 1 || len(c.bars) > 1 {
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
func (s *set) latencyChart() chart {
	c := chart{title: "Latency from the intended send time", x: "1 / (1 - quantile)", y: "ms", logX: true, logY: true}
	for _, name := range []string{"light", "rate80", "max", "million-rate80"} {
		r, ok := s.runs[name]
		if !ok {
			continue
		}
		l := line{name: name}
		for _, q := range r.Latency {
			if q.Q < 100 && q.MS > 0 {
				l.points = append(l.points, [2]float64{1 / (1 - q.Q/100), q.MS})
			}
		}
		c.lines = append(c.lines, l)
	}
	return c
}

func (s *set) ladderChart() chart {
	c := chart{title: "Latency at rising rates", x: "offered transfers/s", y: "ms", logY: true}
	if s.ladder == nil {
		return c
	}
	p50, p99 := line{name: "p50"}, line{name: "p99"}
	for _, step := range s.ladder.Steps {
		p50.points = append(p50.points, [2]float64{step.Rate, step.Report.P50MS})
		p99.points = append(p99.points, [2]float64{step.Rate, step.Report.P99MS})
	}
	c.lines = []line{p50, p99}
	return c
}

func (s *set) overloadChart() chart {
	c := chart{title: "Committed under overload", x: "offered, as a multiple of what the network can do", y: "committed transfers/s", logX: true}
	for name, o := range s.overloads {
		l := line{name: name, points: [][2]float64{{1, o.Base}}}
		for _, step := range o.Steps {
			l.points = append(l.points, [2]float64{step.Factor, step.Report.Rate})
		}
		c.lines = append(c.lines, l)
	}
	slices.SortFunc(c.lines, func(a, b line) int { return compare(a.name, b.name) })
	return c
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (s *set) accountsChart() chart {
	return chart{
		title: "Growth with the number of accounts", x: "accounts", y: "us of CPU per transfer and validator", logX: true,
		lines: []line{s.against([]string{"max", "accounts-100000", "million-max", "accounts-10000000"}, func(r client.BenchReport) [2]float64 {
			return [2]float64{float64(r.Load.Accounts), r.CPUUs}
		})},
	}
}

func (s *set) validatorsChart() chart {
	return chart{
		title: "Growth with the number of validators", x: "validators", y: "us of CPU per transfer and validator",
		lines: []line{s.against([]string{"max", "validators-7", "validators-10"}, func(r client.BenchReport) [2]float64 {
			return [2]float64{float64(r.Validators), r.CPUUs}
		})},
	}
}

// against makes a line of the runs that are there.
func (s *set) against(names []string, point func(client.BenchReport) [2]float64) line {
	var l line
	for _, name := range names {
		if r, ok := s.runs[name]; ok {
			l.points = append(l.points, point(r))
		}
	}
	l.name = "measured"
	return l
}

func (s *set) peersChart() chart {
	c := chart{title: "Committed per second, same machine, interleaved rounds", y: "per second", logY: true}
	if s.peers == nil {
		return c
	}
	for _, p := range s.peers.Summary {
		c.bars = append(c.bars, bar{p.System, p.PerSecond.Median, p.PerSecond.Min, p.PerSecond.Max})
	}
	return c
}

// sustainedChart shows the longest run second by second.
func (s *set) sustainedChart() chart {
	c := chart{title: "Committed in each second, 1,000,000 accounts", x: "second", y: "transfers"}
	r, ok := s.runs["soak"]
	if ok {
		c.title = "Committed in each second of ten minutes"
	} else if r, ok = s.runs["million-max"]; !ok {
		return c
	}
	l := line{name: "committed"}
	for _, second := range r.Series {
		l.points = append(l.points, [2]float64{float64(second.Second), float64(second.Committed * r.Load.TransfersPerTx)})
	}
	c.lines = []line{l}
	return c
}

func (s *set) stagesChart() chart {
	c := chart{title: "Where a validator's processor time goes", y: "us per transfer"}
	r, ok := s.runs["max"]
	if s.stages == nil || !ok {
		return c
	}
	for _, stage := range stages {
		us := s.stages[stage.name] * r.CPUUs
		c.bars = append(c.bars, bar{stage.short, us, us, us})
	}
	return c
}
