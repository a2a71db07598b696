package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
)

// crashBase is the height that the tests below export: that of the large block, so that its state takes several
// transactions of Badger to restore.
const crashBase = crashBig

// pointNames lists the writes among fail points.
func pointNames(points []string) []string {
	var out []string
	for _, p := range points {
		if name, before := strings.CutSuffix(p, ".before"); before && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// TestCrashInExport copies the directory of snapshots just before and after every write of an export, as a crash
// would leave it: there is the whole snapshot or none, and the next export writes the same.
func TestCrashInExport(t *testing.T) {
	notShort(t)
	m := crashModel()
	base := t.TempDir()
	dir := filepath.Join(base, "snapshots")
	s := openStore(t, testOptions(filepath.Join(base, "store")))
	s.snapshotChunk = 400 << 10
	m.initStore(t, s)
	for h := uint64(1); h <= crashBase; h++ {
		commitRecord(t, s, m.records[h])
	}
	var points []string
	s.options.FailPoint = func(name string) error {
		to := filepath.Join(base, fmt.Sprint(len(points)))
		points = append(points, name)
		return os.CopyFS(to, os.DirFS(dir))
	}
	want, err := s.Export(t.Context(), 0, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.options.FailPoint = nil
	if names := pointNames(points); !slices.Equal(names, []string{"export.chunk", "export.dir", "export.manifest", "export.rename", "export.sync"}) {
		t.Errorf("the export has the writes %v", names)
	}
	counts := countOutcomes(t, "power cut just before or after a write of an export")
	for i, point := range points {
		counts.try()
		left := filepath.Join(base, fmt.Sprint(i))
		list, err := Snapshots(left)
		if err != nil || len(list) > 1 || (len(list) == 1) != (point == "export.rename.after") {
			t.Fatalf("%s left %d snapshots (%v)", point, len(list), err)
		}
		again, err := s.Export(t.Context(), 0, left, nil)
		if err != nil || again.Hash() != want.Hash() {
			t.Fatalf("export after a crash at %s: %v", point, err)
		}
		if names := dirNames(t, left); !slices.Equal(names, []string{exportLock, fmt.Sprint(crashBase)}) {
			t.Fatalf("export after a crash at %s leaves %v", point, names)
		}
		for chunk := range want.Chunks {
			if _, err := LoadChunk(left, crashBase, chunk); err != nil {
				t.Fatal(err)
			}
		}
		counts.end(true)
	}
}

// TestFailedExport lets every write of an export fail, lost or kept: it says so and leaves nothing, or the whole.
func TestFailedExport(t *testing.T) {
	m := newModel(31, 12, 0)
	s := openStore(t, testOptions(t.TempDir()))
	m.initStore(t, s)
	for _, r := range m.records[1:] {
		commitRecord(t, s, r)
	}
	failure := errors.New("the cable came out")
	for _, name := range []string{"export.dir", "export.chunk", "export.manifest", "export.sync", "export.rename"} {
		for _, when := range []string{".before", ".after"} {
			dir := t.TempDir()
			s.options.FailPoint = func(at string) error {
				if at == name+when {
					return failure
				}
				return nil
			}
			if _, err := s.Export(t.Context(), 0, dir, nil); !errors.Is(err, failure) {
				t.Errorf("%s%s: %v", name, when, err)
			}
			list, err := Snapshots(dir)
			if err != nil || (len(list) == 1) != (name+when == "export.rename.after") {
				t.Errorf("%s%s leaves %d snapshots (%v)", name, when, len(list), err)
			}
			s.options.FailPoint = nil
			if _, err := s.Export(t.Context(), 0, dir, nil); err != nil {
				t.Errorf("export after %s%s: %v", name, when, err)
			}
		}
	}
}

// restoreImage is a store's directory as a crash in the middle of a restore would leave it.
type restoreImage struct {
	dir, point string
	whole      bool // the head was written
}

// TestCrashInRestore copies the store's directory just before and after every write of a restore, of one over a
// half restored store, and of one that is given up. Each copy is empty, is refused as half restored, or has the
// whole state; and another restore overwrites what is not whole.
func TestCrashInRestore(t *testing.T) {
	notShort(t)
	m := crashModel()
	dir, snapshot := exported(t, m, crashBase, true)
	images := restoreImages(t, m, dir, snapshot)
	var points []string
	for _, image := range images {
		points = append(points, image.point)
	}
	if names := pointNames(points); !slices.Equal(names, []string{"restore.begin", "restore.end", "restore.flat", "restore.head", "restore.once", "restore.record", "restore.wipe"}) {
		t.Errorf("the restore has the writes %v", names)
	}
	counts := countOutcomes(t, "power cut just before or after a write of a restore")
	for i, image := range images {
		t.Run(fmt.Sprintf("%03d-%s", i, image.point), func(t *testing.T) {
			t.Parallel()
			counts.try()
			counts.end(checkRestoreImage(t, m, image, dir, snapshot))
		})
	}
}

func restoreImages(t *testing.T, m *model, dir string, snapshot Manifest) (images []restoreImage) {
	t.Helper()
	base := t.TempDir()
	o := testOptions(filepath.Join(base, "store"))
	whole := false
	o.FailPoint = func(point string) error {
		whole = whole || point == "restore.head.after"
		to := filepath.Join(base, fmt.Sprint(len(images)))
		copyDir(t, o.Dir, to)
		images = append(images, restoreImage{dir: to, point: point, whole: whole})
		return nil
	}
	trust := trusted(m, crashBase)
	r, err := NewRestore(o, snapshot, trust)
	if err != nil {
		t.Fatal(err)
	}
	applyChunks(t, r, dir, snapshot)
	if err := r.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(o.Dir, restoringName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(o.Dir, "000009.sst"), []byte("what an earlier restore left"), 0o600); err != nil {
		t.Fatal(err)
	}
	restore(t, o, dir, snapshot, trust)
	return images
}

// checkRestoreImage opens what a crash left and reports whether it was whole.
func checkRestoreImage(t *testing.T, m *model, image restoreImage, dir string, snapshot Manifest) bool {
	t.Helper()
	o := testOptions(image.dir)
	s, err := Open(o)
	switch {
	case errors.Is(err, ErrHalfRestored) && !image.whole:
		report, err := Fsck(t.Context(), FsckOptions{Dir: image.dir, Scratch: t.TempDir()})
		if err != nil || len(report.Faults) != 1 || report.Faults[0].Where != "file restoring" {
			t.Fatalf("a check of a half restored store finds %v (%v)", report.Faults, err)
		}
		restore(t, o, dir, snapshot, trusted(m, crashBase))
	case err != nil:
		t.Fatalf("open after a crash at %s: %v", image.point, err)
	default:
		defer s.Close()
		if _, ok := s.Head(); ok != image.whole {
			t.Fatalf("after a crash at %s there is a head: %t", image.point, ok)
		}
		if !image.whole {
			return true // as empty as before
		}
		m.checkRestored(t, s, crashBase, crashBase)
		commitRecord(t, s, m.records[crashBase+1])
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s = openStore(t, o)
	head, _ := s.Head()
	m.checkRestored(t, s, crashBase, head.Height)
	return image.whole
}

// TestFailedRestore lets every write of a restore fail, lost or kept: the restore says so and goes no further, and
// the next one succeeds.
func TestFailedRestore(t *testing.T) {
	m := newModel(32, 12, 0)
	dir, snapshot := exported(t, m, 12, false)
	failure := errors.New("the cable came out")
	for _, name := range []string{"restore.begin", "restore.flat", "restore.once", "restore.record", "restore.head", "restore.end"} {
		for _, when := range []string{".before", ".after"} {
			o := testOptions(filepath.Join(t.TempDir(), "store"))
			o.FailPoint = func(at string) error {
				if at == name+when {
					return failure
				}
				return nil
			}
			r, err := NewRestore(o, snapshot, trusted(m, 12))
			if err == nil {
				applyChunks(t, r, dir, snapshot)
				if _, err = r.Finish(); err != nil {
					if _, again := r.Finish(); !errors.Is(again, failure) {
						t.Errorf("%s%s: finish again: %v", name, when, again)
					}
					o.FailPoint = nil
					r.s.options.FailPoint = nil
					if err := r.Abort(); err != nil {
						t.Errorf("%s%s: abort: %v", name, when, err)
					}
				}
			}
			if !errors.Is(err, failure) {
				t.Errorf("%s%s: %v", name, when, err)
			}
			o.FailPoint = nil
			if name != "restore.end" { // before which the height is durable
				restore(t, o, dir, snapshot, trusted(m, 12))
			}
			m.checkRestored(t, openStore(t, o), 12, 12)
		}
	}
}

// TestDamagedSnapshot damages every file of a snapshot in many places: listing it or reading the chunk names the
// file, and what is read without an error is what was written.
func TestDamagedSnapshot(t *testing.T) {
	m := newModel(33, 12, 12)
	s := openStore(t, testOptions(t.TempDir()))
	s.snapshotChunk = 500 << 10
	m.initStore(t, s)
	for _, r := range m.records[1:] {
		commitRecord(t, s, r)
	}
	dir := t.TempDir()
	snapshot, err := s.Export(t.Context(), 0, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(testSeed(t), 9))
	counts := countOutcomes(t, "torn or flipped file of a snapshot")
	for _, name := range dirNames(t, snapshotDir(dir, 12)) {
		path := filepath.Join(snapshotDir(dir, 12), name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for round := range 24 {
			counts.try()
			damageFile(t, path, data, round, rng)
			counts.end(!refusedNaming(t, dir, snapshot, path))
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if counts.recovered.Load() > 0 {
		t.Errorf("%d damaged files were taken for whole", counts.recovered.Load())
	}
	if list, err := Snapshots(dir); err != nil || len(list) != 1 {
		t.Errorf("the snapshot, whole again: %d (%v)", len(list), err)
	}
}

// damageFile writes a file with damage of the kind that the round says.
func damageFile(t *testing.T, path string, data []byte, round int, rng *rand.Rand) {
	t.Helper()
	if round == 4 {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return
	}
	bad := slices.Clone(data)
	switch at := rng.IntN(len(bad)); round % 4 {
	case 0:
		bad = bad[:at]
	case 1:
		bad[at] ^= 1 << rng.IntN(8)
	case 2: // a block that was never written
		end := min(at+4096, len(bad))
		clear(bad[at:end])
		if slices.Equal(bad, data) {
			bad[at] = 1
		}
	case 3:
		bad = append(bad, byte(at))
	}
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
}

// refusedNaming reports whether listing a snapshot and reading all of it ends in an error that names the file.
func refusedNaming(t *testing.T, dir string, snapshot Manifest, path string) bool {
	t.Helper()
	refused := false
	named := func(err error) {
		t.Helper()
		var damaged ErrDamaged
		if err == nil {
			return
		}
		if !errors.As(err, &damaged) || damaged.Path != path {
			t.Fatalf("damage of %s is reported as: %v", path, err)
		}
		refused = true
	}
	list, err := Snapshots(dir)
	named(err)
	if (err == nil) != (len(list) == 1) {
		t.Fatalf("%d snapshots are listed with error: %v", len(list), err)
	}
	for i, c := range snapshot.Chunks {
		chunk, err := LoadChunk(dir, snapshot.Height, i)
		named(err)
		if err == nil && crypto.Sum(chunk) != c.Hash {
			t.Fatalf("chunk %d differs", i)
		}
	}
	return refused
}

// TestFlippedRestored flips bits in the tables of a restored store: it refuses, or has the state it had.
func TestFlippedRestored(t *testing.T) {
	notShort(t)
	m := newModel(34, 15, 0)
	dir, snapshot := exported(t, m, 15, true)
	base := t.TempDir()
	o := testOptions(filepath.Join(base, "whole"))
	restore(t, o, dir, snapshot, trusted(m, 15))
	whole := o.Dir
	rng := rand.New(rand.NewPCG(testSeed(t), 10))
	rounds := 10
	if *fullFlag {
		rounds = 120
	}
	counts := countOutcomes(t, "flipped bit in a table of a restored store")
	for round := range rounds {
		o.Dir = filepath.Join(base, fmt.Sprint(round))
		copyDir(t, whole, o.Dir)
		flip(t, o.Dir, rng)
		counts.try()
		s, err := Open(o)
		if err == nil {
			v := s.View()
			if v.Root() != m.roots[15] || v.Tree().Root() != m.roots[15] {
				t.Fatalf("the root is %s, want %s", v.Tree().Root(), m.roots[15])
			}
			v.Close()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		} else if !strings.Contains(err.Error(), ".sst is damaged") {
			t.Errorf("the refusal names no file: %v", err)
		}
		counts.end(err == nil)
		if err := os.RemoveAll(o.Dir); err != nil {
			t.Fatal(err)
		}
	}
}
