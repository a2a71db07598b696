package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// The first byte of a group says what it holds.
const (
	groupWhole  = 1 // the head of the log after the group, and its entries
	groupInside = 2 // entries alone: it ends inside a block, where no head is known
	groupAnchor = 3 // the head of the log alone: earlier entries are not known
)

// group is a stretch of an account's log as it lies on disk, under the number of its first entry. An anchor lies
// under the number of the entry that it stands behind.
type group struct {
	account crypto.Address
	first   uint64
	entries []ledger.LogEntry // oldest first
	head    crypto.Hash       // after the last entry
	known   bool              // the head is
}

// last is the number of the last entry.
func (g *group) last() uint64 { return g.first + uint64(len(g.entries)) - 1 }

// appendGroup appends a group's value. Heights and times are written as differences, modulo 2^64.
func appendGroup(b []byte, kind byte, head crypto.Hash, entries []ledger.LogEntry) []byte {
	b = append(b, kind)
	if kind != groupInside {
		b = append(b, head[:]...)
	}
	var height, timeMS uint64
	for i := range entries {
		e := &entries[i]
		b = binary.AppendUvarint(b, e.Height-height)
		b = binary.AppendUvarint(b, e.TimeMS-timeMS)
		b = append(b, e.TxID[:]...)
		height, timeMS = e.Height, e.TimeMS
	}
	return b
}

// decodeGroup reads a group from its key and value.
func decodeGroup(key, value []byte) (group, error) {
	if len(key) != 1+len(crypto.Address{})+8 || len(value) == 0 {
		return group{}, errors.New("a group of a history has another length")
	}
	g := group{account: crypto.Address(key[1:33]), first: binary.BigEndian.Uint64(key[33:])}
	kind, rest := value[0], value[1:]
	switch kind {
	case groupInside:
	case groupWhole, groupAnchor:
		if len(rest) < crypto.HashSize {
			return group{}, errCut
		}
		g.head, g.known, rest = crypto.Hash(rest[:crypto.HashSize]), true, rest[crypto.HashSize:]
	default:
		return group{}, fmt.Errorf("a group of a history is of kind %d", kind)
	}
	if kind == groupAnchor {
		g.first++
	}
	if g.first == 0 || (kind == groupAnchor) != (len(rest) == 0) {
		return group{}, errors.New("a group of a history has no entries, or no place")
	}
	g.entries = make([]ledger.LogEntry, 0, len(rest)/(crypto.HashSize+2))
	var e ledger.LogEntry
	for len(rest) > 0 {
		height, n := binary.Uvarint(rest)
		if n <= 0 {
			return group{}, errCut
		}
		timeMS, m := binary.Uvarint(rest[n:])
		if m <= 0 || len(rest)-n-m < crypto.HashSize {
			return group{}, errCut
		}
		rest = rest[n+m:]
		e = ledger.LogEntry{
			Seq: g.first + uint64(len(g.entries)), Height: e.Height + height, TimeMS: e.TimeMS + timeMS,
			TxID: ledger.TxID(rest[:crypto.HashSize]),
		}
		g.entries = append(g.entries, e)
		rest = rest[crypto.HashSize:]
	}
	return g, nil
}

// eachGroup calls fn for the groups of an account, newest first, from the one on that holds a number or lies
// before it.
func eachGroup(txn *reader, id crypto.Address, seq uint64, fn func(group) (more bool, err error)) error {
	prefix := historyKey(id, 0)[:1+len(id)]
	it := txn.of(kindHistory).NewIterator(badger.IteratorOptions{Prefix: prefix, Reverse: true})
	defer it.Close()
	for it.Seek(historyKey(id, seq)); it.Valid(); it.Next() {
		more, err := withGroup(it.Item(), fn)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// withGroup decodes what an iterator is at.
func withGroup(item *badger.Item, fn func(group) (bool, error)) (more bool, err error) {
	err = item.Value(func(value []byte) error {
		g, err := decodeGroup(item.Key(), value)
		if err == nil {
			more, err = fn(g)
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("key %x: %w", item.Key(), err)
	}
	return more, nil
}

// groupWriter makes groups of entries that come in order.
type groupWriter struct {
	batch   *batch
	account crypto.Address
	first   uint64
	entries []ledger.LogEntry
	head    crypto.Hash // after the last entry, where a block ends there
	value   []byte
}

// begin begins an account's groups with the entry of that number.
func (w *groupWriter) begin(account crypto.Address, first uint64) {
	w.account, w.first, w.entries = account, first, w.entries[:0]
}

func (w *groupWriter) add(e ledger.LogEntry) { w.entries = append(w.entries, e) }

// close writes the group and begins the next. known says that it ends where a block does.
func (w *groupWriter) close(known bool) error {
	kind := byte(groupInside)
	if known {
		kind = groupWhole
	}
	w.value = appendGroup(w.value[:0], kind, w.head, w.entries)
	// A step that is done again after a crash may write a longer group under the same key.
	err := w.batch.add(kindHistory, historyKey(w.account, w.first)[1:], w.value, true)
	w.first += uint64(len(w.entries))
	w.entries = w.entries[:0]
	return err
}
