package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// receiptBlock holds the receipts of a block until they are in the index.
type receiptBlock struct {
	height   uint64
	receipts []ledger.Receipt

	once sync.Once
	byID map[crypto.Hash]int // made when somebody asks, so that commits do not pay for it
}

// find returns a transaction's receipt.
func (b *receiptBlock) find(id crypto.Hash) (ledger.Receipt, bool) {
	b.once.Do(func() {
		b.byID = make(map[crypto.Hash]int, len(b.receipts))
		for i := range b.receipts {
			r := &b.receipts[i]
			first, seen := b.byID[r.ID()]
			if r.Outcome() != ledger.CodeDuplicate && (!seen || !decides(&b.receipts[first])) {
				b.byID[r.ID()] = i
			}
		}
	})
	i, ok := b.byID[id]
	if !ok {
		return ledger.Receipt{}, false
	}
	return b.receipts[i], true
}

// decides reports whether a receipt settles what becomes of its transaction: it was committed, or an
// operation of it failed. Refusals before any operation ran do not: they use up neither nonce nor sequence
// number, and since an identifier covers no signatures, a forged copy may be refused before the true one is
// committed.
func decides(r *ledger.Receipt) bool { return r.Outcome() == ledger.CodeOK || r.Op > 0 }

// Receipt returns what became of a transaction: the receipt that decided it if there is one, otherwise the
// latest that refused it.
func (s *Store) Receipt(id crypto.Hash) (ledger.Receipt, bool, error) {
	s.mu.RLock()
	blocks, head := s.blocks, s.current().Height
	s.mu.RUnlock()
	var refusal ledger.Receipt
	refused := false
	for i := len(blocks) - 1; i >= 0; i-- {
		r, ok := blocks[i].find(id)
		if !ok {
			continue
		}
		if decides(&r) {
			return r, true, nil
		}
		if !refused {
			refusal, refused = r, true
		}
	}
	if r, ok, err := s.indexed(kindOutcome, id, head); ok || err != nil {
		return r, ok, err
	}
	if refused {
		return refusal, true, nil
	}
	return s.indexed(kindRefusal, id, head)
}

// Receipts returns the receipts of a block, in its order; they must not be changed. It fails with ErrFuture or
// ErrPruned if the height is not there.
func (s *Store) Receipts(height uint64) ([]ledger.Receipt, error) {
	s.mu.RLock()
	head, first, blocks, durable := s.current().Height, s.first(), s.blocks, s.durable
	if s.restored > 0 {
		first = max(first, s.restored+1) // the block of a snapshot is not in it, only its state
	}
	s.mu.RUnlock()
	switch {
	case height > head:
		return nil, ErrFuture{Head: head}
	case height < first:
		return nil, ErrPruned{First: first}
	case !durable:
		return nil, nil // genesis, which has none
	}
	for _, b := range blocks {
		if b.height == height {
			return b.receipts, nil
		}
	}
	var out []ledger.Receipt
	err := s.read(newest, func(txn *reader) error {
		e, err := readHead(txn, height)
		if err != nil {
			return err
		}
		return eachChunk(txn, e, sectionReceipts, func(chunk []byte) error {
			return eachReceipt(chunk, func(r ledger.Receipt) error {
				out = append(out, r)
				return nil
			})
		})
	})
	if err != nil {
		return nil, s.orPruned(height, err)
	}
	return out, nil
}

// indexed looks a transaction up in the index. Receipts above the newest height do not count: they are of blocks that
// the journal lost and that will be applied again.
func (s *Store) indexed(kind byte, id crypto.Hash, head uint64) (r ledger.Receipt, ok bool, err error) {
	err = s.read(flatTime(head), func(txn *reader) error {
		item, err := txn.of(kind).Get(txKey(kind, id))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		err = item.Value(r.Unmarshal)
		ok = r.Height <= head
		return err
	})
	if err != nil {
		return ledger.Receipt{}, false, fmt.Errorf("look up transaction %s: %w", id, err)
	}
	if !ok {
		return ledger.Receipt{}, false, nil
	}
	r.Txid = id[:]
	return r, true, nil
}

// indexBlocks writes the receipts of all blocks so far into the index and lets go of them. A crash leaves a
// part of them written; they are written again, the same, since the fold marker stands below them.
func (s *Store) indexBlocks() error {
	s.mu.RLock()
	blocks := s.blocks
	s.mu.RUnlock()
	for _, b := range blocks {
		if err := s.indexBlock(b); err != nil {
			return err
		}
		s.mu.Lock()
		s.blocks = s.blocks[1:] // only this goroutine takes blocks off
		s.mu.Unlock()
	}
	return nil
}

// indexBlock writes the receipts of one block. What is written is the receipt without the transaction,
// which is in the key.
func (s *Store) indexBlock(block *receiptBlock) error {
	var decided, refused []ledger.Receipt
	for _, r := range block.receipts {
		switch {
		case decides(&r):
			decided = append(decided, r)
		case r.Outcome() != ledger.CodeDuplicate:
			refused = append(refused, r)
		}
	}
	// Badger finds the place of each key from the top of its table down: neighbours find the way in the cache.
	slices.SortFunc(decided, func(a, b ledger.Receipt) int { return bytes.Compare(a.Txid, b.Txid) })
	outcomes := s.newBatch("index", putTime)
	if err := addReceipts(outcomes, kindOutcome, decided); err != nil {
		return err
	}
	// A transaction may be refused by several blocks: these receipts are versions of one key.
	refusals := s.newBatch("index", flatTime(block.height))
	return addReceipts(refusals, kindRefusal, lastOfEach(refused))
}

// addReceipts writes receipts to the index.
func addReceipts(b *batch, kind byte, receipts []ledger.Receipt) error {
	var value []byte
	for _, r := range receipts {
		id := r.Txid
		r.Txid = nil
		value = append(value[:0], r.Encode()...)
		if err := b.add(kind, id, value, kind == kindRefusal); err != nil {
			return err
		}
	}
	return b.flush()
}

// lastOfEach keeps the last receipt of each transaction.
func lastOfEach(receipts []ledger.Receipt) []ledger.Receipt {
	slices.Reverse(receipts)
	slices.SortStableFunc(receipts, func(a, b ledger.Receipt) int { return bytes.Compare(a.Txid, b.Txid) })
	return slices.CompactFunc(receipts, func(a, b ledger.Receipt) bool { return bytes.Equal(a.Txid, b.Txid) })
}
