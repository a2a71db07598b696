package rpc

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tetradledger/tetrad/ledger"
)

type blockInput struct {
	Height    string `path:"height" doc:"A height, or latest" example:"latest"`
	MinHeight uint64 `header:"X-Tetrad-Min-Height" doc:"Wait until the node has this height, at most for timeout"`
	Timeout   string `query:"timeout" doc:"How long to wait, such as 500ms or 10s; at most 60s"`
	Proof     bool   `query:"proof" doc:"Prove the block: it is then one that another block follows, and latest is the newest such one"`
	Receipts  string `query:"receipts" enum:"none,list,packed" doc:"list: what became of each transaction; packed: the same in a third of the bytes"`
}

func (s *server) registerBlocks(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "block", Method: http.MethodGet, Path: PathBlocks + "/{height}", Summary: "A block", Tags: []string{tagBlocks},
		Description: "To follow the chain, ask for one height after another with X-Tetrad-Min-Height set to it.",
	}, s.block)
}

func (s *server) block(ctx context.Context, in *blockInput) (*answer[Block], error) {
	var height uint64
	if in.Height != "latest" {
		var err error
		if height, err = strconv.ParseUint(in.Height, 10, 63); err != nil || height == 0 {
			return nil, badRequest("path height: %q is neither a height, which is a number from 1, nor latest.", shorten(in.Height))
		}
	}
	b, err := s.readBlock(ctx, in, height)
	if err != nil {
		return nil, err
	}
	if b.Time == "" {
		b.Time = time.UnixMilli(int64(b.TimeMS)).UTC().Format(time.RFC3339Nano)
	}
	switch in.Receipts {
	case "list":
		b.Receipts = append([]BlockReceipt{}, b.Receipts...) // a list that is empty is not a list that is missing
	case "packed":
		b.Packed, b.Receipts = PackReceipts(b.Receipts), nil
	default:
		b.Receipts = nil
	}
	out := answered(s, b.Height, b.TimeMS, b)
	if in.Proof {
		out.Trust = trustProof
	}
	return out, nil
}

// readBlock asks the node for a block. For a proof, to have reached a height means to have the block after it.
func (s *server) readBlock(ctx context.Context, in *blockInput, height uint64) (Block, error) {
	least := in.MinHeight
	if in.Proof && least > 0 {
		least = max(least, least+1)
	}
	if err := s.reach(ctx, least, in.Timeout); err != nil {
		return Block{}, err
	}
	if !in.Proof {
		b, err := s.backend.Block(ctx, height, in.Receipts != "" && in.Receipts != "none")
		if err != nil {
			return Block{}, s.asError(err, "read a block")
		}
		return b, nil
	}
	wait, err := parseWait(in.Timeout)
	if err != nil {
		return Block{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	b, err := s.backend.ProveBlock(ctx, height)
	if err != nil {
		return Block{}, s.asError(err, "prove a block")
	}
	return b, nil
}

// reach waits until the node has a height, if one is asked for.
func (s *server) reach(ctx context.Context, height uint64, timeout string) error {
	wait, err := parseWait(timeout)
	if err != nil || height == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	snap, err := s.backend.Read(ctx, ReadOptions{MinHeight: height})
	if err != nil {
		return s.asError(err, "wait for a height")
	}
	snap.Close()
	return nil
}

// PackReceipts writes a list of receipts in the short form.
func PackReceipts(receipts []BlockReceipt) *PackedReceipts {
	p := &PackedReceipts{TxIDs: make([]byte, 0, 32*len(receipts)), Failed: []FailedReceipt{}}
	for i, r := range receipts {
		p.TxIDs = append(p.TxIDs, r.TxID[:]...)
		if r.Code != 0 {
			p.Failed = append(p.Failed, FailedReceipt{Index: i, Code: r.Code, Op: r.Op})
		}
	}
	return p
}

// ReceiptsOf is a block's receipts as the API lists them.
func ReceiptsOf(receipts []ledger.Receipt) []BlockReceipt {
	out := make([]BlockReceipt, len(receipts))
	for i := range receipts {
		out[i] = BlockReceipt{TxID: receipts[i].ID(), Code: receipts[i].Code, Op: receipts[i].Op}
	}
	return out
}

// ProveBlock makes the proof of a block: its transactions as the engine carries them, and its receipts.
func ProveBlock(txs [][]byte, receipts []BlockReceipt) *BlockProof {
	return &BlockProof{Txs: append([][]byte{}, txs...), Failed: PackReceipts(receipts).Failed}
}
