package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHistoryCrash copies the directory at every write of histories, just before and just after, and opens each
// copy as a restart after a crash would: all pages are what they should be, before the work is done again and
// after, and nothing is wrong in what lies on disk.
func TestHistoryCrash(t *testing.T) {
	notShort(t)
	base := t.TempDir()
	o := testOptions(filepath.Join(base, "run"))
	o.KeepHistory = 25
	var h *historyChain
	type historyImage struct {
		dir, point string
		head       uint64
	}
	var images []historyImage
	seen := map[string]int{}
	o.FailPoint = func(name string) error {
		if strings.HasPrefix(name, "history") {
			if seen[name]++; seen[name] > 3 && !*fullFlag {
				return nil
			}
			dir := filepath.Join(base, fmt.Sprint(len(images)))
			copyDir(t, o.Dir, dir)
			images = append(images, historyImage{dir, name, h.height()})
		}
		return nil
	}
	h = newHistoryChain(t, testSeed(t), o)
	for round := range 6 {
		for range 9 {
			h.grow(10)
		}
		if round == 2 {
			h.grow(historyGroupMax + 50)
		}
		if err := h.store.FoldOnce(); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"history", "history.mark", "history.unmark", "history.drop"} {
		for _, side := range []string{".before", ".after"} {
			if seen[name+side] == 0 {
				t.Errorf("there was no write named %s", name+side)
			}
		}
	}
	t.Logf("%d images of %v", len(images), seen)
	for i, one := range images {
		t.Run(fmt.Sprintf("%03d-%s-height-%d", i, one.point, one.head), func(t *testing.T) {
			t.Parallel()
			defer os.RemoveAll(one.dir)
			c := *h
			c.rng = rand.New(rand.NewPCG(uint64(i), 1))
			chain := *h.ledgerChain
			chain.t = t
			c.ledgerChain, c.counts = &chain, h.counts[:one.head+1]
			c.options.Dir, c.options.FailPoint = one.dir, nil
			c.store = openStore(t, c.options)
			least := uint64(1)
			if one.head > o.KeepHistory {
				least = one.head - o.KeepHistory + 1
			}
			for range 2 {
				for range 15 {
					c.check(least)
				}
				if err := c.store.FoldOnce(); err != nil {
					t.Fatal(err)
				}
			}
			c.checkFsck()
			if err := c.store.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestHistoryFailedWrites: a write of histories that fails, lost or kept, ends the store's work; after a restart
// nothing is missing.
func TestHistoryFailedWrites(t *testing.T) {
	failure := errors.New("the cable came out")
	for _, point := range []string{"history.before", "history.after", "history.mark.before", "history.mark.after", "history.unmark.before", "history.drop.before", "history.drop.after"} {
		t.Run(point, func(t *testing.T) {
			o := testOptions(filepath.Join(t.TempDir(), "ledger"))
			o.KeepHistory = 10
			failing := false
			o.FailPoint = func(name string) error {
				if failing && name == point {
					return failure
				}
				return nil
			}
			h := newHistoryChain(t, 9, o)
			h.options.FailPoint = nil
			for range 2 {
				for range 12 {
					h.grow(8)
				}
				if err := h.store.FoldOnce(); err != nil {
					t.Fatal(err)
				}
			}
			for range 12 {
				h.grow(8)
			}
			failing = true
			if err := h.store.FoldOnce(); !errors.Is(err, failure) {
				t.Fatalf("the work ended with %v", err)
			}
			if err := h.store.FoldOnce(); !errors.Is(err, failure) {
				t.Fatalf("the work went on: %v", err)
			}
			h.reopen()
			for range 2 {
				for range 25 {
					h.check(h.height() - 9)
				}
				if err := h.store.FoldOnce(); err != nil {
					t.Fatal(err)
				}
				h.checkFsck()
				h.grow(5)
			}
		})
	}
}
