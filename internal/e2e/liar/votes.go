package main

import (
	"log/slog"
	"sync/atomic"

	cmtconsensus "github.com/cometbft/cometbft/consensus"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	cmtprivval "github.com/cometbft/cometbft/privval"
	cmtconsproto "github.com/cometbft/cometbft/proto/tendermint/consensus"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/node"
)

// peers is whom lies are sent to.
type peers struct{ cmtp2p.Switcher }

// equivocator signs what it should, and beside each vote for a block one for another block.
type equivocator struct {
	cmttypes.PrivValidator
	key   *cmtprivval.FilePV // its key signs anything: no state guards it
	log   *slog.Logger
	peers atomic.Pointer[peers]
}

func newEquivocator(c node.Config, log *slog.Logger) (*equivocator, error) {
	key := cmtprivval.LoadFilePVEmptyState(c.Engine.PrivValidatorKeyFile(), c.Engine.PrivValidatorStateFile())
	return &equivocator{key: key, log: log}, nil
}

func (e *equivocator) wrap(honest cmttypes.PrivValidator) cmttypes.PrivValidator {
	e.PrivValidator = honest
	return e
}

// SignVote signs the vote and, if it is for a block, sends everybody a second one for a block that does not
// exist, signed as validly.
func (e *equivocator) SignVote(chainID string, vote *cmtproto.Vote) error {
	if err := e.PrivValidator.SignVote(chainID, vote); err != nil {
		return err
	}
	to := e.peers.Load()
	if to == nil || len(vote.BlockID.Hash) == 0 {
		return nil
	}
	other := *vote
	hash := crypto.Sum(vote.BlockID.Hash)
	other.BlockID.Hash = hash[:]
	signature, err := e.key.Key.PrivKey.Sign(cmttypes.VoteSignBytes(chainID, &other))
	if err != nil {
		return err
	}
	other.Signature = signature
	e.log.Info("lie: a second vote", "height", vote.Height, "round", vote.Round, "type", vote.Type)
	to.BroadcastAsync(cmtp2p.Envelope{ChannelID: cmtconsensus.VoteChannel, Message: &cmtconsproto.Vote{Vote: &other}})
	return nil
}
