package node

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
)

// home makes a node home in a fresh directory.
func home(t *testing.T, spec InitSpec) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "home")
	if spec.Moniker == "" {
		spec.Moniker = "test"
	}
	if _, err := Init(dir, spec); err != nil {
		t.Fatal(err)
	}
	return dir
}

func appendTo(t *testing.T, home, name, text string) {
	t.Helper()
	path := filepath.Join(home, "config", name)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(data, text...), 0o644); err != nil {
		t.Fatal(err)
	}
}

func replaceIn(t *testing.T, home, name, old, new string) {
	t.Helper()
	path := filepath.Join(home, "config", name)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		t.Fatalf("%s does not contain %q", name, old)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), old, new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestPrecedence: flag > environment > file > default, for a key of each file and each kind.
func TestPrecedence(t *testing.T) {
	keys := []struct {
		key, file, inFile, inEnv, inFlag string
		read                             func(Config) any
		fallback, file_, env, flag       any
	}{
		{
			"blocks.idle", AppFile, "[blocks]\nidle = \"100ms\"\n", "110ms", "120ms", func(c Config) any { return c.Blocks.Idle },
			250 * time.Millisecond, 100 * time.Millisecond, 110 * time.Millisecond, 120 * time.Millisecond,
		},
		{
			"pool.txs_max", AppFile, "[pool]\ntxs_max = 20001\n", "20002", "20003", func(c Config) any { return c.Pool.TxsMax },
			50_000, 20001, 20002, 20003,
		},
		{
			"peers.allow", AppFile, "", "*", "*,*", func(c Config) any { return c.Peers.Allow },
			[]string{},
			[]string{},
			[]string{"*"},
			[]string{"*", "*"},
		},
		{
			"consensus.timeout_propose", EngineFile, "[consensus]\ntimeout_propose = \"601ms\"\n", "602ms", "603ms",
			func(c Config) any { return c.Engine.Consensus.TimeoutPropose },
			500 * time.Millisecond, 601 * time.Millisecond, 602 * time.Millisecond, 603 * time.Millisecond,
		},
		{
			"p2p.libp2p.enabled", EngineFile, "", "true", "false", func(c Config) any { return c.Engine.P2P.LibP2PConfig.Enabled },
			false, false, true, false,
		},
	}
	for _, k := range keys {
		t.Run(k.key, func(t *testing.T) {
			dir := home(t, InitSpec{})
			expect := func(what string, flags Overrides, want any, origin string) {
				t.Helper()
				c, err := Load(dir, flags)
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if got := k.read(c); !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %v, want %v", what, got, want)
				}
				for _, s := range c.Origins() {
					if s.Key == k.key && s.Origin != origin {
						t.Errorf("%s: origin %q, want %q", what, s.Origin, origin)
					}
				}
			}
			inFile := "file"
			if k.inFile != "" {
				fallback := "default"
				if strings.Contains(k.inFile, "ms") {
					fallback = "default of profile lan"
				}
				expect("default", nil, k.fallback, fallback)
				// A section may stand only once; the ones tested with are not in the file yet or commented.
				commented := strings.SplitAfterN(k.inFile, "\n", 2)
				if k.file == AppFile {
					replaceIn(t, dir, k.file, commented[0], k.inFile)
				} else {
					appendTo(t, dir, k.file, k.inFile)
				}
			}
			expect("file", nil, k.file_, inFile)
			t.Setenv(envName(k.key), k.inEnv)
			expect("environment", nil, k.env, "env "+envName(k.key))
			expect("flag", Overrides{k.key: k.inFlag}, k.flag, "flag")
		})
	}
}

