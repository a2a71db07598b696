package client

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	cmtlight "github.com/cometbft/cometbft/light"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

const (
	// blockTxsBytesMax is what the transactions of the largest block that a genesis document allows have.
	blockTxsBytesMax = 8 << 20
	// headerBytesMax is far more than a block header takes.
	headerBytesMax = 4 << 10
)

// BlockParts are what a block's answer is computed from.
type BlockParts struct {
	Header []byte              `json:"header"` // CometBFT's Header of the block, marshalled; the next one names its hash
	Txs    [][]byte            `json:"txs"`    // as CometBFT carries them
	Failed []rpc.FailedReceipt `json:"failed"` // the receipts whose code is not zero
}

// ReadBlock reads a block, o.Height or else the newest that another block follows: its header, which the validators
// signed, its transactions, and what became of each. receipts is one of the Receipts constants. A node can neither
// leave out a transaction nor change an outcome.
func (v *Verified) ReadBlock(ctx context.Context, receipts string, o ReadOptions) (rpc.Block, error) {
	var made Proof
	block, node, err := anyNode(ctx, v, func(ctx context.Context, node string) (rpc.Block, bool, error) {
		b, p, err := v.blockAt(ctx, node, receipts, o)
		made = p
		return b, false, err
	})
	if err == nil && o.Prove != nil {
		err = v.document(ctx, node, &made, o.Prove)
	}
	return block, err
}

// blockAt asks one node for a block and checks everything about the answer.
func (v *Verified) blockAt(ctx context.Context, node, receipts string, o ReadOptions) (rpc.Block, Proof, error) {
	proof := Proof{Format: proofFormat, Question: Question{What: AskBlock}}
	var claimed rpc.Block
	if err := v.askBlock(ctx, node, v.blockRequest(receipts, o), &claimed); err != nil {
		return rpc.Block{}, proof, err
	}
	height := claimed.Height
	switch least := v.least(o); {
	case claimed.Proof == nil:
		return rpc.Block{}, proof, from(node, height, lie(LieUnproven, "to a question about a block"))
	case height == 0 || o.Height > 0 && height != o.Height:
		return rpc.Block{}, proof, from(node, height, lie(LieHeight, "asked for block %d", o.Height))
	case height < least:
		return rpc.Block{}, proof, from(node, height, lie(LieHeight, "asked for block %d or later", least))
	}
	next, err := v.light.header(ctx, node, height+1)
	if err != nil {
		return rpc.Block{}, proof, err
	}
	if err := v.fresh(node, height, next.Time, o); err != nil {
		return rpc.Block{}, proof, err
	}
	own, err := v.client.fetchBlock(ctx, node, v.light.chainID, height)
	if err != nil {
		return rpc.Block{}, proof, err
	}
	header, err := own.Header.ToProto().Marshal()
	if err != nil {
		return rpc.Block{}, proof, fmt.Errorf("encode header %d: %w", height, err)
	}
	proof.Height = height
	proof.Block = &BlockParts{Header: header, Txs: claimed.Proof.Txs, Failed: claimed.Proof.Failed}
	built, err := proof.Block.build(v.light.chainID, height, next.Header)
	if err == nil {
		showReceipts(&built, receipts)
		err = sameFields(claimed, built)
	}
	if err != nil {
		return rpc.Block{}, proof, from(node, height, err)
	}
	v.client.session.saw(node, height)
	return built, proof, nil
}

// askBlock asks one node, and again while it has no block yet that another one follows.
func (v *Verified) askBlock(ctx context.Context, node string, r request, out *rpc.Block) error {
	for deadline := v.now().Add(v.wait); ; {
		err := v.client.ask(ctx, node, r, out)
		if !errors.Is(err, rpc.ErrNothingProvable()) || !v.now().Before(deadline) || !pause(ctx, provePause) {
			return err
		}
		v.client.endpoints.answered(node) // being young is no fault
	}
}

// blockRequest asks for a block that can be proven, and lets the node wait until it is.
func (v *Verified) blockRequest(receipts string, o ReadOptions) request {
	r := request{method: http.MethodGet, path: rpc.PathBlocks + "/latest", query: url.Values{}, header: http.Header{}, aside: true, patience: readWait}
	if o.Height > 0 {
		r.path = rpc.PathBlocks + "/" + strconv.FormatUint(o.Height, 10)
	}
	if least := v.least(o); least > 0 {
		r.header.Set(rpc.HeaderMinHeight, strconv.FormatUint(least, 10))
	}
	if receipts != "" && receipts != ReceiptsNone {
		r.query.Set("receipts", receipts)
	}
	r.query.Set("proof", "true")
	r.query.Set("timeout", readWait.String())
	return r
}

// showReceipts leaves the receipts in a block that were asked for; all are there.
func showReceipts(b *rpc.Block, receipts string) {
	switch receipts {
	case ReceiptsList:
	case ReceiptsPacked:
		b.Packed, b.Receipts = rpc.PackReceipts(b.Receipts), nil
	default:
		b.Receipts = nil
	}
}

