package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestTornTail cuts and scrambles the end of one of Badger's logs, as a power cut may leave what was not synced. The
// store must come up at some height it had, complete, or refuse: always if the keys of a fold are lost.
func TestTornTail(t *testing.T) {
	notShort(t)
	m := newModel(6, 2*crashFold-1, 0) // the last heights are not folded
	base := t.TempDir()
	o := testOptions(filepath.Join(base, "whole"))
	s := openStore(t, o)
	if err := runChain(m, s, func(uint64, bool) {}); err != nil {
		t.Fatal(err)
	}
	copyDir(t, o.Dir, filepath.Join(base, "image"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(testSeed(t), 6))
	rounds := 24
	if *fullFlag {
		rounds = 120
	}
	heights := make(map[uint64]int)
	counts := countOutcomes(t, "torn or flipped log of the store")
	for round := range rounds {
		dir := filepath.Join(base, fmt.Sprint(round))
		copyDir(t, filepath.Join(base, "image"), dir)
		tear(t, dir, rng, (float64(round)+rng.Float64())/float64(rounds))
		o.Dir = dir
		counts.try()
		torn, err := Open(o)
		if err != nil {
			counts.end(false)
			continue
		}
		head, ok := torn.Head()
		heights[head.Height]++
		if ok {
			m.check(t, torn, head.Height, rng)
		}
		counts.end(true)
		if err := torn.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if len(heights) < 3 {
		t.Errorf("the damage always left the same heights: %v", heights)
	}
}

// tear damages the newest log of one database at a part, from 0 to 1, of what was written to it.
func tear(t *testing.T, dir string, rng *rand.Rand, part float64) {
	t.Helper()
	dirs, err := dataDirs(dir)
	if err != nil {
		t.Fatal(err)
	}
	dir = dirs[rng.IntN(len(dirs))]
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no log in %s: %v", dir, err)
	}
	slices.Sort(logs)
	path := logs[len(logs)-1]
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used := len(data)
	for used > 0 && data[used-1] == 0 {
		used--
	}
	at := 20 + int(part*float64(used-20)) // behind the log's own header
	switch rng.IntN(3) {
	case 0: // the rest was never written
		clear(data[at:])
	case 1: // a page is missing in the middle
		clear(data[at:min(at+4096, used)])
	case 2: // a bit flipped
		data[at] ^= 1 << rng.IntN(8)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFlippedTables flips bits in tables. The store must refuse, or hold the state of a height it had: all of
// it, since the root was compared. What is read from disk later may be an error, or missing, since Badger
// takes a block with a wrong checksum for one without the key; it is never another value.
func TestFlippedTables(t *testing.T) {
	notShort(t)
	m := newModel(7, 40, 20)
	base := t.TempDir()
	o := testOptions(filepath.Join(base, "whole"))
	s := openStore(t, o)
	if err := runChain(m, s, func(h uint64, committed bool) {}); err != nil {
		t.Fatal(err)
	}
	if err := s.FoldOnce(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // moves everything into tables
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(testSeed(t), 7))
	rounds := 8
	if *fullFlag {
		rounds = 120
	}
	counts := countOutcomes(t, "flipped bit in a table of the store")
	for round := range rounds {
		dir := filepath.Join(base, fmt.Sprint(round))
		copyDir(t, filepath.Join(base, "whole"), dir)
		flip(t, dir, rng)
		o.Dir = dir
		counts.try()
		counts.end(holdsOrRefuses(t, m, o))
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// flip flips one bit of one table.
func flip(t *testing.T, dir string, rng *rand.Rand) {
	t.Helper()
	tables, err := tablePaths(dir)
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables in %s: %v", dir, err)
	}
	path := tables[rng.IntN(len(tables))]
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// holdsOrRefuses reports whether a damaged store opened; if it did, its state is one of the model's.
func holdsOrRefuses(t *testing.T, m *model, o Options) bool {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		if !strings.Contains(err.Error(), ".sst is damaged") {
			t.Errorf("the refusal names no file: %v", err)
		}
		return false
	}
	defer s.Close()
	head, ok := s.Head()
	if !ok {
		t.Fatal("a store that had heights is taken for an empty one")
	}
	for h := range head.Height + 1 {
		v, err := s.ViewAt(h)
		if err != nil {
			continue
		}
		for _, key := range m.keys {
			got, err := v.Get([]byte(key))
			right := string(got) == string(m.states[h][key])
			if v.Tree() != nil && (err != nil || !right) || err == nil && got != nil && !right {
				t.Fatalf("key %q at %d of %d is %x (%v), want %x", key, h, head.Height, got, err, m.states[h][key])
			}
		}
		v.Close()
	}
	return true
}
