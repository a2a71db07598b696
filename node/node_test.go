package node

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// testnetConfig is the configuration of node 0 of a network that is written but not started.
func testnetConfig(t *testing.T) Config {
	t.Helper()
	layout, err := Testnet(TestnetSpec{Dir: filepath.Join(t.TempDir(), "net"), BasePort: freePorts(t, 4)})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(layout.Nodes[0].Home, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Store.DiskFreeMin = diskFreeFloor
	return c
}

// TestPortTaken: each port that is taken is named with its key and a way to find who has it, nothing stays
// open, and the node starts once the port is free.
func TestPortTaken(t *testing.T) {
	c := testnetConfig(t)
	for key, port := range map[string]int{
		"p2p.laddr": portP2P, "rpc.laddr": portRPC, "api.listen": portAPI, "metrics.listen": portMetrics,
	} {
		t.Run(key, func(t *testing.T) {
			address := localAddress(c.basePort(), port)
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			_, err = New(c, nil)
			_ = l.Close()
			number := address[strings.LastIndex(address, ":")+1:]
			if err == nil || !strings.Contains(err.Error(), "port "+number+" is taken") || !strings.Contains(err.Error(), key) ||
				!strings.Contains(err.Error(), "ss -ltnp") {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("udp", func(t *testing.T) {
		conn, err := net.ListenPacket("udp", localAddress(c.basePort(), portP2P))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		other := c
		engine := *c.Engine
		p2p := *engine.P2P
		p2p.LibP2PConfig.Enabled = true
		engine.P2P, other.Engine = &p2p, &engine
		if _, err := New(other, nil); err == nil || !strings.Contains(err.Error(), "ss -lunp") {
			t.Errorf("got %v", err)
		}
	})
	n, err := New(c, nil)
	if err != nil {
		t.Fatalf("with all ports free: %v", err)
	}
	if err := n.Stop(); err != nil {
		t.Errorf("stop before start: %v", err)
	}
	if err := n.Stop(); err != nil {
		t.Errorf("stop again: %v", err)
	}
	if !allFree(c.basePort(), portsUsed) {
		t.Error("a port stays open")
	}
}

// TestNewRefuses: what is wrong with a home is said in terms of the home.
func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		harm func(t *testing.T, c *Config)
		want string
	}{
		"no genesis": {func(t *testing.T, c *Config) { remove(t, c.Engine.GenesisFile()) }, "put the network's genesis document there"},
		"draft": {func(t *testing.T, c *Config) {
			dir := home(t, InitSpec{ChainID: "draft"})
			copyFile(t, filepath.Join(dir, "config", "genesis.json"), c.Engine.GenesisFile())
		}, "validators"},
		"no node key":      {func(t *testing.T, c *Config) { remove(t, c.Engine.NodeKeyFile()) }, "node key"},
		"no validator key": {func(t *testing.T, c *Config) { remove(t, c.Engine.PrivValidatorKeyFile()) }, "validator key"},
		"configuration":    {func(_ *testing.T, c *Config) { c.Log.Level = "loud" }, "log.level"},
	} {
		t.Run(name, func(t *testing.T) {
			config := testnetConfig(t)
			c.harm(t, &config)
			if n, err := New(config, nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want something with %q", err, c.want)
				if n != nil {
					_ = n.Stop()
				}
			}
			// Nothing is left behind that would keep the next try away.
			lock, err := lockHome(config.Home)
			if err != nil {
				t.Fatal(err)
			}
			_ = lock.release()
		})
	}
	t.Run("other chain's data", func(t *testing.T) {
		a, b := testnetConfig(t), testnetConfig(t)
		n, err := New(a, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Stop(); err != nil {
			t.Fatal(err)
		}
		copyFile(t, b.Engine.GenesisFile(), a.Engine.GenesisFile())
		n, err = New(a, nil)
		if err == nil {
			_ = n.Stop()
		}
		if err == nil || !strings.Contains(err.Error(), "chain") {
			t.Errorf("a node on another chain's data: %v", err)
		}
	})
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestLag: a third of the peers and one more must have reached a height before it counts.
func TestLag(t *testing.T) {
	for _, c := range []struct {
		own   uint64
		peers []uint64
		want  uint64
	}{
		{10, nil, 0},
		{10, []uint64{10, 10, 10}, 0},
		{10, []uint64{11, 11, 11}, 0}, // the others are a moment ahead
		{10, []uint64{12, 12, 12}, 2},
		{10, []uint64{1 << 60, 12, 12}, 2}, // one liar
		{10, []uint64{5, 5, 5}, 0},
		{10, []uint64{1 << 60, 1 << 60, 10, 10, 10, 10}, 0}, // two liars among six
	} {
		if got := lag(c.own, c.peers); got != c.want {
			t.Errorf("lag of %d behind %v is %d, want %d", c.own, c.peers, got, c.want)
		}
	}
}

// TestFutureGenesis: a network that begins in the future can be started before, answers, and can be stopped.
func TestFutureGenesis(t *testing.T) {
	layout, err := Testnet(TestnetSpec{
		Dir: filepath.Join(t.TempDir(), "net"), BasePort: freePorts(t, 4), Time: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(layout.Nodes[0].Home, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Store.DiskFreeMin = diskFreeFloor
	n, err := New(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	status, err := backend{n}.Status(t.Context())
	if err != nil || len(status.NotReady) == 0 {
		t.Errorf("status: %+v, %v", status, err)
	}
	if err := n.Stop(); err != nil {
		t.Error(err)
	}
	if err := n.Wait(); err != nil {
		t.Errorf("an orderly end is reported as %v", err)
	}
}

// TestOpenTwice: what New opens, Stop closes, whether the node ran or not.
func TestOpenTwice(t *testing.T) {
	c := testnetConfig(t)
	for range 2 {
		n, err := New(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}
