package merkle

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/tetradledger/tetrad/crypto"
)

// failer is a test of either kind, this library's or rapid's.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// model is the map as a text book has it: build the whole tree again from the keys each time.
type model map[string]string

func (m model) with(changes []Change) model {
	out := make(model, len(m))
	for k, v := range m {
		out[k] = v
	}
	for _, c := range changes {
		if len(c.Value) == 0 {
			delete(out, string(c.Key))
		} else {
			out[string(c.Key)] = string(c.Value)
		}
	}
	return out
}

// modelLeaf is a leaf by path.
type modelLeaf struct{ path, key, value string }

func (m model) leaves() []modelLeaf {
	var leaves []modelLeaf
	for k, v := range m {
		path := sha256.Sum256([]byte(k))
		leaves = append(leaves, modelLeaf{string(path[:]), k, v})
	}
	slices.SortFunc(leaves, func(a, b modelLeaf) int { return bytes.Compare([]byte(a.path), []byte(b.path)) })
	return leaves
}

func (m model) root() crypto.Hash { return modelRoot(m.leaves(), 0) }

// modelRoot shares nothing with the package but the definition in its documentation.
func modelRoot(leaves []modelLeaf, depth int) crypto.Hash {
	switch len(leaves) {
	case 0:
		return crypto.Hash{}
	case 1:
		value := sha256.Sum256([]byte(leaves[0].value))
		return sha256.Sum256([]byte("\x00" + leaves[0].path + string(value[:])))
	}
	i := 0
	for i < len(leaves) && leaves[i].path[depth/8]&(0x80>>(depth%8)) == 0 {
		i++
	}
	left, right := modelRoot(leaves[:i], depth+1), modelRoot(leaves[i:], depth+1)
	return sha256.Sum256([]byte("\x01" + string(left[:]) + string(right[:])))
}

// checkView compares a view with the model in everything a reader can ask: root, size, every key, the
// order of all, and proofs of every key asked.
func checkView(t failer, v *View, want model, ask []string) {
	t.Helper()
	root := want.root()
	if v.Root() != root || v.Len() != uint64(len(want)) {
		t.Fatalf("version %d: root %v of %d keys, want %v of %d", v.Version(), v.Root(), v.Len(), root, len(want))
	}
	leaves := want.leaves()
	i := 0
	v.Range([32]byte{}, func(key, value []byte) bool {
		if i == len(leaves) || string(key) != leaves[i].key || string(value) != leaves[i].value {
			t.Fatalf("version %d: leaf %d is %x", v.Version(), i, key)
		}
		i++
		return true
	})
	if i != len(leaves) {
		t.Fatalf("version %d: Range stops after %d of %d keys", v.Version(), i, len(leaves))
	}
	for _, key := range ask {
		checkKey(t, v, key, want[key], root)
	}
}

