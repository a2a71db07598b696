package merkle

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tetradledger/tetrad/crypto"
)

// mapOf holds a model.
func mapOf(want model) *Map {
	m := New()
	var changes []Change
	for key, value := range want {
		changes = append(changes, Change{[]byte(key), []byte(value)})
	}
	m.Commit(m.Stage(1, changes))
	return m
}

// drawModel draws contents: ordinary keys, and some that share many bits of their paths.
func drawModel(t *rapid.T) model {
	want := model{}
	for i := range rapid.IntRange(1, 60).Draw(t, "keys") {
		want[fmt.Sprint("key", i)] = rapid.StringN(1, 40, 80).Draw(t, "value")
	}
	for _, key := range rapid.SliceOfDistinct(rapid.SampledFrom(twins), rapid.ID).Draw(t, "twins") {
		want[key] = "twin"
	}
	return want
}

// cut cuts a view into ranges. Each is decoded from its encoding, as it comes to whoever verifies it.
func cut(t failer, v *View, leafBytesMax func() int) []*Range {
	t.Helper()
	var ranges []*Range
	var from [32]byte
	for more := v.Len() > 0; more; {
		var r *Range
		size := leafBytesMax()
		r, from, more = v.ProveRange(from, size)
		encoded := r.Append(nil)
		if len(encoded) > RangeOverheadMax+max(size, KeyBytesMax+ValueBytesMax) {
			t.Fatalf("a range of %d bytes of leaves has %d bytes", size, len(encoded))
		}
		decoded, err := UnmarshalRange(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if again := decoded.Append(nil); !bytes.Equal(again, encoded) {
			t.Fatal("a range has two encodings")
		}
		ranges = append(ranges, decoded)
	}
	return ranges
}

func (r *Range) clone() *Range {
	c := &Range{Left: slices.Clone(r.Left), Right: slices.Clone(r.Right)}
	for _, l := range r.Leaves {
		c.Leaves = append(c.Leaves, Leaf{bytes.Clone(l.Key), bytes.Clone(l.Value)})
	}
	return c
}

// mutations are all small changes of a range, none of which leaves it true.
func mutations(r *Range) map[string]*Range {
	out := make(map[string]*Range)
	add := func(name string, change func(c *Range)) {
		c := r.clone()
		change(c)
		out[name] = c
	}
	for i := range r.Leaves {
		at := fmt.Sprint(" ", i)
		add("drop leaf"+at, func(c *Range) { c.Leaves = slices.Delete(c.Leaves, i, i+1) })
		add("change value"+at, func(c *Range) { c.Leaves[i].Value[0] ^= 1 })
		add("longer value"+at, func(c *Range) { c.Leaves[i].Value = append(c.Leaves[i].Value, 0) })
		add("change key"+at, func(c *Range) { c.Leaves[i].Key[0] ^= 1 })
		add("empty key"+at, func(c *Range) { c.Leaves[i].Key = nil })
		add("empty value"+at, func(c *Range) { c.Leaves[i].Value = nil })
		add("double leaf"+at, func(c *Range) { c.Leaves = slices.Insert(c.Leaves, i, c.Leaves[i]) })
		add("move bytes"+at, func(c *Range) {
			l := &c.Leaves[i]
			l.Key, l.Value = append(l.Key, l.Value[0]), l.Value[1:]
		})
		path := pathOf(r.Leaves[i].Key)
		for beside, fake := range fakesBeside(path) {
			place := i + beside // before leaf i, or behind it
			add(fmt.Sprint("add leaf at ", place), func(c *Range) {
				c.Leaves = slices.Insert(c.Leaves, place, Leaf{[]byte(fake), []byte("money")})
			})
		}
		if i > 0 {
			add("swap leaves"+at, func(c *Range) { c.Leaves[i-1], c.Leaves[i] = c.Leaves[i], c.Leaves[i-1] })
			add("swap values"+at, func(c *Range) {
				a, b := &c.Leaves[i-1], &c.Leaves[i]
				if bytes.Equal(a.Value, b.Value) {
					a.Value = append(a.Value, 1) // to swap equal values is no change
				}
				a.Value, b.Value = b.Value, a.Value
			})
			add("cut before"+at, func(c *Range) { c.Leaves = c.Leaves[i:] })
			add("cut behind"+at, func(c *Range) { c.Leaves = c.Leaves[:i] })
		}
	}
	sides := map[string]func(c *Range) *[]crypto.Hash{
		"left":  func(c *Range) *[]crypto.Hash { return &c.Left },
		"right": func(c *Range) *[]crypto.Hash { return &c.Right },
	}
	for name, of := range sides {
		for i := range *of(r) {
			at := fmt.Sprint(" ", name, " ", i)
			add("change hash"+at, func(c *Range) { (*of(c))[i][31] ^= 1 })
			add("drop hash"+at, func(c *Range) { *of(c) = slices.Delete(*of(c), i, i+1) })
			if !(*of(r))[i].IsZero() {
				add("empty hash"+at, func(c *Range) { (*of(c))[i] = crypto.Hash{} })
			}
		}
		add("one more "+name, func(c *Range) { *of(c) = append(*of(c), crypto.Hash{}) })
		add("one more that is not empty "+name, func(c *Range) { *of(c) = append(*of(c), crypto.Hash{1}) })
		add("no "+name, func(c *Range) {
			if len(*of(c)) == 0 {
				*of(c) = make([]crypto.Hash, depthMax+1)
			} else {
				*of(c) = nil
			}
		})
	}
	return out
}

// fakes are keys that no model has, by path: some lie so close to a leaf that the tree has only that leaf there.
var fakes = func() []modelLeaf {
	all := model{}
	for i := range 1 << 14 {
		all[fmt.Sprint("fake", i)] = "money"
	}
	return all.leaves()
}()

// fakesBeside returns the fakes before and behind a path.
func fakesBeside(path crypto.Hash) []string {
	i, _ := slices.BinarySearchFunc(fakes, string(path[:]), func(l modelLeaf, p string) int { return strings.Compare(l.path, p) })
	if i == 0 || i == len(fakes) {
		return nil
	}
	return []string{fakes[i-1].key, fakes[i].key}
}

// TestRanges cuts random trees anywhere. What the cuts give is what the model holds, and the tree built from
// them has its root. Nothing else is accepted: no change of any range, and no range out of its turn.
func TestRanges(t *testing.T) {
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		want := drawModel(t)
		m := mapOf(want)
		v := m.Current()
		defer v.Close()
		ranges := cut(t, v, func() int { return rapid.IntRange(0, 600).Draw(t, "bytes") })
		seq, again := NewSequence(want.root()), New()
		var leaves []Leaf
		for i, r := range ranges {
			for j, other := range ranges {
				if j != i && seq.Take(other) == nil {
					t.Fatalf("range %d is taken in place of range %d", j, i)
				}
			}
			refused += len(ranges) - 1
			for name, bad := range mutations(r) {
				if seq.Take(bad) == nil || bad.Verify(want.root()) == nil {
					t.Fatalf("range %d of %d is accepted after: %s", i, len(ranges), name)
				}
				refused++
			}
			if err := seq.Take(r); err != nil {
				t.Fatalf("range %d of %d: %v", i, len(ranges), err)
			}
			if seq.Done() != (i == len(ranges)-1) {
				t.Fatalf("done after range %d of %d: %t", i, len(ranges), seq.Done())
			}
			leaves = append(leaves, r.Leaves...)
			again.Commit(again.Stage(uint64(i+1), r.changes()))
		}
		checkLeaves(t, leaves, want)
		if seq.Leaves() != uint64(len(want)) {
			t.Fatalf("%d leaves were taken, there are %d", seq.Leaves(), len(want))
		}
		rebuilt := again.Current()
		defer rebuilt.Close()
		if rebuilt.Root() != want.root() {
			t.Fatalf("the tree built from the ranges has root %s, want %s", rebuilt.Root(), want.root())
		}
	})
	t.Logf("%d changed or misplaced ranges refused", refused)
}

