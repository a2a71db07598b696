package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// smallChunk makes many chunks of little state. Each has room for the proofs around a part, and then for some
// leaves.
const smallChunk = 20 << 10

// exported runs a chain up to a height and exports that.
func exported(t testing.TB, m *model, height uint64, fold bool) (dir string, out Manifest) {
	t.Helper()
	s := openStore(t, testOptions(t.TempDir()))
	s.snapshotChunk = smallChunk
	m.initStore(t, s)
	for h := uint64(1); h <= height; h++ {
		commitRecord(t, s, m.records[h])
		if fold && h%7 == 0 {
			if err := s.FoldOnce(); err != nil {
				t.Fatal(err)
			}
		}
	}
	dir = t.TempDir()
	out, err := s.Export(t.Context(), 0, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return dir, out
}

func trusted(m *model, height uint64) Trust {
	return Trust{Root: m.roots[height], TimeMS: m.records[height].TimeMS}
}

// restore restores a snapshot of a directory into a new store.
func restore(t testing.TB, o Options, dir string, s Manifest, trust Trust) {
	t.Helper()
	r, err := NewRestore(o, s, trust)
	if err != nil {
		t.Fatal(err)
	}
	applyChunks(t, r, dir, s)
	head, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if want := (Head{Height: s.Height, TimeMS: s.TimeMS, Root: trust.Root, Genesis: s.Genesis, Format: Format}); head != want {
		t.Fatalf("restored head is %v, want %v", head, want)
	}
}

func applyChunks(t testing.TB, r *Restore, dir string, s Manifest) {
	t.Helper()
	for r.Next() < len(s.Chunks) {
		chunk, err := LoadChunk(dir, s.Height, r.Next())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Apply(r.Next(), chunk); err != nil {
			t.Fatal(err)
		}
	}
}

// checkRestored compares a store that began with a snapshot of height base with the model.
func (m *model) checkRestored(t testing.TB, s *Store, base, head uint64) {
	t.Helper()
	got, ok := s.Head()
	if want := (Head{head, m.records[head].TimeMS, m.roots[head], modelGenesis, Format}); !ok || got != want {
		t.Fatalf("head is %v (%v), want %v", got, ok, want)
	}
	s.mu.RLock()
	first := s.first()
	s.mu.RUnlock()
	if first < base {
		t.Fatalf("the first readable height is %d, the snapshot's was %d", first, base)
	}
	for h := range head + 1 {
		v, err := s.ViewAt(h)
		if h < first {
			if want := (ErrPruned{First: first}); !errors.Is(err, want) {
				t.Fatalf("view at %d: %v, want %v", h, err, want)
			}
		} else if err != nil {
			t.Fatalf("view at %d: %v", h, err)
		} else {
			m.checkView(t, v, h)
			v.Close()
		}
		if h < max(first, base+1) {
			if _, err := s.Receipts(h); !errors.Is(err, ErrPruned{First: max(first, base+1)}) {
				t.Fatalf("receipts of %d: %v, the first are those of %d", h, err, max(first, base+1))
			}
		} else {
			m.checkBlock(t, s, h)
		}
	}
}

// TestRestore exports heights of a chain, restores each into an empty store, and goes on with the chain there,
// through folds and restarts, while the model is compared at every height.
func TestRestore(t *testing.T) {
	m := newModel(11, 70, 30)
	for _, base := range []uint64{1, 30, 45} {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintf("height-%d-time-%t", base, known), func(t *testing.T) {
				trust := trusted(m, base)
				if !known {
					trust.TimeMS = 0
				}
				restoreAndGoOn(t, m, base, trust)
			})
		}
	}
}

