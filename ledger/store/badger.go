package store

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
)

// newest is the read time that sees everything.
const newest = math.MaxUint64

// errMissing says that a key which must be there is not.
var errMissing = errors.New("it is missing")

// openBadger opens one of the two databases with settings for several nodes on one machine: what matters is served
// from our own memory, so Badger gets little.
func openBadger(o Options, journal bool) (*badger.DB, error) {
	dir, blockCache, indexCache := o.Dir, int64(blockCacheBytes), int64(indexCacheBytes)
	if journal {
		blockCache, indexCache = journalCacheBytes, journalCacheBytes
		if !o.InMemory {
			dir = filepath.Join(o.Dir, journalName)
		}
	}
	b := badger.DefaultOptions(dir).
		WithInMemory(o.InMemory).
		WithBypassLockGuard(true). // lockDir is our guard
		WithLogger(badgerLog{o.Logger}).
		// A sync after an un-synced write would miss a memtable that was rotated in between.
		WithSyncWrites(true).
		WithDetectConflicts(false).
		// Versions leave by discard time only; flat keys carry the mark that lets them.
		WithNumVersionsToKeep(math.MaxInt).
		// A bit that flipped on disk is an error when it is read, not a value.
		WithChecksumVerificationMode(options.OnBlockRead).
		WithCompression(options.None).
		WithMetricsEnabled(false).
		WithMemTableSize(o.MemTableBytes).
		WithNumMemtables(2).
		WithNumCompactors(2).
		WithNumLevelZeroTables(levelZeroTables).
		WithNumLevelZeroTablesStall(levelZeroTablesStall).
		WithBaseLevelSize(baseLevelBytes).
		WithBaseTableSize(tableBytes).
		WithBlockCacheSize(blockCache).
		WithIndexCacheSize(indexCache).
		WithValueThreshold(min(1<<20, o.MemTableBytes/10)).
		WithValueLogFileSize(valueLogBytes)
	db, err := badger.OpenManaged(b)
	if err != nil {
		return nil, err // what comes with an error is half closed
	}
	return db, nil
}

// read runs fn in a transaction that sees what was written at or before the given time.
func (s *Store) read(time uint64, fn func(*reader) error) error {
	s.reading.RLock()
	defer s.reading.RUnlock()
	if s.closed {
		return errClosed
	}
	txn := s.db.at(time)
	defer txn.discard()
	return fn(txn)
}

// readValue calls fn with the value of a key that must be there. The value is valid during the call.
func readValue(txn *reader, key []byte, fn func(value []byte) error) error {
	item, err := txn.of(key[0]).Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return fmt.Errorf("key %x: %w", key, errMissing)
	}
	if err != nil {
		return fmt.Errorf("key %x: %w", key, err)
	}
	return item.Value(fn)
}

// eachKey calls fn for the items under a prefix, in key order, the newest version of each that the
// transaction sees. Items are valid during the call.
func eachKey(txn *reader, prefix []byte, fn func(item *badger.Item) (more bool, err error)) error {
	it := txn.of(prefix[0]).NewIterator(badger.IteratorOptions{Prefix: prefix})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		more, err := fn(it.Item())
		if err != nil {
			return fmt.Errorf("key %x: %w", it.Item().Key(), err)
		}
		if !more {
			return nil
		}
	}
	return nil
}

// entryOverhead is more than what Badger adds to a key and a value in a transaction.
const entryOverhead = 32

// fits reports whether the entries can be one transaction, with room for what Badger adds to each and to
// the whole.
func (s *Store) fits(entries []*badger.Entry) bool {
	bytes := 64
	for _, e := range entries {
		bytes += len(e.Key) + len(e.Value) + entryOverhead
	}
	return int64(len(entries)+2) < s.db.keys.MaxBatchCount() && int64(bytes) < s.db.keys.MaxBatchSize() // both have the same
}

// commitOne writes entries of one database in one transaction. When it returns without error they are on disk, all
// of them; after an error or a crash either all or none are.
func (s *Store) commitOne(name string, time uint64, entries []*badger.Entry) error {
	return s.update(name, time, entries[0].Key, func(txn *badger.Txn) error {
		for _, e := range entries {
			if inJournal(e.Key[0]) != inJournal(entries[0].Key[0]) {
				panic(fmt.Sprintf("store: keys %x and %x are not of one database", entries[0].Key, e.Key))
			}
			if err := txn.SetEntry(e); err != nil {
				return err
			}
		}
		return nil
	})
}

