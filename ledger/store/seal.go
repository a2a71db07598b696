package store

import (
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// A mark lies in the journal and speaks of keys that lie in the other database: flat keys, the index, histories. They
// are on the disk before it. A log that lost its end all the same, to a disk that did not keep what it had
// acknowledged, would lose them and leave the mark. So the last key written before a mark is a seal, a version of one
// key for each kind of mark, at the time of the last height that the mark speaks of: what lost keys lost the seal.

// sealKey is the key of the seals for a kind of mark.
func sealKey(kind byte) []byte { return []byte{kindSeal, kind} }

// seal writes what was gathered and behind it the seal for a mark of that kind, which is to follow.
func (b *batch) seal(kind byte) error {
	if b.s.db.split() {
		if err := b.add(kindSeal, sealKey(kind)[1:], nil, true); err != nil {
			return err
		}
	}
	return b.flush()
}

// errLost says that a log was shorter than what it had acknowledged.
var errLost = errors.New("the disk lost something that it had acknowledged; restore this node's data from a copy, or let it catch up from nothing")

// checkSeals reports an error unless all is there that the marks speak of.
func checkSeals(db *database, txn *reader, boundary uint64, marks []historyMark) error {
	if !db.split() {
		return nil
	}
	if boundary > 0 {
		if err := checkSeal(txn, kindMark, boundary-1); err != nil {
			return fmt.Errorf("fold mark %d: %w", boundary, err)
		}
	}
	if n := len(marks); n > 0 {
		if err := checkSeal(txn, kindWritten, marks[n-1].from-1); err != nil {
			return fmt.Errorf("history mark %d: %w", marks[n-1].from, err)
		}
	}
	return nil
}

// checkSeal looks for the seal of a height, or a later one.
func checkSeal(txn *reader, kind byte, height uint64) error {
	item, err := txn.of(kindSeal).Get(sealKey(kind))
	if errors.Is(err, badger.ErrKeyNotFound) || err == nil && item.Version() < flatTime(height) {
		return errLost
	}
	return err
}
