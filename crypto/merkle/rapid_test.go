package merkle

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// machine drives a map and its model through interleaved staging, committing, discarding, pinning and
// closing, and verifies everything that can be read after each step.
type machine struct {
	m       *Map
	keys    []string
	history map[uint64]model // of every version ever committed
	current model
	version uint64
	keep    int
	staged  []stagedModel
	pinned  []*View
}

const pinnedMax = 5

type stagedModel struct {
	staged *Staged
	want   model
}

func newMachine() *machine {
	x := &machine{m: New(), history: map[uint64]model{0: {}}, current: model{}, keep: keepDefault}
	x.keys = append(x.keys, twins[:min(8, len(twins))]...)
	for i := range 40 {
		x.keys = append(x.keys, fmt.Sprint("key", i))
	}
	return x
}

func (x *machine) drawChanges(t *rapid.T) []Change {
	keys := rapid.SliceOfNDistinct(rapid.SampledFrom(x.keys), 0, len(x.keys), rapid.ID).Draw(t, "keys")
	var changes []Change
	for _, key := range keys {
		c := Change{Key: []byte(key)}
		switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
		case kind < 3: // delete, what is there or what is not
		case kind == 3 && x.current[key] != "":
			c.Value = []byte(x.current[key]) // changes nothing
		default:
			size := rapid.SampledFrom([]int{1, 20, 60, 100, 300, slotBytesMax, 5000, 64 << 10}).Draw(t, "size")
			c.Value = make([]byte, size)
			c.Value[0] = rapid.Byte().Draw(t, "first")
			c.Value[size-1] = byte(x.version)
		}
		changes = append(changes, c)
	}
	return changes
}

func (x *machine) Stage(t *rapid.T) {
	if len(x.staged) == 4 {
		t.Skip("enough is staged")
	}
	x.version++
	changes := x.drawChanges(t)
	want := x.current.with(changes)
	s := x.m.Stage(x.version, changes)
	if s.Root() != want.root() || s.Len() != uint64(len(want)) || s.Version() != x.version {
		t.Fatalf("staged root %v of %d keys, want %v of %d", s.Root(), s.Len(), want.root(), len(want))
	}
	x.staged = append(x.staged, stagedModel{s, want})
}

// Commit commits one of the staged updates and discards those beside it, at once or never: a writer
// may forget them only together with the map, so here they are discarded in any order.
func (x *machine) Commit(t *rapid.T) {
	if len(x.staged) == 0 {
		t.Skip("nothing is staged")
	}
	i := rapid.IntRange(0, len(x.staged)-1).Draw(t, "which")
	chosen := x.staged[i]
	x.staged = slices.Delete(x.staged, i, i+1)
	before := rapid.IntRange(0, len(x.staged)).Draw(t, "discarded before")
	for _, s := range x.staged[:before] {
		x.m.Discard(s.staged)
	}
	x.m.Commit(chosen.staged)
	for _, s := range x.staged[before:] {
		x.m.Discard(s.staged)
	}
	x.staged = nil
	x.current = chosen.want
	x.history[chosen.staged.Version()] = chosen.want
}

func (x *machine) Discard(t *rapid.T) {
	if len(x.staged) == 0 {
		t.Skip("nothing is staged")
	}
	i := rapid.IntRange(0, len(x.staged)-1).Draw(t, "which")
	x.m.Discard(x.staged[i].staged)
	x.staged = slices.Delete(x.staged, i, i+1)
}

func (x *machine) Pin(t *rapid.T) {
	if len(x.pinned) == pinnedMax {
		t.Skip("enough is pinned")
	}
	number := rapid.SampledFrom(slices.Sorted(maps.Keys(x.history))).Draw(t, "version")
	if v, ok := x.m.At(number); ok {
		x.pinned = append(x.pinned, v)
	} else {
		x.pinned = append(x.pinned, x.m.Current())
	}
}

func (x *machine) Close(t *rapid.T) {
	if len(x.pinned) == 0 {
		t.Skip("nothing is pinned")
	}
	i := rapid.IntRange(0, len(x.pinned)-1).Draw(t, "which")
	x.pinned[i].Close()
	x.pinned = slices.Delete(x.pinned, i, i+1)
}

func (x *machine) Keep(t *rapid.T) {
	x.keep = rapid.IntRange(1, 4).Draw(t, "versions")
	x.m.Keep(x.keep)
}

// Check verifies all there is.
func (x *machine) Check(t *rapid.T) {
	var staged []*Staged
	for _, s := range x.staged {
		staged = append(staged, s.staged)
		if s.staged.Root() != s.want.root() {
			t.Fatal("a staged root changed")
		}
	}
	audit(t, x.m, staged)
	for _, v := range x.pinned {
		checkView(t, v, x.history[v.Version()], x.keys[:10])
	}
	current := x.m.Current()
	checkView(t, current, x.current, x.keys)
	current.Close()

	stats := x.m.Stats()
	// A version that was closed stays until the writer comes by.
	pinned := len(x.pinned) + len(x.staged)
	if stats.Versions > x.keep+pinnedMax+1 || stats.Pinned != pinned {
		t.Fatalf("%d versions in memory and %d pinned, while %d are kept and %d pinned",
			stats.Versions, stats.Pinned, x.keep, pinned)
	}
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := newMachine()
		x.m.indexFrom = rapid.SampledFrom([]uint64{1, 20, indexLeaves}).Draw(t, "index from")
		x.m.segmentBits = rapid.SampledFrom([]int{0, 1, segmentBits}).Draw(t, "segment bits")
		t.Repeat(map[string]func(*rapid.T){
			"":        x.Check,
			"stage":   x.Stage,
			"commit":  x.Commit,
			"discard": x.Discard,
			"pin":     x.Pin,
			"close":   x.Close,
			"keep":    x.Keep,
		})
	})
}
