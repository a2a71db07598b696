package store

import (
	"errors"
	"fmt"
	"math"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
)

// loader brings the newest durable state back into memory: the base, which is the state below the last
// boundary or else the genesis state, and the change records above it.
type loader struct {
	s      *Store
	txn    *reader
	heads  []headEntry            // of the base and of every height above it
	height uint64                 // that is being read
	leaves map[uint64]*bucketLeaf // of buckets that have a leaf at some height from the base on
	batch  []merkle.Change        // what goes into the tree next; it lies in arena
	arena  []byte
	number uint64 // of the latest partial tree
}

// bucketLeaf is the last leaf a bucket had.
type bucketLeaf struct {
	ledger.Bucket
	dropped uint64 // the height that deleted it; 0: it is there
}

// load reads everything up to the newest head. What is above it does not exist.
func (s *Store) load() error {
	return s.read(newest, func(txn *reader) error {
		l := &loader{s: s, txn: txn, leaves: make(map[uint64]*bucketLeaf)}
		if err := l.readHeads(); err != nil {
			return err
		}
		s.setDiscard(s.first())
		if len(l.heads) == 0 {
			return nil
		}
		if err := l.readHistories(); err != nil {
			return err
		}
		if err := checkSeals(s.db, l.txn, s.boundary(), s.histories.marks); err != nil {
			return err
		}
		if err := l.readBase(); err != nil {
			return err
		}
		if err := l.applyRecords(); err != nil {
			return err
		}
		if err := l.checkState(); err != nil {
			return err
		}
		return l.readBuckets()
	})
}

