package merkle

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
)

// testMap holds size keys "key0", "key1"... and the twins.
func testMap(size int) (*Map, model) {
	var changes []Change
	for i := range size {
		changes = append(changes, Change{[]byte(fmt.Sprint("key", i)), []byte(fmt.Sprint("value", i))})
	}
	for _, key := range twins {
		changes = append(changes, Change{[]byte(key), []byte("twin")})
	}
	m := New()
	m.Commit(m.Stage(1, changes))
	return m, model{}.with(changes)
}

// TestProofOfAnotherKey hands every kind of proof to somebody who asks about another key. A proof is
// right about the keys it speaks of, and wrong or silent about all others.
func TestProofOfAnotherKey(t *testing.T) {
	m, want := testMap(60)
	v := m.Current()
	defer v.Close()
	var keys []string
	for i := range 120 {
		keys = append(keys, fmt.Sprint("key", i))
	}
	keys = append(keys, twins...)
	accepted := 0
	for _, about := range keys {
		proof, err := v.Prove([]byte(about))
		if err != nil {
			t.Fatal(err)
		}
		for _, asked := range keys {
			value, exists, err := proof.Verify(v.Root(), []byte(asked))
			if err != nil {
				continue
			}
			accepted++
			if exists != (want[asked] != "") || string(value) != want[asked] {
				t.Fatalf("the proof about %q shows %q, %t of %q", about, value, exists, asked)
			}
		}
	}
	if accepted < len(keys) {
		t.Fatalf("only %d proofs of %d keys hold", accepted, len(keys))
	}
}

