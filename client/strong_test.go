package client

import (
	"errors"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// TestStrongReads: every read gives the newest state, agreed on or proven.
func TestStrongReads(t *testing.T) {
	n := newAttesting(t, namedValidators)
	n.give(t, 100)
	bob := rpctest.Address("bob").String()
	for _, proven := range []bool{false, true} {
		s := n.strong(t, StrongOptions{Proven: proven})
		ctx := within(t, time.Minute)
		if proven {
			n.sealsWhenAsked(t) // for the header that proves the newest state
		}
		b, err := s.Balance(ctx, bob, "usd", ReadOptions{})
		if err != nil || b.Amount != "1000001.00" || b.Consistency != ConsistencyStrong || b.Verified != proven {
			t.Errorf("proven %t: %+v, %v", proven, b, err)
		}
	}
}

// TestStrongIndex: which height a read must reach, from what the nodes have committed and may have signed.
func TestStrongIndex(t *testing.T) {
	for name, c := range map[string]struct {
		heights [4]uint64
		pending [4]bool
		dead    int // the last so many nodes
		want    uint64
		fast    bool
		either  bool // fast or not, as the answers come in
	}{
		"all are at 3":                      {heights: [4]uint64{3, 3, 3, 3}, want: 3, fast: true},
		"one is behind":                     {heights: [4]uint64{3, 3, 3, 2}, want: 3, fast: true},
		"one is ahead":                      {heights: [4]uint64{2, 2, 2, 3}, pending: [4]bool{true, true, true, false}, want: 3, fast: true, either: true},
		"the one ahead is dead":             {heights: [4]uint64{2, 2, 2, 3}, pending: [4]bool{true, true, true, false}, dead: 1, want: 3},
		"the one ahead is dead, one signed": {heights: [4]uint64{2, 2, 2, 3}, pending: [4]bool{true, false, false, false}, dead: 1, want: 3},
		"one says that it signed":           {heights: [4]uint64{3, 3, 3, 3}, pending: [4]bool{false, false, true, false}, want: 3, fast: true},
		"one signed and one is dead":        {heights: [4]uint64{3, 3, 3, 3}, pending: [4]bool{false, false, true, false}, dead: 1, want: 4},
		"all signed":                        {heights: [4]uint64{3, 3, 3, 3}, pending: [4]bool{true, true, true, true}, want: 4},
	} {
		t.Run(name, func(t *testing.T) {
			n := newAttesting(t, namedValidators)
			n.Seal()
			n.at(c.heights, c.pending)
			for _, dead := range n.servers[len(n.servers)-c.dead:] {
				dead.die()
			}
			s := n.strong(t, StrongOptions{})
			got := indexing(t, s)
			if !c.fast { // it waits for a block
				for _, server := range n.servers[:len(n.servers)-c.dead] {
					waits(t, server, c.want)
				}
				for n.Height() < c.want {
					n.Seal()
				}
				n.at([4]uint64{}, [4]bool{})
			}
			if f := <-got; f.err != nil || f.height != c.want {
				t.Errorf("must reach %d, %v; want %d", f.height, f.err, c.want)
			}
			want := StrongStats{Slow: 1}
			if c.fast {
				want = StrongStats{Fast: 1}
			}
			if s.Stats() != want && !c.either {
				t.Errorf("%+v", s.Stats())
			}
		})
	}
}

// TestStrongNoQuorum: where too few validators can be asked there is no answer.
func TestStrongNoQuorum(t *testing.T) {
	n := newAttesting(t, namedValidators)
	n.servers[2].die()
	n.servers[3].die()
	s := n.strong(t, StrongOptions{})
	_, err := s.Params(within(t, time.Minute), ReadOptions{})
	var none *NoQuorumError
	if !errors.Is(err, ErrNoQuorum) || !errors.As(err, &none) || none.Have != 20 || none.Total != 40 || len(none.Attempts) != 2 {
		t.Errorf("%v", err)
	}
	if s.Stats() != (StrongStats{Refused: 1}) {
		t.Errorf("%+v", s.Stats())
	}
	for _, server := range n.servers[:2] {
		server.fails(hang)
	}
	if _, err := n.strong(t, StrongOptions{Wait: 10 * time.Millisecond}).Params(within(t, time.Minute), ReadOptions{}); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("%v", err)
	}
	var refused *rpc.Error
	if _, err := s.Params(within(t, time.Minute), ReadOptions{Height: 1}); err == nil || errors.As(err, &refused) {
		t.Errorf("a strong read of a height: %v", err)
	}
}
