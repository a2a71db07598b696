package node

import (
	"io"
	"sync/atomic"

	cmtprivval "github.com/cometbft/cometbft/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
)

// pledges knows the highest block that this validator may have given a precommit for: a block that others may have
// committed with its help while it does not know of it yet. It only ever grows, and what is in it is never taken
// back: attest says why.
type pledges struct{ highest atomic.Uint64 }

// raise notes a height.
func (p *pledges) raise(height int64) {
	for {
		old := p.highest.Load()
		if height <= 0 || uint64(height) <= old || p.highest.CompareAndSwap(old, uint64(height)) {
			return
		}
	}
}

// begin notes what was signed before this process began. The record of a signer in a file is believed whatever its
// step: a precommit may stand behind the prevote of a later round, and one that was nil costs a strong read the wait
// for a block. A signer that keeps its record elsewhere may have signed the height after the newest that is executed,
// and none above it, since CometBFT executes a block before it signs for the next.
func (p *pledges) begin(last cmtprivval.FilePVLastSignState, elsewhere bool, executed uint64) {
	p.raise(last.Height)
	if elsewhere {
		p.raise(int64(executed) + 1)
	}
}

// pledging is a signer that notes each precommit for a block before it asks for the signature, so that no signature
// can be out of the house before it is noted, however the signer keeps its key. It adds one comparison to a vote, cannot
// fail, and changes nothing of what is signed.
type pledging struct {
	cmttypes.PrivValidator
	pledges *pledges
}

// SignVote implements cmttypes.PrivValidator.
func (s pledging) SignVote(chainID string, vote *cmtproto.Vote) error {
	if vote.Type == cmtproto.PrecommitType && !cmttypes.ProtoBlockIDIsNil(&vote.BlockID) {
		s.pledges.raise(vote.Height)
	}
	return s.PrivValidator.SignVote(chainID, vote)
}

// Close lets CometBFT close a signer that has a connection, which it looks for by this name.
func (s pledging) Close() error {
	if c, ok := s.PrivValidator.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
