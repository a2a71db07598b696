package merkle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
)

// TestListVectors are the known roots of the reference implementation of RFC 6962, over the first n of
// its eight leaves.
func TestListVectors(t *testing.T) {
	var leaves [][]byte
	for _, text := range []string{
		"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
	} {
		leaf, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leaf)
	}
	for n, want := range []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	} {
		if got := ListRoot(leaves[:n]); got.String() != want {
			t.Errorf("root of %d leaves: %v, want %s", n, got, want)
		}
	}
}

// TestList proves every leaf of every short list, to a verifier that knows the root, the place, the
// length and the leaf, and to others who are told one of them wrong.
func TestList(t *testing.T) {
	var leaves [][]byte
	for n := 1; n <= 70; n++ {
		leaves = append(leaves, []byte(fmt.Sprint("leaf", n)))
		root := ListRoot(leaves)
		if root != listRootSlow(leaves) {
			t.Fatalf("the root of %d leaves differs from the model's", n)
		}
		for i, leaf := range leaves {
			proof := ProveList(leaves, i)
			if err := proof.Verify(root, i, n, leaf); err != nil {
				t.Fatalf("leaf %d of %d: %v", i, n, err)
			}
			for name, err := range map[string]error{
				"another root":  proof.Verify(crypto.Hash{1}, i, n, leaf),
				"another leaf":  proof.Verify(root, i, n, []byte("other")),
				"place before":  proof.Verify(root, i-1, n, leaf),
				"place behind":  proof.Verify(root, i+1, n, leaf),
				"place beyond":  proof.Verify(root, n, n, leaf),
				"no list":       proof.Verify(root, i, 0, leaf),
				"one step more": append(slices.Clone(proof), crypto.Hash{}).Verify(root, i, n, leaf),
				"a twisted step": func() error {
					if n == 1 {
						return errListProof
					}
					twisted := slices.Clone(proof)
					twisted[len(twisted)-1][0] ^= 1
					return twisted.Verify(root, i, n, leaf)
				}(),
				"one step less": func() error {
					if n == 1 {
						return errListProof
					}
					return proof[1:].Verify(root, i, n, leaf)
				}(),
			} {
				if err == nil {
					t.Fatalf("leaf %d of %d verifies with %s", i, n, name)
				}
			}
		}
	}
}

// listRootSlow follows the recurrence of RFC 6962, section 2.1, letter by letter.
func listRootSlow(leaves [][]byte) crypto.Hash {
	n := len(leaves)
	if n == 1 {
		return sha256.Sum256(append([]byte{0}, leaves[0]...))
	}
	k := 1
	for k*2 < n {
		k *= 2
	}
	left, right := listRootSlow(leaves[:k]), listRootSlow(leaves[k:])
	return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
}

// TestListLeafIsNoNode: a leaf that is the concatenation of two hashes does not stand for their parent.
func TestListLeafIsNoNode(t *testing.T) {
	a, b := listLeafHash([]byte("a")), listLeafHash([]byte("b"))
	if ListRoot([][]byte{[]byte("a"), []byte("b")}) == ListRoot([][]byte{slices.Concat(a[:], b[:])}) {
		t.Fatal("a leaf passes for an inner node")
	}
}

// TestListLong hashes leaves around the size of the stack buffer.
func TestListLong(t *testing.T) {
	for _, n := range []int{510, 511, 512, 513, 4096} {
		leaf := make([]byte, n)
		leaf[n-1] = 1
		if got, want := listLeafHash(leaf), crypto.Sum([]byte{0}, leaf); got != want {
			t.Errorf("leaf of %d bytes: %v, want %v", n, got, want)
		}
	}
}

func TestProveListPanics(t *testing.T) {
	for _, i := range []int{-1, 1} {
		mustPanic(t, "prove leaf", func() { ProveList([][]byte{nil}, i) })
	}
}