// checkKey compares what a view says and proves of one key with the value it should have, empty if
// none.
func checkKey(t failer, v *View, key, want string, root crypto.Hash) {
	t.Helper()
	value, ok := v.Get([]byte(key))
	if ok != (want != "") || string(value) != want {
		t.Fatalf("version %d: key %x: got %x, %t, want %x", v.Version(), key, value, ok, want)
	}
	proof, err := v.Prove([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := UnmarshalProof(proof.Marshal())
	if err != nil {
		t.Fatalf("key %x: %v", key, err)
	}
	value, ok, err = decoded.Verify(root, []byte(key))
	if err != nil || ok != (want != "") || string(value) != want {
		t.Fatalf("version %d: key %x: proof shows %x, %t, %v, want %x", v.Version(), key, value, ok, err, want)
	}
}

// audit walks every version in memory and every staged update, and compares what they refer to with
// what the arenas believe to be in use: nothing in use is free, and nothing is lost.
func audit(t failer, m *Map, staged []*Staged) {
	t.Helper()
	a := auditor{m: m, nodes: map[ref]bool{}, records: map[ref]bool{}}
	for _, v := range m.versions {
		a.visit(v.root.ref)
	}
	for _, s := range staged {
		a.visit(s.version.root.ref)
	}
	if err := errors.Join(a.compare(), auditIndex(m)); err != nil {
		t.Fatal(err)
	}
}

// auditIndex compares the index with the leaves of the current version: it knows them all, and nothing else.
func auditIndex(m *Map) error {
	if m.index == nil {
		return nil
	}
	var errs []error
	v := m.current()
	v.each(v.root.ref, func(r ref) {
		rec := v.records.at(r)
		path := rec.path()
		found, ok := m.index.find(indexPath(&path), rec.key(), v.seq, &v.records)
		if !ok || &found[0] != &rec[0] {
			errs = append(errs, fmt.Errorf("the index finds %t for key %x", ok, rec.key()))
		}
	})
	live, taken, count := 0, 0, 0
	for i := range m.index.segments {
		s := &m.index.segments[i]
		live += s.live
		taken += s.taken
		if p := s.places.Load(); p != nil {
			count += len(*p)
			if 2*s.taken > len(*p) {
				errs = append(errs, fmt.Errorf("%d of %d places of a segment are taken", s.taken, len(*p)))
			}
		}
	}
	if live != int(v.leaves) || taken < live || count != m.index.count {
		errs = append(errs, fmt.Errorf("the index has %d records in %d of %d places, and counts %d; the map has %d",
			live, taken, count, m.index.count, v.leaves))
	}
	return errors.Join(errs...)
}

type auditor struct {
	m              *Map
	nodes, records map[ref]bool
}

func (a *auditor) visit(r ref) {
	switch {
	case r == none || a.nodes[r] || a.records[r]:
	case r.isLeaf():
		a.records[r] = true
	default:
		a.nodes[r] = true
		b := a.m.nodes.chunks.branches(r)
		a.visit(b.child[0])
		a.visit(b.child[1])
	}
}

func (a *auditor) compare() error {
	if live := a.m.nodes.live(); live != len(a.nodes) {
		return fmt.Errorf("%d nodes are in use, %d are referred to", live, len(a.nodes))
	}
	for r := range a.nodes {
		if a.m.nodes.free[r/64]&(1<<(r%64)) != 0 || slices.Contains(a.m.nodes.ready, r) {
			return fmt.Errorf("node %d is in use and free", r)
		}
	}
	slots, big := 0, 0
	for i := range a.m.records.spans {
		slots += int(a.m.records.spans[i].used)
	}
	for _, record := range a.m.records.table.big {
		if record != nil {
			big++
		}
	}
	if slots+big != len(a.records) {
		return fmt.Errorf("%d and %d records are in use, %d are referred to", slots, big, len(a.records))
	}
	for r := range a.records {
		g := uint32(r &^ leafFlag)
		if g >= bigFirst {
			continue
		}
		s := &a.m.records.spans[g/spanGranules]
		slot := int(g%spanGranules) * granule / s.slotBytes()
		if s.free[slot/64]&(1<<(slot%64)) != 0 {
			return fmt.Errorf("record %d is in use and free", g)
		}
	}
	return nil
}

// twins are keys whose paths agree in many of their first bits, which makes deep trees with empty
// subtrees in them.
var twins = func() []string {
	byPath := make([]string, 1<<14)
	for i := range byPath {
		byPath[i] = fmt.Sprint("twin", i)
	}
	path := func(key string) []byte { h := sha256.Sum256([]byte(key)); return h[:] }
	slices.SortFunc(byPath, func(a, b string) int { return bytes.Compare(path(a), path(b)) })
	var keys []string
	for i := 1; i < len(byPath); i++ {
		a, b := crypto.Hash(path(byPath[i-1])), crypto.Hash(path(byPath[i]))
		if samePrefix(&a, &b, 22) {
			keys = append(keys, byPath[i-1], byPath[i])
		}
	}
	return slices.Compact(keys) // three in a row would name the middle one twice
}()
