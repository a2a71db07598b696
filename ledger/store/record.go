package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// Record is what one block does to the store.
type Record struct {
	Height   uint64
	TimeMS   uint64
	Changes  []ledger.Change  // in key order, one for a key
	Receipts []ledger.Receipt // in block order
	// Touched are the accounts whose logs each transaction extended, as ledger.Execute lists them. They must be
	// among the accounts that change. Without it, the histories of accounts lack the block.
	Touched [][]crypto.Address
}

// errCut says that a chunk ends in the middle of an item.
var errCut = errors.New("a chunk ends in the middle of an item")

// chunker cuts a stream of items into chunks. An item is never cut.
type chunker struct {
	chunks [][]byte
	open   []byte
	left   int // how many bytes are still to come, about; room is made for them at once
}

// room makes sure the next item of that size has a place, and returns the chunk to append it to. The
// caller stores the result in open.
func (c *chunker) room(size int) []byte {
	if len(c.open) > 0 && len(c.open)+size > chunkBytes {
		c.flush()
	}
	if c.open == nil {
		c.open = make([]byte, 0, max(size, min(chunkBytes, c.left)))
	}
	c.left -= size
	return c.open
}

func (c *chunker) flush() {
	if len(c.open) > 0 {
		c.chunks = append(c.chunks, c.open)
		c.open = nil
	}
}

// item appends a key and a value. A value of length zero stands for a deletion.
func (c *chunker) item(key, value []byte) {
	b := c.room(itemBytes(key, value))
	b = append(binary.AppendUvarint(b, uint64(len(key))), key...)
	c.open = append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

// itemBytes bounds the size of an item in a chunk.
func itemBytes(key, value []byte) int { return len(key) + len(value) + 2*binary.MaxVarintLen32 }

// receipt appends a receipt.
func (c *chunker) receipt(r *ledger.Receipt) {
	encoded := r.Encode()
	b := c.room(len(encoded) + binary.MaxVarintLen32)
	c.open = append(binary.AppendUvarint(b, uint64(len(encoded))), encoded...)
}

// encodeChanges cuts changes into chunks.
func encodeChanges(changes []ledger.Change) [][]byte {
	var c chunker
	for _, change := range changes {
		c.left += itemBytes(change.Key, change.Value)
	}
	for _, change := range changes {
		c.item(change.Key, change.Value)
	}
	c.flush()
	return c.chunks
}

// receiptBytes is about the size of a receipt in a chunk.
const receiptBytes = 56

// encodeReceipts cuts receipts into chunks.
func encodeReceipts(receipts []ledger.Receipt) [][]byte {
	c := chunker{left: len(receipts) * receiptBytes}
	for i := range receipts {
		c.receipt(&receipts[i])
	}
	c.flush()
	return c.chunks
}

// nextBytes takes one length-prefixed string off a chunk.
func nextBytes(b []byte) (item, rest []byte, err error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, nil, errCut
	}
	b = b[used:]
	return b[:n:n], b[n:], nil
}

// nextItem takes a key and a value off a chunk; they alias it. A deletion has a nil value.
func nextItem(b []byte) (key, value, rest []byte, err error) {
	if key, rest, err = nextBytes(b); err != nil {
		return nil, nil, nil, err
	}
	if value, rest, err = nextBytes(rest); err != nil {
		return nil, nil, nil, err
	}
	if len(key) == 0 {
		return nil, nil, nil, errors.New("a chunk holds an empty key")
	}
	if len(value) == 0 {
		value = nil
	}
	return key, value, rest, nil
}

// eachItem calls fn for the items of a chunk, whose keys and values alias it.
func eachItem(chunk []byte, fn func(key, value []byte) error) error {
	for len(chunk) > 0 {
		key, value, rest, err := nextItem(chunk)
		if err != nil {
			return err
		}
		if err := fn(key, value); err != nil {
			return err
		}
		chunk = rest
	}
	return nil
}

// eachReceipt calls fn for the receipts of a chunk.
func eachReceipt(chunk []byte, fn func(ledger.Receipt) error) error {
	for len(chunk) > 0 {
		encoded, rest, err := nextBytes(chunk)
		if err != nil {
			return err
		}
		r, err := ledger.DecodeReceipt(encoded)
		if err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
		chunk = rest
	}
	return nil
}

// eachChunk calls fn for the chunks of one section of a record. What fn gets is valid during the call.
func eachChunk(txn *reader, e headEntry, section byte, fn func(chunk []byte) error) error {
	for i := range e.Chunks[section] {
		if err := readValue(txn, recordKey(e.Height, e.Root, section, i), fn); err != nil {
			return fmt.Errorf("read change record %d: %w", e.Height, err)
		}
	}
	return nil
}

// findItem finds a key in a chunk. The value aliases the chunk.
func findItem(chunk, key []byte) (value []byte, found bool, err error) {
	for len(chunk) > 0 {
		k, v, rest, err := nextItem(chunk)
		if err != nil {
			return nil, false, err
		}
		if bytes.Equal(k, key) {
			return v, true, nil
		}
		chunk = rest
	}
	return nil, false, nil
}

// findChange finds the change of a key in a record. The value is a copy, nil if the key was deleted.
func findChange(txn *reader, e headEntry, key []byte) (value []byte, found bool, err error) {
	after := sort.Search(len(e.Firsts), func(i int) bool { return bytes.Compare(e.Firsts[i], key) > 0 })
	if after == 0 {
		return nil, false, nil
	}
	chunk := recordKey(e.Height, e.Root, sectionState, uint32(after-1))
	err = readValue(txn, chunk, func(chunk []byte) error {
		v, ok, err := findItem(chunk, key)
		value, found = bytes.Clone(v), ok
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("read change record %d: %w", e.Height, err)
	}
	return value, found, nil
}
