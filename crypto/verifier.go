package crypto

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/oasisprotocol/curve25519-voi/curve"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519/extra/cache"
)

// Signed is one signature to check. Verification reads the slices and keeps none of them.
type Signed struct {
	Type      KeyType
	Public    []byte
	Message   []byte
	Signature []byte
}

const (
	// chunkMax bounds one batch equation. Larger ones are hardly cheaper per signature (14.1 us at
	// 1024, 13.2 us at 4096), hold more memory and cost more when one signature is bad.
	chunkMax = 1024

	// aloneMax is the size up to which the batch equation costs more than one by one.
	aloneMax = 3

	// tableMax is where the library changes algorithm: below it, a batch is fastest when every key
	// has its multiplication table; from it on the tables are ignored and building them is waste.
	tableMax = 95

	// cacheKeysMax bounds the expanded keys a verifier holds, at about 1.6 KiB each.
	cacheKeysMax = 1 << 20
)

// Verifier checks signatures in batches, at a third of the cost of one by one. It holds the expanded
// form of keys it met repeatedly. It accepts exactly what Verify accepts, whatever is in the batch or
// the cache. It is safe for concurrent use, and calls do not wait for each other beyond the
// cache's short lock.
type Verifier struct {
	// expanded holds keys met at least twice, least recently used first out; it has its own lock.
	expanded cache.Cache

	// met remembers keys met once, by their hash, one per slot: a table that forgets instead of
	// growing. Without it a flood of keys used once would push out those in use, at a table each.
	met     []atomic.Uint64
	metSeed maphash.Seed

	// equations are reused because one of 1024 signatures is half a megabyte.
	equations sync.Pool
}

// NewVerifier returns a verifier that caches up to cacheKeys keys, none if it is zero. Memory is
// about 1.7 KiB a key once they have been used.
func NewVerifier(cacheKeys int) *Verifier {
	v := &Verifier{metSeed: maphash.MakeSeed()}
	v.equations.New = func() any { return ed25519.NewBatchVerifier() }
	if cacheKeys <= 0 {
		return v
	}
	cacheKeys = min(cacheKeys, cacheKeysMax)
	v.expanded = cache.NewLRUCache(cacheKeys)
	v.met = make([]atomic.Uint64, 1<<bits.Len(uint(4*cacheKeys-1)))
	return v
}

// Verify returns the indexes of the signatures that do not verify, in ascending order, and nil if all
// do. Any number may be given; it is worked through in chunks of bounded size.
func (v *Verifier) Verify(batch []Signed) (bad []int) {
	chunks := (len(batch) + chunkMax - 1) / chunkMax
	for i := range chunks {
		// Even chunks: 1025 signatures are 513 and 512, not 1024 and a dear single one.
		from, to := i*len(batch)/chunks, (i+1)*len(batch)/chunks
		bad = v.verifyChunk(batch, from, to, bad)
	}
	return bad
}

// verifyChunk appends the bad ones of batch[from:to] to bad.
func (v *Verifier) verifyChunk(batch []Signed, from, to int, bad []int) []int {
	// A wrong shape would spoil the equation of the whole chunk, and finding it takes no curve
	// arithmetic. Such entries are left out, which is rare enough to copy for.
	for i := from; i < to; i++ {
		if s := &batch[i]; !shaped(s.Type, s.Public, s.Signature) {
			return v.verifyMisshapen(batch, from, to, bad)
		}
	}
	if to-from <= aloneMax {
		for i := from; i < to; i++ {
			if !v.verifyAlone(&batch[i]) {
				bad = append(bad, i)
			}
		}
		return bad
	}
	// The random coefficients come from the system: whoever could predict them could craft bad
	// signatures that cancel each other out. If the equation fails, the library checks each
	// entry by itself on the points it has decoded. Halving the chunk instead was measured and
	// is dearer, because every half decodes its points again: for 512 signatures 22 ms against
	// 20 ms if one is bad, and 44 ms against 20 ms if all are.
	equation := v.equation(batch[from:to])
	defer v.equations.Put(equation)
	all, each := equation.Verify(nil)
	if all {
		return bad
	}
	for i, good := range each {
		if !good {
			bad = append(bad, from+i)
		}
	}
	return bad
}

// verifyAlone is the package's Verify with the key's expanded form where there is one.
func (v *Verifier) verifyAlone(s *Signed) bool {
	if key := v.expandedKey(s.Public); key != nil {
		return ed25519.VerifyExpandedWithOptions(key, s.Message, s.Signature, zip215)
	}
	return ed25519.VerifyWithOptions(s.Public, s.Message, s.Signature, zip215)
}

// equation returns the batch equation of signatures that are all well shaped.
func (v *Verifier) equation(batch []Signed) *ed25519.BatchVerifier {
	equation := v.equations.Get().(*ed25519.BatchVerifier).Reset()
	if len(batch) >= tableMax {
		equation.ForceNoPublicKeyExpansion()
	}
	for i := range batch {
		s := &batch[i]
		if key := v.expandedKey(s.Public); key != nil {
			equation.AddExpandedWithOptions(key, s.Message, s.Signature, zip215)
		} else {
			equation.AddWithOptions(s.Public, s.Message, s.Signature, zip215)
		}
	}
	return equation
}

// verifyMisshapen is verifyChunk for a chunk with entries that cannot be signatures at all.
func (v *Verifier) verifyMisshapen(batch []Signed, from, to int, bad []int) []int {
	well := make([]Signed, 0, to-from)
	at := make([]int, 0, to-from)
	isBad := make([]bool, to-from)
	for i := from; i < to; i++ {
		if s := batch[i]; shaped(s.Type, s.Public, s.Signature) {
			well, at = append(well, s), append(at, i-from)
		} else {
			isBad[i-from] = true
		}
	}
	if len(well) > 0 {
		for _, i := range v.verifyChunk(well, 0, len(well), nil) {
			isBad[at[i]] = true
		}
	}
	for i, b := range isBad {
		if b {
			bad = append(bad, from+i)
		}
	}
	return bad
}

// expandedKey returns the expanded form of a key, or nil if it is not cached. A key met for the second
// time is expanded here and kept.
func (v *Verifier) expandedKey(public []byte) *ed25519.ExpandedPublicKey {
	if v.expanded == nil {
		return nil
	}
	compressed := (*curve.CompressedEdwardsY)(public)
	if key := v.expanded.Get(compressed); key != nil || !v.metBefore(public) {
		return key
	}
	key, err := ed25519.NewExpandedPublicKey(public)
	if err != nil {
		return nil // no point of the curve: the equation finds out in its own way
	}
	v.expanded.Put(compressed, key)
	return key
}

// metBefore reports whether the key was met lately, and remembers it. The hash is seeded, so that
// nobody can choose keys that push a given key out of its slot.
func (v *Verifier) metBefore(public []byte) bool {
	h := maphash.Bytes(v.metSeed, public) | 1 // zero marks a free slot
	slot := &v.met[h>>1&uint64(len(v.met)-1)]
	if slot.Load() == h {
		return true
	}
	slot.Store(h)
	return false
}
