package e2e

import (
	"context"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	cmthttp "github.com/cometbft/cometbft/rpc/client/http"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/rpc"
)

// measuring is how often each fault is repeated and timed: TETRAD_MEASURE, or 0, with which it happens once and nothing
// is asserted or said about how long it took. Tests share their machine with others; measurements should not.
func measuring(t *testing.T) int {
	t.Helper()
	text := os.Getenv("TETRAD_MEASURE")
	if text == "" {
		return 0
	}
	runs, err := strconv.Atoi(text)
	if err != nil || runs < 1 {
		t.Fatalf("TETRAD_MEASURE is to be how often to repeat, not %q", text)
	}
	return runs
}

// acceptance is a network under faults, as a program sees it that uses the Go client.
type acceptance struct {
	*network
	runs  int
	first int // whose turn it is to be struck first
	acked []crypto.Hash
}

func newAcceptance(t *testing.T) *acceptance {
	t.Helper()
	a := &acceptance{network: newNetwork(t, 4, nil), runs: measuring(t), first: int(seedOf(t) % 4)}
	a.start()
	a.untilHeight(2)
	return a
}

// times is how often to do something.
func (a *acceptance) times() int { return max(1, a.runs) }

// program is a client as a program has it that lives long.
func (a *acceptance) program() client.Options {
	var urls []string
	for i := range a.nodes {
		urls = append(urls, a.url(i))
	}
	return client.Options{Endpoints: urls, Probe: true}
}

// settle waits until all nodes are up to date, and fit in the eyes of a client.
func (a *acceptance) settle(m *mix) {
	a.t.Helper()
	for i := range a.nodes {
		a.until("the nodes are up to date", func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			s, err := a.client(i).Status(ctx)
			return err == nil && !s.CatchingUp && s.Lag == 0 && s.Partition == rpc.PartitionOK
		})
		a.until("the client finds the nodes fit", func() bool { return m.fit(i) })
	}
	m.untilMore(200, 50)
}

// fit tells whether the client of the load finds a node fit.
func (m *mix) fit(i int) bool { return m.c.Backends()[i].Fit }

// unfitAfter waits until the client asks a node last, and returns when that was. It looks often, since that is measured.
func (m *mix) unfitAfter(i int, since time.Time) time.Duration {
	m.net.t.Helper()
	for time.Since(since) < patience {
		if !m.fit(i) {
			return time.Since(since)
		}
		time.Sleep(time.Millisecond)
	}
	m.net.t.Fatalf("node%d is asked as before, %s after its end", i, patience)
	return 0
}

// linger lets a measurement go on for as long as its figures are about.
func (a *acceptance) linger() {
	if a.runs > 0 {
		time.Sleep(aftermath)
	}
}

// calm is what the same figures are while nothing happens: what a fault costs is what is above them.
type calm struct{ reads, commits *figures }

func newCalm() calm {
	return calm{
		&figures{what: "no fault: slowest read", bound: 300 * time.Millisecond},
		&figures{what: "no fault: longest time without a commit", bound: time.Second},
	}
}

// note lets a load go on undisturbed for a while, and notes how that was.
func (c calm) note(a *acceptance, m *mix) {
	begun := time.Now()
	a.linger()
	c.reads.add(m.slowest(begun))
	c.commits.add(m.gap(begun))
}

// ends takes in what a load has acknowledged.
func (a *acceptance) ends(m *mix) {
	a.t.Helper()
	m.stop()
	a.acked = append(a.acked, m.acked...)
}

// TestKilledNode kills each node in turn under reads and payments. No request fails, nothing that was acknowledged is lost or
// done twice, and blocks go on to come on the turns of the dead proposer. What each costs is measured.
func TestKilledNode(t *testing.T) {
	a := newAcceptance(t)
	reads := &figures{what: "SIGKILL of a node: slowest read", bound: 300 * time.Millisecond}
	commits := &figures{what: "SIGKILL of a node: longest time without a commit, as the client sees it", bound: time.Second}
	blocks := &figures{what: "SIGKILL of a node: longest time between blocks", bound: time.Second}
	calm := newCalm()
	later := &figures{what: "further turns of the dead proposer, median", bound: proposeTimeout}
	for run := range a.times() {
		victim := (a.first + run) % len(a.nodes)
		m := a.startMix(a.program())
		a.settle(m)
		calm.note(a, m)
		before, at := a.answers((victim+1)%len(a.nodes)), time.Now()
		a.kill(victim)
		m.unfitAfter(victim, at)
		turns := a.turnsOfDead(victim, before)
		a.linger()
		m.untilMore(100, 25)
		a.ends(m)
		reads.add(m.slowest(at))
		commits.add(m.gap(at))
		blocks.add(turns.longest)
		later.add(turns.later)
		a.start(victim)
	}
	a.audit(a.acked)
	if a.runs > 0 {
		tell(t, calm.reads, calm.commits, reads, commits, blocks, later)
	}
}

