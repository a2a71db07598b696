package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// checkIndex compares the index with the receipts of the change records: each says what its receipt says, all
// receipts of folded heights are there, and none that no record has.
func (f *fsck) checkIndex() error {
	if len(f.heads) == 0 {
		return nil
	}
	counts := make(map[uint64]uint64) // receipts that decided, by height, of the heights that have a record
	for _, kind := range []byte{kindOutcome, kindRefusal} {
		if err := f.readIndex(kind, counts); err != nil {
			return err
		}
	}
	for i, e := range f.heads {
		if err := f.step("index by record", uint64(i), uint64(len(f.heads))); err != nil {
			return err
		}
		f.compareIndex(e, counts[e.Height])
	}
	return nil
}

// readIndex reads all receipts of one kind.
func (f *fsck) readIndex(kind byte, counts map[uint64]uint64) error {
	lowest := f.heads[0].Height
	return eachKey(f.txn, []byte{kind}, func(item *badger.Item) (bool, error) {
		id := item.Key()[1:]
		where := fmt.Sprintf("index of transaction %x", id)
		err := item.Value(func(value []byte) error {
			r, err := decodeIndexed(value)
			switch {
			case err != nil:
				return err
			case decides(&r) != (kind == kindOutcome):
				return fmt.Errorf("a receipt with code %s is not of kind %q", r.Outcome(), kind)
			case r.Height > f.Head.Height:
				return fmt.Errorf("it is of height %d, the newest is %d", r.Height, f.Head.Height)
			}
			if kind == kindOutcome && r.Height >= lowest {
				counts[r.Height]++
			}
			return nil
		})
		if err != nil {
			f.fault(where, "%v", err)
		}
		if f.Counts.Index++; f.Counts.Index%stepEvery == 0 {
			return true, f.step("index", f.Counts.Index, 0)
		}
		return true, nil
	})
}

// decodeIndexed reads a receipt without its transaction, which is in the key.
func decodeIndexed(value []byte) (ledger.Receipt, error) {
	var r ledger.Receipt
	if err := r.Unmarshal(value); err != nil {
		return r, fmt.Errorf("it does not decode: %w", err)
	}
	if len(r.Txid) > 0 || !bytes.Equal(r.Encode(), value) {
		return r, errors.New("it is not encoded as this version would")
	}
	return r, nil
}

// compareIndex looks up the receipts of one record. Those of heights that are not folded may not be in the
// index yet.
func (f *fsck) compareIndex(e headEntry, indexed uint64) {
	var receipts []ledger.Receipt
	for i := range e.Chunks[sectionReceipts] {
		err := readValue(f.txn, recordKey(e.Height, e.Root, sectionReceipts, i), func(chunk []byte) error {
			return eachReceipt(chunk, func(r ledger.Receipt) error {
				receipts = append(receipts, r)
				return nil
			})
		})
		if err != nil {
			return // said already
		}
	}
	folded := e.Height < f.boundary()
	var decided uint64
	var refused []ledger.Receipt
	for _, r := range receipts {
		switch {
		case decides(&r):
			decided++
			f.compareReceipt(kindOutcome, putTime, r, folded)
		case r.Outcome() != ledger.CodeDuplicate:
			refused = append(refused, r)
		}
	}
	for _, r := range lastOfEach(refused) {
		f.compareReceipt(kindRefusal, flatTime(e.Height), r, folded)
	}
	if indexed > decided {
		f.fault(fmt.Sprintf("height %d", e.Height), "the index has %d receipts of it, its record %d", indexed, decided)
	}
}

// compareReceipt compares a receipt with its place in the index. A refusal may be followed by a later one.
func (f *fsck) compareReceipt(kind byte, time uint64, want ledger.Receipt, must bool) {
	where := fmt.Sprintf("index of transaction %x", want.Txid)
	item, err := f.txn.of(kind).Get(txKey(kind, crypto.Hash(want.Txid)))
	if errors.Is(err, badger.ErrKeyNotFound) {
		if must {
			f.fault(where, "the receipt of height %d is missing", want.Height)
		}
		return
	}
	if err != nil {
		f.fault(where, "%v", err)
		return
	}
	if kind == kindRefusal && item.Version() != time {
		if must && item.Version() < time {
			f.fault(where, "the receipt of height %d is missing; there is one of height %d", want.Height, flatHeight(item.Version()))
		}
		return
	}
	err = item.Value(func(value []byte) error {
		got, err := decodeIndexed(value)
		if err != nil {
			return nil // said already
		}
		got.Txid = want.Txid
		if !got.Equal(&want) {
			return fmt.Errorf("it says code %s at index %d of height %d, the receipt says code %s at index %d of height %d",
				got.Outcome(), got.Index, got.Height, want.Outcome(), want.Index, want.Height)
		}
		return nil
	})
	if err != nil {
		f.fault(where, "%v", err)
	}
}
