package rpc

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// eventBlock is a block as streams carry it. It is written once, whoever reads it, and never changed.
type eventBlock struct {
	height uint64
	text   []byte // the events of its transactions, one after another
	txs    []eventTx
	block  []byte // the event of the block itself
}

// eventTx is where a transaction's event ends in its block's text, and what filters ask of it.
type eventTx struct {
	end      int
	accounts []crypto.Address
	assets   []crypto.Hash
}

// tx is the event of one transaction.
func (b *eventBlock) tx(i int) []byte {
	begin := 0
	if i > 0 {
		begin = b.txs[i-1].end
	}
	return b.text[begin:b.txs[i].end]
}

// size is about what it takes in memory.
func (b *eventBlock) size() int {
	n := len(b.text) + len(b.block)
	for i := range b.txs {
		n += 64 + 32*(len(b.txs[i].accounts)+len(b.txs[i].assets))
	}
	return n
}

// eventBlocks keeps the blocks that streams read last: most streams want the same ones, at the same time. Only
// so many are made at once, so that streams that read history leave the node's processors alone.
type eventBlocks struct {
	read   func(ctx context.Context, height uint64) (*eventBlock, error)
	making chan struct{} // a slot for each block being made

	mu    sync.Mutex // guards everything below
	held  map[uint64]*heldBlock
	order []uint64 // of held, oldest first
	bytes int      // of those that are made
}

// heldBlock is a block that is being made, or is there.
type heldBlock struct {
	made  chan struct{} // closed once the fields below are set
	block *eventBlock
	err   error
}

func newEventBlocks(read func(ctx context.Context, height uint64) (*eventBlock, error)) *eventBlocks {
	return &eventBlocks{read: read, making: make(chan struct{}, eventBlocksMaking), held: map[uint64]*heldBlock{}}
}

// errAbandoned is of a block that nobody made, because who was to do it went away.
var errAbandoned = errors.New("the reader went away")

// get returns a block, and makes it unless somebody does. What fails is not kept.
func (e *eventBlocks) get(ctx context.Context, height uint64) (*eventBlock, error) {
	for {
		e.mu.Lock()
		h, found := e.held[height]
		if !found {
			h = &heldBlock{made: make(chan struct{})}
			e.held[height] = h
			e.order = append(e.order, height)
		}
		e.mu.Unlock()
		if !found {
			block, err := e.make(ctx, height)
			e.finish(height, h, block, err)
			return block, err
		}
		select {
		case <-h.made:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !errors.Is(h.err, errAbandoned) {
			return h.block, h.err
		}
	}
}

// make reads a block when it is its turn. What it reads is for others as well, so it goes on when the reader
// goes away.
func (e *eventBlocks) make(ctx context.Context, height uint64) (b *eventBlock, err error) {
	select {
	case e.making <- struct{}{}:
	case <-ctx.Done():
		return nil, errAbandoned
	}
	defer func() { <-e.making }()
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panicked while making the events of block %d: %v", height, reason)
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), eventBlockWait)
	defer cancel()
	return e.read(ctx, height)
}

// finish tells everybody who waits, and makes room.
func (e *eventBlocks) finish(height uint64, h *heldBlock, block *eventBlock, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	h.block, h.err = block, err
	close(h.made)
	if err != nil {
		e.forget(height)
		return
	}
	e.bytes += block.size()
	for len(e.order) > 1 && (len(e.order) > eventBlocksMax || e.bytes > eventBlocksBytes) && e.forgetOldest() {
	}
}

// forgetOldest lets go of the oldest block that is made; false if all are being made. It needs mu.
func (e *eventBlocks) forgetOldest() bool {
	for _, height := range e.order {
		if b := e.held[height].block; b != nil {
			e.bytes -= b.size()
			e.forget(height)
			return true
		}
	}
	return false
}

// forget needs mu.
func (e *eventBlocks) forget(height uint64) {
	delete(e.held, height)
	e.order = slices.DeleteFunc(e.order, func(h uint64) bool { return h == height })
}

