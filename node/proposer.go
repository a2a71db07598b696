package node

import (
	"log/slog"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/abci"
)

const (
	// absentCommits is how many last commits in a row a validator must be missing from to count as absent.
	// A commit needs two thirds only, so that a healthy validator is now and then left out of one.
	absentCommits = 3
	// shortPropose is how long an absent proposer is waited for. It is enough for a proposal that is
	// already on its way, and not for one that its proposer has yet to make.
	shortPropose = 150 * time.Millisecond
	// probeFirst and probeLast say which turns of an absent proposer get the full timeout: the 8th, 16th,
	// 32nd and so on, later every 256th. A validator that is back but always too late for commits and for
	// the short timeout could otherwise never propose again.
	probeFirst = 8
	probeLast  = 256
)

// turns decides how long this node waits for the proposer of the next height. CometBFT waits for everyone as
// long as its configuration says, and reads that configuration anew for each round; turns sets it before
// each height, in two ways:
//
//   - For a proposer that stays away it is short, so that commits do not stop for timeout_propose each time
//     it is a dead validator's turn. CometBFT never skips a proposer.
//   - When a proposer that is there was too late, it grows, and shrinks again with every block that comes in
//     time: on a machine with too much to do, giving up on proposers costs more than waiting for them.
//
// This is a matter of this node's patience alone: proposals that come are judged as always, so that
// nodes that disagree about who is absent lose time and nothing else.
//
// All fields belong to the goroutine that executes blocks, which is the one that reads the timeout.
type turns struct {
	config      *cmtcfg.ConsensusConfig // the very one CometBFT holds
	full, delta time.Duration           // as configured, for the first round and more for each further one
	stretched   time.Duration           // full, or more under load
	self        []byte
	validators  func(height int64) (*cmttypes.ValidatorSet, error) // nil while blocks are replayed at start
	log         *slog.Logger

	last, next string // whose turn the last decided and the next height are, by consensus address; "" if unknown
	absent     map[string]*absence
}

// absence is what is known against a validator.
type absence struct {
	commits int // last commits in a row without it
	turns   int // turns in a row it let pass
}

func newTurns(config *cmtcfg.ConsensusConfig, self []byte, log *slog.Logger) *turns {
	return &turns{
		config: config, full: config.TimeoutPropose, delta: config.TimeoutProposeDelta, stretched: config.TimeoutPropose,
		self: self, log: log, absent: map[string]*absence{},
	}
}

// decided takes in one decided block and sets the timeouts for the next one's proposers.
func (t *turns) decided(d abci.Decision) {
	for _, v := range d.LastCommit {
		a := t.of(string(v.Validator))
		if v.Voted {
			a.commits = 0
		} else {
			a.commits++
		}
	}
	t.stretch(d.LastRound)
	switch proposer := string(d.Proposer); {
	case proposer == t.next:
		t.of(proposer).turns = 0
	case t.next != "":
		t.of(t.next).turns++
	}
	t.last, t.next = t.next, t.proposerOf(d.Height+1)

	// Whoever steps in for an absent proposer is given full time: it may have a full block to send.
	patience := t.patience()
	t.config.TimeoutPropose, t.config.TimeoutProposeDelta = patience, max(t.delta, t.stretched-patience)
}

// stretch learns from the block before, whose round has just become known.
func (t *turns) stretch(lastRound int32) {
	switch {
	case lastRound == 0:
		t.stretched = max(t.full, t.stretched-t.stretched/stretchShrink)
	case t.last != "" && t.of(t.last).commits == 0:
		t.stretched = min(t.stretched*3/2, t.full*stretchNum/stretchDen)
	}
}

const (
	// stretchNum/stretchDen bounds how far the timeout grows: with the 500 ms of profile lan up to 800 ms,
	// so that commits go on within a second after a proposer dies even then.
	stretchNum, stretchDen = 8, 5
	// stretchShrink is what part of the timeout a block that comes in time takes back.
	stretchShrink = 16
)

// patience is how long to wait for the next proposer.
func (t *turns) patience() time.Duration {
	if t.next == "" || t.next == string(t.self) || t.full <= shortPropose {
		return t.stretched // our own proposal takes its time to make, and is not waited for by others alone
	}
	a := t.of(t.next)
	if a.turns == 0 || a.commits < absentCommits {
		return t.stretched
	}
	if n := a.turns; n >= probeFirst && (n%probeLast == 0 || n < probeLast && n&(n-1) == 0) {
		return t.stretched
	}
	return shortPropose
}

// proposerOf is whose turn round 0 of a height is. Validators of a height are known two blocks before it.
func (t *turns) proposerOf(height int64) string {
	if t.validators == nil {
		return ""
	}
	set, err := t.validators(height)
	if err != nil || set.IsNilOrEmpty() {
		t.log.Debug("whose turn is unknown; the full timeout applies", "height", height, "err", err)
		return ""
	}
	t.forget(set)
	return string(set.GetProposer().Address)
}

// forget drops validators that left the set, so that the map cannot outgrow it.
func (t *turns) forget(set *cmttypes.ValidatorSet) {
	if len(t.absent) <= 2*set.Size() {
		return
	}
	for address := range t.absent {
		if !set.HasAddress([]byte(address)) {
			delete(t.absent, address)
		}
	}
}

func (t *turns) of(address string) *absence {
	a := t.absent[address]
	if a == nil {
		a = &absence{}
		t.absent[address] = a
	}
	return a
}
