package store

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
)

// checkBuckets compares the replay records with the roots and counts of their buckets: those on disk, and
// those that have to be gathered from change records.
func (f *fsck) checkBuckets() error {
	onDisk := make(map[uint64]bool)
	err := eachKey(f.txn, []byte{kindBucket}, func(item *badger.Item) (bool, error) {
		number := numberOf(item.Key())
		onDisk[number] = true
		err := item.Value(func(value []byte) error {
			entry, err := decodeBucketEntry(value)
			if err != nil {
				return err
			}
			f.checkFrozen(number, entry)
			return nil
		})
		if err != nil {
			f.fault(bucketName(number), "%v", err)
		}
		return true, f.step("replay buckets", uint64(len(onDisk)), 0)
	})
	if err != nil {
		return err
	}
	open := make(map[uint64][]merkle.Change)
	for number := range f.leaves {
		if !onDisk[number] {
			open[number] = nil
		}
	}
	return f.checkOpen(open)
}

func bucketName(number uint64) string { return fmt.Sprintf("replay bucket %d", number) }

// checkFrozen checks a bucket on disk: its records with its own root, and that with the leaf.
func (f *fsck) checkFrozen(number uint64, entry bucketEntry) {
	where := bucketName(number)
	var changes []merkle.Change
	var last crypto.Hash
	for i := range entry.Chunks {
		err := readValue(f.txn, replayKey(number, i), func(chunk []byte) error {
			return eachItem(bytes.Clone(chunk), func(id, value []byte) error {
				if len(id) != crypto.HashSize {
					return fmt.Errorf("there is a record under key %x", id)
				}
				path := crypto.Sum(id)
				if len(changes) > 0 && bytes.Compare(last[:], path[:]) >= 0 {
					f.fault(where, "the record of transaction %x is not in its place", id)
				}
				last = path
				if err := ledger.CheckLeaf(ledger.KeyRecord(number, crypto.Hash(id)), value); err != nil {
					f.fault(where, "the record of transaction %x: %v", id, err)
				}
				changes = append(changes, merkle.Change{Key: id, Value: value})
				return nil
			})
		})
		if err != nil {
			f.fault(fmt.Sprintf("%s, chunk %d", where, i), "%v", err)
		}
	}
	f.compareBucket(where, changes, ledger.Bucket{Root: entry.Root, Count: entry.Count}, "its entry")
	if leaf := f.leaves[number]; leaf != nil && (leaf.Root != entry.Root || leaf.Count != entry.Count) {
		f.fault(where, "its entry says root %s and %d records, its leaf root %s and %d", entry.Root, entry.Count, leaf.Root, leaf.Count)
	}
}

// compareBucket builds the tree of a bucket and compares its root and count.
func (f *fsck) compareBucket(where string, changes []merkle.Change, want ledger.Bucket, who string) {
	f.Counts.Buckets++
	f.Counts.Replay += uint64(len(changes))
	seen := make(map[string]bool, len(changes))
	for _, c := range changes {
		if seen[string(c.Key)] {
			f.fault(where, "transaction %x has two records", c.Key)
			return
		}
		seen[string(c.Key)] = true
	}
	m := merkle.New()
	m.Commit(m.Stage(1, changes))
	view := m.Current()
	defer view.Close()
	if root := view.Root(); root != want.Root || view.Len() != want.Count {
		f.fault(where, "its %d records have root %s, %s says %d records and root %s", view.Len(), root, who, want.Count, want.Root)
	}
}

// checkOpen gathers the buckets that are not on disk from change records, which are kept for them.
func (f *fsck) checkOpen(open map[uint64][]merkle.Change) error {
	if len(open) == 0 {
		return nil
	}
	for i, e := range f.heads {
		if err := f.step("replay buckets", uint64(i), uint64(len(f.heads))); err != nil {
			return err
		}
		for chunk := range e.Chunks[sectionReplay] {
			_ = readValue(f.txn, recordKey(e.Height, e.Root, sectionReplay, chunk), func(chunk []byte) error {
				return eachItem(chunk, func(key, value []byte) error {
					if len(key) != replayLeafLen {
						return nil
					}
					number := binary.BigEndian.Uint64(key[1:])
					if list, wanted := open[number]; wanted {
						id := bytes.Clone(key[replayLeafLen-crypto.HashSize:])
						open[number] = append(list, merkle.Change{Key: id, Value: bytes.Clone(value)})
					}
					return nil
				})
			})
		}
	}
	for number, changes := range open {
		f.compareBucket(bucketName(number), changes, f.leaves[number].Bucket, "its leaf")
	}
	return nil
}
