package store

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
)

// restoringName is the file that says a directory is half restored. It is there before anything else, and leaves
// last.
const restoringName = "restoring"

// Restore fills an empty store from the chunks of a snapshot. Each chunk is verified against a trusted root when
// it arrives, and only then written. One goroutine uses it.
//
// On disk a restored store is one that was folded at the snapshot's height and kept nothing below: flat keys, the
// fold mark, a head without changes. Replay buckets whose time is over lie where frozen ones do; the records of
// the others are the replay section of the head's change record, from which Open rebuilds them.
type Restore struct {
	s        *Store // its files are open, nothing is loaded
	manifest Manifest
	trust    Trust
	check    *assembly
	next     int
	failed   error // why nothing can be applied any more
	ended    bool

	flat   *batch  // leaves of the state, at the time of the height
	once   *batch  // frozen buckets
	record *batch  // the change record
	frozen chunker // records of the bucket that comes in, if its time is over
	chunks uint32  // of the same, as far as they are written
	open   chunker // records of all buckets whose time is not over
	head   headEntry
}

// NewRestore begins a restore into o.Dir, which must be empty or half restored. Until Finish, Open refuses the
// directory with ErrHalfRestored.
func NewRestore(o Options, m Manifest, trust Trust) (*Restore, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("restore store: %w", err)
	}
	if o.InMemory {
		return nil, errors.New("restore store: what is in memory would not outlive the restore")
	}
	if err := trust.believe(m, o.Genesis); err != nil {
		return nil, fmt.Errorf("restore store: %w", err)
	}
	r := &Restore{
		s:        &Store{options: o, log: o.Logger, disk: newDiskGuard(o)},
		manifest: m,
		trust:    trust,
		check:    newAssembly(trust.Root),
		frozen:   chunker{left: math.MaxInt},
		open:     chunker{left: math.MaxInt},
		head: headEntry{Head: Head{
			Height: m.Height, TimeMS: m.TimeMS, Root: m.Root, Genesis: m.Genesis, Format: Format,
		}},
	}
	if err := r.begin(); err != nil {
		return nil, fmt.Errorf("restore store %s: %w", o.Dir, errors.Join(err, r.s.closeFiles()))
	}
	r.flat = r.newBatch("restore.flat", flatTime(m.Height))
	r.once = r.newBatch("restore.once", putTime)
	r.record = r.newBatch("restore.record", putTime)
	return r, nil
}

// newBatch makes batches as large as Badger takes, since nobody reads meanwhile.
func (r *Restore) newBatch(name string, time uint64) *batch {
	b := r.s.newBatch(name, time)
	b.limit(math.MaxInt, math.MaxInt)
	return b
}

// begin takes the directory, says that it is half restored, and opens empty files.
func (r *Restore) begin() error {
	s, dir := r.s, r.s.options.Dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var err error
	if s.lock, err = lockDir(dir); err != nil {
		return err
	}
	if err := s.disk.check(); err != nil {
		return err
	}
	names, err := dataFiles(dir)
	if err != nil {
		return err
	}
	if slices.Contains(names, restoringName) {
		err = r.wipe(names)
	} else if len(names) > 0 {
		err = fmt.Errorf("it is not empty (there is %s): a store that may be in use is not overwritten", names[0])
	} else {
		err = r.mark()
	}
	if err != nil {
		return err
	}
	s.db, err = openDatabase(s.options)
	return err
}