// changes puts the leaves of a range into a map.
func (r *Range) changes() []Change {
	out := make([]Change, len(r.Leaves))
	for i, l := range r.Leaves {
		out[i] = Change(l)
	}
	return out
}

func checkLeaves(t failer, leaves []Leaf, want model) {
	t.Helper()
	all := want.leaves()
	if len(leaves) != len(all) {
		t.Fatalf("the ranges hold %d leaves, want %d", len(leaves), len(all))
	}
	for i, l := range leaves {
		if string(l.Key) != all[i].key || string(l.Value) != all[i].value {
			t.Fatalf("leaf %d is %q, want %q", i, l.Key, all[i].key)
		}
	}
}

// TestRangeBits flips every bit of the encodings of ranges, and cuts them at every length.
func TestRangeBits(t *testing.T) {
	m, _ := testMap(12)
	v := m.Current()
	defer v.Close()
	for i, r := range cut(t, v, func() int { return 120 }) {
		encoded := r.Append(nil)
		for at := range len(encoded) * 8 {
			bad := bytes.Clone(encoded)
			bad[at/8] ^= 1 << (at % 8)
			decoded, err := UnmarshalRange(bad)
			if err == nil && decoded.Verify(v.Root()) == nil {
				t.Fatalf("range %d is accepted with bit %d flipped", i, at)
			}
		}
		for n := range encoded {
			if _, err := UnmarshalRange(encoded[:n]); err == nil {
				t.Fatalf("range %d decodes from %d of %d bytes", i, n, len(encoded))
			}
		}
	}
}

