package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// consensus is what makes blocks on an attesting network, message by message: validators sign precommits one after
// another, a block is committed when three of four have, and each node learns that in its own time.
type consensus struct {
	*attesting
	head      uint64
	committed [4]uint64
	pending   [4]bool
	dead      int // the node that answers nobody; -1: none
	waiting   []chan struct{}
}

func newConsensus(t testing.TB) *consensus {
	c := &consensus{attesting: newAttesting(t, namedValidators), head: 2, committed: [4]uint64{2, 2, 2, 2}, dead: -1}
	c.at(c.committed, c.pending)
	return c
}

// sign lets a validator give a precommit for the next block out of its hands.
func (c *consensus) sign(i int) {
	if c.committed[i] == c.head && i != c.dead {
		c.pending[i] = true
		c.at(c.committed, c.pending)
	}
}

// decide commits the next block if three have signed it, at one node that signed. From then on it is acknowledged.
func (c *consensus) decide(first int) bool {
	signed := 0
	for i := range c.pending {
		if c.signed(i) {
			signed++
		}
	}
	if signed < 3 || !c.signed(first) || first == c.dead {
		return false
	}
	c.head = c.Seal()
	c.learn(first)
	for _, w := range c.waiting {
		close(w)
	}
	c.waiting = nil
	return true
}

// signed tells whether a validator has signed for the next block, and not for one that is decided and not known to it.
func (c *consensus) signed(i int) bool { return c.pending[i] && c.committed[i] == c.head }

// learn lets a node commit one more of the decided blocks.
func (c *consensus) learn(i int) {
	if c.committed[i] < c.head && i != c.dead {
		c.committed[i]++
		c.pending[i] = false
		c.at(c.committed, c.pending)
	}
}

// write hands in a payment of a cent to bob; the channel is closed when it is acknowledged.
func (c *consensus) write(t testing.TB) <-chan struct{} {
	t.Helper()
	tx, err := NewTx(c.ChainID, c.Genesis, rpctest.Address("alice")).ValidUntilMS(inFiveMinutes()).
		Transfer(rpctest.Address("bob"), "usd", ledger.Amount{Lo: 1}).Sign(crypto.DevKey("alice"))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.servers[0].node.Submit(context.Background(), [][]byte{tx.Raw}); got[0].Code != ledger.CodeOK {
		t.Fatalf("%+v", got)
	}
	done := make(chan struct{})
	c.waiting = append(c.waiting, done)
	return done
}

// kill makes a node break every connection; -1 lets all live.
func (c *consensus) kill(i int) {
	if c.dead >= 0 {
		c.servers[c.dead].recovers()
	}
	if c.dead = i; i >= 0 {
		c.servers[i].fails(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	}
}

// history is what clients saw, for porcupine. Its clock counts what happens.
type history struct {
	clock atomic.Int64

	mu  sync.Mutex // guards ops
	ops []porcupine.Operation
}

// op is a payment of a cent, or a reading of how many there were.
type op struct{ write bool }

func (h *history) now() int64 { return h.clock.Add(1) }

func (h *history) add(client int, what op, call int64, cents int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: what, Call: call, Output: cents, Return: h.now()})
}

// counting is bob's account as one copy of it would be.
var counting = porcupine.Model{
	Init: func() any { return 0 },
	Step: func(state, input, output any) (bool, any) {
		if input.(op).write {
			return true, state.(int) + 1
		}
		return output.(int) == state.(int), state
	},
}

func (h *history) linearizable() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return porcupine.CheckOperations(counting, h.ops)
}

// reading is a way to read bob's balance.
type reading func(ctx context.Context, s *Strong) (string, error)

func strongReading(ctx context.Context, s *Strong) (string, error) {
	b, err := s.Balance(ctx, rpctest.Address("bob").String(), "usd", ReadOptions{})
	return b.Amount, err
}

// naiveReading is the protocol that suggests itself and is wrong: the highest height that validators with more than two
// thirds of the power have committed, and no waiting.
func naiveReading(ctx context.Context, s *Strong) (string, error) {
	r := s.newRound(ctx)
	for range r.nodes {
		r.take(<-r.answers)
		all, top := r.all()
		if top == nil {
			continue
		}
		powers := powersOf(top.ValidatorSet)
		if _, _, ok := ledger.ReadIndex(all, powers); ok {
			q := Question{What: AskBalance, Account: rpctest.Address("bob").String(), Asset: "usd"}
			b, err := matched[struct {
				Amount string `json:"amount"`
			}](ctx, s, index{uint64(top.Height), powers, s.keys.known()}, q)
			return b.Amount, err
		}
	}
	return "", r.noQuorum("")
}

// cents is how many were paid to bob.
func cents(t testing.TB, amount string) int {
	t.Helper()
	a, err := ledger.ParseAmount(amount, 2)
	if err != nil || a.Hi != 0 {
		t.Fatalf("amount %q: %v", amount, err)
	}
	return int(a.Lo) - 100_000_000
}