// readHeads finds the boundaries and the heads, and checks that the data is of this format and chain.
func (l *loader) readHeads() error {
	s := l.s
	lowest, err := s.heads(l.txn, 0, math.MaxUint64, 1)
	if err != nil {
		return err
	}
	if len(lowest) == 0 {
		return l.checkNothing()
	}
	if want := s.options.Genesis; !want.IsZero() && lowest[0].Genesis != want {
		return fmt.Errorf("it belongs to the chain of genesis %s, not to that of genesis %s", lowest[0].Genesis, want)
	}
	var bounds []uint64
	err = eachKey(l.txn, []byte{kindMark}, func(item *badger.Item) (bool, error) {
		bounds = append(bounds, numberOf(item.Key()))
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("read fold marks: %w", err)
	}
	if len(bounds) == 0 {
		return fmt.Errorf("head %d has no fold mark below it", lowest[0].Height)
	}
	s.bounds, s.lowest, s.durable = bounds, lowest[0].Height, true
	err = eachKey(l.txn, []byte{kindOrigin}, func(item *badger.Item) (bool, error) {
		s.restored = numberOf(item.Key())
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("read the height of the snapshot: %w", err)
	}
	base := max(s.boundary(), 1) - 1
	if l.heads, err = s.heads(l.txn, base, math.MaxUint64, math.MaxInt); err != nil {
		return err
	}
	if len(l.heads) == 0 || l.heads[0].Height != base {
		return fmt.Errorf("head %d, below which all is folded, is missing", base)
	}
	for i := 1; i < len(l.heads); i++ {
		// Only above genesis may there be a gap: a chain can begin at any height.
		if low, high := l.heads[i-1].Height, l.heads[i].Height; high != low+1 && low > 0 {
			return fmt.Errorf("head %d is missing, although there is a head %d", low+1, high)
		}
	}
	return nil
}

// errNoHead says that a store is neither empty nor whole.
var errNoHead = errors.New("there is no head, although there is this: the data is damaged; restore this node's data from a copy, or let it catch up from nothing")

// checkNothing refuses what lacks a head without being empty: Badger takes a damaged block for one that is not
// there. A crash in the first commit leaves chunks of change records, of genesis and one block, and nothing else.
func (l *loader) checkNothing() error {
	for _, kind := range []byte{kindMark, kindFlat, kindBucket, kindReplay, kindOutcome, kindRefusal, kindHistory, kindOrigin, kindSeal} {
		err := eachKey(l.txn, []byte{kind}, func(*badger.Item) (bool, error) { return false, errNoHead })
		if err != nil {
			return err
		}
	}
	heights := make(map[uint64]bool)
	return eachKey(l.txn, []byte{kindRecord}, func(item *badger.Item) (bool, error) {
		if heights[numberOf(item.Key())] = true; len(heights) > 2 {
			return false, errNoHead
		}
		return true, nil
	})
}

// readBase puts the base into the tree. It may be larger than memory for a batch, so it goes through
// partial trees.
func (l *loader) readBase() error {
	s, base := l.s, l.heads[0]
	l.height = base.Height
	s.main.Keep(1)
	put := func(key, value []byte) error {
		if err := l.add(key, value); err != nil {
			return err
		}
		if len(l.batch) == loadKeysMax {
			l.number++
			l.flush(l.number)
		}
		return nil
	}
	if s.boundary() == 0 {
		err := eachChunk(l.txn, base, sectionState, func(chunk []byte) error { return eachItem(chunk, put) })
		if err != nil {
			return err
		}
	} else if err := l.eachFlat(base.Height, put); err != nil {
		return fmt.Errorf("read flat keys at height %d: %w", base.Height, err)
	}
	l.flush(treeNumber(base.Height))
	return nil
}

// eachFlat calls fn for the flat keys that are there at a height. Later versions, left behind by a fold that
// did not get to its mark, are not seen.
func (l *loader) eachFlat(height uint64, fn func(key, value []byte) error) error {
	txn := l.s.db.at(flatTime(height))
	defer txn.discard()
	return eachKey(txn, []byte{kindFlat}, func(item *badger.Item) (bool, error) {
		return true, item.Value(func(value []byte) error {
			if len(value) == 0 {
				return nil
			}
			return fn(item.Key()[1:], value)
		})
	})
}

// add copies a change into the next batch and notes bucket leaves that come and go.
func (l *loader) add(key, value []byte) error {
	if len(key) == bucketLeafLen && key[0] == ledger.PrefixBucket {
		number := numberOf(key)
		if value != nil {
			leaf, err := ledger.DecodeBucket(value)
			if err != nil {
				return fmt.Errorf("replay bucket %d: %w", number, err)
			}
			l.leaves[number] = &bucketLeaf{Bucket: leaf}
		} else if leaf := l.leaves[number]; leaf != nil {
			leaf.dropped = l.height
		}
	}
	l.batch = append(l.batch, merkle.Change{Key: l.copy(key), Value: l.copy(value)})
	return nil
}

// copy copies bytes into the arena. A full arena is left to what refers to it.
func (l *loader) copy(b []byte) []byte {
	if len(b) > cap(l.arena)-len(l.arena) {
		l.arena = make([]byte, 0, max(len(b), 1<<20))
	}
	from := len(l.arena)
	l.arena = append(l.arena, b...)
	return l.arena[from:len(l.arena):len(l.arena)]
}

// flush makes the batch a version of the tree.
func (l *loader) flush(number uint64) {
	l.s.main.Commit(l.s.main.Stage(number, l.batch))
	l.batch, l.arena = l.batch[:0], l.arena[:0]
}

// applyRecords applies the change records above the base. The trees of the newest heights stay in memory as
// they would have.
func (l *loader) applyRecords() error {
	s := l.s
	versions := make([]version, len(l.heads))
	for i, e := range l.heads {
		versions[i] = version{Head: e.Head, number: treeNumber(e.Height), bytes: e.Bytes}
	}
	s.recent = s.window(versions)
	for i, e := range l.heads {
		if e.Height >= s.boundary() {
			s.unfolded += e.Bytes
			if err := l.readReceipts(e); err != nil {
				return err
			}
		}
		if i == 0 {
			continue
		}
		if e.Height > s.recent[0].Height {
			s.main.Keep(len(s.recent))
		}
		l.height = e.Height
		err := eachChunk(l.txn, e, sectionState, func(chunk []byte) error { return eachItem(chunk, l.add) })
		if err != nil {
			return err
		}
		l.flush(treeNumber(e.Height))
	}
	return nil
}

// readReceipts puts a height's receipts where those are that may not be in the index.
func (l *loader) readReceipts(e headEntry) error {
	b := &receiptBlock{height: e.Height}
	err := eachChunk(l.txn, e, sectionReceipts, func(chunk []byte) error {
		return eachReceipt(chunk, func(r ledger.Receipt) error {
			b.receipts = append(b.receipts, r)
			return nil
		})
	})
	if len(b.receipts) > 0 {
		l.s.blocks = append(l.s.blocks, b)
	}
	return err
}

// checkState compares the rebuilt root with the one that was computed when the head was committed.
func (l *loader) checkState() error {
	s := l.s
	head := s.current().Head
	view := s.main.Current()
	defer view.Close()
	if root := view.Root(); root != head.Root {
		return fmt.Errorf("the state at height %d has root %s, its head says %s: the data is damaged; restore this node's data from a copy, or let it catch up from nothing",
			head.Height, root, head.Root)
	}
	value, ok := view.Get(ledger.KeyParams())
	if !ok {
		return nil
	}
	params, err := ledger.DecodeParams(value)
	if err != nil {
		return fmt.Errorf("read the parameters at height %d: %w", head.Height, err)
	}
	s.params = &params
	return nil
}
