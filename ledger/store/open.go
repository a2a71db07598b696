package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
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

// loader brings the newest durable state back into memory.
type loader struct {
	s      *Store
	txn    *badger.Txn
	heads  []headEntry         // from the one below the last boundary, or from genesis, up to the newest
	leaves map[uint64]struct{} // buckets that have a leaf so far
	batch  []merkle.Change
	number uint64 // of the next partial tree
}

// load reads everything that is at or below the newest head. What is above it does not exist.
func (s *Store) load() error {
	l := &loader{s: s, leaves: make(map[uint64]struct{}), number: 1}
	return s.read(newest, func(txn *badger.Txn) error {
		l.txn = txn
		if err := l.readHeads(); err != nil || len(l.heads) == 0 {
			return err
		}
		s.db.SetDiscardTs(flatTime(s.first()))
		s.main.Keep(1) // partial trees are of no use
		if err := l.readFlat(); err != nil {
			return err
		}
		if err := l.applyRecords(); err != nil {
			return err
		}
		if err := l.checkRoot(); err != nil {
			return err
		}
		return l.readBuckets()
	})
}

// readHeads finds the boundaries and the heads, and checks that the data is of this format and chain.
func (l *loader) readHeads() error {
	var bounds []uint64
	err := eachKey(l.txn, []byte{kindMark}, func(item *badger.Item) (bool, error) {
		bounds = append(bounds, numberOf(item.Key()))
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("read fold marks: %w", err)
	}
	lowest, err := l.s.heads(l.txn, 0, math.MaxUint64, 1)
	if err != nil || len(lowest) == 0 {
		return err
	}
	if len(bounds) == 0 {
		return fmt.Errorf("there is a head %d but no fold mark", lowest[0].Height)
	}
	if want := l.s.options.Genesis; !want.IsZero() && lowest[0].Genesis != want {
		return fmt.Errorf("it belongs to the chain of genesis %s, this node to that of genesis %s", lowest[0].Genesis, want)
	}
	s := l.s
	s.bounds, s.lowest, s.durable = bounds, lowest[0].Height, true
	from := s.boundary()
	if from > 0 {
		from--
	}
	if l.heads, err = s.heads(l.txn, from, math.MaxUint64, math.MaxInt); err != nil {
		return err
	}
	if len(l.heads) == 0 || l.heads[0].Height != from {
		return fmt.Errorf("head %d is missing below the fold mark", from)
	}
	for i := 1; i < len(l.heads); i++ {
		if low, high := l.heads[i-1].Height, l.heads[i].Height; high != low+1 && low > 0 {
			return fmt.Errorf("head %d is missing below head %d", low+1, high)
		}
	}
	return nil
}

// readFlat puts the flat keys at the last boundary into the tree. Later versions, which a fold left behind
// that did not get to its mark, are not seen.
func (l *loader) readFlat() error {
	s := l.s
	if s.boundary() == 0 {
		return nil
	}
	base := l.heads[0]
	txn := s.db.NewTransactionAt(flatTime(base.Height), false)
	defer txn.Discard()
	err := eachKey(txn, []byte{kindFlat}, func(item *badger.Item) (bool, error) {
		return true, item.Value(func(value []byte) error {
			if len(value) == 0 {
				return nil
			}
			return l.put(bytes.Clone(item.Key()[1:]), bytes.Clone(value))
		})
	})
	if err != nil {
		return fmt.Errorf("read flat keys: %w", err)
	}
	return l.finish(base)
}

// put puts a change into the tree of the next height. Large ones go through partial trees, so that
// memory for one batch is enough.
func (l *loader) put(key, value []byte) error {
	if len(key) == bucketLeafLen && key[0] == ledger.PrefixBucket {
		if number := numberOf(key); value == nil {
			delete(l.leaves, number)
		} else {
			l.leaves[number] = struct{}{}
		}
	}
	l.batch = append(l.batch, merkle.Change{Key: key, Value: value})
	if l.heads == nil || len(l.batch) < loadKeysMax {
		return nil
	}
	l.commit(l.number)
	l.number++
	return nil
}

func (l *loader) commit(number uint64) {
	l.s.main.Commit(l.s.main.Stage(number, l.batch))
	l.batch = l.batch[:0]
}
