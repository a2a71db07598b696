package crypto

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// needQuick returns a verifier with the fast equation.
func needQuick(t *testing.T) *Verifier {
	v := NewVerifier(0)
	if v.quick == nil {
		t.Skip("this processor has no fast equation")
	}
	return v
}

// TestQuickEdgeCases asks the fast equation itself about every edge case: what it called bad by mistake would be
// put right by the portable library, at a cost nobody would notice, and what it called good would not.
func TestQuickEdgeCases(t *testing.T) {
	v := needQuick(t)
	for _, c := range edgeCases(t) {
		if !shaped(c.signed.Type, c.signed.Public, c.signed.Signature) {
			continue // such entries never come so far
		}
		for _, n := range []int{1, 2, 8, quickMin} {
			for _, at := range []int{0, n / 2, n - 1} {
				batch := goodBatch(n)
				batch[at] = c.signed
				if got := v.allGood(batch); got != c.accept {
					t.Errorf("%s: batch of %d at %d is good: %v, want %v", c.name, n, at, got, c.accept)
				}
			}
		}
	}
}

// TestQuickBadAnywhere spoils each signature of a batch in turn, so that each term of the sum is seen to count,
// and pairs of one key, whose terms are added up.
func TestQuickBadAnywhere(t *testing.T) {
	v := needQuick(t)
	batch := goodBatch(70) // by 29 keys
	if !v.allGood(batch) {
		t.Fatal("a good batch is called bad")
	}
	for at := range batch {
		for name, change := range map[string]func(*Signed){
			"message": func(s *Signed) { s.Message = []byte("another message") },
			"R":       func(s *Signed) { copy(s.Signature, batch[(at+1)%len(batch)].Signature[:32]) },
			"s":       func(s *Signed) { s.Signature[32] ^= 1 },
			"key":     func(s *Signed) { s.Public = batch[(at+1)%len(batch)].Public },
		} {
			spoiled := slices.Clone(batch)
			spoiled[at].Signature = slices.Clone(spoiled[at].Signature)
			change(&spoiled[at])
			if v.allGood(spoiled) {
				t.Fatalf("%s of %d is spoiled, and the batch is called good", name, at)
			}
		}
	}
	// Two errors of one key that cancel each other out unless each signature has a factor of its own.
	cancelled := slices.Clone(batch)
	for _, at := range []int{3, 3 + 29} {
		cancelled[at].Signature = slices.Clone(cancelled[at].Signature)
	}
	cancelled[3].Signature[33]++
	cancelled[3+29].Signature[33]--
	if v.allGood(cancelled) {
		t.Fatal("errors cancelled each other out")
	}
}

// TestQuickIsPortable compares the two equations on random batches of all sizes that differ in their way.
func TestQuickIsPortable(t *testing.T) {
	fast, portable := needQuick(t), NewPortableVerifier(64)
	cases := edgeCases(t)
	r := rand.New(rand.NewPCG(11, 12))
	for _, n := range []int{quickMin - 1, quickMin, quickMin + 1, halveMin - 1, halveMin, halveMin + 1, 2*halveMin + 3} {
		for _, spoiled := range []int{0, 1, 2, n / 2} {
			batch := goodBatch(n)
			for range spoiled {
				batch[r.IntN(n)] = cases[r.IntN(len(cases))].signed
			}
			if got, want := fast.Verify(batch), portable.Verify(batch); !slices.Equal(got, want) {
				t.Fatalf("of %d with %d edge cases, bad are %v, want %v", n, spoiled, got, want)
			}
		}
	}
}
