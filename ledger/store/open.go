package store

import (
	"errors"
	"fmt"
	"os"

	"github.com/tetradledger/tetrad/crypto/merkle"
)

// Open opens a store, or makes an empty one. It brings the newest durable state back into memory and
// refuses to start unless its root is the one that was promised when it was committed.
func Open(o Options) (*Store, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	disk := newDiskGuard(o)
	if !o.InMemory {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
	}
	if err := disk.check(); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	db, err := openBadger(o)
	if err != nil {
		return nil, err
	}
	s := &Store{
		options: o,
		db:      db,
		log:     o.Logger,
		disk:    disk,
		main:    merkle.New(),
		recent:  []version{{}},
		buckets: make(map[uint64]*bucket),
		bounds:  []uint64{0},
		stop:    make(chan struct{}),
	}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("open store %s: %w", o.Dir, errors.Join(err, db.Close()))
	}
	if o.FoldInterval > 0 {
		s.done.Add(1)
		go s.tidyForever()
	}
	return s, nil
}
