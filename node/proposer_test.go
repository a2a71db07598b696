package node

import (
	"log/slog"
	"testing"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/abci"
)

// rounds plays heights of four validators of equal power, of which some are away.
type rounds struct {
	t      *testing.T
	set    *cmttypes.ValidatorSet // of height 1
	config *cmtcfg.ConsensusConfig
	turns  *turns
	height int64
}

func newRounds(t *testing.T) *rounds {
	var validators []*cmttypes.Validator
	for i := range 4 {
		validators = append(validators, cmttypes.NewValidator(cmted25519.GenPrivKeyFromSecret([]byte{byte(i)}).PubKey(), 10))
	}
	r := &rounds{t: t, set: cmttypes.NewValidatorSet(validators), config: engineDefaults("", ProfileLAN).Consensus}
	r.turns = newTurns(r.config, r.address(0), slog.New(slog.DiscardHandler))
	r.turns.validators = func(h int64) (*cmttypes.ValidatorSet, error) { return r.at(h), nil }
	return r
}

func (r *rounds) at(height int64) *cmttypes.ValidatorSet {
	set := r.set.Copy()
	if height > 1 {
		set.IncrementProposerPriority(int32(height - 1))
	}
	return set
}

func (r *rounds) address(i int) []byte { return r.set.Validators[i].Address }

// turnOf is whose turn a height is.
func (r *rounds) turnOf(height int64) int {
	proposer := r.at(height).GetProposer().Address
	for i := range 4 {
		if string(proposer) == string(r.address(i)) {
			return i
		}
	}
	r.t.Fatal("nobody's turn")
	return -1
}

// decide plays one height in which the given validators are away, and returns the patience with the next one.
func (r *rounds) decide(away ...int) time.Duration {
	r.height++
	gone := map[int]bool{}
	for _, i := range away {
		gone[i] = true
	}
	proposer := r.turnOf(r.height)
	for gone[proposer] {
		proposer = (proposer + 1) % 4
	}
	d := abci.Decision{Height: r.height, Proposer: r.address(proposer)}
	for i := range 4 {
		d.LastCommit = append(d.LastCommit, abci.Vote{Validator: r.address(i), Voted: !gone[i]})
	}
	r.turns.decided(d)
	return r.config.TimeoutPropose
}

const full = 500 * time.Millisecond

// TestHealthyProposersGetFullPatience: missing from a commit now and then is normal.
func TestHealthyProposersGetFullPatience(t *testing.T) {
	r := newRounds(t)
	for range 40 {
		if got := r.decide(); got != full {
			t.Fatalf("height %d: %v", r.height, got)
		}
	}
	// A validator whose votes are always too late but who proposes in its turn is not absent.
	for range 40 {
		r.height++
		d := abci.Decision{Height: r.height, Proposer: r.address(r.turnOf(r.height))}
		for i := range 4 {
			d.LastCommit = append(d.LastCommit, abci.Vote{Validator: r.address(i), Voted: i != 2})
		}
		r.turns.decided(d)
		if got := r.config.TimeoutPropose; got != full {
			t.Fatalf("height %d: %v for a validator that is late but there", r.height, got)
		}
	}
}

// TestAbsentProposerGetsLessPatience: the first turn it lets pass costs the full timeout, the following ones
// do not, save for the probes; back in one commit, it has full patience again.
func TestAbsentProposerGetsLessPatience(t *testing.T) {
	const away = 2
	r := newRounds(t)
	for range 8 {
		r.decide()
	}
	missed := 0
	for range 4 * 40 {
		patience := r.decide(away)
		if r.turnOf(r.height) == away {
			missed++
		}
		if r.turnOf(r.height+1) != away {
			if patience != full {
				t.Fatalf("height %d: patience %v with a validator that is there", r.height, patience)
			}
			continue
		}
		want := shortPropose
		if missed == 0 || missed == 8 || missed == 16 || missed == 32 {
			want = full
		}
		if patience != want {
			t.Errorf("after %d missed turns: patience %v, want %v", missed, patience, want)
		}
	}
	for r.turnOf(r.height+2) != away {
		r.decide(away)
	}
	if got := r.decide(); got != full { // it was in the commit, and its turn is next
		t.Errorf("back again: patience %v", got)
	}
}

// TestTwoAbsentProposers: each is judged by itself, and others than validators are forgotten.
func TestTwoAbsentProposers(t *testing.T) {
	r := newRounds(t)
	for range 16 {
		r.decide(1, 2)
	}
	for range 8 {
		patience, next := r.decide(1, 2), r.turnOf(r.height+1)
		if want := next == 1 || next == 2; (patience == shortPropose) != want {
			t.Errorf("height %d, turn of %d: patience %v", r.height+1, next, patience)
		}
	}
	for i := range 100 {
		r.turns.of(string(rune(i)))
	}
	r.decide()
	if len(r.turns.absent) > 8 {
		t.Errorf("%d validators remembered, there are 4", len(r.turns.absent))
	}
}

// TestOwnTurnAndUnknownTurn: nobody waits for itself, and without knowledge the full timeout applies.
func TestOwnTurnAndUnknownTurn(t *testing.T) {
	r := newRounds(t)
	for range 40 {
		patience := r.decide(0)
		if r.turnOf(r.height+1) == 0 && patience != full {
			t.Fatalf("height %d: patience %v with ourselves", r.height+1, patience)
		}
	}
	r.turns.validators = nil
	if got := r.decide(0, 1, 2); got != full {
		t.Errorf("unknown turn: patience %v", got)
	}
}

// TestPatienceGrowsUnderLoad: proposers that are there but late make all wait longer, up to a bound; blocks in
// time undo that; and those who step in for an absent one always get full time.
func TestPatienceGrowsUnderLoad(t *testing.T) {
	r := newRounds(t)
	late := func(round int32) time.Duration {
		r.height++
		d := abci.Decision{Height: r.height, Proposer: r.address((r.turnOf(r.height) + 1) % 4), LastRound: round}
		for i := range 4 {
			d.LastCommit = append(d.LastCommit, abci.Vote{Validator: r.address(i), Voted: true})
		}
		r.turns.decided(d)
		return r.config.TimeoutPropose
	}
	late(0)
	late(0) // a block's round is known with the block after it
	if got := late(1); got != 750*time.Millisecond {
		t.Errorf("after one late proposer: %v", got)
	}
	for range 5 {
		if got := late(1); got != 800*time.Millisecond {
			t.Errorf("after several late proposers: %v", got)
		}
	}
	before := r.config.TimeoutPropose
	for range 20 {
		got := r.decide()
		if got > before || got < full {
			t.Errorf("height %d: %v after %v", r.height, got, before)
		}
		before = got
	}
	if before != full {
		t.Errorf("after many blocks in time: %v", before)
	}

	r = newRounds(t)
	for range 40 {
		patience := r.decide(2)
		if first, second := patience, r.config.Propose(1); second < full || first > second {
			t.Fatalf("height %d: %v in the first round, %v in the second", r.height, first, second)
		}
	}
}
