package store

import (
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
)

// readBuckets finds the replay buckets on disk and rebuilds the others. Those without a leaf from the base
// on are on disk if any height needs them: folds see to that.
func (l *loader) readBuckets() error {
	s := l.s
	err := eachKey(l.txn, []byte{kindBucket}, func(item *badger.Item) (bool, error) {
		number := numberOf(item.Key())
		return true, item.Value(func(value []byte) error {
			entry, err := decodeBucketEntry(value)
			if err != nil {
				return err
			}
			s.buckets[number] = &bucket{number: number, disk: entry, dropped: l.heads[0].Height}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("read replay buckets: %w", err)
	}
	var wanted []*bucket
	for number, leaf := range l.leaves {
		b := s.buckets[number]
		switch {
		case b == nil:
			b = &bucket{number: number, records: merkle.New()}
			s.buckets[number] = b
			wanted = append(wanted, b)
		case b.disk.Root != leaf.Root || b.disk.Count != leaf.Count:
			return fmt.Errorf("replay bucket %d on disk has root %s, its leaf says %s: the data is damaged", number, b.disk.Root, leaf.Root)
		}
		b.dropped = leaf.dropped
	}
	return l.rebuildBuckets(wanted)
}

// rebuildBuckets fills buckets from change records, which are kept for them.
func (l *loader) rebuildBuckets(wanted []*bucket) error {
	if len(wanted) == 0 {
		return nil
	}
	missing := make(map[uint64]uint64) // bucket -> records not found yet
	for _, b := range wanted {
		missing[b.number] = l.leaves[b.number].Count
	}
	from, err := l.findRecords(missing)
	if err != nil {
		return err
	}
	for height := from; height <= l.s.current().Height; height++ {
		if err := l.applyReplay(height); err != nil {
			return err
		}
	}
	for _, b := range wanted {
		view := b.records.Current()
		root := view.Root()
		view.Close()
		if leaf := l.leaves[b.number]; root != leaf.Root {
			return fmt.Errorf("replay bucket %d, rebuilt from change records, has root %s, its leaf says %s: the data is damaged", b.number, root, leaf.Root)
		}
	}
	return nil
}

// findRecords goes down from the newest height until every record that is missing was seen, and returns the
// height it got to.
func (l *loader) findRecords(missing map[uint64]uint64) (uint64, error) {
	height := l.s.current().Height
	for len(missing) > 0 {
		e, err := readHead(l.txn, height)
		if err != nil {
			return 0, fmt.Errorf("rebuild replay buckets: %w", err)
		}
		err = l.eachReplay(e, func(number uint64, _, _ []byte) {
			left, ok := missing[number]
			switch {
			case ok && left == 1:
				delete(missing, number)
			case ok:
				missing[number] = left - 1
			}
		})
		if err != nil {
			return 0, err
		}
		if len(missing) == 0 {
			break
		}
		if height == 0 {
			return 0, fmt.Errorf("rebuild replay buckets: %d buckets have more records than there are in the change records", len(missing))
		}
		height--
	}
	return height, nil
}

// applyReplay adds a height's replay records to the buckets that are being rebuilt.
func (l *loader) applyReplay(height uint64) error {
	e, err := readHead(l.txn, height)
	if err != nil {
		return fmt.Errorf("rebuild replay buckets: %w", err)
	}
	changes := make(map[uint64][]merkle.Change)
	err = l.eachReplay(e, func(number uint64, id, record []byte) {
		if b := l.s.buckets[number]; b != nil && b.records != nil {
			changes[number] = append(changes[number], merkle.Change{Key: l.copy(id), Value: l.copy(record)})
		}
	})
	if err != nil {
		return err
	}
	for number, list := range changes {
		b := l.s.buckets[number]
		if b.first == 0 {
			b.first = height
		}
		b.records.Commit(b.records.Stage(height, list))
	}
	l.arena = l.arena[:0]
	return nil
}

// eachReplay calls fn for the replay records of a height.
func (l *loader) eachReplay(e headEntry, fn func(number uint64, id, record []byte)) error {
	return eachChunk(l.txn, e, sectionReplay, func(chunk []byte) error {
		return eachItem(chunk, func(key, value []byte) error {
			if len(key) != replayLeafLen || key[0] != ledger.PrefixRecord {
				return fmt.Errorf("replay record under key %x", key)
			}
			fn(binary.BigEndian.Uint64(key[1:]), key[replayLeafLen-crypto.HashSize:], value)
			return nil
		})
	})
}