func restoreAndGoOn(t *testing.T, m *model, base uint64, trust Trust) {
	dir, snapshot := exported(t, m, base, true)
	o := testOptions(filepath.Join(t.TempDir(), "store"))
	restore(t, o, dir, snapshot, trust)
	s := openStore(t, o)
	m.checkRestored(t, s, base, base)
	for h := base + 1; h <= m.height(); h++ {
		commitRecord(t, s, m.records[h])
		switch {
		case h%11 == 0:
			if err := s.FoldOnce(); err != nil {
				t.Fatal(err)
			}
		case h%8 == 0:
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openStore(t, o)
		case h == base+1:
			m.checkRestored(t, s, base, h)
		}
	}
	m.checkRestored(t, s, base, m.height())
	if err := s.FoldOnce(); err != nil {
		t.Fatal(err)
	}
	m.checkRestored(t, s, base, m.height())
	again, err := s.Export(t.Context(), 0, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	m.checkRestored(t, openStore(t, o), base, m.height())
	whole := openStore(t, testOptions(t.TempDir()))
	m.initStore(t, whole)
	for _, r := range m.records[1:] {
		commitRecord(t, whole, r)
	}
	other, err := whole.Export(t.Context(), 0, t.TempDir(), nil)
	if err != nil || other.Hash() != again.Hash() {
		t.Fatalf("a restored store exports snapshot %s, one that saw all blocks %s (%v)", again.Hash(), other.Hash(), err)
	}
}

// checkClean looks for faults in a store that no process has open.
func checkClean(t testing.TB, dir string, genesis crypto.Hash) {
	t.Helper()
	report, err := Fsck(context.Background(), FsckOptions{Dir: dir, Scratch: t.TempDir(), Genesis: genesis})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Faults {
		t.Errorf("fault: %s", f)
	}
}

// TestExportIsDeterministic exports one height of several stores that folded and restarted at different times.
func TestExportIsDeterministic(t *testing.T) {
	m := newModel(12, 25, 25)
	first, want := exported(t, m, 25, false)
	second, got := exported(t, m, 25, true)
	if !bytes.Equal(got.Append(nil), want.Append(nil)) {
		t.Fatal("two stores write different manifests")
	}
	if len(want.Chunks) < 5 || want.Records == 0 {
		t.Fatalf("the snapshot has %d chunks and %d records", len(want.Chunks), want.Records)
	}
	for i := range want.Chunks {
		a, err := LoadChunk(first, 25, i)
		if err != nil {
			t.Fatal(err)
		}
		b, err := LoadChunk(second, 25, i)
		if err != nil || !bytes.Equal(a, b) {
			t.Fatalf("chunk %d differs (%v)", i, err)
		}
		if len(a) > smallChunk {
			t.Errorf("chunk %d has %d bytes", i, len(a))
		}
	}
}

// TestChunksAreFull exports a state of several chunks of the ordinary size: all but the last are nearly full, and
// the export holds about one of them in memory.
func TestChunksAreFull(t *testing.T) {
	s := openStore(t, Options{InMemory: true, FoldInterval: -1})
	if _, err := s.Init(crypto.Hash{1}, benchGenesis(130_000), benchTime(0)); err != nil {
		t.Fatal(err)
	}
	commitRecord(t, s, benchBlock(rand.New(rand.NewPCG(1, 2)), 1, 10, 130_000))
	runtime.GC()
	before, most := heapBytes(), uint64(0)
	m, err := s.Export(t.Context(), 0, t.TempDir(), func(_, _ uint64) {
		runtime.GC()
		most = max(most, heapBytes())
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("an export of %d MiB takes %d MiB of memory", m.Bytes()>>20, (max(most, before)-before)>>20)
	if most > before+5*SnapshotChunkBytesMax {
		t.Errorf("an export takes %d bytes of memory, a chunk has %d", most-before, SnapshotChunkBytesMax)
	}
	if len(m.Chunks) != 3 {
		t.Errorf("%d bytes are in %d chunks", m.Bytes(), len(m.Chunks))
	}
	for i, c := range m.Chunks[:len(m.Chunks)-1] {
		if c.Bytes > SnapshotChunkBytesMax || c.Bytes < SnapshotChunkBytesMax-(64<<10) {
			t.Errorf("chunk %d has %d bytes", i, c.Bytes)
		}
	}
}

// TestReplayAfterRestore sends transactions again that were committed before the snapshot: the restored store
// refuses them as the others do, and makes the same state of a block of them.
func TestReplayAfterRestore(t *testing.T) {
	c := newLedgerChain(t, fsckOptions(filepath.Join(t.TempDir(), "ledger")))
	for range 25 {
		c.block()
	}
	dir := t.TempDir()
	snapshot, err := c.store.Export(t.Context(), 0, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(snapshot.Chunks) != 1 {
		t.Errorf("a small state has %d chunks", len(snapshot.Chunks))
	}
	head, _ := c.store.Head()
	o := fsckOptions(filepath.Join(t.TempDir(), "restored"))
	o.Genesis = head.Genesis
	restore(t, o, dir, snapshot, Trust{Root: head.Root})
	restored := openStore(t, o)

	again := slices.Clone(c.txs[len(c.txs)-10:])
	block := ledger.Block{Height: head.Height + 1, TimeMS: head.TimeMS + 1000, Txs: again}
	var roots []crypto.Hash
	for _, s := range []*Store{c.store, restored} {
		view := s.View()
		out, err := ledger.Execute(view, block)
		view.Close()
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range out.Receipts {
			if r.Outcome() != ledger.CodeDuplicate {
				t.Errorf("transaction %d again: %s", i, r.Outcome())
			}
		}
		record := Record{Height: block.Height, TimeMS: block.TimeMS, Changes: out.Changes, Receipts: out.Receipts, Touched: out.Touched}
		commitRecord(t, s, record)
		got, _ := s.Head()
		roots = append(roots, got.Root)
	}
	if roots[0] != roots[1] {
		t.Errorf("roots are %s and %s", roots[0], roots[1])
	}
	if err := restored.Close(); err != nil {
		t.Fatal(err)
	}
	checkClean(t, o.Dir, head.Genesis)
}

// TestExportBesideCommits commits blocks in the middle of an export, many more than stay in memory, with all
// background work: the export is of its own height all the same. If a commit waited for the export, or the export
// for commits, this test would not end.
func TestExportBesideCommits(t *testing.T) {
	const base = 18
	m := newModel(13, 110, 18)
	o := testOptions(t.TempDir())
	o.KeepHeights = 3
	s := openStore(t, o)
	s.snapshotChunk = smallChunk
	m.initStore(t, s)
	next := uint64(1)
	for ; next <= base; next++ {
		commitRecord(t, s, m.records[next])
	}
	view := s.View()
	defer view.Close()
	steps := 0
	dir := t.TempDir()
	snapshot, err := view.Export(t.Context(), dir, func(done, total uint64) {
		steps++
		for range 5 {
			if next > m.height() {
				return
			}
			commitRecord(t, s, m.records[next])
			next++
		}
		if err := s.FoldOnce(); err != nil {
			t.Error(err)
		}
		if done > total {
			t.Errorf("%d of %d are done", done, total)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if next <= base+70 || len(s.pinned) > 0 {
		t.Fatalf("only %d blocks were committed beside the export, in %d steps; pinned: %v", next-base-1, steps, s.pinned)
	}
	_, want := exported(t, m, base, false)
	if snapshot.Hash() != want.Hash() {
		t.Fatal("the export beside commits differs from one alone")
	}
	for ; next <= m.height(); next++ {
		commitRecord(t, s, m.records[next])
	}
	if err := s.FoldOnce(); err != nil {
		t.Fatal(err)
	}
	m.check(t, s, m.height(), rand.New(rand.NewPCG(1, 1)))
	if _, err := s.Export(t.Context(), base, dir, nil); !errors.As(err, new(ErrPruned)) {
		t.Errorf("export of a height that left memory: %v", err)
	}
}

// TestExportRefuses tries to export what cannot be.
func TestExportRefuses(t *testing.T) {
	m := newModel(14, 10, 0)
	o := testOptions(t.TempDir())
	s := openStore(t, o)
	m.initStore(t, s)
	if _, err := s.Export(t.Context(), 0, t.TempDir(), nil); err == nil {
		t.Error("a state that is not durable was exported")
	}
	for _, r := range m.records[1:] {
		commitRecord(t, s, r)
	}
	dir := t.TempDir()
	if _, err := s.Export(t.Context(), 11, dir, nil); !errors.As(err, new(ErrFuture)) {
		t.Errorf("export of a height to come: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Export(ctx, 0, dir, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled export: %v", err)
	}
	lock, err := lockFile(filepath.Join(dir, exportLock))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Export(t.Context(), 0, dir, nil); err == nil {
		t.Error("two exports write to one directory")
	}
	if err := unlockDir(lock); err != nil {
		t.Fatal(err)
	}
	s.options.DiskFreeMin = 1 << 62
	if _, err := s.Export(t.Context(), 0, dir, nil); !errors.Is(err, ErrDiskFull) {
		t.Errorf("export onto a full disk: %v", err)
	}
	s.options.DiskFreeMin = o.DiskFreeMin
	if names := dirNames(t, dir); !slices.Equal(names, []string{exportLock}) {
		t.Errorf("exports that failed left %v", names)
	}
	if list, err := Snapshots(dir); err != nil || len(list) > 0 {
		t.Errorf("snapshots: %v (%v)", list, err)
	}
	first, err := s.Export(t.Context(), 0, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.Export(t.Context(), 10, dir, nil); err != nil || again.Hash() != first.Hash() {
		t.Errorf("a second export of one height: %v", err)
	}
}

func dirNames(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestExportsAndCommits exports views again and again in one goroutine while another commits and folds. Every
// snapshot has the root of its height; that its chunks do as well is verified by the export.
func TestExportsAndCommits(t *testing.T) {
	m := newModel(15, 60, 0)
	s := openStore(t, testOptions(t.TempDir()))
	s.snapshotChunk = smallChunk
	m.initStore(t, s)
	commitRecord(t, s, m.records[1])
	dir := t.TempDir()
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for more := true; more && err == nil; {
			select {
			case <-stop:
				more = false // one more, of the newest height
			default:
			}
			v := s.View()
			var got Manifest
			got, err = v.Export(context.Background(), dir, nil)
			if err == nil && got.Root != m.roots[got.Height] {
				err = fmt.Errorf("snapshot of height %d has root %s, want %s", got.Height, got.Root, m.roots[got.Height])
			}
			v.Close()
			err = errors.Join(err, DropSnapshots(dir, 1))
		}
		ended <- err
	}()
	for h := uint64(2); h <= m.height(); h++ {
		commitRecord(t, s, m.records[h])
		if h%9 == 0 {
			if err := s.FoldOnce(); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	list, err := Snapshots(dir)
	if err != nil || len(list) != 1 || list[0].Height != m.height() {
		t.Fatalf("snapshots at the end: %d (%v)", len(list), err)
	}
	o := testOptions(filepath.Join(t.TempDir(), "store"))
	restore(t, o, dir, list[0], trusted(m, m.height()))
	m.checkRestored(t, openStore(t, o), m.height(), m.height())
}