// TestNaiveReadIndexIsRejected: a block is committed by the precommits of A, B and C, and only A has learned of that. A
// reader whom A does not answer in time must not read the state before it. The naive protocol does, and the checker that
// TestStrongIsLinearizable relies on says so; the real one waits for the block.
func TestNaiveReadIndexIsRejected(t *testing.T) {
	for name, c := range map[string]struct {
		read reading
		want bool
	}{"naive": {naiveReading, false}, "strong": {strongReading, true}} {
		t.Run(name, func(t *testing.T) {
			n, h := newConsensus(t), &history{}
			s := n.strong(t, StrongOptions{})
			call := h.now()
			acked := n.write(t)
			for i := range 3 {
				n.sign(i)
			}
			if !n.decide(0) {
				t.Fatal("three signatures commit no block")
			}
			<-acked
			h.add(0, op{write: true}, call, 0)

			delayed := make(chan struct{}) // what A says is under way until the end
			attest, api := n.who[0], n.apis[0]
			n.servers[0].fails(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != pathAttest {
					api.ServeHTTP(w, r)
					return
				}
				select {
				case <-delayed:
					attest.ServeHTTP(w, r)
				case <-r.Context().Done():
				}
			})
			type answer struct {
				amount string
				err    error
			}
			answers := make(chan answer, 1)
			call = h.now()
			go func() {
				amount, err := c.read(within(t, time.Minute), s)
				answers <- answer{amount, err}
			}()
			if c.want { // it waits, until two more have learned of the block
				waits(t, n.servers[1], 3)
				n.learn(1)
				n.learn(2)
			}
			got := <-answers
			if got.err != nil {
				t.Fatal(got.err)
			}
			h.add(1, op{}, call, cents(t, got.amount))
			close(delayed)
			if h.linearizable() != c.want {
				t.Errorf("read %s after a cent was paid: linearizable %t", got.amount, !c.want)
			}
		})
	}
}

// TestStrongIsLinearizable: readers and writers, while validators sign, learn of blocks one by one and late, and are dead
// for a while. However the messages fall, what all of them see could have come from one copy of the account. Who is not
// answered for want of a quorum has seen nothing.
func TestStrongIsLinearizable(t *testing.T) {
	const blocks, readers = 15, 3
	for seed := range uint64(2) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			n, h := newConsensus(t), &history{}
			rng := rand.New(rand.NewPCG(seed, 7))
			ctx, stop := context.WithCancel(within(t, 2*time.Minute))
			var reads, refused atomic.Int64
			var all sync.WaitGroup
			for who := range readers {
				s := n.strong(t, StrongOptions{})
				all.Go(func() {
					for done := false; !done; {
						done = ctx.Err() != nil // one more, of a network at rest
						call := h.now()
						amount, err := strongReading(within(t, time.Minute), s)
						switch {
						case err == nil:
							h.add(who, op{}, call, cents(t, amount))
							reads.Add(1)
						case errors.Is(err, ErrLie):
							t.Errorf("an honest node is called a liar: %v", err)
						default:
							refused.Add(1)
						}
					}
				})
			}
			writer := readers
			for target := n.head + blocks; n.head < target; {
				if len(n.waiting) < 3 && rng.IntN(4) == 0 { // more at once only keep the checker busy
					writer++
					id, call, acked := writer, h.now(), n.write(t)
					all.Go(func() {
						<-acked
						h.add(id, op{write: true}, call, 0)
					})
				}
				n.event(rng)
				n.breathe()
			}
			n.rest()
			stop()
			all.Wait()
			if reads.Load() < readers || !h.linearizable() {
				t.Errorf("%d reads, %d refused, not linearizable: %+v", reads.Load(), refused.Load(), h.ops)
			}
		})
	}
}

// event is the next thing that happens.
func (c *consensus) event(rng *rand.Rand) {
	i := rng.IntN(4)
	switch rng.IntN(8) {
	case 0, 1, 2:
		c.sign(i)
	case 3:
		c.decide(i)
	case 4, 5, 6:
		c.learn(i)
	case 7:
		if rng.IntN(4) == 0 {
			c.kill(rng.IntN(5) - 1)
		}
	}
}

// breathe lets readers ask before the next event. How many do changes what they see, and never whether it is right.
func (c *consensus) breathe() {
	select {
	case <-c.servers[0].seen:
	case <-c.servers[1].seen:
	case <-c.servers[2].seen:
	case <-c.servers[3].seen:
	case <-time.After(time.Millisecond):
	}
}

// rest lets everything that waits be committed, and all nodes learn of it.
func (c *consensus) rest() {
	c.kill(-1)
	for range 2 {
		for i := range c.committed {
			for c.committed[i] < c.head {
				c.learn(i)
			}
		}
		for i := range c.committed {
			c.sign(i)
		}
		c.decide(0)
	}
	for i := range c.committed {
		c.learn(i)
	}
}