// TestProofForged changes proofs at random. Whatever still verifies must say the same as before.
func TestProofForged(t *testing.T) {
	m, want := testMap(200)
	v := m.Current()
	defer v.Close()
	r := rand.New(rand.NewPCG(5, 5))
	for i := range 400 {
		key := fmt.Sprint("key", i)
		proof, err := v.Prove([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			forged, err := UnmarshalProof(mutate(r, proof.Marshal()))
			if err != nil {
				continue
			}
			value, exists, err := forged.Verify(v.Root(), []byte(key))
			if err == nil && (exists != (want[key] != "") || string(value) != want[key]) {
				t.Fatalf("a forged proof shows %q, %t of %q", value, exists, key)
			}
		}
	}
}

// mutate changes a bit, a few bytes, the kind, or the length.
func mutate(r *rand.Rand, b []byte) []byte {
	switch r.IntN(5) {
	case 0:
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	case 1:
		at := r.IntN(len(b))
		for i := at; i < min(len(b), at+4); i++ {
			b[i] = byte(r.Uint32())
		}
	case 2:
		b[1] = byte(r.IntN(5))
	case 3:
		b = b[:r.IntN(len(b))]
	case 4:
		b = append(b, byte(r.Uint32()))
	}
	return b
}

// TestProofVerifyRefuses goes through what a liar may try, one fault at a time.
func TestProofVerifyRefuses(t *testing.T) {
	m, _ := testMap(50)
	v := m.Current()
	defer v.Close()
	prove := func(key string) Proof {
		p, err := v.Prove([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		return *p
	}
	present, absent := prove("key1"), Proof{}
	absentKey := ""
	for i := 1000; absent.Kind != ProofAbsentOther; i++ {
		absentKey = fmt.Sprint("key", i)
		absent = prove(absentKey)
	}
	own := present // the leaf of the key itself as if it were another's
	own.Kind, own.OtherPath, own.OtherValueHash = ProofAbsentOther, pathOf(present.Key), pathOf(present.Value)

	for _, c := range []struct {
		name string
		key  string
		edit func() Proof
		want error
	}{
		{"the key in the proof", "key2", func() Proof { return present }, errProofKey},
		{"another value", "key1", func() Proof { p := present; p.Value = []byte("more"); return p }, errProofRoot},
		{"no value", "key1", func() Proof { p := present; p.Value = nil; return p }, errProofNoValue},
		{"the key's own leaf", "key1", func() Proof { return own }, errProofOtherKey},
		{"a leaf elsewhere", "key1", func() Proof { return absent }, errProofPath},
		{"nothing where something is", "key1", func() Proof {
			return Proof{Kind: ProofAbsentEmpty, Siblings: present.Siblings}
		}, errProofRoot},
		{"a path cut short", absentKey, func() Proof {
			p := absent
			p.Siblings = p.Siblings[:len(p.Siblings)-1]
			return p
		}, errProofRoot},
		{"no kind", "key1", func() Proof { p := present; p.Kind = 0; return p }, errProofKind},
		{"an unknown kind", "key1", func() Proof { p := present; p.Kind = 4; return p }, errProofKind},
		{"no key", "", func() Proof { return present }, errProofKeySize},
		{"a long key", strings.Repeat("k", KeyBytesMax+1), func() Proof { return present }, errProofKeySize},
	} {
		p := c.edit()
		if value, exists, err := p.Verify(v.Root(), []byte(c.key)); !errors.Is(err, c.want) || exists || value != nil {
			t.Errorf("%s: got %q, %t, %v, want %v", c.name, value, exists, err, c.want)
		}
	}
	if _, _, err := present.Verify(crypto.Hash{1}, []byte("key1")); !errors.Is(err, errProofRoot) {
		t.Errorf("another root: %v", err)
	}
	if _, err := v.Prove(nil); err == nil {
		t.Error("the empty key was proven")
	}
	if _, err := v.Prove(make([]byte, KeyBytesMax+1)); err == nil {
		t.Error("a key beyond the limit was proven")
	}
}

// deepProof is a proof with as many siblings as asked, and the root it leads to.
func deepProof(key []byte, depth int) (*Proof, crypto.Hash) {
	p := &Proof{Kind: ProofPresent, Key: key, Value: []byte("v"), Siblings: make([]crypto.Hash, depth)}
	path, valueHash := pathOf(key), pathOf(p.Value)
	root := leafHash(&path, &valueHash)
	for i := depth - 1; i >= 0; i-- {
		if i%3 == 0 {
			p.Siblings[i] = crypto.Hash{byte(i), 1}
		}
		if i < depthMax && bit(&path, i) == 1 {
			root = innerHash(&p.Siblings[i], &root)
		} else {
			root = innerHash(&root, &p.Siblings[i])
		}
	}
	return p, root
}

// TestProofBounds goes to every limit of a proof and one beyond.
func TestProofBounds(t *testing.T) {
	p, root := deepProof([]byte("k"), depthMax)
	if _, ok, err := p.Verify(root, []byte("k")); !ok || err != nil {
		t.Errorf("%d siblings: %t, %v", depthMax, ok, err)
	}
	if q, err := UnmarshalProof(p.Marshal()); err != nil || len(q.Siblings) != depthMax {
		t.Errorf("%d siblings: %v", depthMax, err)
	}
	p, root = deepProof([]byte("k"), depthMax+1)
	if _, _, err := p.Verify(root, []byte("k")); !errors.Is(err, errProofTooDeep) {
		t.Errorf("%d siblings: %v", depthMax+1, err)
	}
	if _, err := UnmarshalProof(p.Marshal()); err == nil {
		t.Errorf("%d siblings were decoded", depthMax+1)
	}
	for _, c := range []struct {
		key, value int
		ok         bool
	}{
		{1, 1, true},
		{0, 1, false},
		{1, 0, false},
		{KeyBytesMax, 1, true},
		{KeyBytesMax + 1, 1, false},
		{1, ValueBytesMax, true},
		{1, ValueBytesMax + 1, false},
	} {
		p := Proof{Kind: ProofPresent, Key: make([]byte, c.key), Value: make([]byte, c.value)}
		if _, err := UnmarshalProof(p.Marshal()); (err == nil) != c.ok {
			t.Errorf("key of %d and value of %d bytes: %v", c.key, c.value, err)
		}
	}
	longest, _ := deepProof(make([]byte, KeyBytesMax), depthMax)
	longest.Value = make([]byte, ValueBytesMax)
	for i := range longest.Siblings {
		longest.Siblings[i][0] = 1
	}
	b := longest.Marshal()
	if len(b) != ProofBytesMax {
		t.Errorf("the longest proof has %d bytes, the limit is %d", len(b), ProofBytesMax)
	}
	if _, err := UnmarshalProof(b); err != nil {
		t.Error(err)
	}
	if _, err := UnmarshalProof(append(b, 0)); err == nil {
		t.Error("a proof beyond the limit was decoded")
	}
}

// TestProofCanonical names each way to write a proof differently, all of which are refused.
func TestProofCanonical(t *testing.T) {
	valid := (&Proof{Kind: ProofPresent, Key: []byte("k"), Value: []byte("v"), Siblings: []crypto.Hash{{1}, {}, {3}}}).Marshal()
	if _, err := UnmarshalProof(valid); err != nil {
		t.Fatal(err)
	}
	edit := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(valid)) }
	for name, b := range map[string][]byte{
		"empty":             nil,
		"format":            edit(func(b []byte) []byte { b[0] = 2; return b }),
		"kind":              edit(func(b []byte) []byte { b[1] = 9; return b }),
		"kind with no leaf": edit(func(b []byte) []byte { b[1] = byte(ProofAbsentEmpty); return b }),
		"padding":           edit(func(b []byte) []byte { b[4] |= 1; return b }),
		"empty written out": edit(func(b []byte) []byte { clear(b[5:37]); return b }),
		"trailing byte":     edit(func(b []byte) []byte { return append(b, 0) }),
		"value length":      edit(func(b []byte) []byte { b[len(b)-2]++; return b }),
	} {
		if p, err := UnmarshalProof(b); err == nil {
			t.Errorf("%s: decoded as %+v", name, p)
		}
	}
	for n := range valid {
		if _, err := UnmarshalProof(valid[:n]); err == nil {
			t.Errorf("decoded from the first %d bytes", n)
		}
	}
}

// TestProofSurvivesView: a proof holds no memory of the map.
func TestProofSurvivesView(t *testing.T) {
	m, want := testMap(100)
	v := m.Current()
	root := v.Root()
	proof, err := v.Prove([]byte("key7"))
	if err != nil {
		t.Fatal(err)
	}
	left, right := v.Neighbours([]byte("key7"))
	leftValue, rightValue := want[string(left.Key)], want[string(right.Key)]
	v.Close()
	for version := uint64(2); version < 20; version++ {
		var changes []Change
		for i := range 100 {
			changes = append(changes, Change{[]byte(fmt.Sprint("key", i)), []byte(fmt.Sprint("later", version, i))})
		}
		m.Commit(m.Stage(version, changes))
	}
	for _, c := range []struct {
		proof *Proof
		want  string
	}{{proof, want["key7"]}, {left, leftValue}, {right, rightValue}} {
		value, ok, err := c.proof.Verify(root, c.proof.Key)
		if !ok || err != nil || string(value) != c.want {
			t.Fatalf("%q, %t, %v, want %q", value, ok, err, c.want)
		}
	}
}

func FuzzUnmarshalProof(f *testing.F) {
	m, _ := testMap(20)
	v := m.Current()
	for i := range 30 {
		p, err := v.Prove([]byte(fmt.Sprint("key", i)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p.Marshal(), fmt.Sprint("key", i))
	}
	f.Fuzz(func(t *testing.T, b []byte, key string) {
		p, err := UnmarshalProof(b)
		if err != nil {
			return
		}
		if again := p.Marshal(); !bytes.Equal(again, b) {
			t.Fatalf("a second encoding of one proof:\n%x\n%x", b, again)
		}
		value, exists, err := p.Verify(v.Root(), []byte(key))
		if err != nil {
			return
		}
		if want, ok := v.Get([]byte(key)); exists != ok || !bytes.Equal(value, want) {
			t.Fatalf("a proof shows %q, %t of %q", value, exists, key)
		}
	})
}
