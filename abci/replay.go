package abci

import (
	"context"
	"fmt"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"
)

// Replayed is what the block after the one that was executed says of it.
type Replayed struct {
	AppHash     []byte
	ResultsHash []byte
}

// Replay executes a block that was decided long ago as CometBFT had it executed then, and commits it.
func (a *Application) Replay(ctx context.Context, block *cmttypes.Block) (Replayed, error) {
	response, err := a.FinalizeBlock(ctx, &abcitypes.RequestFinalizeBlock{
		Hash:               block.Hash(),
		NextValidatorsHash: block.NextValidatorsHash,
		ProposerAddress:    block.ProposerAddress,
		Height:             block.Height,
		Time:               block.Time,
		Misbehavior:        block.Evidence.Evidence.ToABCI(),
		Txs:                block.Txs.ToSliceOfBytes(),
	})
	if err != nil {
		return Replayed{}, err
	}
	if len(response.TxResults) != len(block.Txs) {
		panic(fmt.Sprintf("abci: %d results for %d transactions of block %d", len(response.TxResults), len(block.Txs), block.Height))
	}
	if _, err := a.Commit(ctx, &abcitypes.RequestCommit{}); err != nil {
		return Replayed{}, err
	}
	return Replayed{AppHash: response.AppHash, ResultsHash: cmttypes.NewResults(response.TxResults).Hash()}, nil
}
