package store

import (
	"bytes"
	"fmt"
	"math"
	"sort"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
)

// bucket holds the replay records of one span of expiry times. Its life: records are added while blocks are
// earlier than its end; then it is frozen, written to disk and leaves memory; after the grace time the
// ledger deletes its leaf, and once no readable height knows the leaf the bucket is dropped. Guarded by
// Store.mu.
type bucket struct {
	number  uint64
	records *merkle.Map // by transaction; nil once the bucket is on disk
	disk    bucketEntry // once records is nil
	first   uint64      // the lowest height that added a record, while records is not nil
	dropped uint64      // the height that deleted the leaf; 0: it is there
}

// bucketChunksMax is how many chunks of a bucket are written at once, so that a commit waits little.
const bucketChunksMax = 8

// replayRecord returns a transaction's record if a block up to the given height wrote it. Records are only
// ever added, and each carries its height, so one tree serves all heights.
func (s *Store) replayRecord(number uint64, id []byte, height uint64) ([]byte, error) {
	s.mu.RLock()
	b := s.buckets[number]
	if b == nil {
		s.mu.RUnlock()
		return nil, nil
	}
	records, disk := b.records, b.disk
	s.mu.RUnlock()

	var value []byte
	if records != nil {
		v := records.Current()
		found, _ := v.Get(id)
		value = bytes.Clone(found)
		v.Close()
	} else {
		var err error
		if value, err = s.frozenRecord(number, disk, id); err != nil {
			return nil, fmt.Errorf("read replay bucket %d: %w", number, err)
		}
	}
	if value == nil {
		return nil, nil
	}
	record, err := ledger.DecodeRecord(value)
	if err != nil {
		return nil, fmt.Errorf("read replay bucket %d: %w", number, err)
	}
	if record.Height > height {
		return nil, nil
	}
	return value, nil
}

// prefetchRecords prepares for replayRecord of some transactions.
func (s *Store) prefetchRecords(number uint64, ids [][]byte) {
	s.mu.RLock()
	var records *merkle.Map
	if b := s.buckets[number]; b != nil {
		records = b.records
	}
	s.mu.RUnlock()
	if records == nil {
		return
	}
	v := records.Current()
	defer v.Close()
	v.Prefetch(ids)
}

// frozenRecord looks a transaction up in a bucket on disk, whose records lie in the order of their paths.
func (s *Store) frozenRecord(number uint64, disk bucketEntry, id []byte) (value []byte, err error) {
	path := crypto.Sum(id)
	err = s.read(newest, func(txn *reader) (err error) {
		after := sort.Search(int(disk.Chunks), func(i int) bool {
			isAfter := false
			if err == nil {
				err = readValue(txn, replayKey(number, uint32(i)), func(chunk []byte) error {
					first, _, _, err := nextItem(chunk)
					p := crypto.Sum(first)
					isAfter = bytes.Compare(p[:], path[:]) > 0
					return err
				})
			}
			return isAfter
		})
		if err != nil || after == 0 {
			return err
		}
		return readValue(txn, replayKey(number, uint32(after-1)), func(chunk []byte) error {
			v, _, err := findItem(chunk, id)
			value = bytes.Clone(v)
			return err
		})
	})
	return value, err
}

// frozen lists the buckets in memory whose time is over. One that lost its leaf already is among them:
// readable heights may know the leaf. While the newest state is that of a snapshot there is none: nobody proved
// its time.
func (s *Store) frozen() []*bucket {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []*bucket
	if s.restored == s.current().Height {
		return nil
	}
	for _, b := range s.buckets {
		if b.records != nil && s.params != nil && s.params.BucketEndMS(b.number) <= s.current().TimeMS {
			out = append(out, b)
		}
	}
	return out
}

// writeFrozen writes the frozen buckets to disk and takes them out of memory.
func (s *Store) writeFrozen() error {
	for _, b := range s.frozen() {
		if err := s.writeBucket(b.number, b.records); err != nil {
			return err
		}
	}
	return nil
}

// writeBucket writes a bucket's records in chunks and then its entry. A crash in between leaves chunks
// without an entry: the bucket is rebuilt from change records, which are kept for it, and written again with
// the same bytes, since no record can be added to it any more.
func (s *Store) writeBucket(number uint64, records *merkle.Map) error {
	view := records.Current()
	defer view.Close()
	entry := bucketEntry{Root: view.Root(), Count: view.Len()}
	c := chunker{left: math.MaxInt}
	flush := func() error {
		entries := make([]*badger.Entry, 0, len(c.chunks))
		for _, chunk := range c.chunks {
			entries = append(entries, badger.NewEntry(replayKey(number, entry.Chunks), chunk))
			entry.Chunks++
		}
		c.chunks = c.chunks[:0]
		return s.commitMany("bucket.chunks", putTime, entries)
	}
	var err error
	view.Range([32]byte{}, func(id, record []byte) bool {
		c.item(id, record)
		if len(c.chunks) >= bucketChunksMax {
			err = flush()
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	c.flush()
	if err := flush(); err != nil {
		return err
	}
	if err := s.commitOne("bucket.entry", putTime, []*badger.Entry{badger.NewEntry(bucketKey(number), entry.encode())}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[number]
	b.records, b.disk = nil, entry
	return nil
}

// dropBuckets drops the buckets that no readable height knows any more.
func (s *Store) dropBuckets() error {
	s.mu.Lock()
	var gone []*bucket
	for number, b := range s.buckets {
		if b.dropped == 0 || b.dropped > s.firstKept() {
			continue
		}
		delete(s.buckets, number)
		if b.records == nil {
			gone = append(gone, b)
		}
	}
	s.mu.Unlock()
	for _, b := range gone {
		keys := [][]byte{bucketKey(b.number)}
		for i := range b.disk.Chunks {
			keys = append(keys, replayKey(b.number, i))
		}
		if err := s.dropAll("drop.bucket", dropTime, keys); err != nil {
			return err
		}
	}
	return nil
}