// readEventBlock reads a block from the node and writes its events.
func (s *server) readEventBlock(ctx context.Context, height uint64) (*eventBlock, error) {
	block, raws, err := s.backend.Contents(ctx, height)
	if err != nil {
		return nil, err
	}
	if len(raws) != len(block.Receipts) || len(raws) != block.TxCount || block.Height != height {
		return nil, fmt.Errorf("the contents of block %d do not fit together: %d transactions, %d receipts, a count of %d at height %d",
			height, len(raws), len(block.Receipts), block.TxCount, block.Height)
	}
	snap, err := s.backend.Read(ctx, ReadOptions{})
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	codes := assetCodes{snap: snap, known: map[crypto.Hash]string{}}
	b := &eventBlock{height: height, txs: make([]eventTx, len(raws)), text: make([]byte, 0, len(raws)*eventBytesUsual)}
	for i, raw := range raws {
		tx, err := ledger.DecodeTransaction(raw)
		var fault *ledger.Reject
		switch {
		case errors.As(err, &fault):
			tx = ledger.UndecodableTransaction(raw, fault.Code)
		case err != nil:
			return nil, err
		}
		names, err := codes.of(tx.Assets())
		if err != nil {
			return nil, err
		}
		one := eventTx{accounts: tx.Parties(), assets: tx.Assets()}
		b.text = appendTxEvent(b.text, height, i, block.Receipts[i], one.accounts, names)
		one.end = len(b.text)
		b.txs[i] = one
	}
	b.block = blockEvent(block)
	return b, nil
}

// blockEvent is the event of a block itself.
func blockEvent(b Block) []byte {
	if b.Time == "" {
		b.Time = time.UnixMilli(int64(b.TimeMS)).UTC().Format(time.RFC3339Nano)
	}
	data, err := json.Marshal(BlockEvent{
		Height: b.Height, Hash: b.Hash, Time: b.Time, TimeMS: b.TimeMS, Proposer: b.Proposer, AppHash: b.AppHash, TxCount: b.TxCount,
	})
	if err != nil {
		panic("rpc: a block's event cannot be encoded: " + err.Error())
	}
	return fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", b.Height, EventBlock, data)
}

// assetCodes finds the names of assets. That of an asset never changes.
type assetCodes struct {
	snap  Snapshot
	known map[crypto.Hash]string
}

func (c assetCodes) of(ids []crypto.Hash) ([]string, error) {
	names := make([]string, len(ids))
	for i, id := range ids {
		name, ok := c.known[id]
		if !ok {
			asset, found, err := get(c.snap, ledger.KeyAsset(id), ledger.DecodeAsset)
			if err != nil {
				return nil, err
			}
			if name = id.String(); found {
				name = asset.Code
			}
			c.known[id] = name
		}
		names[i] = name
	}
	return names, nil
}

// appendTxEvent writes a TxEvent without reflection: there are thousands in a block. What it writes needs no
// escaping: numbers, hexadecimal, addresses, codes of assets and names of errors.
func appendTxEvent(b []byte, height uint64, index int, r BlockReceipt, accounts []crypto.Address, assets []string) []byte {
	b = append(b, "id: "...)
	b = strconv.AppendUint(b, height, 10)
	b = append(b, '.')
	b = strconv.AppendInt(b, int64(index), 10)
	b = append(b, "\nevent: "+EventTx+"\ndata: {\"height\":"...)
	b = strconv.AppendUint(b, height, 10)
	b = append(b, `,"index":`...)
	b = strconv.AppendInt(b, int64(index), 10)
	b = append(b, `,"txid":"`...)
	b = hex.AppendEncode(b, r.TxID[:])
	b = append(b, `","status":"`...)
	b = append(b, txStatusOf(r)...)
	b = append(b, `","code":`...)
	b = strconv.AppendUint(b, uint64(r.Code), 10)
	if r.Op > 0 {
		b = append(b, `,"op":`...)
		b = strconv.AppendUint(b, uint64(r.Op), 10)
	}
	if r.Code > 0 {
		b = append(b, `,"slug":"`...)
		b = append(b, ledger.Code(r.Code).Info().Slug...)
		b = append(b, '"')
	}
	b = append(b, `,"accounts":[`...)
	for i := range accounts {
		b = appendListed(b, i, accounts[i].String())
	}
	b = append(b, `],"assets":[`...)
	for i := range assets {
		b = appendListed(b, i, assets[i])
	}
	return append(b, "]}\n\n"...)
}

// appendListed writes one element of a list of plain texts.
func appendListed(b []byte, i int, text string) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}