func TestProfileDecidesDefaults(t *testing.T) {
	dir := home(t, InitSpec{Profile: ProfileWAN})
	c, err := Load(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Engine.Consensus.TimeoutPropose != time.Second {
		t.Errorf("timeout_propose of wan is %v", c.Engine.Consensus.TimeoutPropose)
	}
	if c, err = Load(dir, Overrides{"profile": ProfileLAN}); err != nil || c.Engine.Consensus.TimeoutPropose != 500*time.Millisecond {
		t.Errorf("timeout_propose with the profile overridden is %v, %v", c.Engine.Consensus.TimeoutPropose, err)
	}
	if _, err := Load(dir, Overrides{"profile": "moon"}); err == nil || !strings.Contains(err.Error(), `"moon"`) {
		t.Errorf("unknown profile: %v", err)
	}
}

// TestUnknownKeys: a key that nobody reads is named, with its file and the nearest key there is.
func TestUnknownKeys(t *testing.T) {
	for name, c := range map[string]struct{ file, text, want string }{
		"top of app.toml":     {AppFile, "", `unknown key "plan" in config/app.toml`},
		"section of app.toml": {AppFile, "[nonsense]\nx = 1\n", `unknown key "nonsense.x" in config/app.toml`},
		"config.toml":         {EngineFile, "[consensus]\ntimeout_propos = \"1s\"\n", `unknown key "consensus.timeout_propos" in config/config.toml; did you mean "consensus.timeout_propose"?`},
		"wrong section":       {EngineFile, "[mempool]\ntimeout_propose = \"1s\"\n", `did you mean "consensus.timeout_propose"?`},
		"inside a list":       {EngineFile, "", "wight"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := home(t, InitSpec{})
			switch {
			case c.text != "":
				appendTo(t, dir, c.file, c.text)
			case c.file == AppFile:
				replaceIn(t, dir, c.file, "profile = ", "plan = 1\nprofile = ")
			default:
				replaceIn(t, dir, c.file, "bootstrap_peers = [", "bootstrap_peers = [ { host = \"127.0.0.1:1\", id = \"x\", wight = 3 },")
			}
			if _, err := Load(dir, nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want something with %q", err, c.want)
			}
		})
	}
	t.Run("flag", func(t *testing.T) {
		if _, err := Load(home(t, InitSpec{}), Overrides{"no.such": "1"}); err == nil || !strings.Contains(err.Error(), "no.such") {
			t.Errorf("unknown flag key: %v", err)
		}
	})
}

// TestStockEngineFile: the file that CometBFT writes itself is understood, and what does not fit this program
// is named key by key.
func TestStockEngineFile(t *testing.T) {
	dir := home(t, InitSpec{})
	cmtcfg.WriteConfigFile(filepath.Join(dir, "config", EngineFile), cmtcfg.DefaultConfig())
	_, err := Load(dir, nil)
	if err == nil {
		t.Fatal("CometBFT's defaults were accepted: its pool would be used")
	}
	if strings.Contains(err.Error(), "unknown key") {
		t.Fatalf("a key of CometBFT is not known: %v", err)
	}
	for _, key := range []string{"mempool.type", "tx_index.indexer", "filter_peers", "p2p.pex"} {
		if !strings.Contains(err.Error(), key+": must be") {
			t.Errorf("the fault of %s is not named: %v", key, err)
		}
	}
	own := engineDefaults(dir, ProfileLAN)
	cmtcfg.WriteConfigFile(filepath.Join(dir, "config", EngineFile), own)
	if _, err := Load(dir, nil); err != nil {
		t.Errorf("our own settings in CometBFT's format: %v", err)
	}
}