// update makes one transaction in the database that a key lies in.
func (s *Store) update(name string, time uint64, key []byte, fn func(*badger.Txn) error) error {
	return s.failable(name, func() error {
		txn := s.db.of(key[0]).NewTransactionAt(newest, true)
		defer txn.Discard()
		if err := fn(txn); err != nil {
			return err
		}
		return txn.CommitAt(time, nil)
	})
}

// commitMany writes entries in as many transactions as they need, in order. A crash leaves a beginning of
// them.
func (s *Store) commitMany(name string, time uint64, entries []*badger.Entry) error {
	for len(entries) > 0 {
		n := 1
		for n < len(entries) && s.fits(entries[:n+1]) {
			n++
		}
		if err := s.commitOne(name, time, entries[:n]); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// dropAll deletes keys of one database in one transaction, at a time after that at which they were put: dropTime, but
// for those that have versions.
func (s *Store) dropAll(name string, time uint64, keys [][]byte) error {
	return s.update(name, time, keys[0], func(txn *badger.Txn) error {
		for _, k := range keys {
			if err := txn.Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
}

// failable runs a write between its two fail points.
func (s *Store) failable(name string, do func() error) error {
	if s.options.FailPoint != nil {
		if err := s.options.FailPoint(name + ".before"); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	if err := do(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if s.options.FailPoint != nil {
		if err := s.options.FailPoint(name + ".after"); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

// batch gathers versioned keys for the background and writes them in transactions small enough not to hold
// up a commit. What it wrote is used again, so it allocates little.
type batch struct {
	s        *Store
	name     string
	time     uint64
	keysMax  int
	bytesMax int
	arena    []byte
	entries  []badger.Entry
	list     []*badger.Entry
	written  int
}

func (s *Store) newBatch(name string, time uint64) *batch {
	b := &batch{s: s, name: name, time: time}
	b.limit(backgroundKeysMax, backgroundBytesMax)
	return b
}

// limit sets how much goes into one transaction: at most half of what Badger takes, so that one more value of any
// size does.
func (b *batch) limit(keys, bytes int64) {
	db := b.s.db.keys // both take the same
	b.keysMax, b.bytesMax = int(min(keys, db.MaxBatchCount()/2)), int(min(bytes, db.MaxBatchSize()/2))
}

// add copies a key and a value. With supersede set, older versions of the key may go once no readable
// height needs them.
func (b *batch) add(kind byte, key, value []byte, supersede bool) error {
	from := len(b.arena)
	b.arena = append(append(append(b.arena, kind), key...), value...)
	k := b.arena[from : from+1+len(key) : from+1+len(key)]
	e := badger.Entry{Key: k, Value: b.arena[from+len(k) : len(b.arena) : len(b.arena)]}
	if supersede {
		e.WithDiscard()
	}
	b.entries = append(b.entries, e)
	if len(b.entries) < b.keysMax && len(b.arena)+len(b.entries)*entryOverhead < b.bytesMax {
		return nil
	}
	return b.flush()
}

// put adds a whole key that has no versions.
func (b *batch) put(key, value []byte) error { return b.add(key[0], key[1:], value, false) }

// flush writes what was gathered.
func (b *batch) flush() error {
	if len(b.entries) == 0 {
		return nil
	}
	b.list = b.list[:0]
	for i := range b.entries {
		b.list = append(b.list, &b.entries[i])
	}
	if err := b.s.commitOne(b.name, b.time, b.list); err != nil {
		return err
	}
	b.written += len(b.entries)
	b.entries, b.arena = b.entries[:0], b.arena[:0]
	return nil
}

// badgerLog passes on what Badger has to say. Its routine messages are of no interest beside ours.
type badgerLog struct{ log *slog.Logger }

func (l badgerLog) say(level func(string, ...any), format string, args []any) {
	level("badger: " + strings.TrimSpace(fmt.Sprintf(format, args...)))
}

func (l badgerLog) Errorf(format string, args ...any)   { l.say(l.log.Error, format, args) }
func (l badgerLog) Warningf(format string, args ...any) { l.say(l.log.Warn, format, args) }
func (l badgerLog) Infof(format string, args ...any)    { l.say(l.log.Debug, format, args) }
func (l badgerLog) Debugf(string, ...any)               {}
