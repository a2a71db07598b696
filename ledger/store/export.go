package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// Export writes the state at a height as a snapshot into a directory of snapshots, as DIR/HEIGHT, which appears
// when all of it is durable; if it is there already it stays. Height 0 chooses the newest; others must be in
// memory with their tree, or it fails with ErrFuture or ErrPruned. It holds up no commit; to go slowly, progress
// may take its time. One export at a time writes to a directory.
func (s *Store) Export(ctx context.Context, height uint64, dir string, progress func(done, total uint64)) (Manifest, error) {
	head, ok := s.Head()
	if !ok {
		return Manifest{}, errors.New("export snapshot: the store holds nothing that is durable")
	}
	if height == 0 {
		height = head.Height
	}
	v, err := s.ViewAt(height)
	if err != nil {
		return Manifest{}, fmt.Errorf("export snapshot of height %d: %w", height, err)
	}
	defer v.Close()
	return v.Export(ctx, dir, progress)
}

// Export is Store.Export for a view that the caller holds: taken when the height is committed, it cannot leave
// memory before the work begins.
func (v *View) Export(ctx context.Context, dir string, progress func(done, total uint64)) (Manifest, error) {
	if v.head.Height == 0 {
		return Manifest{}, errors.New("export snapshot: the genesis state comes from the genesis document")
	}
	m, err := v.export(ctx, dir, progress)
	if err != nil {
		return Manifest{}, fmt.Errorf("export snapshot of height %d to %s: %w", v.head.Height, dir, err)
	}
	return m, nil
}

// export does the work of Export. A crash before the rename leaves a directory that is no snapshot, and that the
// next export deletes.
func (v *View) export(ctx context.Context, dir string, progress func(done, total uint64)) (Manifest, error) {
	if v.tree == nil {
		return Manifest{}, ErrPruned{First: v.s.lowestTree()}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Manifest{}, err
	}
	lock, err := lockFile(filepath.Join(dir, exportLock))
	if errors.Is(err, errLocked) {
		return Manifest{}, errors.New("another export writes there at this moment")
	}
	if err != nil {
		return Manifest{}, err
	}
	defer func() { _ = unlockDir(lock) }()
	if m, err := LoadManifest(dir, v.head.Height); err == nil && m.Root == v.head.Root && checkSizes(dir, m) == nil {
		return m, nil
	}
	if err := dropLeftovers(dir); err != nil {
		return Manifest{}, err
	}
	e := &exporter{v: v, ctx: ctx, progress: progress, tmp: filepath.Join(dir, fmt.Sprint(tmpPrefix, v.head.Height))}
	e.check = newAssembly(v.head.Root)
	e.disk = newDiskGuard(Options{Dir: dir, DiskStopMin: v.s.options.DiskFreeMin}) // never what commits may need
	m, err := e.run()
	if err == nil {
		err = e.publish(dir)
	}
	if err != nil {
		return Manifest{}, errors.Join(err, os.RemoveAll(e.tmp))
	}
	return m, nil
}

// lowestTree is the lowest height that is in memory with its tree.
func (s *Store) lowestTree() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.recent[0].Height
}

// exporter is one export under way.
type exporter struct {
	v        *View
	ctx      context.Context
	progress func(done, total uint64)
	disk     *diskGuard
	tmp      string
	manifest Manifest
	check    *assembly // verifies what is written as whoever restores it will
	done     uint64    // leaves and records
	total    uint64
}

