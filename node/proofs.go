package node

import (
	"context"
	"errors"
	"fmt"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
	"github.com/tetradledger/tetrad/rpc"
)

// Prove opens the state at a height for proofs.
func (b backend) Prove(ctx context.Context, o rpc.ReadOptions) (rpc.Prover, error) {
	if !b.n.app.Ready() {
		return nil, rpc.NewError(ledger.CodeSyncing, "The node has no state yet.")
	}
	if o.Height > 0 && o.Height == b.n.Height() {
		o.MinHeight = max(o.MinHeight, o.Height) // a moment more, and it can be proven
	}
	if o.MinHeight > 0 {
		// The next block's header is what proves a height.
		if err := b.n.app.WaitHeight(ctx, max(o.MinHeight, o.MinHeight+1)); err != nil {
			return nil, rpc.ErrProofBehind(o.MinHeight, b.n.app.ProvableHeight())
		}
	}
	p, err := b.n.app.OpenProver(o.Height)
	if err != nil {
		return nil, proverError(o.Height, err)
	}
	return prover{p}, nil
}

// prover says in the API's words why a proof cannot be made.
type prover struct{ *app.Prover }

// ProveRecord shows a transaction's replay record, or that there is none.
func (p prover) ProveRecord(bucket uint64, id crypto.Hash) ([]byte, error) {
	proof, err := p.Prover.ProveRecord(bucket, id)
	if errors.Is(err, app.ErrProverBusy) {
		err = rpc.NewError(ledger.CodeRateLimited, "Too many proofs of transactions that ended a while ago are being made.")
	}
	return proof, err
}

// proverError tells the caller which heights can be proven.
func proverError(asked uint64, err error) error {
	var pruned store.ErrPruned
	var future store.ErrFuture
	switch {
	case errors.As(err, &pruned):
		return rpc.ErrUnprovable(asked, pruned.First)
	case errors.As(err, &future):
		return rpc.ErrUnproven(asked, future.Head)
	case errors.Is(err, store.ErrNoTree):
		return rpc.ErrNothingProvable()
	}
	return fmt.Errorf("open the state at height %d for proofs: %w", asked, err)
}

// ProveBlock returns a block with what it is computed from. The next header names the hash of its results.
func (b backend) ProveBlock(ctx context.Context, height uint64) (rpc.Block, error) {
	head := b.n.Height()
	if height == 0 {
		height = max(head, 1) - 1
	}
	switch {
	case height == 0:
		return rpc.Block{}, rpc.ErrNothingProvable()
	case height == head:
		if err := b.n.app.WaitHeight(ctx, height+1); err != nil {
			return rpc.Block{}, rpc.ErrUnproven(height, height-1)
		}
	}
	out, block, err := b.describe(height)
	if err != nil {
		return rpc.Block{}, err
	}
	receipts, err := b.n.app.Receipts(height)
	if err != nil {
		return rpc.Block{}, heightError(height, err)
	}
	if len(receipts) != out.TxCount {
		return rpc.Block{}, fmt.Errorf("block %d holds %d transactions and has %d receipts", height, out.TxCount, len(receipts))
	}
	out.Receipts = rpc.ReceiptsOf(receipts)
	out.Proof = rpc.ProveBlock(block.Txs.ToSliceOfBytes(), out.Receipts)
	return out, nil
}

// Light returns a header with its signatures and validators, as CometBFT keeps them.
func (b backend) Light(_ context.Context, height uint64) (rpc.LightBlock, error) {
	blocks := b.n.engine.BlockStore()
	head := uint64(max(0, blocks.Height()))
	if height == 0 {
		height = head
	}
	if height == 0 || height > head {
		return rpc.LightBlock{}, rpc.ErrFuture(height, head)
	}
	at := int64(height)
	meta := blocks.LoadBlockMeta(at)
	// The signatures stand in the next block; for the newest, those this node has seen will do as well.
	commit := blocks.LoadBlockCommit(at)
	if commit == nil {
		commit = blocks.LoadSeenCommit(at)
	}
	if meta == nil || commit == nil {
		return rpc.LightBlock{}, rpc.ErrPruned(height, b.n.firstBlock())
	}
	validators, err := b.validatorsAt(at)
	if err != nil {
		return rpc.LightBlock{}, fmt.Errorf("read the validators of height %d: %w", height, err)
	}
	light := cmttypes.LightBlock{
		SignedHeader: &cmttypes.SignedHeader{Header: &meta.Header, Commit: commit}, ValidatorSet: validators,
	}
	message, err := light.ToProto()
	if err != nil {
		return rpc.LightBlock{}, fmt.Errorf("encode the header of height %d: %w", height, err)
	}
	encoded, err := message.Marshal()
	return rpc.LightBlock{Height: height, Light: encoded}, err
}

// validatorsAt reads a validator set. Whose turn it is to propose does not matter to a light client, and costs
// a computation for every height since the set was stored.
func (b backend) validatorsAt(height int64) (*cmttypes.ValidatorSet, error) {
	states := b.n.env.StateStore
	if fast, ok := states.(interface {
		LoadValidatorsFast(height int64) (*cmttypes.ValidatorSet, error)
	}); ok {
		return fast.LoadValidatorsFast(height)
	}
	return states.LoadValidators(height)
}

// Genesis returns the bytes of the genesis document.
func (b backend) Genesis(context.Context) ([]byte, error) { return b.n.doc.JSON(), nil }
