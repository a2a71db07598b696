package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
)

// Fault is one thing that is wrong in a store.
type Fault struct {
	Where string `json:"where"` // the file, key or height
	What  string `json:"what"`
}

func (f Fault) String() string { return f.Where + ": " + f.What }

// FsckOptions say what to check.
type FsckOptions struct {
	// Dir is the directory of a store that no process has open. It is only read.
	Dir string
	// Scratch is a directory of the caller's for temporary files. After a crash Badger's log has to be replayed,
	// which is done in a copy; it then needs as much space as the store.
	Scratch string
	// Snapshots is a directory of snapshots to check as well; empty for none.
	Snapshots string
	// Genesis is the genesis the data must belong to; zero checks nothing.
	Genesis crypto.Hash
	// Progress hears of the work, often; nil hears nothing.
	Progress func(FsckProgress)
}

// FsckProgress says how far a check is. Total is zero while it is not known.
type FsckProgress struct {
	Phase       string
	Done, Total uint64
}

// FsckReport says what was read, and everything that is wrong with it.
type FsckReport struct {
	Head   Head
	Heads  []Head // of every change record, in order
	First  uint64 // the lowest readable height
	Counts FsckCounts
	Faults []Fault
	// Unlisted counts the faults beyond those that are listed.
	Unlisted uint64
}

// FsckCounts says how much a check has read.
type FsckCounts struct {
	Tables   uint64 `json:"tables"`         // files
	Records  uint64 `json:"change_records"` // heights
	Roots    uint64 `json:"roots"`          // heights whose root was computed again
	Changes  uint64 `json:"changes"`        // in change records
	Leaves   uint64 `json:"leaves"`         // of the newest state
	FlatKeys uint64 `json:"flat_keys"`      // compared with the state of their height
	Replay   uint64 `json:"replay_records"` // in the trees of their buckets
	Buckets  uint64 `json:"buckets"`
	Receipts uint64 `json:"receipts"` // in change records
	Index    uint64 `json:"index"`    // receipts in the index
	History  uint64 `json:"history"`  // groups of transactions in the histories of accounts

	Snapshots      uint64 `json:"snapshots"`
	SnapshotLeaves uint64 `json:"snapshot_leaves"` // verified against the root of their snapshot, replay records included
}

// faultsMax bounds what a report lists: damage of one file may be seen in every height.
const faultsMax = 1000

// fsck is one check under way.
type fsck struct {
	FsckReport
	ctx     context.Context
	options FsckOptions
	db      *database
	txn     *reader

	heads    []headEntry            // those that could be read
	bounds   []uint64               // of folds
	restored uint64                 // the height of the snapshot that the store began with; 0: none
	tree     *merkle.Map            // of the height that was reached last
	leaves   map[uint64]*bucketLeaf // the last leaf of each bucket that had one at a readable height
	rootLost bool                   // a root differed, so those after it will as well
}

