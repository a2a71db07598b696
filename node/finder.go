package node

import (
	"errors"
	"fmt"

	cmtcoretypes "github.com/cometbft/cometbft/rpc/core/types"
	cmtstate "github.com/cometbft/cometbft/state"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// finder answers CometBFT's route `tx` from the block store.
type finder struct {
	places  *locator
	blocks  blockStore
	states  cmtstate.Store
	receipt func(crypto.Hash) (ledger.Receipt, bool)
}

// find looks for a CometBFT transaction by the hash of its bytes, then for a signed transaction by its id.
// With prove the answer holds CometBFT's proof that its transaction, which may be the frame around the
// signed one, is in the block.
func (f *finder) find(hash []byte, prove bool) (*cmtcoretypes.ResultTx, error) {
	if len(hash) != crypto.HashSize {
		return nil, fmt.Errorf("a transaction's hash has %d bytes, not %d", crypto.HashSize, len(hash))
	}
	height, index, ok, err := f.places.find(hash)
	if err != nil {
		return nil, err
	}
	if ok {
		return f.whole(hash, height, index, prove)
	}
	receipt, ok := f.receipt(crypto.Hash(hash))
	if !ok {
		return nil, f.unknown(hash)
	}
	return f.inner(hash, receipt, prove)
}

// unknown says how far back this node could have known a transaction.
func (f *finder) unknown(hash []byte) error {
	if base := f.blocks.Base(); base > 1 {
		return fmt.Errorf("tx (%X) not found: the first block that this node keeps is %d", hash, base)
	}
	return fmt.Errorf("tx (%X) not found", hash)
}

// whole is a CometBFT transaction with the result CometBFT has of it.
func (f *finder) whole(hash []byte, height int64, index uint32, prove bool) (*cmtcoretypes.ResultTx, error) {
	block, err := f.block(height)
	if err != nil {
		return nil, err
	}
	results, err := f.states.LoadFinalizeBlockResponse(height)
	if err != nil {
		return nil, fmt.Errorf("read the results of height %d: %w", height, err)
	}
	if int(index) >= len(block.Txs) || int(index) >= len(results.TxResults) {
		return nil, fmt.Errorf("tx (%X) should be number %d of height %d, which has %d", hash, index, height, len(block.Txs))
	}
	out := &cmtcoretypes.ResultTx{Hash: hash, Height: height, Index: index, Tx: block.Txs[index], TxResult: *results.TxResults[index]}
	if prove {
		out.Proof = block.Txs.Proof(int(index))
	}
	return out, nil
}

// inner is a signed transaction with the result its receipt gives; Index is the CometBFT transaction's.
func (f *finder) inner(hash []byte, receipt ledger.Receipt, prove bool) (*cmtcoretypes.ResultTx, error) {
	block, err := f.block(int64(receipt.Height))
	if err != nil {
		return nil, err
	}
	raw, index, err := signedTx(block, receipt.Index)
	if err != nil {
		return nil, err
	}
	out := &cmtcoretypes.ResultTx{Hash: hash, Height: int64(receipt.Height), Index: uint32(index), Tx: raw}
	out.TxResult.Code = receipt.Code
	out.TxResult.Data = receipt.Encode()
	if code := receipt.Outcome(); code != ledger.CodeOK {
		out.TxResult.Log = code.Info().Message
	}
	if prove {
		out.Proof = block.Txs.Proof(index)
	}
	return out, nil
}

func (f *finder) block(height int64) (*cmttypes.Block, error) {
	block := f.blocks.LoadBlock(height)
	if block == nil {
		return nil, fmt.Errorf("this node no longer keeps block %d: the first that it keeps is %d", height, f.blocks.Base())
	}
	return block, nil
}

var errNoSuchIndex = errors.New("the block holds fewer transactions than its receipts say")

// signedTx finds the n-th signed transaction of a block, and which CometBFT transaction holds it.
func signedTx(block *cmttypes.Block, n uint32) (raw []byte, index int, err error) {
	left := int(n)
	for i, tx := range block.Txs {
		inner := innerTxs(tx)
		if left < len(inner) {
			return inner[left], i, nil
		}
		left -= len(inner)
	}
	return nil, 0, errNoSuchIndex
}
