package client

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// TestStrongIndexWhileValidatorsChange: who vouches for a height are the validators of the block after it, and where these are
// others, the read waits until it has their word.
func TestStrongIndexWhileValidatorsChange(t *testing.T) {
	for name, c := range map[string]struct {
		sets map[uint64]string // from which height on which nodes are the validators
		dead int               // the last so many nodes
		wait []uint64          // blocks that the read must wait for; the nodes are at 3
		want uint64            // 0: no quorum
		why  string
	}{
		"nothing changes":                   {sets: map[uint64]string{1: "0123"}, want: 3},
		"one joins":                         {sets: map[uint64]string{1: "012", 4: "0123"}, wait: []uint64{4}, want: 4},
		"one leaves":                        {sets: map[uint64]string{1: "0123", 4: "012"}, wait: []uint64{4}, want: 4},
		"one leaves that is dead":           {sets: map[uint64]string{1: "0123", 4: "012"}, dead: 1, wait: []uint64{4}, want: 4},
		"the change is over":                {sets: map[uint64]string{1: "0123", 3: "012"}, want: 3},
		"the change is yet to come":         {sets: map[uint64]string{1: "0123", 5: "012"}, want: 3},
		"one leaves and comes back":         {sets: map[uint64]string{1: "0123", 4: "012", 5: "0123"}, wait: []uint64{4, 5}, want: 5},
		"they change with every block":      {sets: map[uint64]string{1: "0123", 4: "012", 5: "013", 6: "012"}, wait: []uint64{4, 5}, why: "the validators are changing"},
		"two join that nobody can ask":      {sets: map[uint64]string{1: "01", 4: "0123"}, dead: 2, wait: []uint64{4}, why: "20 of the voting power 40"},
		"two leave, and two were not asked": {sets: map[uint64]string{1: "0123", 4: "01"}, dead: 2, why: "20 of the voting power 40"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newAttesting(t, func(height uint64) (names []string) {
				for ; names == nil; height-- {
					for _, digit := range c.sets[height] {
						names = append(names, "node"+string(digit))
					}
				}
				return names
			})
			n.Seal()
			alive := n.servers[:len(n.servers)-c.dead]
			for _, dead := range n.servers[len(alive):] {
				dead.die()
			}
			s := n.strong(t, StrongOptions{})
			got := indexing(t, s)
			for _, height := range c.wait {
				waits(t, alive[0], height)
				n.Seal()
			}
			f := <-got
			if c.want > 0 {
				if f.err != nil || f.height != c.want {
					t.Errorf("must reach %d, %v; want %d", f.height, f.err, c.want)
				}
				return
			}
			if !errors.Is(f.err, ErrNoQuorum) || !strings.Contains(f.err.Error(), c.why) {
				t.Errorf("must reach %d, %v; want no quorum, %s", f.height, f.err, c.why)
			}
		})
	}
}

// refuseToAttest lets nodes serve everything but attestations.
func (n *attesting) refuseToAttest(nodes ...int) {
	for _, i := range nodes {
		n.servers[i].attest = func(w http.ResponseWriter, _ *http.Request) { sendError(w, rpc.NewError(ledger.CodeUnavailable, "")) }
	}
}

// TestStrongFence: where attestations do not suffice, a transaction of the reader's own finds the height.
func TestStrongFence(t *testing.T) {
	n := newAttesting(t, namedValidators)
	n.give(t, 100)
	n.Seal()
	n.refuseToAttest(2, 3)
	signed := 0
	var last Signed
	s := n.strong(t, StrongOptions{Proven: true, Wait: time.Minute, Fence: func(context.Context) (Signed, error) {
		signed++
		var err error
		last, err = NewTx(n.ChainID, n.Genesis, rpctest.Address("alice")).Fence().ValidUntilMS(inFiveMinutes()).Sign(crypto.DevKey("alice"))
		return last, err
	}})
	n.sealsWhenAsked(t)
	before := n.Height()
	height, err := s.Index(within(t, soon))
	if err != nil || height <= before || signed != 1 || s.Stats() != (StrongStats{Fenced: 1}) {
		t.Fatalf("must reach %d, was %d, %v; %d fences signed, %+v", height, before, err, signed, s.Stats())
	}
	status, err := n.servers[0].node.Outcome(within(t, soon), last.TxID, false)
	if err != nil || status.Height != height {
		t.Errorf("the fence is %+v, %v; the read must reach %d", status, err, height)
	}
	b, err := s.Balance(within(t, soon), rpctest.Address("bob").String(), "usd", ReadOptions{})
	if err != nil || b.Amount != "1000001.00" || b.Height < height || signed != 2 {
		t.Errorf("%+v, %v; %d fences signed", b, err, signed)
	}
}

// TestStrongFenceFails: a fence that cannot be signed, or that nobody commits, leaves the read without an answer, and the
// error says both what the validators said and what became of the fence.
func TestStrongFenceFails(t *testing.T) {
	n := newAttesting(t, namedValidators)
	n.refuseToAttest(1, 2, 3)
	locked := errors.New("the key is locked")
	for name, c := range map[string]struct {
		fence func(context.Context) (Signed, error)
		is    error
	}{
		"not signed": {func(context.Context) (Signed, error) { return Signed{}, locked }, locked},
		"no block": {func(context.Context) (Signed, error) {
			return NewTx(n.ChainID, n.Genesis, rpctest.Address("alice")).Fence().ValidUntilMS(inFiveMinutes()).Sign(crypto.DevKey("alice"))
		}, ErrUnknownOutcome},
	} {
		s := n.strong(t, StrongOptions{Wait: time.Second, Fence: c.fence})
		_, err := s.Index(within(t, soon))
		var none *NoQuorumError
		if !errors.Is(err, ErrNoQuorum) || !errors.As(err, &none) || none.Fence == nil || none.Have != 10 || none.Total != 40 {
			t.Errorf("%s: %v", name, err)
		}
		if !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %v in it", name, err, c.is)
		}
		if s.Stats() != (StrongStats{Refused: 1}) {
			t.Errorf("%s: %+v", name, s.Stats())
		}
	}
}