// proposeTimeout is how long validators of profile lan wait for a proposer that they do not know to be absent.
const proposeTimeout = 500 * time.Millisecond

// turns are the times between blocks while a validator is dead.
type turns struct {
	longest time.Duration
	later   time.Duration // median over its turns but the first
}

// turnsMin is how many turns of a dead proposer are looked at. The eighth gets the full timeout again, by intent.
const turnsMin = 6

// turnsOfDead watches the network until it was the turn of a dead validator several times.
func (a *acceptance) turnsOfDead(victim int, before uint64) (out turns) {
	a.t.Helper()
	observer := (victim + 1) % len(a.nodes)
	c, err := cmthttp.New(a.rpcURL(observer), "/websocket")
	if err != nil {
		a.t.Fatal(err)
	}
	var later figures // of heights that took more than one round, but the first
	for height, seen := before, 0; seen < turnsMin; height++ {
		a.untilHeight(height+2, observer)
		round, took := a.roundOf(c, height, observer)
		out.longest = max(out.longest, took)
		if round == 0 {
			continue
		}
		if seen++; seen > 1 {
			later.add(took)
		}
	}
	out.later = later.median()
	return out
}

// roundOf is the round in which a height was decided, and the time between its precommits and those of the height before.
func (a *acceptance) roundOf(c *cmthttp.HTTP, height uint64, observer int) (round int32, took time.Duration) {
	a.t.Helper()
	a.ask("commit of a height", func(ctx context.Context) error {
		h := int64(height)
		commit, err := c.Commit(ctx, &h)
		if err == nil {
			round = commit.Commit.Round
		}
		return err
	})
	// A block's time is that of the precommits for the one before it.
	return round, time.Duration(a.block(observer, height+1).TimeMS-a.block(observer, height).TimeMS) * time.Millisecond
}

// TestFrozenNode stops each node in turn with SIGSTOP, which leaves its connections open and takes requests in, under reads and
// payments. No request fails, the client asks the node no more, and it does again when the node goes on.
func TestFrozenNode(t *testing.T) {
	a := newAcceptance(t)
	reads := &figures{what: "SIGSTOP of a node: slowest read", bound: 500 * time.Millisecond}
	ejected := &figures{what: "SIGSTOP of a node: until it is asked no more", bound: time.Second}
	passive := &figures{what: "SIGSTOP of a node: slowest read of a client that does not check nodes", bound: 500 * time.Millisecond}
	for run := range a.times() {
		victim := (a.first + run) % len(a.nodes)
		m := a.startMix(a.program())
		a.settle(m)
		at := time.Now()
		a.signal(a.nodes[victim], syscall.SIGSTOP)
		ejected.add(m.unfitAfter(victim, at))
		a.linger()
		m.untilMore(200, 50)
		a.signal(a.nodes[victim], syscall.SIGCONT)
		a.settle(m)
		a.ends(m)
		reads.add(m.slowest(at))

		unchecked := a.program()
		unchecked.Probe = false
		m = a.startMix(unchecked)
		m.untilMore(200, 50)
		at = time.Now()
		a.signal(a.nodes[victim], syscall.SIGSTOP)
		m.untilMore(400, 100)
		a.signal(a.nodes[victim], syscall.SIGCONT)
		m.untilMore(200, 50)
		a.ends(m)
		passive.add(m.slowest(at))
	}
	a.audit(a.acked)
	if a.runs > 0 {
		tell(t, reads, ejected, passive)
	}
}

// TestRoundRobinIsFair counts, at the client, which node each of many reads goes to.
func TestRoundRobinIsFair(t *testing.T) {
	a := newAcceptance(t)
	const reads, readers = 10_000, 8
	count := newCounting(readers)
	o := a.program()
	// Nothing but the policy decides: no second node beside a slow one, and no checks that a busy machine fails.
	o.Policy, o.NoHedge, o.Probe, o.HTTP, o.Timeout = balance.RoundRobin, true, false, &http.Client{Transport: count}, patience
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	inParallel(readers, func(int) {
		for range reads / readers {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			if _, err := c.Balance(ctx, address("alice").String(), "usd", client.ReadOptions{}); err != nil {
				t.Error(err)
			}
			cancel()
		}
	})
	count.fair(t, reads, len(a.nodes))
}
