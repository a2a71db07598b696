package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// The touched section of a change record says which accounts' logs each transaction extended. Every one of them
// is among the accounts that the record changes, so it is named by the beginning of its id: as many bytes as tell
// the record's accounts apart, four or five for thousands of them. Each chunk begins with that number; then
// follows, for each receipt, how many accounts there are and their names.

// encodeTouched cuts the lists of touched accounts into chunks.
func encodeTouched(state []ledger.Change, touched [][]crypto.Address) [][]byte {
	if len(touched) == 0 {
		return nil
	}
	width := nameWidth(state)
	c := chunker{left: len(touched) * (1 + 2*width)}
	for _, accounts := range touched {
		b := c.room(binary.MaxVarintLen32 + width*len(accounts))
		if len(b) == 0 {
			b = append(b, byte(width))
		}
		b = binary.AppendUvarint(b, uint64(len(accounts)))
		for i := range accounts {
			b = append(b, accounts[i][:width]...)
		}
		c.open = b
	}
	c.flush()
	return c.chunks
}

// nameWidth is how many bytes tell the accounts among sorted changes apart; at least one.
func nameWidth(state []ledger.Change) int {
	width := 1
	var last []byte // id of the account before
	var lastHead uint64
	for i := range state {
		key := state[i].Key
		if !isAccount(key) {
			if len(key) > 0 && key[0] > ledger.PrefixAccount {
				break
			}
			continue
		}
		id := key[1:]
		head := binary.BigEndian.Uint64(id)
		switch {
		case last == nil:
		case head != lastHead:
			width = max(width, bits.LeadingZeros64(head^lastHead)/8+1)
		default:
			width = max(width, common(last, id)+1)
		}
		last, lastHead = id, head
	}
	return width
}

func isAccount(key []byte) bool {
	return len(key) == 1+len(crypto.Address{}) && key[0] == ledger.PrefixAccount
}

