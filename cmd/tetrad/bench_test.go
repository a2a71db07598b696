package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/ledger"
)

func plainBench() benchFlags {
	return benchFlags{duration: 30 * time.Second, accounts: 256, perTx: 1, arrivals: client.ArrivalsConstant, path: client.PathBatch}
}

// TestBenchBounds: every number on the command line is accepted at its bound and refused beyond it.
func TestBenchBounds(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*benchFlags)
		ok     bool
	}{
		"plain":                   {func(*benchFlags) {}, true},
		"rate":                    {func(f *benchFlags) { f.rate = 0.1 }, true},
		"negative rate":           {func(f *benchFlags) { f.rate = -1 }, false},
		"no number":               {func(f *benchFlags) { f.rate = math.NaN() }, false},
		"rate and max":            {func(f *benchFlags) { f.rate, f.max = 1, true }, false},
		"max and ladder":          {func(f *benchFlags) { f.max, f.ladder = true, true }, false},
		"max and overload":        {func(f *benchFlags) { f.max, f.overload = true, []float64{2} }, false},
		"ladder and overload":     {func(f *benchFlags) { f.ladder, f.overload = true, []float64{2} }, false},
		"ladder from a rate":      {func(f *benchFlags) { f.ladder, f.rate = true, 100 }, true},
		"shortest":                {func(f *benchFlags) { f.duration = time.Second }, true},
		"too short":               {func(f *benchFlags) { f.duration = time.Second - 1 }, false},
		"longest":                 {func(f *benchFlags) { f.duration = benchDurationMax }, true},
		"too long":                {func(f *benchFlags) { f.duration = benchDurationMax + 1 }, false},
		"warm-up":                 {func(f *benchFlags) { f.warmup = f.duration - 1 }, true},
		"all warm-up":             {func(f *benchFlags) { f.warmup = f.duration }, false},
		"negative warm-up":        {func(f *benchFlags) { f.warmup = -1 }, false},
		"two accounts":            {func(f *benchFlags) { f.accounts = 2 }, true},
		"one account":             {func(f *benchFlags) { f.accounts = 1 }, false},
		"most accounts":           {func(f *benchFlags) { f.accounts = benchAccountsMax }, true},
		"more accounts":           {func(f *benchFlags) { f.accounts = benchAccountsMax + 1 }, false},
		"skew":                    {func(f *benchFlags) { f.skew = benchSkewMax }, true},
		"more skew":               {func(f *benchFlags) { f.skew = benchSkewMax + 0.1 }, false},
		"negative skew":           {func(f *benchFlags) { f.skew = -0.1 }, false},
		"no skew that is one":     {func(f *benchFlags) { f.skew = math.NaN() }, false},
		"most transfers":          {func(f *benchFlags) { f.perTx = ledger.OpsMax }, true},
		"more transfers":          {func(f *benchFlags) { f.perTx = ledger.OpsMax + 1 }, false},
		"no transfer":             {func(f *benchFlags) { f.perTx = 0 }, false},
		"poisson":                 {func(f *benchFlags) { f.arrivals = client.ArrivalsPoisson }, true},
		"other arrivals":          {func(f *benchFlags) { f.arrivals = "bursts" }, false},
		"stock":                   {func(f *benchFlags) { f.path = client.PathStock }, true},
		"other path":              {func(f *benchFlags) { f.path = "grpc" }, false},
		"most connections":        {func(f *benchFlags) { f.connections = benchConnectionsMax }, true},
		"more connections":        {func(f *benchFlags) { f.connections = benchConnectionsMax + 1 }, false},
		"most signed before":      {func(f *benchFlags) { f.presign = benchPresignMax }, true},
		"more signed before":      {func(f *benchFlags) { f.presign = benchPresignMax + 1 }, false},
		"negative outstanding":    {func(f *benchFlags) { f.outstanding = -1 }, false},
		"negative steps":          {func(f *benchFlags) { f.steps = -1 }, false},
		"overload with base rate": {func(f *benchFlags) { f.overload, f.rate = []float64{2, 5}, 9000 }, true},
	} {
		f := plainBench()
		c.change(&f)
		if err := f.check(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBenchTargets(t *testing.T) {
	nodes := []string{"http://127.0.0.1:26658", "http://127.0.0.1:26668", "https://[::1]:9000"}
	for name, c := range map[string]struct {
		flags benchFlags
		want  []string // nil: refused
	}{
		"all":          {benchFlags{path: client.PathBatch}, nodes},
		"some":         {benchFlags{path: client.PathSingle, nodes: []int{2, 0}}, []string{nodes[2], nodes[0]}},
		"beyond":       {benchFlags{path: client.PathBatch, nodes: []int{3}}, nil},
		"below":        {benchFlags{path: client.PathBatch, nodes: []int{-1}}, nil},
		"stock":        {benchFlags{path: client.PathStock}, []string{"http://127.0.0.1:26657", "http://127.0.0.1:26667", "http://[::1]:8999"}},
		"stock, one":   {benchFlags{path: client.PathStockSync, nodes: []int{1}}, []string{"http://127.0.0.1:26667"}},
		"stock, named": {benchFlags{path: client.PathStock, rpc: []string{"http://a:1"}}, []string{"http://a:1"}},
		"named beyond": {benchFlags{path: client.PathStock, rpc: []string{"http://a:1"}, nodes: []int{1}}, nil},
	} {
		got, err := c.flags.targets(nodes)
		if (err == nil) != (c.want != nil) || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := (benchFlags{path: client.PathStock}).targets([]string{"https://ledger.example"}); err == nil {
		t.Error("the RPC of an address without a port was found")
	}
}

// TestDiskUse: what is written is counted once per validator and transfer; a directory that is not there is an
// error, and not nothing.
func TestDiskUse(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir()}
	before, err := diskBytes(dirs)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dirs[1], "below"), 0o755); err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i * i >> 3)
	}
	for _, name := range []string{filepath.Join(dirs[0], "a"), filepath.Join(dirs[1], "below", "b")} {
		file, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := file.Sync(); err != nil { // some file systems count blocks only then
			t.Fatal(err)
		}
		file.Close()
	}
	use, err := diskUse(dirs, before, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if use.Bytes < 1<<20 || use.PerTransfer != float64(use.Bytes)/2000 {
		t.Errorf("%+v", use)
	}
	if _, err := diskBytes([]string{filepath.Join(dirs[0], "nothing")}); err == nil {
		t.Error("a directory that is not there was measured")
	}
}

func TestDescribeMachine(t *testing.T) {
	m := describeMachine()
	if m.Cores < 1 || m.Go == "" || m.OS == "" || m.Tetrad == "" {
		t.Errorf("%+v", m)
	}
}
