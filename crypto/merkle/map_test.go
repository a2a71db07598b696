package merkle

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
)

// mustPanic runs f, which must break the invariant that contains the words.
func mustPanic(t *testing.T, words string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), words) {
			t.Errorf("want a panic about %q, got %v", words, r)
		}
	}()
	f()
}

func change(key, value string) Change { return Change{[]byte(key), []byte(value)} }

// TestOrderOfChanges: the root knows nothing of how the contents came to be.
func TestOrderOfChanges(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for round := range 50 {
		final := model{}
		var changes []Change
		for i := range 1 + r.IntN(500) {
			c := change(fmt.Sprint("key", i), fmt.Sprint("value", r.IntN(3)))
			changes = append(changes, c)
		}
		for _, key := range twins {
			changes = append(changes, change(key, "v"))
		}
		final = final.with(changes)

		r.Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
		atOnce := New()
		s := atOnce.Stage(1, changes)
		if s.Root() != final.root() {
			t.Fatalf("round %d: the root of a shuffled batch differs", round)
		}
		if !s.Root().IsZero() != (s.Len() > 0) {
			t.Fatal("an empty root of a map that is not empty")
		}

		// In many versions, with detours: other values first, and keys that do not stay.
		m := New()
		version := uint64(0)
		for from := 0; from < len(changes); {
			to := min(len(changes), from+1+r.IntN(100))
			detour := []Change{change("passing", "by")}
			for _, c := range changes[from:to] {
				detour = append(detour, Change{c.Key, []byte("first")})
			}
			m.Commit(m.Stage(version+1, detour))
			m.Commit(m.Stage(version+2, append([]Change{{Key: []byte("passing")}}, changes[from:to]...)))
			version += 2
			from = to
		}
		if v := m.Current(); v.Root() != s.Root() || v.Len() != s.Len() {
			t.Fatalf("round %d: the root depends on the way", round)
		}
	}
}

// TestDeleteAll: the last key takes every node with it.
func TestDeleteAll(t *testing.T) {
	m, want := testMap(5000)
	var changes []Change
	for key := range want {
		changes = append(changes, Change{Key: []byte(key)})
	}
	m.Keep(1)
	half := len(changes) / 2
	m.Commit(m.Stage(2, changes[:half]))
	if v := m.Current(); v.Root() != want.with(changes[:half]).root() {
		t.Fatal("the root differs after deleting half")
	} else {
		v.Close()
	}
	m.Commit(m.Stage(3, changes)) // the first half again, which is not there
	v := m.Current()
	if !v.Root().IsZero() || v.Len() != 0 {
		t.Fatalf("root %v of %d keys", v.Root(), v.Len())
	}
	if s := m.Stats(); s.Nodes != 0 || s.ValueBytes != 0 {
		t.Fatalf("the empty map holds %+v", s)
	}
	audit(t, m, nil)
}

// TestEmptyMap: what one replay bucket costs before it has a record, and after its first.
func TestEmptyMap(t *testing.T) {
	m := New()
	v := m.Current()
	if v.Version() != 0 || !v.Root().IsZero() || v.Len() != 0 {
		t.Fatal("a new map is not empty")
	}
	if _, ok := v.Get([]byte("k")); ok {
		t.Fatal("a new map has a key")
	}
	v.Range([32]byte{}, func(_, _ []byte) bool { t.Fatal("a new map has a leaf"); return false })
	p, err := v.Prove([]byte("k"))
	if err != nil {
		t.Fatal(err)
	}
	if _, exists, err := p.Verify(v.Root(), []byte("k")); exists || err != nil {
		t.Fatal(exists, err)
	}
	if bytes := m.Stats().ArenaBytes; bytes != 0 {
		t.Errorf("the arenas of a new map have %d bytes", bytes)
	}
	m.Commit(m.Stage(1, []Change{change("a", "b"), change("c", "d")}))
	if bytes := m.Stats().ArenaBytes; bytes > 24<<10 {
		t.Errorf("the arenas of a map of two keys have %d bytes", bytes)
	}
}

// TestRange starts at every place there is.
func TestRange(t *testing.T) {
	m, want := testMap(200)
	v := m.Current()
	leaves := want.leaves()
	collect := func(from [32]byte, limit int) (keys []string) {
		v.Range(from, func(key, _ []byte) bool {
			keys = append(keys, string(key))
			return len(keys) < limit
		})
		return keys
	}
	for i, leaf := range leaves {
		at := crypto.Hash([]byte(leaf.path))
		got := collect(at, 3)
		if len(got) != min(3, len(leaves)-i) || got[0] != leaf.key {
			t.Fatalf("from leaf %d: %q", i, got)
		}
		behind := at // the path behind it
		for j := 31; ; j-- {
			if behind[j]++; behind[j] != 0 {
				break
			}
		}
		if got := collect(behind, 1); i+1 < len(leaves) && got[0] != leaves[i+1].key || i+1 == len(leaves) && len(got) > 0 {
			t.Fatalf("from behind leaf %d: %q", i, got)
		}
	}
}