// TestSequenceEnds takes too little and too much.
func TestSequenceEnds(t *testing.T) {
	m, want := testMap(30)
	v := m.Current()
	defer v.Close()
	ranges := cut(t, v, func() int { return 200 })
	seq := NewSequence(want.root())
	if err := seq.Take(ranges[1]); !errors.Is(err, errRangeGap) {
		t.Errorf("the second range comes first: %v", err)
	}
	for i, r := range ranges {
		if seq.Done() {
			t.Fatalf("done before range %d of %d", i, len(ranges))
		}
		if err := seq.Take(r); err != nil {
			t.Fatal(err)
		}
		if err := seq.Take(r); err == nil {
			t.Fatal("a range is taken twice")
		}
	}
	if err := seq.Take(ranges[0]); !errors.Is(err, errRangeTooMany) {
		t.Errorf("a range behind the last: %v", err)
	}
	empty := NewSequence(crypto.Hash{})
	if err := empty.Take(ranges[0]); !empty.Done() || !errors.Is(err, errRangeTooMany) {
		t.Errorf("a range of an empty tree: %v", err)
	}
	if r, _, more := New().Current().ProveRange([32]byte{}, 100); r != nil || more {
		t.Error("an empty tree has a range")
	}
	last := pathOf(ranges[len(ranges)-1].Leaves[len(ranges[len(ranges)-1].Leaves)-1].Key)
	if r, _, more := v.ProveRange(following(last), 100); r != nil || more {
		t.Error("there is a range behind the last leaf")
	}
	if following([32]byte(bytes.Repeat([]byte{255}, 32))) != [32]byte{} {
		t.Error("behind the very last path comes not the first")
	}
}

// TestRangeLimits decodes what is just within the bounds and what is just beyond them.
func TestRangeLimits(t *testing.T) {
	m := New()
	m.Commit(m.Stage(1, []Change{{bytes.Repeat([]byte("k"), KeyBytesMax), make([]byte, ValueBytesMax)}}))
	v := m.Current()
	defer v.Close()
	r, _, _ := v.ProveRange([32]byte{}, 0)
	if _, err := UnmarshalRange(r.Append(nil)); err != nil {
		t.Errorf("the largest leaf: %v", err)
	}
	if err := r.Verify(v.Root()); err != nil {
		t.Errorf("the largest leaf: %v", err)
	}
	for name, change := range map[string]func(r *Range){
		"key":   func(r *Range) { r.Leaves[0].Key = make([]byte, KeyBytesMax+1) },
		"value": func(r *Range) { r.Leaves[0].Value = make([]byte, ValueBytesMax+1) },
		"side":  func(r *Range) { r.Left = make([]crypto.Hash, depthMax+1) },
	} {
		bad := r.clone()
		change(bad)
		if _, err := UnmarshalRange(bad.Append(nil)); err == nil || bad.Verify(v.Root()) == nil {
			t.Errorf("a range with a %s too large is accepted", name)
		}
	}
	deep := &Range{Leaves: []Leaf{{[]byte("k"), []byte("v")}}, Left: make([]crypto.Hash, depthMax), Right: make([]crypto.Hash, depthMax)}
	path := pathOf([]byte("k"))
	for d := range depthMax {
		side := &deep.Left
		if bit(&path, d) == 0 {
			side = &deep.Right
		}
		(*side)[d] = crypto.Hash{1}
	}
	encoded := deep.Append(nil)
	if len(encoded) > RangeOverheadMax+LeafBytes([]byte("k"), []byte("v")) {
		t.Errorf("the deepest range has %d bytes", len(encoded))
	}
	if _, err := UnmarshalRange(encoded); err != nil {
		t.Errorf("the deepest range: %v", err)
	}
	if err := deep.Verify(crypto.Hash{1}); !errors.Is(err, errRangeRoot) {
		t.Errorf("the deepest range: %v", err)
	}
	long := make([]byte, RangeBytesMax+1)
	if _, err := UnmarshalRange(long); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a range of %d bytes: %v", len(long), err)
	}
	if _, err := UnmarshalRange(long[:RangeBytesMax]); err == nil || strings.Contains(err.Error(), "more than") {
		t.Errorf("a range of %d bytes: %v", RangeBytesMax, err)
	}
}

func FuzzUnmarshalRange(f *testing.F) {
	m, want := testMap(20)
	v := m.Current()
	for _, r := range cut(f, v, func() int { return 150 }) {
		f.Add(r.Append(nil))
	}
	all := want.leaves()
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := UnmarshalRange(b)
		if err != nil {
			return
		}
		if again := r.Append(nil); !bytes.Equal(again, b) {
			t.Fatalf("a second encoding of one range:\n%x\n%x", b, again)
		}
		if r.Verify(v.Root()) != nil {
			return
		}
		i := slices.IndexFunc(all, func(l modelLeaf) bool { return l.key == string(r.Leaves[0].Key) })
		for j, l := range r.Leaves {
			if string(l.Key) != all[i+j].key || string(l.Value) != all[i+j].value {
				t.Fatalf("a range shows leaf %q, behind it comes %q", l.Key, all[i+j].key)
			}
		}
	})
}
