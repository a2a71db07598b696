package store

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// dropOld drops what no readable height and no bucket in memory needs any more, in bounded steps. It
// reports whether there is more to drop.
func (s *Store) dropOld() (more bool, err error) {
	if err := s.raiseFirst(); err != nil {
		return false, err
	}
	if more, err = s.dropRecords(); err != nil {
		return false, err
	}
	return more, s.dropBuckets()
}

// raiseFirst gives up the heights before the last boundary that leaves KeepHeights readable. Only
// boundaries can be the lowest readable height: for one between two of them, the values at the lower one
// are needed.
func (s *Store) raiseFirst() error {
	s.mu.RLock()
	head, bounds := s.current().Height, s.bounds
	s.mu.RUnlock()
	keep := s.options.KeepHeights
	last := 0
	for i, b := range bounds {
		if b > 0 && keep <= head && b-1 <= head-keep {
			last = i
		}
	}
	if last == 0 {
		return nil
	}
	// Readers must know before anything goes; what they read before they look at the first height again is
	// still whole.
	s.mu.Lock()
	s.bounds = bounds[last:]
	s.mu.Unlock()

	// From here on a restart knows as well. A crash before leaves more readable than was promised.
	keys := make([][]byte, 0, last)
	for _, b := range bounds[:last] {
		keys = append(keys, markKey(b))
	}
	if err := s.dropAll("drop.marks", dropTime, keys); err != nil {
		return fmt.Errorf("give up heights below %d: %w", bounds[last]-1, err)
	}
	s.setDiscard(bounds[last] - 1)
	return nil
}

// setDiscard lets Badger give up what is superseded at a height. It forgets it between runs.
func (s *Store) setDiscard(height uint64) {
	s.db.each(func(db *badger.DB) { db.SetDiscardTs(flatTime(height)) })
}

// dropRecords drops change records below all heights that need them, with their heads, the lowest first.
func (s *Store) dropRecords() (more bool, err error) {
	s.mu.RLock()
	from, to := s.lowest, min(s.first(), s.neededByBuckets(), s.histories.from)
	s.mu.RUnlock()
	if from >= to {
		return false, nil
	}
	var heads []headEntry
	err = s.read(newest, func(txn *reader) (err error) {
		heads, err = s.heads(txn, from, to-1, dropHeightsMax)
		return err
	})
	if err != nil {
		return false, err
	}
	for _, e := range heads {
		if err := s.dropRecord(e.Height); err != nil {
			return false, fmt.Errorf("drop change record %d: %w", e.Height, err)
		}
		s.mu.Lock()
		s.lowest = e.Height + 1
		s.mu.Unlock()
	}
	return len(heads) == dropHeightsMax, nil
}

// neededByBuckets is the lowest height with replay records of a bucket that is not on disk. It needs mu.
func (s *Store) neededByBuckets() uint64 {
	lowest := s.current().Height + 1
	for _, b := range s.buckets {
		if b.records != nil {
			lowest = min(lowest, b.first)
		}
	}
	return lowest
}

// dropRecord drops a height's head and all chunks, abandoned ones among them, in one transaction. Open
// takes the lowest head that is left for that of the lowest record.
func (s *Store) dropRecord(height uint64) error {
	var keys [][]byte
	err := s.read(newest, func(txn *reader) error {
		return eachKey(txn, heightKey(kindRecord, height), func(item *badger.Item) (bool, error) {
			keys = append(keys, item.KeyCopy(nil))
			return true, nil
		})
	})
	if err != nil {
		return err
	}
	return s.dropAll("drop.record", dropTime, append(keys, headKey(height)))
}
