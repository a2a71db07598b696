package merkle

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestIndexBegins: a map has an index from so many leaves on, and keeps it.
func TestIndexBegins(t *testing.T) {
	m := New()
	var changes []Change
	for i := range indexLeaves {
		changes = append(changes, change(fmt.Sprint("key", i), "value"))
	}
	m.Commit(m.Stage(1, changes[1:]))
	if m.index != nil {
		t.Fatalf("an index of %d leaves", len(changes)-1)
	}
	without := m.Stats().ArenaBytes
	m.Commit(m.Stage(2, changes[:1]))
	if m.index == nil {
		t.Fatalf("no index of %d leaves", len(changes))
	}
	if more := m.Stats().ArenaBytes - without; more < 16*indexLeaves || more > 64*indexLeaves {
		t.Errorf("with the index of %d leaves a map takes %d bytes more", indexLeaves, more)
	}
	m.Commit(m.Stage(3, []Change{change("key0", "")}))
	if m.index == nil {
		t.Fatal("the index went with a leaf")
	}
	audit(t, m, nil)
}

// TestIndexOfOlderVersions: what the index has of a key is newer than some views. They find what they had.
func TestIndexOfOlderVersions(t *testing.T) {
	for _, bits := range []int{0, 3, segmentBits} {
		const keys, versions = 400, 40
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		m := New()
		m.indexFrom, m.segmentBits = 1, bits
		m.Keep(versions)
		var views []*View
		var wants []model
		want := model{}
		for version := range uint64(versions) {
			var changes []Change
			for _, i := range r.Perm(keys)[:r.IntN(keys)] {
				value := ""
				if r.IntN(3) > 0 {
					value = fmt.Sprint(version, " ", i)
				}
				changes = append(changes, change(fmt.Sprint("key", i), value))
			}
			want = want.with(changes)
			m.Commit(m.Stage(version+1, changes))
			views, wants = append(views, m.Current()), append(wants, want)
			audit(t, m, nil)
		}
		for n, v := range views {
			for i := range keys {
				key := fmt.Sprint("key", i)
				if value, ok := v.Get([]byte(key)); string(value) != wants[n][key] || ok != (value != nil) {
					t.Fatalf("version %d has %q for %s, want %q", v.Version(), value, key, wants[n][key])
				}
			}
			v.Close()
		}
	}
}

// TestIndexForgetsPlaces: keys that come and go leave no places behind that make searches longer and longer.
func TestIndexForgetsPlaces(t *testing.T) {
	m := New()
	m.indexFrom, m.segmentBits = 1, 0
	for version := range uint64(200) {
		var changes []Change
		for i := range uint64(10) {
			changes = append(changes, change(fmt.Sprint("key", 10*version+i), "value"))
			if version > 0 {
				changes = append(changes, change(fmt.Sprint("key", 10*version+i-10), ""))
			}
		}
		m.Commit(m.Stage(version+1, changes))
	}
	if m.index.count > 128 {
		t.Errorf("the index has %d places for 10 keys", m.index.count)
	}
	audit(t, m, nil)
}
