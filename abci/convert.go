package abci

import (
	"fmt"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	cmttypes "github.com/cometbft/cometbft/proto/tendermint/types"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// engineCode is a ledger code as CometBFT sees it: codes of refusals that may pass are moved above the bound
// from which CometBFT lets the same bytes come again.
func engineCode(code ledger.Code) uint32 {
	if code.Info().Retryable {
		return abcitypes.CodeTypeRetry + uint32(code)
	}
	return uint32(code)
}

// LedgerCode undoes what CheckTx, InsertTx and Query do to retryable codes.
func LedgerCode(engine uint32) ledger.Code {
	if engine >= abcitypes.CodeTypeRetry {
		return ledger.Code(engine - abcitypes.CodeTypeRetry)
	}
	return ledger.Code(engine)
}

// timeMS is a header's time in the ledger's milliseconds. CometBFT refuses headers before genesis, so that
// a negative number is its bug.
func timeMS(t time.Time) uint64 {
	ms := t.UnixMilli()
	if ms < 0 {
		panic(fmt.Sprintf("abci: block time %v lies before 1970", t))
	}
	return uint64(ms)
}

// heightOf is a height as the ledger counts it.
func heightOf(height int64) uint64 {
	if height < 0 {
		panic(fmt.Sprintf("abci: height %d is negative", height))
	}
	return uint64(height)
}

// toUpdate is a change of the validator set as CometBFT takes it.
func toUpdate(v ledger.ValidatorUpdate) (abcitypes.ValidatorUpdate, error) {
	if v.KeyType != crypto.KeyEd25519 {
		return abcitypes.ValidatorUpdate{}, fmt.Errorf("validator key of type %v: CometBFT takes ed25519 from us", v.KeyType)
	}
	if v.Power > ledger.ValidatorPowerMax {
		return abcitypes.ValidatorUpdate{}, fmt.Errorf("validator power %d is above %d", v.Power, uint64(ledger.ValidatorPowerMax))
	}
	key := cmtcrypto.PublicKey{Sum: &cmtcrypto.PublicKey_Ed25519{Ed25519: v.PublicKey}}
	return abcitypes.ValidatorUpdate{PubKey: key, Power: int64(v.Power)}, nil
}

// toUpdates converts a list; nil stays nil, which CometBFT takes for "no change".
func toUpdates(vs []ledger.ValidatorUpdate) ([]abcitypes.ValidatorUpdate, error) {
	var out []abcitypes.ValidatorUpdate
	for _, v := range vs {
		u, err := toUpdate(v)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}

// fromUpdate is the inverse of toUpdate.
func fromUpdate(u abcitypes.ValidatorUpdate) (ledger.ValidatorUpdate, error) {
	key, ok := u.PubKey.Sum.(*cmtcrypto.PublicKey_Ed25519)
	if !ok {
		return ledger.ValidatorUpdate{}, fmt.Errorf("validator key %T: only ed25519 is supported", u.PubKey.Sum)
	}
	if u.Power < 0 {
		return ledger.ValidatorUpdate{}, fmt.Errorf("validator power %d is negative", u.Power)
	}
	return ledger.ValidatorUpdate{KeyType: crypto.KeyEd25519, PublicKey: key.Ed25519, Power: uint64(u.Power)}, nil
}

// Kinds of misbehaviour as the ledger names them.
const (
	kindDuplicateVote = "duplicate_vote"
	kindLightClient   = "light_client_attack"
	kindUnknown       = "unknown"
)

func kindOf(t abcitypes.MisbehaviorType) string {
	switch t {
	case abcitypes.MisbehaviorType_DUPLICATE_VOTE:
		return kindDuplicateVote
	case abcitypes.MisbehaviorType_LIGHT_CLIENT_ATTACK:
		return kindLightClient
	default:
		return kindUnknown
	}
}

// Decision is what a node may want to know of a decided block beyond what the ledger does with it. Its slices
// belong to CometBFT: read them and let them go.
type Decision struct {
	Height     int64
	Proposer   []byte // consensus address
	Txs        [][]byte
	LastCommit []Vote // who took part in deciding the block before
	LastRound  int32  // how many proposers that block needed, less one
}

// Vote is one validator's part in a commit.
type Vote struct {
	Validator []byte // consensus address
	Voted     bool   // false: its vote had not come when the commit was made
}

func toDecision(req *abcitypes.RequestFinalizeBlock) Decision {
	d := Decision{Height: req.Height, Proposer: req.ProposerAddress, Txs: req.Txs, LastRound: req.DecidedLastCommit.Round}
	for _, v := range req.DecidedLastCommit.Votes {
		d.LastCommit = append(d.LastCommit, Vote{v.Validator.Address, v.BlockIdFlag != cmttypes.BlockIDFlagAbsent})
	}
	return d
}