// common is how many bytes two strings begin with in common.
func common(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// eachTouched calls fn for the lists of a chunk. names holds the names of the accounts, width bytes each; it
// aliases the chunk.
func eachTouched(chunk []byte, fn func(names []byte, width int) error) error {
	if len(chunk) == 0 {
		return errCut
	}
	width, rest := int(chunk[0]), chunk[1:]
	if width == 0 || width > len(crypto.Address{}) {
		return fmt.Errorf("a list of touched accounts names them by %d bytes", width)
	}
	for len(rest) > 0 {
		n, used := binary.Uvarint(rest)
		if used <= 0 || n > uint64(len(rest)-used)/uint64(width) {
			return errCut
		}
		size := int(n) * width
		if err := fn(rest[used:used+size:used+size], width); err != nil {
			return err
		}
		rest = rest[used+size:]
	}
	return nil
}

// accountEnd is what a record says of an account's log after the block.
type accountEnd struct {
	id    crypto.Address
	count uint64
	head  crypto.Hash
}

// blockTouches is everything a record says about logs.
type blockTouches struct {
	Head
	ends    []accountEnd // ascending by id; those whose leaf changed
	touches []touch      // in block order
	ids     []crypto.Hash
}

// touch is a transaction that extended an account's log, by its place among the receipts.
type touch struct {
	account int // place in ends
	tx      int // place in ids
}

// readTouches reads what a record says about logs. A record without the section, of an older format or of a
// caller who keeps no histories, says nothing.
func readTouches(txn *reader, e headEntry) (*blockTouches, error) {
	b := &blockTouches{Head: e.Head}
	if e.Chunks[sectionTouched] == 0 {
		return b, nil
	}
	err := eachChunk(txn, e, sectionState, func(chunk []byte) error { return eachItem(chunk, b.addEnd) })
	if err != nil {
		return nil, err
	}
	tx := 0
	err = eachChunk(txn, e, sectionTouched, func(chunk []byte) error {
		return eachTouched(chunk, func(names []byte, width int) error {
			for ; len(names) > 0; names = names[width:] {
				at := b.find(names[:width])
				if at < 0 {
					return fmt.Errorf("transaction %d touched account %x, which did not change", tx, names[:width])
				}
				b.touches = append(b.touches, touch{account: at, tx: tx})
			}
			tx++
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read change record %d: %w", e.Height, err)
	}
	b.ids = make([]crypto.Hash, 0, tx)
	err = eachChunk(txn, e, sectionReceipts, func(chunk []byte) error {
		return eachID(chunk, func(id crypto.Hash) { b.ids = append(b.ids, id) })
	})
	if err == nil && len(b.ids) != tx {
		err = fmt.Errorf("read change record %d: it has %d receipts and %d lists of touched accounts", e.Height, len(b.ids), tx)
	}
	return b, err
}

// addEnd notes the log of an account that changed. Accounts come first among the changes, in order.
func (b *blockTouches) addEnd(key, value []byte) error {
	if !isAccount(key) || value == nil {
		return nil
	}
	a, err := ledger.DecodeAccount(value)
	if err != nil {
		return err
	}
	b.ends = append(b.ends, accountEnd{id: crypto.Address(key[1:]), count: a.LogCount, head: a.LogHead})
	return nil
}

// find finds an account by the beginning of its id; -1 if it is not there.
func (b *blockTouches) find(name []byte) int {
	low, high := 0, len(b.ends)
	for low < high {
		middle := (low + high) / 2
		if bytes.Compare(b.ends[middle].id[:len(name)], name) < 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == len(b.ends) || !bytes.HasPrefix(b.ends[low].id[:], name) {
		return -1
	}
	return low
}

// eachID calls fn for the transactions of a chunk of receipts.
func eachID(chunk []byte, fn func(id crypto.Hash)) error {
	for len(chunk) > 0 {
		encoded, rest, err := nextBytes(chunk)
		if err != nil {
			return err
		}
		id, err := receiptID(encoded)
		if err != nil {
			return err
		}
		fn(id)
		chunk = rest
	}
	return nil
}

// receiptID is the transaction of an encoded receipt.
func receiptID(encoded []byte) (crypto.Hash, error) {
	var r ledger.Receipt
	if err := r.Unmarshal(encoded); err != nil {
		return crypto.Hash{}, fmt.Errorf("decode a receipt: %w", err)
	}
	if len(r.Txid) != crypto.HashSize {
		return crypto.Hash{}, errors.New("a receipt names no transaction")
	}
	return crypto.Hash(r.Txid), nil
}

// touchesOf lists the transactions of one record that extended an account's log, in block order. The account is
// among those that the record changes.
func touchesOf(txn *reader, e headEntry, account crypto.Address) ([]crypto.Hash, error) {
	var wanted []int
	tx := 0
	err := eachChunk(txn, e, sectionTouched, func(chunk []byte) error {
		return eachTouched(chunk, func(names []byte, width int) error {
			for ; len(names) > 0; names = names[width:] {
				if bytes.Equal(names[:width], account[:width]) {
					wanted = append(wanted, tx)
				}
			}
			tx++
			return nil
		})
	})
	if err != nil || len(wanted) == 0 {
		return nil, err
	}
	ids := make([]crypto.Hash, 0, len(wanted))
	tx = 0
	err = eachChunk(txn, e, sectionReceipts, func(chunk []byte) error {
		for len(chunk) > 0 && len(ids) < len(wanted) {
			encoded, rest, err := nextBytes(chunk)
			if err != nil {
				return err
			}
			if tx == wanted[len(ids)] {
				id, err := receiptID(encoded)
				if err != nil {
					return err
				}
				ids = append(ids, id)
			}
			tx++
			chunk = rest
		}
		return nil
	})
	if err == nil && len(ids) != len(wanted) {
		err = fmt.Errorf("read change record %d: it has too few receipts", e.Height)
	}
	return ids, err
}