// run writes all files into the temporary directory.
func (e *exporter) run() (Manifest, error) {
	v := e.v
	v.s.pin(v.head.Height)
	defer v.s.unpin(v.head.Height)
	if err := v.s.failable("export.dir", func() error { return os.Mkdir(e.tmp, 0o700) }); err != nil {
		return Manifest{}, err
	}
	leaves, err := v.bucketLeaves()
	if err != nil {
		return Manifest{}, err
	}
	e.manifest = Manifest{
		Format: SnapshotFormat, Height: v.head.Height, TimeMS: v.head.TimeMS,
		Root: v.head.Root, Genesis: v.head.Genesis, Leaves: v.tree.Len(),
	}
	for _, leaf := range leaves {
		e.manifest.Records += leaf.Count
	}
	e.total = e.manifest.Leaves + e.manifest.Records
	w := &chunkWriter{max: v.s.snapshotChunk, emit: e.emit, step: e.step}
	if err := w.addTree(partState, 0, v.tree); err != nil {
		return Manifest{}, err
	}
	for _, number := range slices.Sorted(maps.Keys(leaves)) {
		if err := e.addBucket(w, number, leaves[number]); err != nil {
			return Manifest{}, fmt.Errorf("replay bucket %d: %w", number, err)
		}
	}
	if err := w.flush(); err != nil {
		return Manifest{}, err
	}
	if err := e.check.complete(e.manifest); err != nil {
		return Manifest{}, err
	}
	sealed := sealManifest(e.manifest)
	err = v.s.failable("export.manifest", func() error { return writeSynced(filepath.Join(e.tmp, manifestName), sealed) })
	return e.manifest, err
}

// addBucket exports the records of a bucket as the height knows them.
func (e *exporter) addBucket(w *chunkWriter, number uint64, leaf ledger.Bucket) error {
	tree := e.v.ReplayTree(number, leaf)
	if tree == nil {
		var err error
		if tree, err = e.v.RebuildReplayTree(number, leaf); err != nil {
			return err
		}
	}
	defer tree.Close()
	return w.addTree(partReplay, number, tree)
}

// step counts, and ends the export if the caller wants that.
func (e *exporter) step(leaves int) error {
	e.done += uint64(leaves)
	if e.progress != nil {
		e.progress(e.done, e.total)
	}
	return e.ctx.Err()
}

// emit writes a chunk.
func (e *exporter) emit(chunk []byte) error {
	i := len(e.manifest.Chunks)
	if i == SnapshotChunksMax {
		return fmt.Errorf("the state is larger than %d chunks", SnapshotChunksMax)
	}
	if err := e.disk.check(); err != nil {
		return err
	}
	if err := e.check.take(chunk, func(part, bool) error { return nil }); err != nil {
		return fmt.Errorf("what is in memory differs from its root: %w", err)
	}
	e.manifest.Chunks = append(e.manifest.Chunks, ChunkInfo{Bytes: uint32(len(chunk)), Hash: crypto.Sum(chunk)})
	return e.v.s.failable("export.chunk", func() error { return writeSynced(filepath.Join(e.tmp, chunkName(i)), chunk) })
}

// publish gives the snapshot its name. Its files are synced already; the names in the directory are synced
// before the directory's own, so that no crash leaves the name without the files.
func (e *exporter) publish(dir string) error {
	if err := e.v.s.failable("export.sync", func() error { return syncDir(e.tmp) }); err != nil {
		return err
	}
	to := snapshotDir(dir, e.manifest.Height)
	return e.v.s.failable("export.rename", func() error {
		if err := os.RemoveAll(to); err != nil { // a damaged one
			return err
		}
		if err := os.Rename(e.tmp, to); err != nil {
			return err
		}
		return syncDir(dir)
	})
}

// bucketLeaves reads the leaves of all replay buckets that the view's height knows.
func (v *View) bucketLeaves() (map[uint64]ledger.Bucket, error) {
	v.s.mu.RLock()
	numbers := slices.Collect(maps.Keys(v.s.buckets))
	v.s.mu.RUnlock()
	out := make(map[uint64]ledger.Bucket)
	for _, number := range numbers {
		value, ok := v.tree.Get(ledger.KeyBucket(number))
		if !ok {
			continue // not yet, or no more
		}
		leaf, err := ledger.DecodeBucket(value)
		if err != nil {
			return nil, fmt.Errorf("replay bucket %d: %w", number, err)
		}
		out[number] = leaf
	}
	return out, nil
}

// pin keeps the replay buckets that a height knows until unpin.
func (s *Store) pin(height uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pinned = append(s.pinned, height)
}

func (s *Store) unpin(height uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.pinned, height)
	s.pinned = slices.Delete(s.pinned, i, i+1)
}

// firstKept is the lowest height whose replay buckets are kept. It needs mu.
func (s *Store) firstKept() uint64 {
	first := s.first()
	for _, height := range s.pinned {
		first = min(first, height)
	}
	return first
}
