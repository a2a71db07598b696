package merkle

import (
	"fmt"
	"math/rand/v2"
	"testing"

	ics23 "github.com/cosmos/ics23/go"
)

// exist turns a proof of presence into the form of ics23, which lists the steps from the leaf up and
// gives the sibling as what stands before or behind the hash in the preimage.
func exist(p *Proof) *ics23.ExistenceProof {
	if p == nil {
		return nil
	}
	out := &ics23.ExistenceProof{Key: p.Key, Value: p.Value, Leaf: ics23.SmtSpec.LeafSpec}
	path := pathOf(p.Key)
	for depth := len(p.Siblings) - 1; depth >= 0; depth-- {
		op := &ics23.InnerOp{Hash: ics23.HashOp_SHA256, Prefix: []byte{innerPrefix}}
		if bit(&path, depth) == 0 {
			op.Suffix = p.Siblings[depth][:]
		} else {
			op.Prefix = append(op.Prefix, p.Siblings[depth][:]...)
		}
		out.Path = append(out.Path, op)
	}
	return out
}

// absence makes an ics23 proof of absence of what stands beside a key's place.
func absence(v *View, key []byte) *ics23.CommitmentProof {
	left, right := v.Neighbours(key)
	return &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Nonexist{
		Nonexist: &ics23.NonExistenceProof{Key: key, Left: exist(left), Right: exist(right)},
	}}
}

func presence(p *Proof) *ics23.CommitmentProof {
	return &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Exist{Exist: exist(p)}}
}

// checkICS23 asks the stock library, with the stock spec, about one key.
func checkICS23(t *testing.T, v *View, key []byte, want string) {
	t.Helper()
	root := v.Root()
	proof, err := v.Prove(key)
	if err != nil {
		t.Fatal(err)
	}
	if want != "" {
		if !ics23.VerifyMembership(ics23.SmtSpec, root[:], presence(proof), key, []byte(want)) {
			t.Fatalf("ics23 refuses the proof of presence of %q", key)
		}
		if ics23.VerifyMembership(ics23.SmtSpec, root[:], presence(proof), key, []byte(want+".")) {
			t.Fatalf("ics23 accepts another value of %q", key)
		}
		if ics23.VerifyNonMembership(ics23.SmtSpec, root[:], absence(v, key), key) {
			t.Fatalf("ics23 accepts the absence of %q, which is there", key)
		}
		return
	}
	if v.Len() > 0 && !ics23.VerifyNonMembership(ics23.SmtSpec, root[:], absence(v, key), key) {
		t.Fatalf("ics23 refuses the proof of absence of %q", key)
	}
}

// TestICS23 grows and shrinks trees and has every answer checked by github.com/cosmos/ics23 as it is.
// Of the empty map it can prove nothing, since its proofs of absence need a neighbour.
func TestICS23(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 23))
	for _, size := range []int{1, 2, 3, 10, 100, 4000} {
		m, want := New(), model{}
		for version := range uint64(4) {
			var changes []Change
			for i := range size {
				key := []byte(fmt.Sprint("key", i))
				switch {
				case version == 0 || r.IntN(4) == 0:
					changes = append(changes, Change{key, []byte(fmt.Sprint("value", version, i))})
				case r.IntN(3) == 0 && i > 0:
					changes = append(changes, Change{Key: key})
				}
			}
			if version == 1 {
				for _, key := range twins {
					changes = append(changes, Change{[]byte(key), []byte("twin")})
				}
			}
			want = want.with(changes)
			m.Commit(m.Stage(version+1, changes))
		}
		v := m.Current()
		if v.Root() != want.root() {
			t.Fatal("the root differs from the model's")
		}
		for i := range size {
			key := fmt.Sprint("key", i)
			checkICS23(t, v, []byte(key), want[key])
			checkICS23(t, v, []byte(fmt.Sprint("absent", i)), "")
		}
		for _, key := range twins {
			checkICS23(t, v, []byte(key), want[key])
			checkICS23(t, v, []byte(key+"'"), "")
		}
		v.Close()
	}
}

// TestNeighbours compares with the order of all leaves.
func TestNeighbours(t *testing.T) {
	m, want := New(), model{}
	if left, right := m.Current().Neighbours([]byte("x")); left != nil || right != nil {
		t.Fatal("the empty map has a leaf")
	}
	var changes []Change
	for i := range 300 {
		changes = append(changes, Change{[]byte(fmt.Sprint(i)), []byte("v")})
	}
	for _, key := range twins {
		changes = append(changes, Change{[]byte(key), []byte("v")})
	}
	want = want.with(changes)
	m.Commit(m.Stage(1, changes))
	v := m.Current()
	leaves := want.leaves()
	name := func(p *Proof) string {
		if p == nil {
			return "none"
		}
		if value, ok, err := p.Verify(v.Root(), p.Key); !ok || err != nil || string(value) != "v" {
			t.Fatalf("the proof of neighbour %q shows %q, %t, %v", p.Key, value, ok, err)
		}
		return string(p.Key)
	}
	for i := range 1000 {
		key := fmt.Sprint(i) // every third one is present
		path := pathOf([]byte(key))
		wantLeft, wantRight := "none", "none"
		for _, leaf := range leaves {
			if leaf.path < string(path[:]) {
				wantLeft = leaf.key
			}
			if leaf.path > string(path[:]) {
				wantRight = leaf.key
				break
			}
		}
		left, right := v.Neighbours([]byte(key))
		if name(left) != wantLeft || name(right) != wantRight {
			t.Fatalf("neighbours of %q: %s and %s, want %s and %s", key, name(left), name(right), wantLeft, wantRight)
		}
	}
}
