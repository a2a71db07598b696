package store

import (
	"errors"
	"fmt"
	"time"
)

// tidyEvery is how often background work looks for something to do. Receipts wait in memory that long
// before they go into the index.
const tidyEvery = time.Second

// foldTimer says when the next fold is due.
type foldTimer struct {
	last    time.Time
	history time.Time // the same for histories
}

// tidyForever does the background work until Close.
func (s *Store) tidyForever() {
	defer s.done.Done()
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	s.folding = foldTimer{last: time.Now(), history: time.Now()}
	low := false
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
		err := s.tidy()
		switch {
		case errors.Is(err, errClosed):
			return
		case errors.Is(err, ErrDiskFull):
			// Commits refuse by themselves; background work goes on when there is space again.
			if !low {
				s.log.Warn("background work of the store is suspended", "reason", err)
			}
			low = true
		case err != nil:
			s.log.Error("the store stops", "reason", err)
			return
		default:
			low = false
		}
	}
}

// tidy does what is due: receipts into the index, frozen buckets to disk, now and then a fold, and what
// nobody needs any more away.
func (s *Store) tidy() error {
	s.tidying.Lock()
	defer s.tidying.Unlock()
	return s.guarded(func() error {
		if err := s.indexBlocks(); err != nil {
			return err
		}
		if err := s.writeFrozen(); err != nil {
			return err
		}
		if s.historyDue() {
			if err := s.writeHistories(); err != nil {
				return err
			}
			s.folding.history = time.Now()
		}
		if s.foldDue() {
			if err := s.foldAll(); err != nil {
				return err
			}
			s.folding.last = time.Now()
		}
		if _, err := s.dropHistories(); err != nil {
			return err
		}
		_, err := s.dropOld()
		return err
	})
}

// foldDue reports whether the time since the last fold or the change records since then ask for one.
func (s *Store) foldDue() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.unfolded >= s.options.FoldBytes || time.Since(s.folding.last) >= s.options.FoldInterval
}

// FoldOnce does all background work there is, at once. Tests with a negative FoldInterval call it where they
// want it to happen.
func (s *Store) FoldOnce() error {
	s.tidying.Lock()
	defer s.tidying.Unlock()
	return s.guarded(func() error {
		if err := s.indexBlocks(); err != nil {
			return err
		}
		if err := s.writeFrozen(); err != nil {
			return err
		}
		if err := s.writeHistories(); err != nil {
			return err
		}
		if err := s.foldAll(); err != nil {
			return err
		}
		for more := true; more; {
			var err error
			if more, err = s.dropHistories(); err != nil {
				return err
			}
		}
		for {
			if more, err := s.dropOld(); err != nil || !more {
				return err
			}
		}
	})
}

// foldAll folds, step by step, what can be folded.
func (s *Store) foldAll() error {
	for {
		if more, err := s.foldStep(); err != nil || !more {
			return err
		}
	}
}

// guarded runs background work if the disk has room for it. An error of the work itself ends all writing:
// what is in memory and what is on disk may have come apart.
func (s *Store) guarded(work func() error) error {
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.disk.check(); err != nil {
		return err
	}
	if err := work(); err != nil {
		s.fail(fmt.Errorf("background work failed: %w", err))
		return err
	}
	return nil
}