// build computes the block and all its receipts, under the next header, which is trusted.
func (parts *BlockParts) build(chainID string, height uint64, next *cmttypes.Header) (rpc.Block, error) {
	header, err := parts.header(chainID, height, next)
	if err != nil {
		return rpc.Block{}, err
	}
	size := 0
	for _, tx := range parts.Txs {
		size += len(tx)
	}
	if size > blockTxsBytesMax {
		return rpc.Block{}, lie(LieShape, "transactions of %d bytes, at most %d are possible", size, blockTxsBytesMax)
	}
	if !bytes.Equal(cmttypes.ToTxs(parts.Txs).Hash(), header.DataHash) {
		return rpc.Block{}, lie(LieTxs, "%d of them", len(parts.Txs))
	}
	receipts, results, err := parts.receipts(height)
	if err != nil {
		return rpc.Block{}, err
	}
	if root := merkle.ListRoot(results); !bytes.Equal(root[:], next.LastResultsHash) {
		return rpc.Block{}, lie(LieResults, "%d receipts, %d of them not zero", len(receipts), len(parts.Failed))
	}
	return rpc.Block{
		Height: height, Hash: crypto.Hash(header.Hash()), Time: header.Time.UTC().Format(time.RFC3339Nano),
		TimeMS: uint64(max(0, header.Time.UnixMilli())), Proposer: hex.EncodeToString(header.ProposerAddress),
		AppHash: crypto.Hash(next.AppHash), TxCount: len(receipts), Verified: true, Receipts: receipts,
	}, nil
}

// header decodes the block's header, which must be the one that the next header names.
func (parts *BlockParts) header(chainID string, height uint64, next *cmttypes.Header) (*cmttypes.Header, error) {
	if len(parts.Header) == 0 || len(parts.Header) > headerBytesMax {
		return nil, lie(LieHeader, "a header of %d bytes, at most %d are possible", len(parts.Header), headerBytesMax)
	}
	var p cmtproto.Header
	if err := p.Unmarshal(parts.Header); err != nil {
		return nil, lie(LieHeader, "the header does not decode: %v", err)
	}
	header, err := cmttypes.HeaderFromProto(&p)
	if err != nil {
		return nil, lie(LieHeader, "the header does not decode: %v", err)
	}
	if header.ChainID != chainID || uint64(header.Height) != height {
		return nil, lie(LieHeader, "asked for header %d, got %d", height, header.Height)
	}
	if err := cmtlight.VerifyBackwards(&header, next); err != nil {
		return nil, lie(LieHeader, "%v", err)
	}
	return &header, nil
}

// receipts takes the transactions apart as the ledger does, and makes all receipts and CometBFT's results of them.
func (parts *BlockParts) receipts(height uint64) ([]rpc.BlockReceipt, [][]byte, error) {
	receipts := []rpc.BlockReceipt{}
	var results [][]byte
	failed := parts.Failed
	next := func(raw []byte) ledger.Receipt {
		r := ledger.Receipt{Height: height, Index: uint32(len(receipts))}
		id := idOf(raw)
		if len(failed) > 0 && failed[0].Index == len(receipts) {
			r.Code, r.Op = failed[0].Code, failed[0].Op
			failed = failed[1:]
		}
		receipts = append(receipts, rpc.BlockReceipt{TxID: id, Code: r.Code, Op: r.Op})
		r.Txid = id[:]
		return r
	}
	for _, tx := range parts.Txs {
		if !ledger.IsFrame(tx) {
			r := next(tx)
			results = append(results, resultOf(r.Code, r.Encode()))
			continue
		}
		inner, err := ledger.DecodeFrame(tx)
		if err != nil {
			results = append(results, resultOf(uint32(codeOf(err)), nil))
			continue
		}
		leaves := make([][]byte, len(inner))
		for i, raw := range inner {
			r := next(raw)
			leaves[i] = r.Encode()
		}
		root := merkle.ListRoot(leaves)
		results = append(results, resultOf(0, root[:]))
	}
	if len(failed) > 0 {
		return nil, nil, lie(LieResults, "%d receipts are out of order or of no transaction", len(failed))
	}
	return receipts, results, nil
}

// idOf is the id of a transaction of a block; one that does not decode has one, too.
func idOf(raw []byte) crypto.Hash {
	tx, err := ledger.DecodeTransaction(raw)
	if tx == nil {
		tx = ledger.UndecodableTransaction(raw, codeOf(err))
	}
	return tx.ID
}

func codeOf(err error) ledger.Code {
	var reject *ledger.Reject
	if errors.As(err, &reject) {
		return reject.Code
	}
	return ledger.CodeBadEncoding
}

// resultOf encodes what CometBFT hashes of the result of one of its transactions: code and data of its
// ExecTxResult, as there is no gas here.
func resultOf(code uint32, data []byte) []byte {
	var b []byte
	if code != 0 {
		b = binary.AppendUvarint(append(b, 1<<3), uint64(code))
	}
	if len(data) > 0 {
		b = binary.AppendUvarint(append(b, 2<<3|2), uint64(len(data)))
		b = append(b, data...)
	}
	return b
}