// TestStagePanics: every invariant a caller may break.
func TestStagePanics(t *testing.T) {
	m, other := New(), New()
	m.Commit(m.Stage(5, []Change{change("k", "v")}))
	root := m.Current().Root()
	mustPanic(t, "stage version 5", func() { m.Stage(5, nil) })
	mustPanic(t, "two changes of key 6b", func() { m.Stage(6, []Change{change("k", "a"), change("l", ""), change("k", "b")}) })
	mustPanic(t, "0 key bytes", func() { m.Stage(6, []Change{change("", "a")}) })
	mustPanic(t, "key bytes", func() { m.Stage(6, []Change{{make([]byte, KeyBytesMax+1), []byte("v")}}) })
	mustPanic(t, "value bytes", func() { m.Stage(6, []Change{{[]byte("k"), make([]byte, ValueBytesMax+1)}}) })
	mustPanic(t, "keep 0", func() { m.Keep(0) })

	s := m.Stage(6, nil)
	mustPanic(t, "in the map that made it", func() { other.Commit(s) })
	beside := m.Stage(6, []Change{change("x", "y")})
	m.Commit(s)
	mustPanic(t, "ends once", func() { m.Commit(s) })
	mustPanic(t, "ends once", func() { m.Discard(s) })
	mustPanic(t, "staged on version 5", func() { m.Commit(beside) })
	audit(t, m, []*Staged{beside})
	m.Discard(beside)
	audit(t, m, nil)

	v := m.Current()
	if v.Root() != root {
		t.Fatal("a refused update changed the map")
	}
	v.Close()
	v.Close()
	mustPanic(t, "nil pointer", func() { v.Get([]byte("k")) })
	m.writing.Store(true)
	mustPanic(t, "two writers", func() { m.Stage(7, nil) })
}

// TestBounds stores keys and values of the largest size, and of the sizes around a change of class.
func TestBounds(t *testing.T) {
	m, want := New(), model{}
	var changes []Change
	for i, size := range []int{1, 2, 300, slotBytesMax, 64 << 10, ValueBytesMax} {
		changes = append(changes, change(fmt.Sprint("value", i), strings.Repeat("v", size)))
	}
	for _, size := range classes {
		for delta := -1; delta <= 1; delta++ {
			key := fmt.Sprint("class", size, delta)
			changes = append(changes, change(key, strings.Repeat("v", max(1, int(size)+delta-recordHeadBytes-len(key)))))
		}
	}
	changes = append(changes, change("k", "v"), change(strings.Repeat("k", KeyBytesMax), "v"))
	want = want.with(changes)
	m.Commit(m.Stage(1, changes))
	var keys []string
	for key := range want {
		keys = append(keys, key)
	}
	v := m.Current()
	checkView(t, v, want, keys)
	v.Close()
	audit(t, m, nil)
}

// TestDeepTwins builds the deepest tree there can be, which no keys we know of lead to: two paths that
// differ in their last bit.
func TestDeepTwins(t *testing.T) {
	m := New()
	u := update{m: m, changes: []Change{change("a", "1"), change("b", "2")}, born: 1}
	paths := [2]crypto.Hash{{0x5a, 31: 0xfe}, {0x5a, 31: 0xff}}
	var root link
	u.build(&root, nil, 0, []item{{path: paths[0], n: 0}, {path: paths[1], n: 1}})
	if live := m.nodes.live(); live != depthMax {
		t.Fatalf("%d nodes, want %d", live, depthMax)
	}
	want := modelRoot([]modelLeaf{
		{string(paths[0][:]), "a", "1"},
		{string(paths[1][:]), "b", "2"},
	}, 0)
	if root.hash != want {
		t.Fatalf("root %v, want %v", root.hash, want)
	}
	mustPanic(t, "one path", func() {
		u.build(&root, nil, 0, []item{{path: paths[0], n: 0}, {path: paths[0], n: 1}})
	})
}

func FuzzUpdate(f *testing.F) {
	f.Add([]byte("\x01abc\xff\x02\x80\x10\xff"))
	f.Add([]byte{0xff, 0, 1, 2, 3, 0xfe, 0x83, 0x82, 0xff, 0x81, 0x80})
	f.Fuzz(func(t *testing.T, script []byte) {
		// A byte names one of 124 keys and whether to set or to delete it; 0xff commits, 0xfe discards
		// and stages the same again, 0xfd pins, 0xfc closes.
		m, want := New(), model{}
		var pinned []*View
		var pinnedWant []model
		var changes []Change
		seen := map[byte]bool{}
		version := uint64(0)
		for i, b := range script {
			switch {
			case b == 0xff || b == 0xfe:
				version++
				if b == 0xfe {
					m.Discard(m.Stage(version, changes))
				}
				m.Commit(m.Stage(version, changes))
				want = want.with(changes)
				changes, seen = nil, map[byte]bool{}
			case b == 0xfd:
				pinned, pinnedWant = append(pinned, m.Current()), append(pinnedWant, want)
			case b == 0xfc && len(pinned) > 0:
				pinned[0].Close()
				pinned, pinnedWant = pinned[1:], pinnedWant[1:]
			case b < 0xfc && !seen[b&0x7f]:
				seen[b&0x7f] = true
				c := Change{Key: []byte{b & 0x7f, 'k'}}
				if b < 0x80 {
					c.Value = []byte(strings.Repeat("v", 1+i*i%3000))
				}
				changes = append(changes, c)
			}
		}
		v := m.Current()
		checkView(t, v, want, []string{"\x00k", "\x01k", "\x7fk"})
		for i := range pinned {
			checkView(t, pinned[i], pinnedWant[i], nil)
		}
		audit(t, m, nil)
	})
}
