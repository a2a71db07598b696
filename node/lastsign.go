package node

import (
	"errors"
	"fmt"

	cmtcrypto "github.com/cometbft/cometbft/crypto"
	cmtprotoio "github.com/cometbft/cometbft/libs/protoio"
	cmtprivval "github.com/cometbft/cometbft/privval"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
)

// The steps of a round in which a validator signs, as CometBFT numbers them in priv_validator_state.json.
const (
	stepPropose   = 1
	stepPrevote   = 2
	stepPrecommit = 3
)

// checkLastSign compares what a validator signed last with what its state says of it. CometBFT believes the
// height, round and step in that file, which carries no checksum: one flipped bit in them could let the validator
// sign another vote where it has signed one. The signed bytes say the same, and the signature vouches for them.
func checkLastSign(state cmtprivval.FilePVLastSignState, key cmtcrypto.PubKey) error {
	if len(state.Signature) == 0 && len(state.SignBytes) == 0 {
		return nil // it has signed nothing yet, or an operator has set how high it must go before it signs again
	}
	if !key.VerifySignature(state.SignBytes, state.Signature) {
		return errors.New("its signature is not this validator's of what it says was signed")
	}
	var (
		signed interface {
			GetHeight() int64
			GetRound() int64
			GetType() cmtproto.SignedMsgType
		}
		kind cmtproto.SignedMsgType
		err  error
	)
	switch state.Step {
	case stepPropose:
		var m cmtproto.CanonicalProposal
		err, signed, kind = cmtprotoio.UnmarshalDelimited(state.SignBytes, &m), &m, cmtproto.ProposalType
	case stepPrevote, stepPrecommit:
		kind = cmtproto.PrevoteType
		if state.Step == stepPrecommit {
			kind = cmtproto.PrecommitType
		}
		var m cmtproto.CanonicalVote
		err, signed = cmtprotoio.UnmarshalDelimited(state.SignBytes, &m), &m
	default:
		return fmt.Errorf("there is no step %d", state.Step)
	}
	if err != nil {
		return fmt.Errorf("what was signed cannot be read: %w", err)
	}
	if signed.GetHeight() != state.Height || signed.GetRound() != int64(state.Round) || signed.GetType() != kind {
		return fmt.Errorf("it says height %d, round %d, step %d, and height %d, round %d, %s was signed",
			state.Height, state.Round, state.Step, signed.GetHeight(), signed.GetRound(), signed.GetType())
	}
	return nil
}

// wholeKey tells whether what is signed with a key can be verified with it. A key file holds the private half
// and the public one twice; with a damaged one the validator would vote, and nobody would count it.
func wholeKey(key cmtprivval.FilePVKey) bool {
	message := []byte("tetrad")
	signature, err := key.PrivKey.Sign(message)
	public := key.PrivKey.PubKey()
	return err == nil && public.VerifySignature(message, signature) && key.PubKey != nil && public.Equals(key.PubKey)
}
