package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/rpc"
)

const (
	// mixEvery is how often the mix sends a request: 200 in a second, one in writeShare of them a payment.
	mixEvery   = 5 * time.Millisecond
	writeShare = 5
)

// mix is what a program asks of the network through one client: reads of balances in a session, and payments that are
// waited for, at a fixed pace, whether or not the last one is answered.
type mix struct {
	net    *network
	c      *client.Client
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex // guards what follows
	reads  []request
	writes []request
	acked  []crypto.Hash
}

// request is one of them, and what became of it.
type request struct {
	begun time.Time
	took  time.Duration
	err   error
}

func (r request) ended() time.Time { return r.begun.Add(r.took) }

// startMix begins to send, and asks the nodes how they are if the client is one that does.
func (n *network) startMix(o client.Options) *mix {
	n.t.Helper()
	c, err := client.New(o)
	if err != nil {
		n.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &mix{net: n, c: c, cancel: cancel}
	m.done.Go(func() { c.Run(ctx) })
	m.done.Go(func() { m.send(ctx) })
	return m
}

func (m *mix) send(ctx context.Context) {
	tick := time.NewTicker(mixEvery)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if i%writeShare > 0 {
			m.done.Go(func() { m.read(funded[i%len(funded)]) })
			continue
		}
		tx := m.net.transfer(funded[i/writeShare%len(funded)], funded[(i/writeShare+1)%len(funded)], uint64(i%7+1))
		m.done.Go(func() { m.write(tx) })
	}
}

// read reads a balance. It is not interrupted by the end of the load.
func (m *mix) read(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r := request{begun: time.Now()}
	_, r.err = m.c.Balance(ctx, address(name).String(), "usd", client.ReadOptions{})
	r.took = time.Since(r.begun)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads = append(m.reads, r)
}

// write pays, and waits until it is known what became of it.
func (m *mix) write(tx client.Signed) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r := request{begun: time.Now()}
	var status rpc.TxStatus
	if _, r.err = m.c.Submit(ctx, tx.Raw); r.err == nil {
		status, r.err = m.c.WaitCommitted(ctx, tx)
	}
	if r.err == nil && status.Status != rpc.StatusCommitted {
		r.err = fmt.Errorf("it ended as %+v", status)
	}
	r.took = time.Since(r.begun)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writes = append(m.writes, r)
	if r.err == nil {
		m.acked = append(m.acked, tx.TxID)
	}
}

// untilMore waits until so many further requests of each kind have ended.
func (m *mix) untilMore(reads, writes int) {
	m.net.t.Helper()
	m.mu.Lock()
	reads, writes = reads+len(m.reads), writes+len(m.writes)
	m.mu.Unlock()
	m.net.until("requests are answered", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.reads) >= reads && len(m.writes) >= writes
	})
}

// stop ends the load when everything is answered, and fails the test for each request that was not.
func (m *mix) stop() {
	m.net.t.Helper()
	m.cancel()
	m.done.Wait()
	for what, list := range map[string][]request{"read": m.reads, "payment": m.writes} {
		for _, r := range list {
			if r.err != nil {
				m.net.t.Errorf("a %s failed after %v: %v", what, r.took, r.err)
			}
		}
	}
}

// slowest is how long the slowest of the reads took that were under way at a moment or began soon after it.
func (m *mix) slowest(at time.Time) (longest time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.reads {
		if r.ended().After(at) && r.begun.Before(at.Add(aftermath)) {
			longest = max(longest, r.took)
		}
	}
	return longest
}

// aftermath is for how long after a fault requests count as struck by it.
const aftermath = 5 * time.Second

// gap is the longest time without an acknowledged payment after a moment.
func (m *mix) gap(at time.Time) (longest time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ends []time.Time
	for _, r := range m.writes {
		if r.err == nil {
			ends = append(ends, r.ended())
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	for i, end := range ends {
		if i > 0 && end.After(at) && ends[i-1].Before(at.Add(aftermath)) {
			longest = max(longest, end.Sub(ends[i-1]))
		}
	}
	return longest
}

// figures are what was measured of one thing, in the order of the runs.
type figures struct {
	what  string
	bound time.Duration // it should stay below
	runs  []time.Duration
}

// add notes one more run.
func (f *figures) add(d time.Duration) { f.runs = append(f.runs, d) }

// tell writes the table of what was measured.
func tell(t *testing.T, all ...*figures) {
	t.Helper()
	t.Logf("| what | target | worst of %d | median | missed |", len(all[0].runs))
	t.Logf("|---|---:|---:|---:|---:|")
	for _, f := range all {
		if len(f.runs) == 0 {
			continue
		}
		sorted, missed := slices.Sorted(slices.Values(f.runs)), 0
		for _, d := range sorted {
			if d >= f.bound {
				missed++
			}
		}
		t.Logf("| %s | < %s | %s | %s | %d |", f.what, inMS(f.bound), inMS(sorted[len(sorted)-1]), inMS(sorted[len(sorted)/2]), missed)
	}
}

func inMS(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}