// TestValidateListsEveryFault: bounds at the last good and the first bad value, and all faults in one error.
func TestValidateListsEveryFault(t *testing.T) {
	good := func() Config { return Default("/somewhere", ProfileLAN) }
	if err := good().Validate(); err != nil {
		t.Fatalf("defaults: %v", err)
	}
	if err := Default("/somewhere", ProfileWAN).Validate(); err != nil {
		t.Fatalf("defaults of wan: %v", err)
	}
	for name, c := range map[string]struct {
		ok, bad func(*Config)
		want    string
	}{
		"home":     {func(c *Config) {}, func(c *Config) { c.Home = "" }, "home:"},
		"listen":   {func(c *Config) { c.API.Listen = "127.0.0.1:65535" }, func(c *Config) { c.API.Listen = "127.0.0.1:65536" }, "api.listen"},
		"port 0":   {func(c *Config) { c.API.Listen = "127.0.0.1:1" }, func(c *Config) { c.API.Listen = "127.0.0.1:0" }, "api.listen"},
		"no port":  {func(c *Config) { c.Metrics.Listen = "" }, func(c *Config) { c.Metrics.Listen = "localhost" }, "metrics.listen"},
		"plane":    {func(c *Config) {}, func(c *Config) { c.Plane.Listen = "x" }, "plane.listen"},
		"idle":     {func(c *Config) { c.Blocks.Idle = 0 }, func(c *Config) { c.Blocks.Idle = -1 }, "blocks.idle"},
		"patience": {func(c *Config) { c.Engine.Consensus.TimeoutPropose = 375 * time.Millisecond }, func(c *Config) { c.Engine.Consensus.TimeoutPropose = 374 * time.Millisecond }, "consensus.timeout_propose"},
		"pool":     {func(c *Config) { c.Pool.BytesMax = 2 << 20 }, func(c *Config) { c.Pool.BytesMax = 2<<20 - 1 }, "pool.bytes_max"},
		"local":    {func(c *Config) { c.Pool.LocalTxsMax = c.Pool.TxsMax }, func(c *Config) { c.Pool.LocalTxsMax = c.Pool.TxsMax + 1 }, "pool.local_txs_max"},
		"account":  {func(c *Config) { c.Pool.AccountTxsMax = 1 }, func(c *Config) { c.Pool.AccountTxsMax = 0 }, "pool.account_txs_max"},
		"workers":  {func(c *Config) { c.Pool.VerifyWorkers = 64 }, func(c *Config) { c.Pool.VerifyWorkers = 65 }, "pool.verify_workers"},
		"versions": {func(c *Config) { c.Store.KeepVersions = 2 }, func(c *Config) { c.Store.KeepVersions = 1 }, "store.keep_versions"},
		"history":  {func(c *Config) { c.Store.KeepHistory = -1 }, func(c *Config) { c.Store.KeepHistory = -2 }, "store.keep_history"},
		"disk":     {func(c *Config) { c.Store.DiskFreeMin = 256 << 20 }, func(c *Config) { c.Store.DiskFreeMin = 256<<20 - 1 }, "store.disk_free_min"},
		"headroom": {func(c *Config) { c.Memory.HeadroomBytes = 16 << 20 }, func(c *Config) { c.Memory.HeadroomBytes = 16<<20 - 1 }, "memory.headroom_bytes"},
		"gc":       {func(c *Config) { c.Memory.GCPercent = 10 }, func(c *Config) { c.Memory.GCPercent = 9 }, "memory.gc_percent"},
		"level":    {func(c *Config) { c.Log.Level = "debug,p2p:error" }, func(c *Config) { c.Log.Level = "loud" }, "log.level"},
		"format":   {func(c *Config) { c.Log.Format = "json" }, func(c *Config) { c.Log.Format = "xml" }, "log.format"},
		"allow":    {func(c *Config) { c.Peers.Allow = []string{"*"} }, func(c *Config) { c.Peers.Allow = []string{"somebody"} }, "peers.allow"},
		"seen":     {func(c *Config) { c.Engine.Mempool.SeenCacheSize = 1 }, func(c *Config) { c.Engine.Mempool.SeenCacheSize = 0 }, "mempool.seen_cache_size"},
		"laddr":    {func(c *Config) { c.Engine.RPC.ListenAddress = "" }, func(c *Config) { c.Engine.P2P.ListenAddress = "unix:///x" }, "p2p.laddr"},
	} {
		t.Run(name, func(t *testing.T) {
			c1, c2 := good(), good()
			c.ok(&c1)
			c.bad(&c2)
			if err := c1.Validate(); err != nil {
				t.Errorf("the last good value is refused: %v", err)
			}
			if err := c2.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the first bad value: %v, want a fault of %s", err, c.want)
			}
		})
	}
	c := good()
	c.Profile, c.API.Listen, c.Log.Level = "moon", "x", "loud"
	err := c.Validate()
	for _, want := range []string{"profile:", "api.listen:", "log.level:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in %v", want, err)
		}
	}
}

// TestEnvironmentNamesAreUnique: no variable may stand for two keys.
func TestEnvironmentNamesAreUnique(t *testing.T) {
	seen := map[string]string{}
	c := Default("", ProfileLAN)
	fixed := fixedNames()
	leaves := append(leavesOf(reflect.ValueOf(c), ""), leavesOf(reflect.ValueOf(*c.Engine), "")...)
	for _, l := range leaves {
		if contains(fixed, l.key) {
			continue // those are not read from the environment
		}
		name := envName(l.key)
		if other, ok := seen[name]; ok {
			t.Errorf("%s stands for %s and %s", name, other, l.key)
		}
		seen[name] = l.key
	}
	if len(seen) < 100 {
		t.Errorf("only %d keys: has the walk lost a section?", len(seen))
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
