package node

import (
	"context"
	"errors"

	"github.com/tetradledger/tetrad/ledger/store"
	"github.com/tetradledger/tetrad/rpc"
)

// Contents returns a block with its signed transactions and what became of each.
func (b backend) Contents(_ context.Context, height uint64) (rpc.Block, [][]byte, error) {
	out, block, err := b.describe(height)
	if err != nil {
		return out, nil, err
	}
	raws := signedTxs(block)
	out.Receipts, err = b.receiptsOf(height, raws)
	return out, raws, err
}

// receiptsOf are the block's receipts as they were made, as long as those are kept. After that each transaction is
// asked for, which tells the same of all that were decided in this block; of the others only that they were not.
func (b backend) receiptsOf(height uint64, raws [][]byte) ([]rpc.BlockReceipt, error) {
	receipts, err := b.n.app.Receipts(height)
	var pruned store.ErrPruned
	switch {
	case errors.As(err, &pruned):
		return b.receipts(height, raws)
	case err != nil:
		return nil, heightError(height, err)
	}
	return rpc.ReceiptsOf(receipts), nil
}