// Fsck reads everything in a store and compares whatever is there twice: leaves with their encoding, trees
// with their roots, buckets with their leaves, balances with supplies, the index with the receipts. It changes
// nothing. The error says that it could not go on, not that something is wrong with the data.
func Fsck(ctx context.Context, o FsckOptions) (*FsckReport, error) {
	if info, err := os.Stat(o.Dir); err != nil {
		return nil, fmt.Errorf("check store: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("check store: %s is not a directory", o.Dir)
	}
	if o.Progress == nil {
		o.Progress = func(FsckProgress) {}
	}
	f := &fsck{ctx: ctx, options: o, tree: merkle.New(), leaves: make(map[uint64]*bucketLeaf)}
	err := f.checkStore()
	if err == nil && o.Snapshots != "" {
		err = f.checkSnapshots()
	}
	return &f.FsckReport, err
}

// checkStore checks everything in the store's own directory.
func (f *fsck) checkStore() error {
	o := f.options
	if nothing, err := empty(o.Dir); err != nil {
		return fmt.Errorf("check store: %w", err)
	} else if nothing {
		return nil
	}
	if half, err := halfRestored(o.Dir); err != nil {
		return fmt.Errorf("check store: %w", err)
	} else if half {
		defer f.unfinished()
	}
	whole, err := f.checkTables()
	if err != nil || !whole {
		return err
	}
	image, err := openImage(o.Dir, o.Scratch)
	if err != nil {
		var damage *imageError
		if errors.As(err, &damage) {
			f.fault("file "+relativeTo(o.Dir, filepath.Join(damage.dir, badger.ManifestFilename)), "the database does not open: %v", damage.err)
			return nil
		}
		return fmt.Errorf("check store: %w", err)
	}
	defer image.close()
	f.db = image.db
	f.txn = f.db.at(newest)
	defer f.txn.discard()
	return f.checkAll()
}

// checkAll runs the phases, each of which relies on what the ones before it found.
func (f *fsck) checkAll() error {
	for _, phase := range []func() error{
		f.checkKeys, f.checkHeads, f.checkRecords, f.checkRoots, f.checkBuckets, f.checkState, f.checkIndex, f.checkHistories,
	} {
		if err := phase(); err != nil {
			return err
		}
	}
	return nil
}

// fault notes that something is wrong.
func (f *fsck) fault(where, format string, args ...any) {
	if len(f.Faults) == faultsMax {
		f.Unlisted++
		return
	}
	f.Faults = append(f.Faults, Fault{Where: where, What: fmt.Sprintf(format, args...)})
}

// step reports progress and ends the check when the caller wants that.
func (f *fsck) step(phase string, done, total uint64) error {
	f.options.Progress(FsckProgress{Phase: phase, Done: done, Total: total})
	return f.ctx.Err()
}

// stepEvery is how many small things are read between two reports.
const stepEvery = 4096

// checkKeys looks at all keys: that each is of a kind there is, and that chunks belong to a record. Chunks of
// a record that was abandoned by a crash belong to none, and are no fault.
func (f *fsck) checkKeys() error {
	var total, done uint64
	var err error
	f.db.each(func(db *badger.DB) {
		for _, t := range db.Tables() {
			total += uint64(t.KeyCount)
		}
	})
	f.db.each(func(db *badger.DB) {
		txn := db.NewTransactionAt(newest, false)
		defer txn.Discard()
		it := txn.NewIterator(badger.IteratorOptions{})
		defer it.Close()
		for it.Rewind(); it.Valid() && err == nil; it.Next() {
			key := it.Item().Key()
			if !knownKey(key) || f.db.of(key[0]) != db {
				f.fault(fmt.Sprintf("key %x", key), "no store of format %d has such a key there", Format)
			}
			if done++; done%stepEvery == 0 {
				err = f.step("keys", done, max(total, done))
			}
		}
	})
	if err != nil {
		return err
	}
	return f.step("keys", done, done)
}

// knownKey accepts a kind and the length that goes with it.
func knownKey(key []byte) bool {
	const number, id, chunk = 1 + 8, 1 + crypto.HashSize, 4
	switch key[0] {
	case kindHead, kindMark, kindBucket, kindOrigin:
		return len(key) == number
	case kindRecord:
		return len(key) == number+8+1+chunk
	case kindReplay:
		return len(key) == number+chunk
	case kindOutcome, kindRefusal:
		return len(key) == id
	case kindHistory:
		return len(key) == id+8
	case kindWritten:
		return len(key) == number+8+8
	case kindFlat:
		return len(key) > 1
	case kindSeal:
		return len(key) == 2 && (key[1] == kindMark || key[1] == kindWritten)
	}
	return false
}

// checkHeads reads heads and fold marks. Heights must follow each other, but for the one after genesis: a
// chain can begin at any height.
func (f *fsck) checkHeads() error {
	err := eachKey(f.txn, []byte{kindHead}, func(item *badger.Item) (bool, error) {
		height := numberOf(item.Key())
		where := fmt.Sprintf("head %d", height)
		err := item.Value(func(value []byte) error {
			e, err := decodeHeadEntry(value)
			switch {
			case err != nil:
				return err
			case !bytes.Equal(e.encode(), value):
				return errors.New("it is not encoded as this version would")
			case e.Height != height:
				return fmt.Errorf("it is that of height %d", e.Height)
			}
			f.heads = append(f.heads, e)
			return nil
		})
		if err != nil {
			f.fault(where, "%v", err)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for i, e := range f.heads {
		where := fmt.Sprintf("head %d", e.Height)
		if want := f.options.Genesis; !want.IsZero() && e.Genesis != want {
			f.fault(where, "it belongs to the chain of genesis %s, not to that of genesis %s", e.Genesis, want)
		} else if e.Genesis != f.heads[0].Genesis {
			f.fault(where, "it belongs to the chain of genesis %s, the first head to that of genesis %s", e.Genesis, f.heads[0].Genesis)
		}
		if i > 0 {
			if low := f.heads[i-1]; e.Height != low.Height+1 && low.Height > 0 {
				f.fault(fmt.Sprintf("head %d", low.Height+1), "it is missing, although there is a head %d", e.Height)
			} else if e.TimeMS < low.TimeMS {
				f.fault(where, "its time %d is before that of the height below, %d", e.TimeMS, low.TimeMS)
			}
		}
		f.Heads = append(f.Heads, e.Head)
		f.Head = e.Head
	}
	if err := f.checkOrigin(); err != nil {
		return err
	}
	return f.checkMarks()
}

// checkMarks reads the fold marks. Without a head there is none: nothing was ever committed.
func (f *fsck) checkMarks() error {
	err := eachKey(f.txn, []byte{kindMark}, func(item *badger.Item) (bool, error) {
		f.bounds = append(f.bounds, numberOf(item.Key()))
		return true, nil
	})
	if err != nil {
		return err
	}
	if len(f.heads) > 0 && len(f.bounds) == 0 {
		f.fault("fold marks", "there is none, so the newest state cannot be found")
	}
	if err := checkSeals(f.db, f.txn, f.boundary(), nil); err != nil {
		f.fault("seal", "%v", err)
	}
	for _, b := range f.bounds {
		if b > 0 && f.headAt(b-1) == nil {
			f.fault(fmt.Sprintf("fold mark %d", b), "there is no head %d, up to which it says everything is folded", b-1)
		}
	}
	if len(f.bounds) > 0 && f.bounds[0] > 0 {
		f.First = f.bounds[0] - 1
	}
	return nil
}

// headAt finds a head that could be read; nil if there is none.
func (f *fsck) headAt(height uint64) *headEntry {
	for i := len(f.heads) - 1; i >= 0 && f.heads[i].Height >= height; i-- {
		if f.heads[i].Height == height {
			return &f.heads[i]
		}
	}
	return nil
}

// boundary is up to where heights are folded.
func (f *fsck) boundary() uint64 {
	if len(f.bounds) == 0 {
		return 0
	}
	return f.bounds[len(f.bounds)-1]
}

// silent is a logger that nobody hears: what Badger says of an image is said again in faults.
var silent = slog.New(slog.DiscardHandler)
