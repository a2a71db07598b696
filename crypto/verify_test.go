package crypto

import (
	"bytes"
	stded25519 "crypto/ed25519"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"pgregory.net/rapid"
)

// TestRFC8032 pins keys, signatures and their verification to the standard's own vectors.
func TestRFC8032(t *testing.T) {
	for _, v := range loadVectors(t, "rfc8032.txt") {
		key := KeyFromSeed([SeedSize]byte(v.bytes(t, "seed")))
		if pub := key.Public(); !bytes.Equal(pub.Bytes, v.bytes(t, "public")) {
			t.Errorf("case %s: public key %s", v["case"], pub)
		}
		message, want := v.bytes(t, "message"), v.bytes(t, "signature")
		if sig := key.Sign(message); !bytes.Equal(sig, want) {
			t.Errorf("case %s: signature %x, want %x", v["case"], sig, want)
		}
		if !Verify(KeyEd25519, v.bytes(t, "public"), message, want) {
			t.Errorf("case %s does not verify", v["case"])
		}
	}
}

// TestEdgeCasesAgree sends every edge case through every path a replica may take to it.
func TestEdgeCasesAgree(t *testing.T) {
	cold, warm := NewVerifier(0), NewVerifier(1024)
	for _, c := range edgeCases(t) {
		if got := Verify(c.signed.Type, c.signed.Public, c.signed.Message, c.signed.Signature); got != c.accept {
			t.Errorf("%s: single says %v, want %v", c.name, got, c.accept)
		}
		check := func(path string, v *Verifier, batch []Signed, at int) {
			var want []int
			if !c.accept {
				want = []int{at}
			}
			if bad := v.Verify(batch); !slices.Equal(bad, want) {
				t.Errorf("%s: %s names %v bad, want %v", c.name, path, bad, want)
			}
		}
		for use := range 3 { // met, expanded, from the cache
			check("batch of one, uncached", cold, []Signed{c.signed}, 0)
			check(fmt.Sprintf("batch of one, use %d", use), warm, []Signed{c.signed}, 0)
		}
		// Below and above the size at which the library changes its algorithm.
		for n, places := range map[int][]int{2: {0, 1}, aloneMax + 1: {0, 3}, 11: {0, 5, 10}, tableMax - 1: {60}, tableMax: {60}} {
			for _, at := range places {
				batch := goodBatch(n)
				batch[at] = c.signed
				check(fmt.Sprintf("uncached batch of %d at %d", n, at), cold, batch, at)
				check(fmt.Sprintf("cached batch of %d at %d", n, at), warm, batch, at)
			}
		}
	}
}

// TestEdgeCasesTogether puts all edge cases into one batch, where errors could cancel each other out.
func TestEdgeCasesTogether(t *testing.T) {
	cases := edgeCases(t)
	var batch []Signed
	var want []int
	for i, c := range cases {
		batch = append(batch, c.signed)
		if !c.accept {
			want = append(want, i)
		}
	}
	v := NewVerifier(64)
	for range 3 {
		if bad := v.Verify(batch); !slices.Equal(bad, want) {
			t.Fatalf("bad are %v, want %v", bad, want)
		}
	}
}

// TestEdgeCasesBite shows that the vectors tell implementations apart: the standard library, which
// is cofactorless, rejects signatures that every replica must accept.
func TestEdgeCasesBite(t *testing.T) {
	rejected := 0
	for _, c := range torsionCases(t) {
		if !stded25519.Verify(c.signed.Public, c.signed.Message, c.signed.Signature) {
			rejected++
		}
	}
	if rejected == 0 {
		t.Fatal("the standard library accepts every torsion case: they test nothing")
	}
}

// TestOneBadAnywhere finds a single bad signature at each place of batches on both sides of the
// library's change of algorithm.
func TestOneBadAnywhere(t *testing.T) {
	for _, n := range []int{1, 2, aloneMax, aloneMax + 1, 40, tableMax + 1} {
		v := NewVerifier(256)
		batch := goodBatch(n)
		if bad := v.Verify(batch); bad != nil {
			t.Fatalf("good batch of %d: %v are called bad", n, bad)
		}
		for at := range batch {
			good := batch[at]
			batch[at].Message = []byte("another message")
			if bad := v.Verify(batch); !slices.Equal(bad, []int{at}) {
				t.Fatalf("batch of %d with %d bad: named %v", n, at, bad)
			}
			batch[at] = good
		}
	}
}

// TestChunkBounds finds bad signatures on both sides of every seam between chunks.
func TestChunkBounds(t *testing.T) {
	v := NewVerifier(256)
	if bad := v.Verify(nil); bad != nil {
		t.Fatalf("empty batch: %v are called bad", bad)
	}
	for _, n := range []int{chunkMax - 1, chunkMax, chunkMax + 1, 2*chunkMax + 1} {
		batch := goodBatch(n)
		for _, want := range [][]int{nil, {0, n - 1}, {n/2 - 1, n / 2}, {n/3 - 1, n / 3, 2 * n / 3}} {
			spoiled := slices.Clone(batch)
			for _, i := range want {
				spoiled[i].Signature = slices.Clone(spoiled[i].Signature)
				spoiled[i].Signature[40] ^= 0x80
			}
			if bad := v.Verify(spoiled); !slices.Equal(bad, want) {
				t.Fatalf("batch of %d: bad are %v, want %v", n, bad, want)
			}
		}
	}
}

