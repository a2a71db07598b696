package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tetradledger/tetrad/crypto/merkle"
)

// Open opens a store, or makes an empty one. It brings the newest durable state back into memory and
// refuses to start unless its root is the one that was promised when it was committed.
func Open(o Options) (*Store, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{
		options: o,
		log:     o.Logger,
		disk:    newDiskGuard(o),
		main:    merkle.New(),
		recent:  []version{{}},
		buckets: make(map[uint64]*bucket),
		bounds:  []uint64{0},

		histories: histories{from: 1, base: 1},
		stop:      make(chan struct{}),

		snapshotChunk: SnapshotChunkBytesMax,
	}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open store %s: %w", o.Dir, err)
	}
	if o.FoldInterval > 0 {
		s.done.Add(1)
		go s.tidyForever()
	}
	return s, nil
}

// open takes the directory, opens the files and loads the state; what it opened is closed again if it fails.
func (s *Store) open() (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, s.closeFiles())
		}
	}()
	if dir := s.options.Dir; dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if s.lock, err = lockDir(dir); err != nil {
			return err
		}
	}
	if err := s.disk.check(); err != nil {
		return err
	}
	dirs, err := dataDirs(s.options.Dir)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := dropEmptyLogs(dir); err != nil {
			return err
		}
	}
	half, err := halfRestored(s.options.Dir)
	if err != nil {
		return err
	}
	err = s.openData()
	switch {
	case half && !s.durable:
		return ErrHalfRestored // whatever becomes of the rest
	case half && err == nil:
		return s.dropMarker() // the head is written last, so it did end
	}
	return err
}

// openData opens the database and loads the state. Damage of a table may make Badger panic: that is an error if
// there is such damage, and a bug if there is none.
func (s *Store) openData() (err error) {
	dir := s.options.Dir
	defer func() {
		if cause := recover(); cause != nil {
			words, _, _ := strings.Cut(strings.TrimSpace(fmt.Sprint(cause)), "\n")
			reason := fmt.Errorf("the database cannot read its files: %s", words)
			if err = nameDamage(dir, reason); !errors.As(err, new(ErrDamaged)) {
				panic(cause)
			}
		} else if err != nil {
			err = nameDamage(dir, err)
		}
	}()
	if err := checkTableEnds(dir); err != nil {
		return err
	}
	if s.db, err = openDatabase(s.options); err != nil {
		return err
	}
	return s.load()
}

// halfRestored reports whether the directory says that a restore did not end.
func halfRestored(dir string) (bool, error) {
	if dir == "" {
		return false, nil
	}
	_, err := os.Stat(filepath.Join(dir, restoringName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// dropEmptyLogs removes logs without a byte. Badger makes a log in two steps, the file and then its size; of a
// process killed between them it leaves a file that it refuses to open afterwards, and that holds nothing.
func dropEmptyLogs(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext != ".mem" && ext != ".vlog" {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Size() > 0 {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// closeFiles closes what is open, the lock last.
func (s *Store) closeFiles() error {
	s.reading.Lock()
	defer s.reading.Unlock()
	s.closed = true
	var err error
	if s.db != nil {
		err = s.db.close()
	}
	if s.lock != nil {
		err = errors.Join(err, unlockDir(s.lock))
	}
	return err
}
