package e2e

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// TestStrongUnderFaults reads and writes registers while validators are killed, are frozen and are cut off, one at a
// time, and while the network is cut in two halves of which none has a quorum. What all clients together saw could have
// come from one copy of each register.
func TestStrongUnderFaults(t *testing.T) {
	const faults, writers, readers = 8, 2, 3
	rng := rand.New(rand.NewPCG(seedOf(t), 5))
	n := newCutNetwork(t)
	r := &registers{network: n}
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for who := range writers {
		c := n.client()
		all.Go(func() { r.write(ctx, c, who) })
	}
	for who := range readers {
		s := r.strong()
		all.Go(func() { r.read(ctx, s, writers+who) })
	}
	seen := map[string]int{}
	for i := range faults {
		r.until(3, 6)
		r.register.Store(int64(i + 1)) // one for each fault keeps the checker's work small
		seen[r.fault(rng)]++
	}
	r.until(3, 6)
	stop()
	all.Wait()

	t.Logf("%v; %d writes and %d reads, %d writes in doubt, %d reads refused for want of a quorum",
		seen, r.writes.Load(), r.reads.Load(), r.doubts.Load(), r.refused.Load())
	if !porcupine.CheckOperations(registerModel, r.ops) {
		t.Errorf("not linearizable: %+v", r.ops)
	}
	// The checker would see a read of what was overwritten.
	last := r.register.Load()
	stale := porcupine.Operation{ClientId: writers + readers, Input: access{register: last}, Output: "", Call: r.now(), Return: r.now()}
	if porcupine.CheckOperations(registerModel, append(slices.Clone(r.ops), stale)) {
		t.Error("the checker does not see a stale read")
	}
	for i := range n.nodes {
		n.rejoined(n.nodes[i], 0)
	}
	n.audit(r.committed)
}

// access is a read or a write of a register; what is written is never empty.
type access struct {
	register int64
	written  string
}

// registerModel is registers of which there is one copy; each begins empty.
var registerModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := map[int64][]porcupine.Operation{}
		for _, o := range history {
			key := o.Input.(access).register
			parts[key] = append(parts[key], o)
		}
		var out [][]porcupine.Operation
		for _, part := range parts {
			out = append(out, part)
		}
		return out
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		if a := input.(access); a.written != "" {
			return true, a.written
		}
		return output == state, state
	},
}

// registers are entries in alice's namespace, and what clients have seen of them.
type registers struct {
	*network
	register                       atomic.Int64 // the one in use
	clock                          atomic.Int64 // counts what happens
	writes, reads, doubts, refused atomic.Int64

	mu        sync.Mutex // guards what follows
	ops       []porcupine.Operation
	committed []crypto.Hash
}

func (r *registers) now() int64 { return r.clock.Add(1) }

func (r *registers) add(o porcupine.Operation, committed ...crypto.Hash) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, o)
	r.committed = append(r.committed, committed...)
}

func registerPath(register int64) string { return fmt.Sprintf("register/%d", register) }

// write writes other values all the time. A write of which nothing is known when its validity has ended may have taken
// effect at any time.
func (r *registers) write(ctx context.Context, c *client.Client, who int) {
	for i := 0; ctx.Err() == nil; i++ {
		a := access{r.register.Load(), fmt.Sprintf("%d.%d", who, i)}
		tx, err := client.NewTx(r.chainID, r.genesis, address("alice")).Put(registerPath(a.register), []byte(a.written)).
			ValidFor(time.Minute).Sign(crypto.DevKey("alice"))
		if err != nil {
			r.t.Error(err)
			return
		}
		o := porcupine.Operation{ClientId: who, Input: a, Call: r.now()}
		status, err := settled(c, tx)
		switch o.Return = r.now(); {
		case err == nil && status.Status == rpc.StatusCommitted:
			r.add(o, tx.TxID)
			r.writes.Add(1)
		case err == nil && status.Decided(): // it never took effect
		default:
			o.Return = math.MaxInt64
			r.add(o)
			r.doubts.Add(1)
			who += 100 // a client of the history does one thing at a time, and this one is not finished
		}
	}
}

// settled submits a transaction and waits for what becomes of it.
func settled(c *client.Client, tx client.Signed) (status rpc.TxStatus, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := c.Submit(ctx, tx.Raw); err != nil {
		return status, err
	}
	return c.WaitCommitted(ctx, tx)
}

// read reads all the time.
func (r *registers) read(ctx context.Context, s *client.Strong, who int) {
	for ctx.Err() == nil {
		a := access{register: r.register.Load()}
		o := porcupine.Operation{ClientId: who, Input: a, Call: r.now()}
		value, err := r.value(s, a.register)
		switch {
		case err == nil:
			o.Output, o.Return = value, r.now()
			r.add(o)
			r.reads.Add(1)
		case errors.Is(err, client.ErrLie):
			r.t.Errorf("an honest validator is called a liar: %v", err)
		default:
			r.refused.Add(1)
		}
	}
}

func (r *registers) value(s *client.Strong, register int64) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	e, err := s.Entry(ctx, address("alice").String(), registerPath(register), client.ReadOptions{})
	if errors.Is(err, rpc.NewError(ledger.CodeNotFound, "")) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return string(e.Value), nil
}

// strong is a reader who trusts no validator.
func (r *registers) strong() *client.Strong {
	r.t.Helper()
	var urls []string
	for i := range r.nodes {
		urls = append(urls, r.url(i))
	}
	s, err := client.NewStrong(client.StrongOptions{VerifiedOptions: client.VerifiedOptions{
		Options: client.Options{Endpoints: urls, HTTP: r.http()}, ChainID: r.chainID, GenesisHash: r.genesis,
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = s.Close() })
	return s
}

// until waits for so many more writes and reads.
func (r *registers) until(writes, reads int64) {
	r.t.Helper()
	writes, reads = writes+r.writes.Load(), reads+r.reads.Load()
	r.network.until("registers are written and read", func() bool { return r.writes.Load() >= writes && r.reads.Load() >= reads })
}

// fault does something to the network, and undoes it after a while.
func (r *registers) fault(rng *rand.Rand) string {
	r.t.Helper()
	who := rng.IntN(4)
	others := slices.DeleteFunc([]int{0, 1, 2, 3}, func(i int) bool { return i == who })
	switch rng.IntN(4) {
	case 0:
		r.kill(who)
		r.until(2, 4)
		r.start(who)
		return "killed"
	case 1:
		r.signal(r.nodes[who], syscall.SIGSTOP)
		r.until(2, 4)
		r.signal(r.nodes[who], syscall.SIGCONT)
		return "frozen"
	case 2:
		r.wires.split(others, []int{who})
		r.until(2, 4)
		r.wires.heal()
		return "cut off"
	default:
		r.wires.split([]int{who, others[0]}, others[1:])
		// Who reads can ask both halves here, and may get an answer.
		ended := func() int64 { return r.reads.Load() + r.refused.Load() }
		more := ended() + 6
		r.network.until("reads are answered or refused", func() bool { return ended() >= more })
		r.wires.heal()
		return "halved"
	}
}
