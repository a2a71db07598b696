package store

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The chain of the crash tests: long enough to freeze, write and drop buckets and to give up heights, with
// one block that needs several transactions.
const (
	crashSeed    = 5
	crashHeights = 60
	crashBig     = 30
	crashFold    = 12 // all background work after so many blocks
)

func crashModel() *model { return newModel(crashSeed, crashHeights, crashBig) }

// runChain brings a store from where it is to the end of the chain, telling of every height before it is
// committed and after.
func runChain(m *model, s *Store, tell func(height uint64, committed bool)) error {
	head, ok := s.Head()
	if !ok {
		if _, err := s.Init(modelGenesis, m.genesis, m.records[0].TimeMS); err != nil {
			return err
		}
	}
	for h := head.Height + 1; h <= m.height(); h++ {
		p, err := s.Stage(m.records[h])
		if err != nil {
			return err
		}
		tell(h, false)
		if err := s.Commit(p); err != nil {
			return err
		}
		tell(h, true)
		if h%crashFold == 0 {
			if err := s.FoldOnce(); err != nil {
				return err
			}
		}
	}
	return nil
}

// image is a store's directory as a crash would leave it, and the head it must have.
type image struct {
	dir   string
	point string
	head  uint64 // 0: none
}

// TestCrashImages copies the directory at every fail point of a chain, that is, just before and just after
// every write, and opens each copy as a restart after a crash would: it must hold the last block whose
// write was done, all older ones, and go on from there.
func TestCrashImages(t *testing.T) {
	notShort(t)
	m := crashModel()
	images, names := takeImages(t, m)
	t.Logf("%d images of %d kinds of write", len(images), len(names))
	for _, want := range []string{"commit", "commit.chunks", "commit.head", "fold.flat", "fold.mark", "index", "bucket.chunks", "bucket.entry", "drop.marks", "drop.record", "drop.bucket"} {
		if !slices.Contains(names, want) {
			t.Errorf("the chain has no write named %s", want)
		}
	}
	counts := countOutcomes(t, "power cut just before or after a write")
	for i, image := range images {
		t.Run(fmt.Sprintf("%03d-%s-height-%d", i, image.point, image.head), func(t *testing.T) {
			t.Parallel()
			counts.try()
			checkImage(t, m, image, uint64(i))
			counts.end(true)
		})
	}
}

// takeImages runs the chain once and copies the directory at the first fail point of each kind and at some
// others; with -store.full at all.
func takeImages(t *testing.T, m *model) (images []image, names []string) {
	base := t.TempDir()
	o := testOptions(filepath.Join(base, "run"))
	var head uint64
	var trying uint64
	seen := make(map[string]bool)
	rng := rand.New(rand.NewPCG(testSeed(t), 0))
	o.FailPoint = func(name string) error {
		now := head
		if name == "commit.after" || name == "commit.head.after" {
			now = trying
		}
		first := !seen[name]
		seen[name] = true
		if kind, before := strings.CutSuffix(name, ".before"); before && !slices.Contains(names, kind) {
			names = append(names, kind)
		}
		if !*fullFlag && !first && rng.IntN(40) > 0 {
			return nil
		}
		dir := filepath.Join(base, fmt.Sprint(len(images)))
		copyDir(t, o.Dir, dir)
		images = append(images, image{dir: dir, point: name, head: now})
		return nil
	}
	s := openStore(t, o)
	err := runChain(m, s, func(h uint64, committed bool) {
		trying = h
		if committed {
			head = h
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return images, names
}

// checkImage opens what a crash left, compares it with the model, does the background work that was cut
// short, goes on with the chain and opens once more.
func checkImage(t *testing.T, m *model, image image, seed uint64) {
	defer os.RemoveAll(image.dir)
	rng := rand.New(rand.NewPCG(crashSeed, seed))
	o := testOptions(image.dir)
	s := openStore(t, o)
	if image.head == 0 {
		if head, ok := s.Head(); ok {
			t.Fatalf("there is a head %v before the first commit was done", head)
		}
	} else {
		m.check(t, s, image.head, rng)
		if err := s.FoldOnce(); err != nil {
			t.Fatal(err)
		}
		m.check(t, s, image.head, rng)
	}
	if err := runChain(m, s, func(uint64, bool) {}); err != nil {
		t.Fatal(err)
	}
	m.check(t, s, m.height(), rng)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, o)
	m.check(t, s, m.height(), rng)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFailedWrites lets each kind of write fail, once lost and once kept although it failed: the store
// refuses to go on, and the same directory opens with everything that was acknowledged.
func TestFailedWrites(t *testing.T) {
	notShort(t)
	m := crashModel()
	_, names := takeNames(t, m)
	counts := countOutcomes(t, "write that fails, lost or kept")
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			counts.try()
			failWrite(t, m, name)
			counts.end(true)
		})
	}
}

// takeNames lists the fail points the chain passes.
func takeNames(t *testing.T, m *model) (count int, names []string) {
	o := testOptions(t.TempDir())
	o.FailPoint = func(name string) error {
		count++
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		return nil
	}
	if err := runChain(m, openStore(t, o), func(uint64, bool) {}); err != nil {
		t.Fatal(err)
	}
	return count, names
}

func failWrite(t *testing.T, m *model, name string) {
	o := testOptions(t.TempDir())
	rng := rand.New(rand.NewPCG(crashSeed, uint64(len(name))))
	failure := errors.New("the cable came out")
	o.FailPoint = func(at string) error {
		if at == name {
			return failure
		}
		return nil
	}
	s := openStore(t, o)
	var head, trying uint64
	err := runChain(m, s, func(h uint64, committed bool) {
		trying = h
		if committed {
			head = h
		}
	})
	if !errors.Is(err, failure) {
		t.Fatalf("the chain ended with %v, want %v", err, failure)
	}
	if _, err := s.Stage(m.records[head+1]); !errors.Is(err, failure) {
		t.Fatalf("staging after a failed write: %v, want %v", err, failure)
	}
	if err := s.FoldOnce(); !errors.Is(err, failure) {
		t.Fatalf("background work after a failed write: %v, want %v", err, failure)
	}
	if got, ok := s.Head(); ok != (head > 0) || got.Height != head {
		t.Fatalf("head after a failed write is %v, want %d", got, head)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if name == "commit.after" || name == "commit.head.after" {
		head = trying
	}
	o.FailPoint = nil
	s = openStore(t, o)
	if head > 0 {
		m.check(t, s, head, rng)
	}
	if err := runChain(m, s, func(uint64, bool) {}); err != nil {
		t.Fatal(err)
	}
	m.check(t, s, m.height(), rng)
}

// copyDir copies a directory's files while a store has them mapped, leaving out what was never written.
func copyDir(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == "LOCK" || e.Name() == "store.lock" {
			continue
		}
		if e.IsDir() {
			copyDir(t, filepath.Join(from, e.Name()), filepath.Join(to, e.Name()))
			continue
		}
		if err := copySparse(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
}

func copySparse(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if err := out.Truncate(info.Size()); err != nil {
		return err
	}
	for at := int64(0); at < info.Size(); {
		data, err := unix.Seek(int(in.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // only holes are left
		}
		if err != nil {
			return err
		}
		hole, err := unix.Seek(int(in.Fd()), data, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.NewOffsetWriter(out, data), io.NewSectionReader(in, data, hole-data)); err != nil {
			return err
		}
		at = hole
	}
	return nil
}
