package abci

import (
	"context"
	"errors"
	"fmt"

	abcitypes "github.com/cometbft/cometbft/abci/types"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// PrepareProposal asks for the transactions of the next block. CometBFT offers none: the pool is ours.
func (a *Application) PrepareProposal(ctx context.Context, req *abcitypes.RequestPrepareProposal) (*abcitypes.ResponsePrepareProposal, error) {
	txs, err := a.app.Prepare(ctx, app.Proposal{
		Height:   heightOf(req.Height),
		TimeMS:   timeMS(req.Time),
		MaxBytes: req.MaxTxBytes,
		Proposer: req.ProposerAddress,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare height %d: %w", req.Height, err)
	}
	return &abcitypes.ResponsePrepareProposal{Txs: txs}, nil
}

// ProcessProposal says whether a proposed block may be voted for.
func (a *Application) ProcessProposal(_ context.Context, req *abcitypes.RequestProcessProposal) (*abcitypes.ResponseProcessProposal, error) {
	misbehaviour, err := a.misbehaviour(req.Misbehavior)
	if err != nil {
		return nil, fmt.Errorf("process height %d: %w", req.Height, err)
	}
	ok, reason := a.app.Process(app.Proposal{
		Height:       heightOf(req.Height),
		TimeMS:       timeMS(req.Time),
		Hash:         req.Hash,
		Proposer:     req.ProposerAddress,
		Txs:          req.Txs,
		Misbehaviour: misbehaviour,
	})
	if !ok {
		a.log.Warn("voting against a proposed block", "height", req.Height, "proposer", fmt.Sprintf("%x", req.ProposerAddress), "reason", reason)
		return &abcitypes.ResponseProcessProposal{Status: abcitypes.ResponseProcessProposal_REJECT}, nil
	}
	return &abcitypes.ResponseProcessProposal{Status: abcitypes.ResponseProcessProposal_ACCEPT}, nil
}

// FinalizeBlock executes a decided block.
func (a *Application) FinalizeBlock(ctx context.Context, req *abcitypes.RequestFinalizeBlock) (*abcitypes.ResponseFinalizeBlock, error) {
	if a.decided != nil {
		a.decided(toDecision(req))
	}
	misbehaviour, err := a.misbehaviour(req.Misbehavior)
	if err != nil {
		return nil, fmt.Errorf("finalize height %d: %w", req.Height, err)
	}
	result, err := a.app.Finalize(ctx, app.Block{
		Height:       heightOf(req.Height),
		TimeMS:       timeMS(req.Time),
		Hash:         req.Hash,
		Proposer:     req.ProposerAddress,
		Txs:          req.Txs,
		Misbehaviour: misbehaviour,
		LastRound:    req.DecidedLastCommit.Round,
	})
	if err != nil {
		return nil, fmt.Errorf("finalize height %d: %w", req.Height, err)
	}
	updates, err := toUpdates(result.Validators)
	if err != nil {
		return nil, fmt.Errorf("finalize height %d: %w", req.Height, err)
	}
	response := &abcitypes.ResponseFinalizeBlock{ValidatorUpdates: updates, AppHash: result.Root[:]}
	for _, r := range result.TxResults {
		response.TxResults = append(response.TxResults, &abcitypes.ExecTxResult{Code: r.Code, Data: r.Data, Log: r.Log})
	}
	return response, nil
}

// Commit makes the executed block durable before it returns.
func (a *Application) Commit(context.Context, *abcitypes.RequestCommit) (*abcitypes.ResponseCommit, error) {
	retain, err := a.app.Commit()
	if err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	return &abcitypes.ResponseCommit{RetainHeight: int64(retain)}, nil
}

// errNoExtensions: genesis switches vote extensions off, and nothing can switch them on.
var errNoExtensions = errors.New("vote extensions are off")

// ExtendVote is never called while vote extensions are off.
func (*Application) ExtendVote(context.Context, *abcitypes.RequestExtendVote) (*abcitypes.ResponseExtendVote, error) {
	return nil, errNoExtensions
}

// VerifyVoteExtension is never called while vote extensions are off.
func (*Application) VerifyVoteExtension(context.Context, *abcitypes.RequestVerifyVoteExtension) (*abcitypes.ResponseVerifyVoteExtension, error) {
	return nil, errNoExtensions
}

// misbehaviour names the validators of CometBFT's evidence as the ledger does. Evidence speaks of consensus
// addresses, which are made of the key alone, so the ledger's own list of validators is searched.
// Validators never leave that list, and evidence was checked against a set that came from it; if one is
// missing all the same, every replica skips it alike.
func (a *Application) misbehaviour(evidence []abcitypes.Misbehavior) ([]ledger.Misbehaviour, error) {
	if len(evidence) == 0 {
		return nil, nil
	}
	known, err := a.validators()
	if err != nil {
		return nil, err
	}
	var out []ledger.Misbehaviour
	for _, e := range evidence {
		id, ok := known[string(e.Validator.Address)]
		if !ok {
			a.log.Error("evidence against a validator the ledger does not know is skipped",
				"validator", fmt.Sprintf("%x", e.Validator.Address), "height", e.Height)
			continue
		}
		out = append(out, ledger.Misbehaviour{Validator: id, Kind: kindOf(e.Type), Height: heightOf(e.Height)})
	}
	return out, nil
}

// validators maps consensus addresses to the ledger's ids, as of the state the block builds on.
func (a *Application) validators() (map[string]crypto.ValidatorID, error) {
	view := a.app.View()
	defer view.Close()
	raw, err := view.Get(ledger.KeyValidators())
	if err != nil {
		return nil, fmt.Errorf("read the list of validators: %w", err)
	}
	ids, err := ledger.DecodeValidators(raw)
	if err != nil {
		return nil, fmt.Errorf("read the list of validators: %w", err)
	}
	out := make(map[string]crypto.ValidatorID, len(ids))
	for _, id := range ids {
		raw, err := view.Get(ledger.KeyValidator(id))
		if err != nil {
			return nil, fmt.Errorf("read validator %v: %w", id, err)
		}
		v, err := ledger.DecodeValidator(raw)
		if err != nil {
			return nil, fmt.Errorf("read validator %v: %w", id, err)
		}
		address := crypto.ConsensusAddress(v.PublicKey)
		out[string(address[:])] = id
	}
	return out, nil
}
