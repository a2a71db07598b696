package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
)

// Head names the newest height that is wholly there.
type Head struct {
	Height  uint64
	TimeMS  uint64
	Root    crypto.Hash
	Genesis crypto.Hash
	Format  uint32
}

// Store keeps the state. Its methods may be called from any goroutine.
type Store struct {
	options Options
	lock    *os.File // nil in memory
	db      *database
	log     *slog.Logger
	disk    *diskGuard

	// writing is held by Init, Stage, Commit and Discard: the tree has one writer. It guards:
	writing    sync.Mutex
	genesis    *stagedRecord // the state of Init until the first Commit makes it durable
	generation uint64        // grows when the state that updates are staged on changes
	scratch    []merkle.Change

	snapshotChunk int // bytes of a chunk of a snapshot; tests choose smaller ones

	// tidying is held by one step of background work at a time.
	tidying sync.Mutex
	folding foldTimer // guarded by tidying
	sweep   sweep     // of histories; guarded by tidying

	// mu is held for moments. It guards:
	mu       sync.RWMutex
	main     *merkle.Map        // the state tree
	recent   []version          // heights in memory, oldest first; the last is the current state
	durable  bool               // the current state is on disk: there is a head
	params   *ledger.Params     // of the current state; nil if it has none
	buckets  map[uint64]*bucket // replay buckets that any readable height may ask for
	blocks   []*receiptBlock    // blocks whose receipts are not in the index yet, oldest first
	bounds   []uint64           // boundaries of folds that are still readable, ascending; 0: nothing folded
	lowest   uint64             // no change record below this height is left
	pinned   []uint64           // heights that are being exported
	restored uint64             // the height of the snapshot that the store began with; 0: none
	unfolded uint64             // bytes of change records at and above the last boundary
	failed   error              // why nothing can be written any more

	histories histories // how far the histories of accounts are written

	stop chan struct{}
	done sync.WaitGroup

	// reading is held for reading by whoever reads from Badger, whose files Close unmaps. It guards:
	reading sync.RWMutex
	closed  bool
}

// version is a height that is in memory.
type version struct {
	Head
	number uint64 // of the tree's version
	bytes  uint64 // of the change record
}

// treeNumber is the number of a height's version of the state tree. Lower numbers are those of the partial
// trees that Open goes through.
func treeNumber(height uint64) uint64 { return 1<<32 + height }

// errClosed says that the store is used after Close.
var errClosed = errors.New("the store is closed")

// Head returns the newest durable height; false if there is none yet.
func (s *Store) Head() (Head, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.current().Head, s.durable
}

// current needs mu.
func (s *Store) current() version { return s.recent[len(s.recent)-1] }

// boundary is up to where heights are folded. It needs mu.
func (s *Store) boundary() uint64 { return s.bounds[len(s.bounds)-1] }

// first is the lowest readable height. It needs mu.
func (s *Store) first() uint64 {
	if s.bounds[0] == 0 {
		return 0
	}
	return s.bounds[0] - 1
}

// usable returns why nothing can be written any more, if so.
func (s *Store) usable() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.failed
}

// fail refuses all writing from now on: what is on disk may differ from what is in memory, and opening
// again is what finds out. The first reason is kept.
func (s *Store) fail(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = reason
	}
}

// Close ends background work, once the receipts of all blocks are in the index, and closes the files. What was not
// folded stays in change records, which the next Open replays. Views of heights in memory go on working, others
// return an error.
func (s *Store) Close() error {
	s.mu.Lock()
	if errors.Is(s.failed, errClosed) {
		s.mu.Unlock()
		return nil
	}
	whole := s.failed == nil && s.durable
	s.failed = errClosed
	s.mu.Unlock()
	close(s.stop)
	s.done.Wait()
	s.writing.Lock() // a Commit that is under way ends first
	defer s.writing.Unlock()
	var err error
	if whole && s.options.FoldInterval > 0 && s.disk.check() == nil {
		err = s.indexBlocks()
	}
	if err = errors.Join(err, s.closeFiles()); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// Stats tells what a store holds, for metrics.
type Stats struct {
	Height       uint64
	First        uint64 // the lowest readable height
	Folded       uint64 // heights below this are in flat keys
	Unfolded     uint64 // bytes of change records that Open would replay
	Versions     int    // heights in memory
	Buckets      int    // replay buckets in memory
	Records      uint64 // replay records in memory
	BucketsKept  int    // frozen replay buckets on disk
	Tree         merkle.Stats
	TableBytes   int64 // size of Badger's tables
	DiskFree     uint64
	BlocksInTail int    // blocks whose receipts are not in the index yet
	Histories    uint64 // heights below this are in the histories of accounts
	HistoryFirst uint64 // heights below this may have been dropped from them
}

// Stats may be called at any time.
func (s *Store) Stats() Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := Stats{
		Height:       s.current().Height,
		First:        s.first(),
		Folded:       s.boundary(),
		Unfolded:     s.unfolded,
		Versions:     len(s.recent),
		Tree:         s.main.Stats(),
		DiskFree:     s.disk.free.Load(),
		BlocksInTail: len(s.blocks),
		Histories:    s.histories.from,
		HistoryFirst: max(s.histories.base, s.histories.horizon),
	}
	for _, b := range s.buckets {
		if b.records == nil {
			out.BucketsKept++
			continue
		}
		out.Buckets++
		out.Records += b.records.Stats().Leaves
	}
	s.reading.RLock()
	defer s.reading.RUnlock()
	if !s.closed {
		s.db.each(func(db *badger.DB) {
			tables, _ := db.Size()
			out.TableBytes += tables
		})
	}
	return out
}
