package e2e

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// newCutNetwork is a network of four whose wires can be cut.
func newCutNetwork(t *testing.T) *network {
	t.Helper()
	n := newNetwork(t, 4, nil)
	n.lay(newWires(t, 4, n.base))
	n.start()
	n.untilHeight(2)
	return n
}

// TestPartitions cuts four validators in 3-1 and in 2-2, and restarts one that is cut off with kill -9. What was
// answered with 202 ends committed or never_will, and nothing takes effect twice.
func TestPartitions(t *testing.T) {
	n := newCutNetwork(t)
	p := &promises{network: n}
	p.oneAgainstThree()
	p.twoAgainstTwo()
	p.kept()
}

// promises are the transactions that nodes have queued.
type promises struct {
	*network
	queued []promise     // with an end of validity that the test does not reach
	short  []promise     // whose end of validity comes before the cut is healed
	other  []crypto.Hash // committed by the side that goes on
	visits int           // what the counter must come to
}

// promise is a transaction, and the validator that queued it.
type promise struct {
	client.Signed
	at int
}

func (p *promises) oneAgainstThree() {
	p.t.Helper()
	began := time.Now()
	p.wires.split([]int{0, 1, 2}, []int{3})
	p.isCut(3)
	p.t.Logf("3-1: node3 said so after %d ms", time.Since(began).Milliseconds())
	p.refuses(3)
	p.queues(3, "", p.visit(time.Minute*9))
	both := p.transfer("alice", "bob", 3)
	p.queues(3, rpc.OnPartitionQueue, both)
	p.queues(3, rpc.OnPartitionQueue, p.transfer("bob", "carol", 4))
	p.queuesShort(3)
	p.readsWithAge(3)

	// The side with the quorum goes on, also with what the other side has queued.
	p.untilHeight(p.answers(0)+2, 0, 1, 2)
	for i, tx := range []client.Signed{p.transfer("carol", "dave", 5), both} {
		p.mustCommit(tx, i)
		p.other = append(p.other, tx.TxID)
	}

	p.kill(3)
	p.start(3)
	p.isCut(3)
	p.stillQueued(3)
	p.queues(3, "", p.visit(time.Minute*9))
	p.queues(3, rpc.OnPartitionQueue, p.transfer("dave", "alice", 6))

	for _, tx := range p.short {
		p.until("the validity of a queued transaction has ended", func() bool { return time.Now().UnixMilli() > int64(tx.ValidUntilMS) })
	}
	p.heal("3-1")
}

func (p *promises) twoAgainstTwo() {
	p.t.Helper()
	began, before := time.Now(), p.visits
	p.wires.split([]int{0, 1}, []int{2, 3})
	for i := range p.nodes {
		p.isCut(i)
	}
	p.t.Logf("2-2: all four said so after %d ms", time.Since(began).Milliseconds())
	p.mergesApart(before, []int{0, 1}, []int{2, 3})
	for _, i := range []int{0, 2} {
		p.refuses(i)
		p.queues(i, "", p.visit(time.Minute*9))
		p.queues(i, rpc.OnPartitionQueue, p.transfer(funded[i], funded[i+1], uint64(i+7)))
	}
	p.kill(0)
	p.start(0)
	p.isCut(0)
	p.stillQueued(0)
	p.queues(0, "", p.visit(time.Minute*9))
	healed := p.heal("2-2")
	p.mergesWhole(healed, []int{0, 1}, []int{2, 3})
}

// heal ends the cut, and waits until every promise is kept. How long that takes is a measurement and no assertion.
func (p *promises) heal(cut string) (healed time.Time) {
	p.t.Helper()
	p.wires.heal()
	healed = time.Now()
	p.end()
	p.t.Logf("%s: everything was decided %d ms after the cut was healed", cut, time.Since(healed).Milliseconds())
	return healed
}

// kept audits the whole: every node holds the same blocks, each promise is in one of them, and the counter went up once
// for each visit.
func (p *promises) kept() {
	p.t.Helper()
	committed := p.other
	for _, tx := range p.queued {
		committed = append(committed, tx.TxID)
	}
	p.audit(committed)
	for i := range p.nodes {
		p.until("the counter says how many visits there were", func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			e, err := p.client(i).Entry(ctx, address("alice").String(), "visits", client.ReadOptions{})
			if err != nil {
				return false
			}
			if e.Sum != strconv.Itoa(p.visits) {
				p.t.Fatalf("node%d counts %s visits, want %d", i, e.Sum, p.visits)
			}
			return true
		})
	}
	p.t.Logf("%d queued transactions are committed, %d never will be", len(p.queued), len(p.short))
}

// visit counts one visit, which conflicts with nothing.
func (p *promises) visit(span time.Duration) client.Signed {
	p.t.Helper()
	tx, err := client.NewTx(p.chainID, p.genesis, address("alice")).Add("visits", 1).ValidFor(span).Sign(crypto.DevKey("alice"))
	if err != nil {
		p.t.Fatal(err)
	}
	return tx
}

