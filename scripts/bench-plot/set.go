package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tetradledger/tetrad/client"
)

// set is the reports of one measuring run. What was not measured is nil or missing.
type set struct {
	runs      map[string]client.BenchReport // by file name without its end
	ladder    *client.LadderReport
	overloads map[string]client.OverloadReport
	peers     *peers
	idle      *idle
	sizes     []size
	stages    map[string]float64 // part of a validator's processor time
}

// idle is a network that nobody uses.
type idle struct {
	BlocksPerS float64 `json:"blocks_per_s"`
	CPUPercent float64 `json:"cpu_percent"` // of one core, of the first validator
	RSSBytes   int64   `json:"rss_bytes"`
}

// size is a validator alone with many accounts, on an idle network at the end.
type size struct {
	Accounts int     `json:"accounts"`
	GenesisS float64 `json:"genesis_s"` // from its start to the first block
	RestartS float64 `json:"restart_s"` // from its start to the next block
	RSSBytes int64   `json:"rss_bytes"`
}

// peers is what scripts/bench-peers wrote.
type peers struct {
	Results []struct {
		System string `json:"system"`
		Config string `json:"config"`
		Round  int    `json:"round"`
	} `json:"results"`
	Summary []struct {
		System    string `json:"system"`
		Rounds    int    `json:"rounds"`
		PerSecond spread `json:"per_second"`
		LightP50  spread `json:"light_p50_ms"`
		LightP99  spread `json:"light_p99_ms"`
		CPUUs     spread `json:"cpu_us_per_tx"`
		Ratio     spread `json:"tetrad_ratio"`
	} `json:"summary"`
}

// spread is a median with its extremes.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// readSet reads what is there.
func readSet(dir string) (*set, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("look for reports: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no reports", dir)
	}
	s := &set{runs: map[string]client.BenchReport{}, overloads: map[string]client.OverloadReport{}}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read a report: %w", err)
		}
		if err := s.add(strings.TrimSuffix(filepath.Base(file), ".json"), text); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	traces, err := os.ReadFile(filepath.Join(dir, "profile.traces"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the profile: %w", err)
	}
	if len(traces) > 0 {
		s.stages = attribute(traces)
	}
	return s, nil
}

// add puts a report where its kind belongs.
func (s *set) add(name string, text []byte) error {
	var head struct {
		Kind    string `json:"kind"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return fmt.Errorf("not a report: %w", err)
	}
	ours := head.Kind == client.ReportRun || head.Kind == client.ReportLadder || head.Kind == client.ReportOverload
	if ours && head.Version != client.BenchReportVersion {
		return fmt.Errorf("a report of version %d, this reads %d", head.Version, client.BenchReportVersion)
	}
	switch head.Kind {
	case client.ReportRun:
		var r client.BenchReport
		err := json.Unmarshal(text, &r)
		s.runs[name] = r
		return err
	case client.ReportLadder:
		s.ladder = &client.LadderReport{}
		return json.Unmarshal(text, s.ladder)
	case client.ReportOverload:
		var r client.OverloadReport
		err := json.Unmarshal(text, &r)
		s.overloads[name] = r
		return err
	case "peers":
		s.peers = &peers{}
		return json.Unmarshal(text, s.peers)
	case "idle":
		s.idle = &idle{}
		return json.Unmarshal(text, s.idle)
	case "size":
		var r size
		err := json.Unmarshal(text, &r)
		s.sizes = append(s.sizes, r)
		return err
	}
	return fmt.Errorf("a report of the unknown kind %q", head.Kind)
}
