package store

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
)

// TestSnapshotFile exports a snapshot into one file, in one go and from a directory, and restores it.
func TestSnapshotFile(t *testing.T) {
	m := newModel(41, 14, 12)
	s := openStore(t, testOptions(t.TempDir()))
	s.snapshotChunk = 300 << 10
	m.initStore(t, s)
	for _, r := range m.records[1:13] {
		commitRecord(t, s, r)
	}
	base := t.TempDir()
	path := filepath.Join(base, "snapshot")
	want, err := s.ExportFile(t.Context(), 0, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if names := dirNames(t, base); !slices.Equal(names, []string{"snapshot"}) {
		t.Errorf("the export left %v", names)
	}
	if _, err := s.ExportFile(t.Context(), 0, path, nil); err == nil {
		t.Error("a file was overwritten")
	}
	dir, packed := t.TempDir(), filepath.Join(base, "packed")
	if _, err := s.Export(t.Context(), 0, dir, nil); err != nil {
		t.Fatal(err)
	}
	last := uint64(0)
	if _, err := PackSnapshot(t.Context(), dir, 12, packed, func(done, total uint64) { last = total - done }); err != nil || last != 0 {
		t.Fatalf("%d bytes were left to pack (%v)", last, err)
	}
	if _, err := PackSnapshot(t.Context(), dir, 12, packed, nil); err == nil {
		t.Error("a file was overwritten")
	}
	if _, err := PackSnapshot(t.Context(), dir, 11, filepath.Join(base, "none"), nil); !errors.Is(err, ErrNoSnapshot) {
		t.Errorf("pack what is not there: %v", err)
	}
	for _, file := range []string{path, packed} {
		if got, err := FileManifest(file); err != nil || got.Hash() != want.Hash() {
			t.Fatalf("manifest of %s: %v", file, err)
		}
		o := testOptions(filepath.Join(t.TempDir(), "store"))
		head, err := RestoreFile(t.Context(), o, file, trusted(m, 12), nil)
		if err != nil || head.Height != 12 {
			t.Fatalf("restore: %v, %v", head, err)
		}
		again := openStore(t, o)
		commitRecord(t, again, m.records[13])
		m.checkRestored(t, again, 12, 13)
	}
	ctx, cancel := context.WithCancel(t.Context())
	o := testOptions(filepath.Join(t.TempDir(), "store"))
	if _, err := RestoreFile(ctx, o, path, trusted(m, 12), func(_, _ uint64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled restore: %v", err)
	}
	if names := dirNames(t, o.Dir); !slices.Equal(names, []string{"store.lock"}) {
		t.Errorf("a cancelled restore left %v", names)
	}
}

// TestDamagedFile damages a snapshot in one file: the restore names the file and leaves nothing.
func TestDamagedFile(t *testing.T) {
	m := newModel(42, 12, 0)
	dir, _ := exported(t, m, 12, false)
	base := t.TempDir()
	path := filepath.Join(base, "snapshot")
	if _, err := PackSnapshot(t.Context(), dir, 12, path, nil); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o := testOptions(filepath.Join(base, "store"))
	rng := rand.New(rand.NewPCG(testSeed(t), 11))
	counts := countOutcomes(t, "torn or flipped snapshot in one file")
	refuse := func(bad []byte) {
		t.Helper()
		counts.try()
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := RestoreFile(t.Context(), o, path, trusted(m, 12), nil)
		var damaged ErrDamaged
		if !errors.As(err, &damaged) || damaged.Path != path {
			t.Fatalf("restore from a damaged file: %v", err)
		}
		if names, err := os.ReadDir(o.Dir); err == nil && len(names) > 1 {
			t.Fatalf("it left %v", names)
		}
		counts.end(false)
	}
	for range 40 {
		bad := slices.Clone(data)
		at := rng.IntN(len(bad) * 8)
		bad[at/8] ^= 1 << (at % 8)
		refuse(bad)
		refuse(data[:rng.IntN(len(data))])
	}
	refuse(append(slices.Clone(data), 0))
	refuse(nil)
	huge := slices.Clone(data)
	binary.BigEndian.PutUint32(huge[len(fileMagic):], ManifestBytesMax+crypto.HashSize+1)
	refuse(huge)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	lie := trusted(m, 12)
	lie.Root[0] ^= 1
	if _, err := RestoreFile(t.Context(), o, path, lie, nil); !errors.Is(err, ErrBadSnapshot) {
		t.Errorf("a file of another state: %v", err)
	}
	if _, err := RestoreFile(t.Context(), o, path, trusted(m, 12), nil); err != nil {
		t.Errorf("the file, whole again: %v", err)
	}
}

// TestDropSnapshots keeps the newest.
func TestDropSnapshots(t *testing.T) {
	m := newModel(43, 9, 0)
	s := openStore(t, testOptions(t.TempDir()))
	m.initStore(t, s)
	dir := filepath.Join(t.TempDir(), "snapshots")
	if list, err := Snapshots(dir); err != nil || list != nil {
		t.Errorf("snapshots of no directory: %v (%v)", list, err)
	}
	for _, r := range m.records[1:] {
		commitRecord(t, s, r)
		if r.Height%3 > 0 {
			continue
		}
		if _, err := s.Export(t.Context(), r.Height, dir, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, keep := range []int{5, 3, 2, 1, 0} {
		if err := DropSnapshots(dir, keep); err != nil {
			t.Fatal(err)
		}
		list, err := Snapshots(dir)
		if err != nil || len(list) != min(keep, 3) {
			t.Fatalf("%d snapshots are kept of %d (%v)", len(list), keep, err)
		}
		for i, got := range list {
			if want := uint64(9 - 3*(len(list)-1-i)); got.Height != want {
				t.Errorf("snapshot %d is of height %d, want %d", i, got.Height, want)
			}
		}
	}
	if _, err := LoadChunk(dir, 9, 0); !errors.Is(err, ErrNoSnapshot) {
		t.Errorf("a chunk of a snapshot that was dropped: %v", err)
	}
	if names := dirNames(t, dir); !slices.Equal(names, []string{exportLock}) {
		t.Errorf("there is still %v", names)
	}
}

// TestFsckSnapshots checks a ledger's restored store with its directory of snapshots, whole and damaged.
func TestFsckSnapshots(t *testing.T) {
	c := newLedgerChain(t, fsckOptions(filepath.Join(t.TempDir(), "ledger")))
	dir := t.TempDir()
	for range 15 {
		c.block()
	}
	snapshot, err := c.store.Export(t.Context(), 0, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := fsckOptions(filepath.Join(t.TempDir(), "restored"))
	o.Genesis = snapshot.Genesis
	restore(t, o, dir, snapshot, Trust{Root: snapshot.Root})
	if c.store = openStore(t, o); c.store.Stats().First != 15 {
		t.Fatalf("the first height is %d", c.store.Stats().First)
	}
	for h := 16; h <= 60; h++ {
		c.block()
		if h%20 == 0 {
			if err := c.store.FoldOnce(); err != nil {
				t.Fatal(err)
			}
		}
		if h == 30 {
			if _, err := c.store.Export(t.Context(), 0, dir, nil); err != nil {
				t.Fatal(err)
			}
		}
		if h == 30 || h == 60 {
			if err := c.store.Close(); err != nil {
				t.Fatal(err)
			}
			report := checkSnapshots(t, o.Dir, dir)
			if len(report.Faults) > 0 || report.Counts.Snapshots != 2 || report.Counts.SnapshotLeaves == 0 {
				t.Fatalf("after height %d: %v, %+v", h, report.Faults, report.Counts)
			}
			c.store = openStore(t, o)
		}
	}
	if err := c.store.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(snapshotDir(dir, 30), chunkName(0))
	chunk, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	chunk[len(chunk)/2] ^= 4
	if err := os.WriteFile(path, chunk, 0o600); err != nil {
		t.Fatal(err)
	}
	report := checkSnapshots(t, o.Dir, dir)
	if len(report.Faults) != 1 || report.Faults[0].Where != "snapshot file 30/000000.chunk" {
		t.Fatalf("a damaged chunk: %v", report.Faults)
	}
	forge(t, dir, 30, chunk)
	report = checkSnapshots(t, o.Dir, dir)
	if len(report.Faults) != 1 || report.Faults[0].Where != "snapshot 30" || !strings.Contains(report.Faults[0].What, ErrBadSnapshot.Error()) {
		t.Fatalf("a forged chunk: %v", report.Faults)
	}
}

func checkSnapshots(t *testing.T, dir, snapshots string) *FsckReport {
	t.Helper()
	report, err := Fsck(t.Context(), FsckOptions{Dir: dir, Scratch: t.TempDir(), Snapshots: snapshots})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// forge makes a snapshot's manifest agree with a chunk.
func forge(t *testing.T, dir string, height uint64, chunk []byte) {
	t.Helper()
	m, err := LoadManifest(dir, height)
	if err != nil {
		t.Fatal(err)
	}
	m.Chunks[0].Hash = crypto.Sum(chunk)
	path := filepath.Join(snapshotDir(dir, height), manifestName)
	if err := os.WriteFile(path, sealManifest(m), 0o600); err != nil {
		t.Fatal(err)
	}
}