// isCut waits until a validator says that it is cut off.
func (p *promises) isCut(i int) {
	p.t.Helper()
	p.until("a validator says that it is cut off", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s, err := p.client(i).Status(ctx)
		return err == nil && s.Partition == rpc.PartitionMinority
	})
}

// submit hands a transaction to one validator, which is cut off.
func (p *promises) submit(i int, how string, tx client.Signed) (answer rpc.SubmitResponse, err error) {
	p.t.Helper()
	c, err := client.New(client.Options{Endpoints: []string{p.url(i)}, Timeout: patience, HTTP: p.http(), OnPartition: how})
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.SubmitTo(ctx, p.url(i), tx.Raw)
}

// refuses checks that a payment which is not to wait is refused, and that nothing is left of it.
func (p *promises) refuses(i int) {
	p.t.Helper()
	for _, how := range []string{rpc.OnPartitionDefault, rpc.OnPartitionFail} {
		tx := p.transfer("alice", "bob", 1)
		if answer, err := p.submit(i, how, tx); !errors.Is(err, rpc.NewError(ledger.CodeNoQuorum, "")) {
			p.t.Errorf("node%d is cut off and answers a payment with %+v, %v", i, answer, err)
		}
		p.isStatus(i, tx, rpc.StatusUnknown)
	}
}

// queues checks that a transaction is queued, and keeps it in mind.
func (p *promises) queues(i int, how string, tx client.Signed) {
	p.t.Helper()
	answer, err := p.submit(i, how, tx)
	if err != nil || answer.Status != rpc.StatusQueued || answer.Partition != rpc.PartitionMinority || answer.ExpiresAt == "" {
		p.t.Fatalf("node%d is cut off and answers %+v, %v; want that it is queued", i, answer, err)
	}
	p.isStatus(i, tx, rpc.StatusQueued)
	p.queued = append(p.queued, promise{tx, i})
	t, err := ledger.DecodeTransaction(tx.Raw)
	if err != nil {
		p.t.Fatal(err)
	}
	if t.Body.Ops[0].GetAdd() != nil {
		p.visits++
	}
}

// queuesShort queues a transaction that expires before long. One that expired on its way, on a slow machine, was never
// promised anything; the next one is given more time.
func (p *promises) queuesShort(i int) {
	p.t.Helper()
	for span := 2 * time.Second; ; span *= 2 {
		tx := p.visit(span)
		answer, err := p.submit(i, "", tx)
		if err == nil && answer.Status == rpc.StatusQueued {
			p.short = append(p.short, promise{tx, i})
			return
		}
		if !errors.Is(err, rpc.NewError(ledger.CodeExpired, "")) {
			p.t.Fatalf("node%d answers a transaction that is valid for %s with %+v, %v", i, span, answer, err)
		}
	}
}

// stillQueued checks, after a restart, that a validator knows what it queued: also what has expired by the clock, since
// no block has said so.
func (p *promises) stillQueued(i int) {
	p.t.Helper()
	for _, q := range slices.Concat(p.queued, p.short) {
		if q.at == i {
			p.isStatus(i, q.Signed, rpc.StatusQueued)
		}
	}
}

// isStatus checks what a validator says of a transaction.
func (p *promises) isStatus(i int, tx client.Signed, want string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if s, err := p.client(i).Tx(ctx, tx.TxID, 0); err != nil || s.Status != want {
		p.t.Errorf("node%d says of %s: %+v, %v; want %s", i, tx.TxID, s, err, want)
	}
}

// readsWithAge checks that a validator which is cut off answers reads, and says how old its answer is.
func (p *promises) readsWithAge(i int) {
	p.t.Helper()
	p.until("a read says that the validator is cut off", func() bool {
		resp, err := p.http().Get(p.url(i) + rpc.PathAccounts + "/" + address("alice").String() + "/balances/usd")
		if err != nil {
			return false
		}
		resp.Body.Close()
		age, err := strconv.Atoi(resp.Header.Get(rpc.HeaderAgeMS))
		if err != nil || age < 1000 || resp.StatusCode != http.StatusOK {
			p.t.Fatalf("node%d is cut off for seconds and answers a read with %s, %v", i, resp.Status, resp.Header)
		}
		return resp.Header.Get(rpc.HeaderPartition) == rpc.PartitionMinority // the header may be a moment behind
	})
}

// end waits until everything is decided: on every node what is committed, and where it was queued what never will be.
func (p *promises) end() {
	p.t.Helper()
	for _, q := range p.queued {
		for i := range p.nodes {
			p.decided(i, q.Signed, rpc.StatusCommitted)
		}
	}
	for _, q := range p.short {
		p.decided(q.at, q.Signed, rpc.StatusNeverWill)
	}
}

func (p *promises) decided(i int, tx client.Signed, want string) {
	p.t.Helper()
	p.until("a promise is kept", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s, err := p.client(i).Tx(ctx, tx.TxID, 0)
		if err != nil || !s.Decided() {
			return false
		}
		if s.Status != want {
			p.t.Fatalf("%s ended as %+v at node%d, want %s", tx.TxID, s, i, want)
		}
		return true
	})
}
