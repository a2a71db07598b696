package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/rpc"
)

// TestTwoGateways kills one of two gateways in turn under reads and payments: the client goes to the other one, and no
// request fails.
func TestTwoGateways(t *testing.T) {
	a := newAcceptance(t)
	gateways := []*process{a.gateway(0), a.gateway(1)}
	o := client.Options{Endpoints: []string{a.gatewayURL(0), a.gatewayURL(1)}}
	reads := &figures{what: "SIGKILL of one of two gateways: slowest read", bound: 300 * time.Millisecond}
	commits := &figures{what: "SIGKILL of one of two gateways: longest time without a commit", bound: time.Second}
	calm := newCalm()
	for run := range a.times() {
		victim := (a.first + run) % len(gateways)
		m := a.startMix(o)
		m.untilMore(200, 50)
		calm.note(a, m)
		at := time.Now()
		a.killProcess(gateways[victim])
		m.untilMore(400, 100)
		a.linger()
		a.ends(m)
		reads.add(m.slowest(at))
		commits.add(m.gap(at))
		a.run(gateways[victim], nil)
		a.relays(victim)
	}
	a.audit(a.acked)
	if a.runs > 0 {
		tell(t, calm.reads, calm.commits, reads, commits)
	}
}

// TestGatewayOverhead measures what a gateway costs: the same read at a node and through a gateway, in turns, over one
// connection each.
func TestGatewayOverhead(t *testing.T) {
	if measuring(t) == 0 {
		t.Skip("measures only: TETRAD_MEASURE=10")
	}
	a := newAcceptance(t)
	a.gateway(0)
	half, hundredth := &figures{what: "gateway: more than a node, p50", bound: 500 * time.Microsecond}, &figures{what: "gateway: more than a node, p99", bound: 2 * time.Millisecond}
	for range a.runs {
		var direct, relayed figures
		for range 2000 {
			direct.add(a.getBalance(a.url(0)))
			relayed.add(a.getBalance(a.gatewayURL(0)))
		}
		half.add(relayed.median() - direct.median())
		hundredth.add(relayed.quantile(0.99) - direct.quantile(0.99))
	}
	tell(t, half, hundredth)
}

// gateway starts a gateway before all nodes, in a process of its own.
func (a *acceptance) gateway(i int) *process {
	a.t.Helper()
	log, err := os.Create(filepath.Join(a.dir, fmt.Sprintf("gateway%d.log", i)))
	if err != nil {
		a.t.Fatal(err)
	}
	nodes := strings.Join(a.program().Endpoints, ",")
	p := &process{
		index: 100 + i, log: log,
		command: []string{binary(a.t), "gateway", "--home", a.dir, "--listen", strings.TrimPrefix(a.gatewayURL(i), "http://"), "--node", nodes},
	}
	a.run(p, nil)
	a.t.Cleanup(func() {
		if p.cmd != nil {
			a.killProcess(p)
		}
		log.Close()
	})
	a.relays(i)
	return p
}

// gatewayURL is on a port between those of the nodes, which no other test takes.
func (a *acceptance) gatewayURL(i int) string {
	return fmt.Sprintf("http://127.0.0.1:%d", a.base+10*i+7)
}

// relays waits until a gateway says that some node is ready.
func (a *acceptance) relays(i int) {
	a.t.Helper()
	a.until("the gateway relays", func() bool {
		resp, err := http.Get(a.gatewayURL(i) + rpc.PathReady)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// killProcess ends a process without warning.
func (a *acceptance) killProcess(p *process) {
	a.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		a.t.Fatal(err)
	}
	<-p.done
	p.cmd = nil
}

// getBalance reads a balance at an address, and returns how long that took.
func (a *acceptance) getBalance(base string) time.Duration {
	a.t.Helper()
	begun := time.Now()
	resp, err := http.Get(base + rpc.PathAccounts + "/" + address("alice").String() + "/balances/usd")
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		a.t.Fatalf("%s answers %s, %v", base, resp.Status, err)
	}
	return time.Since(begun)
}

func (f *figures) median() time.Duration { return f.quantile(0.5) }

func (f *figures) quantile(q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(f.runs))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// counting counts requests by the node they go to.
type counting struct {
	*http.Transport

	mu    sync.Mutex // guards hosts
	hosts map[string]int
}

func newCounting(readers int) *counting {
	return &counting{Transport: &http.Transport{MaxIdleConnsPerHost: readers}, hosts: map[string]int{}}
}

// RoundTrip counts a request and sends it.
func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.hosts[r.URL.Host]++
	c.mu.Unlock()
	return c.Transport.RoundTrip(r)
}

// fair requires that each node got its part, within three hundredths of all.
func (c *counting) fair(t *testing.T, all, nodes int) {
	t.Helper()
	t.Logf("of %d requests went %v", all, c.hosts)
	if len(c.hosts) != nodes {
		t.Errorf("requests went to %d of %d nodes", len(c.hosts), nodes)
	}
	for host, n := range c.hosts {
		if off := 100 * (n*nodes - all); off > 3*all*nodes || off < -3*all*nodes {
			t.Errorf("%s got %d of %d requests", host, n, all)
		}
	}
}

// inParallel runs something so many times beside each other.
func inParallel(times int, run func(i int)) {
	var all sync.WaitGroup
	for i := range times {
		all.Go(func() { run(i) })
	}
	all.Wait()
}
