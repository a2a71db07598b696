package store

import (
	"bytes"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// checkRecords reads all change records: every chunk is there, every item decodes, is in order, and is what
// this version would write.
func (f *fsck) checkRecords() error {
	for i, e := range f.heads {
		if err := f.step("change records", uint64(i), uint64(len(f.heads))); err != nil {
			return err
		}
		r := &recordCheck{f: f, e: e, where: fmt.Sprintf("change record %d", e.Height)}
		r.state()
		receipts := r.receipts()
		r.replay(receipts)
		r.touched(receipts)
		if r.bytes != e.Bytes && !r.broken {
			f.fault(r.where, "it has %d bytes, its head says %d", r.bytes, e.Bytes)
		}
		f.Counts.Records++
	}
	return f.step("change records", uint64(len(f.heads)), uint64(len(f.heads)))
}

// recordCheck is the check of one change record.
type recordCheck struct {
	f      *fsck
	e      headEntry
	where  string
	bytes  uint64
	broken bool // something could not be read
}

// chunks calls fn for each chunk of a section. A chunk that cannot be read is a fault; the others are read all
// the same.
func (r *recordCheck) chunks(section byte, fn func(i uint32, chunk []byte) error) {
	for i := range r.e.Chunks[section] {
		key := recordKey(r.e.Height, r.e.Root, section, i)
		err := readValue(r.f.txn, key, func(chunk []byte) error {
			r.bytes += uint64(len(chunk))
			return fn(i, chunk)
		})
		if err != nil {
			r.broken = true
			r.f.fault(fmt.Sprintf("%s, %s chunk %d", r.where, sectionNames[section], i), "%v", err)
		}
	}
}

var sectionNames = [sections]string{sectionState: "state", sectionReplay: "replay", sectionReceipts: "receipt", sectionTouched: "touched"}

// state checks the changes of the state tree.
func (r *recordCheck) state() {
	var last []byte
	r.chunks(sectionState, func(i uint32, chunk []byte) error {
		first := true
		return eachItem(chunk, func(key, value []byte) error {
			if first && !bytes.Equal(key, r.e.Firsts[i]) {
				r.f.fault(r.where, "state chunk %d begins with key %x, its head says %x", i, key, r.e.Firsts[i])
			}
			first = false
			if bytes.Compare(last, key) >= 0 {
				r.f.fault(r.where, "key %x does not come after key %x", key, last)
			}
			last = append(last[:0], key...)
			r.f.Counts.Changes++
			switch {
			case key[0] == ledger.PrefixRecord:
				r.f.fault(r.where, "the replay record %x is among the changes of the state", key)
			case value != nil:
				r.leaf(key, value)
			}
			return nil
		})
	})
}

// leaf checks one value.
func (r *recordCheck) leaf(key, value []byte) {
	if err := ledger.CheckLeaf(key, value); err != nil {
		r.f.fault(r.where, "key %x: %v", key, err)
	}
}

// receipts checks the receipts and returns them; nil if they could not all be read.
func (r *recordCheck) receipts() []ledger.Receipt {
	var out []ledger.Receipt
	r.chunks(sectionReceipts, func(_ uint32, chunk []byte) error {
		return eachReceipt(chunk, func(receipt ledger.Receipt) error {
			if receipt.Height != r.e.Height || uint64(receipt.Index) != uint64(len(out)) {
				r.f.fault(r.where, "receipt %d says it is receipt %d of height %d", len(out), receipt.Index, receipt.Height)
			}
			out = append(out, receipt)
			r.f.Counts.Receipts++
			return nil
		})
	})
	if r.broken {
		return nil
	}
	return out
}

// replay checks the replay records, each of which says what a receipt says.
func (r *recordCheck) replay(receipts []ledger.Receipt) {
	var last []byte
	whole := !r.broken
	r.chunks(sectionReplay, func(_ uint32, chunk []byte) error {
		return eachItem(chunk, func(key, value []byte) error {
			if len(key) != replayLeafLen || key[0] != ledger.PrefixRecord {
				return fmt.Errorf("there is a replay record under key %x", key)
			}
			place := r.place(key)
			if bytes.Compare(last, place) >= 0 {
				r.f.fault(r.where, "replay record %x is not in its place", key)
			}
			last = append(last[:0], place...)
			r.leaf(key, value)
			record, err := ledger.DecodeRecord(value)
			if err != nil || !whole || r.restored() {
				return nil // said already, or the receipt was in no snapshot
			}
			want := record.Receipt(crypto.Hash(key[replayLeafLen-crypto.HashSize:]))
			if uint64(record.Index) >= uint64(len(receipts)) || !receipts[record.Index].Equal(&want) {
				r.f.fault(r.where, "replay record %x does not say what its receipt says", key)
			}
			return nil
		})
	})
}