// dataFiles lists what is in a store's directory but for locks.
func dataFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !slices.Contains(notInImage, e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// mark writes the file that says the directory is half restored. Its contents are for whoever looks at it.
func (r *Restore) mark() error {
	dir := r.s.options.Dir
	text := fmt.Sprintf("A restore of height %d, root %s, was begun here and did not end.\n", r.manifest.Height, r.manifest.Root)
	return r.s.failable("restore.begin", func() error {
		if err := writeSynced(filepath.Join(dir, restoringName), []byte(text)); err != nil {
			return err
		}
		return errors.Join(syncDir(dir), syncDir(filepath.Dir(dir)))
	})
}

// wipe deletes what an earlier restore left, but for the file that says so.
func (r *Restore) wipe(names []string) error {
	return r.s.failable("restore.wipe", func() error {
		for _, name := range names {
			if name == restoringName {
				continue
			}
			if err := os.RemoveAll(filepath.Join(r.s.options.Dir, name)); err != nil {
				return err
			}
		}
		return syncDir(r.s.options.Dir)
	})
}

// Next is the chunk to apply next. When it is the number of chunks, Finish is left.
func (r *Restore) Next() int { return r.next }

// Apply verifies a chunk against the trusted root and writes it. Chunks come in order: another than Next is
// refused. ErrBadChunk, ErrDiskFull and a chunk out of turn change nothing, so that the right chunk may come
// afterwards; after any other error only Abort is left.
func (r *Restore) Apply(i int, chunk []byte) error {
	switch {
	case r.failed != nil:
		return r.failed
	case i != r.next || i >= len(r.manifest.Chunks):
		return fmt.Errorf("restore chunk %d: chunk %d of %d comes next", i, r.next, len(r.manifest.Chunks))
	}
	if err := r.manifest.Chunks[i].check(chunk); err != nil {
		return fmt.Errorf("restore chunk %d: %w: %w", i, ErrBadChunk, err)
	}
	if err := r.s.disk.check(); err != nil {
		return fmt.Errorf("restore chunk %d: %w", i, err)
	}
	if err := r.check.take(chunk, r.write); err != nil {
		r.failed = fmt.Errorf("restore chunk %d: %w", i, err)
		return r.failed
	}
	r.next++
	return nil
}

// write writes a part that was verified.
func (r *Restore) write(p part, last bool) error {
	if p.kind == partState {
		for _, l := range p.leaves.Leaves {
			if err := r.flat.add(kindFlat, l.Key, l.Value, true); err != nil {
				return err
			}
		}
		return nil
	}
	if r.check.over(p.bucket, r.trust.TimeMS) {
		return r.writeFrozen(p, last)
	}
	for _, l := range p.leaves.Leaves {
		r.open.item(ledger.KeyRecord(p.bucket, crypto.Hash(l.Key)), l.Value)
	}
	return r.flushOpen()
}

// writeFrozen writes records of a bucket to which none will be added, as writeBucket does.
func (r *Restore) writeFrozen(p part, last bool) error {
	for _, l := range p.leaves.Leaves {
		r.frozen.item(l.Key, l.Value)
	}
	if last {
		r.frozen.flush()
	}
	for _, chunk := range r.frozen.chunks {
		if err := r.once.put(replayKey(p.bucket, r.chunks), chunk); err != nil {
			return err
		}
		r.chunks++
	}
	r.frozen.chunks = r.frozen.chunks[:0]
	if !last {
		return nil
	}
	leaf := r.check.leaves[p.bucket]
	entry := bucketEntry{Root: leaf.Root, Count: leaf.Count, Chunks: r.chunks}
	r.chunks = 0
	return r.once.put(bucketKey(p.bucket), entry.encode())
}

// flushOpen writes whole chunks of the records of open buckets.
func (r *Restore) flushOpen() error {
	for _, chunk := range r.open.chunks {
		key := recordKey(r.head.Height, r.head.Root, sectionReplay, r.head.Chunks[sectionReplay])
		if err := r.record.put(key, chunk); err != nil {
			return err
		}
		r.head.Chunks[sectionReplay]++
		r.head.Bytes += uint64(len(chunk))
	}
	r.open.chunks = r.open.chunks[:0]
	return nil
}

// Finish reads back what was written, compares its root, and makes the height durable. The store can be opened
// afterwards. After an error only Abort is left. An error may come even though the height is durable; then Abort
// leaves it, as a crash would.
func (r *Restore) Finish() (Head, error) {
	if r.failed != nil {
		return Head{}, r.failed
	}
	r.failed = errors.New("the restore has ended")
	if err := r.finish(); err != nil {
		r.failed = fmt.Errorf("finish the restore of height %d: %w", r.head.Height, err)
		return Head{}, r.failed
	}
	return r.head.Head, nil
}

// finish does the work of Finish. The head is written last of all data: with it the restore is complete, and the
// file that says otherwise is removed by whoever comes next, this function or Open.
func (r *Restore) finish() error {
	if r.next < len(r.manifest.Chunks) {
		return fmt.Errorf("chunk %d of %d is missing", r.next, len(r.manifest.Chunks))
	}
	if err := r.check.complete(r.manifest); err != nil {
		return err
	}
	r.open.flush()
	if err := r.flushOpen(); err != nil {
		return err
	}
	for _, b := range []*batch{r.record, r.once} {
		if err := b.flush(); err != nil {
			return err
		}
	}
	if err := r.flat.seal(kindMark); err != nil {
		return err
	}
	if err := r.readBack(); err != nil {
		return err
	}
	origin := r.manifest.Hash()
	err := r.s.commitOne("restore.head", putTime, []*badger.Entry{
		badger.NewEntry(markKey(r.head.Height+1), nil),
		badger.NewEntry(headKey(r.head.Height), r.head.encode()),
		badger.NewEntry(originKey(r.head.Height), origin[:]),
	})
	if err != nil {
		return err
	}
	r.ended = true
	err = r.s.db.close()
	r.s.db = nil
	if err == nil {
		err = r.s.dropMarker()
	}
	return errors.Join(err, r.s.closeFiles())
}

// readBack builds the state from what is on disk and compares its root.
func (r *Restore) readBack() error {
	m, number := merkle.New(), uint64(0)
	m.Keep(1)
	l := &loader{s: r.s, height: r.head.Height}
	flush := func() {
		number++
		m.Commit(m.Stage(number, l.batch))
		l.batch, l.arena = l.batch[:0], l.arena[:0]
	}
	err := l.eachFlat(r.head.Height, func(key, value []byte) error {
		l.batch = append(l.batch, merkle.Change{Key: l.copy(key), Value: l.copy(value)})
		if len(l.batch) == loadKeysMax {
			flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	flush()
	view := m.Current()
	defer view.Close()
	if root := view.Root(); root != r.trust.Root {
		return fmt.Errorf("what was written reads back with root %s, want %s: the disk is damaged", root, r.trust.Root)
	}
	return nil
}

// dropMarker removes the file that says a directory is half restored.
func (s *Store) dropMarker() error {
	return s.failable("restore.end", func() error {
		if err := os.Remove(filepath.Join(s.options.Dir, restoringName)); err != nil {
			return err
		}
		return syncDir(s.options.Dir)
	})
}

// Abort gives the restore up and empties the directory. Once the height is durable it does nothing.
func (r *Restore) Abort() error {
	if r.ended {
		return nil
	}
	r.ended = true
	r.failed = errors.New("the restore was given up")
	err := r.abort()
	if err = errors.Join(err, r.s.closeFiles()); err != nil {
		return fmt.Errorf("give up the restore of height %d: %w", r.head.Height, err)
	}
	return nil
}

func (r *Restore) abort() error {
	if r.s.db != nil {
		err := r.s.db.close()
		r.s.db = nil
		if err != nil {
			return err
		}
	}
	names, err := dataFiles(r.s.options.Dir)
	if err != nil {
		return err
	}
	if err := r.wipe(names); err != nil {
		return err
	}
	return r.s.dropMarker()
}