// TestAllBad names every one of a batch with nothing good in it.
func TestAllBad(t *testing.T) {
	batch := goodBatch(300)
	var want []int
	for i := range batch {
		batch[i].Message = []byte("never signed")
		want = append(want, i)
	}
	if bad := NewVerifier(16).Verify(batch); !slices.Equal(bad, want) {
		t.Fatalf("named %d of 300", len(bad))
	}
}

// TestBatchIsSingle compares random batches with the dumb model, one by one.
func TestBatchIsSingle(t *testing.T) {
	cases := edgeCases(t)
	pool := goodBatch(64)
	for _, c := range cases {
		pool = append(pool, c.signed)
	}
	v := NewVerifier(32) // small, so that keys leave and return
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 150).Draw(t, "n")
		goodOnly := rapid.Bool().Draw(t, "mostly good")
		batch := make([]Signed, n)
		var want []int
		for i := range batch {
			limit := len(pool) - 1
			if goodOnly && i%17 != 0 {
				limit = 63
			}
			s := pool[rapid.IntRange(0, limit).Draw(t, "pick")]
			batch[i] = s
			if !Verify(s.Type, s.Public, s.Message, s.Signature) {
				want = append(want, i)
			}
		}
		if bad := v.Verify(batch); !slices.Equal(bad, want) {
			t.Fatalf("bad are %v, want %v", bad, want)
		}
	})
}

// TestVerifierConcurrently uses one verifier from many goroutines; run it with -race.
func TestVerifierConcurrently(t *testing.T) {
	v := NewVerifier(8) // smaller than the number of keys, so that they push each other out
	batch := goodBatch(120)
	spoiled := slices.Clone(batch)
	spoiled[77].Message = nil
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if bad := v.Verify(batch); bad != nil {
					t.Errorf("good batch: %v", bad)
				}
				if bad := v.Verify(spoiled); !slices.Equal(bad, []int{77}) {
					t.Errorf("spoiled batch: %v", bad)
				}
			}
		})
	}
	wg.Wait()
}

// TestCacheAdmission pins that a key is expanded at its second use and not before.
func TestCacheAdmission(t *testing.T) {
	v := NewVerifier(4)
	alice := DevKey("alice").Public().Bytes
	if v.expandedKey(alice) != nil {
		t.Fatal("a key was expanded at its first use")
	}
	first := v.expandedKey(alice)
	if first == nil {
		t.Fatal("a key was not expanded at its second use")
	}
	if v.expandedKey(alice) != first {
		t.Fatal("a key was expanded again although it was cached")
	}
	for i := range 10_000 {
		pub := SumTagged(TagDevKey, fmt.Appendf(nil, "flood %d", i))
		v.expandedKey(pub[:])
	}
	if v.expandedKey(alice) != first {
		t.Fatal("keys used once pushed out a key in use")
	}
}

// TestCacheBounded pins that keys in excess leave, and that a cache of none is allowed.
func TestCacheBounded(t *testing.T) {
	v := NewVerifier(4)
	keys := make([][]byte, 5)
	for i := range keys {
		keys[i] = DevKey(fmt.Sprint(i)).Public().Bytes
		v.expandedKey(keys[i])
		v.expandedKey(keys[i])
	}
	held := 0
	for _, key := range keys {
		if v.expanded.Get((*curve.CompressedEdwardsY)(key)) != nil {
			held++
		}
	}
	if held != 4 {
		t.Fatalf("a cache of 4 keys holds %d of 5", held)
	}
	none := NewVerifier(-1)
	for range 2 { // a cache with room would admit the key the second time
		if none.expandedKey(keys[0]) != nil {
			t.Fatal("a cache of none holds a key")
		}
	}
}

// TestVerifierKeepsNothing pins that callers may reuse their buffers.
func TestVerifierKeepsNothing(t *testing.T) {
	v := NewVerifier(16)
	a, b := signedBy("alice", "m"), signedBy("bob", "m")
	buffer := slices.Clone(a.Public)
	for _, s := range []Signed{a, a, b, a, b, b} {
		copy(buffer, s.Public)
		s.Public = buffer
		if bad := v.Verify([]Signed{s}); bad != nil {
			t.Fatal("a reused buffer changed a cached key")
		}
	}
}

// goodBatch returns n good signatures by several keys.
func goodBatch(n int) []Signed {
	goodBatches.Lock()
	defer goodBatches.Unlock()
	for i := len(goodBatches.all); i < n; i++ {
		goodBatches.all = append(goodBatches.all, signedBy(fmt.Sprintf("signer %d", i%29), fmt.Sprintf("message %d", i)))
	}
	return slices.Clone(goodBatches.all[:n])
}

// goodBatches keeps what goodBatch made, because signing is what these tests would spend their time on.
var goodBatches struct {
	sync.Mutex
	all []Signed
}
