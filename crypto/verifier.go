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
	// 1024, 13.2 us at 4096), hold more memory and cost more to search when one signature is bad.
	chunkMax = 1024

	// tableMax is where the library changes algorithm: below it, a batch is fastest when every key
	// has its multiplication table; from it on the tables are ignored and building them is waste.
	tableMax = 95

	// singlesMax is the size from which a failed batch is searched one by one: two halves in a
	// batch would cost as much as the signatures themselves.
	singlesMax = 8

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

	// batches are reused because a batch of 1024 is half a megabyte.
	batches sync.Pool
}

// NewVerifier returns a verifier that caches up to cacheKeys keys, none if it is zero. Memory is
// about 1.7 KiB a key once they have been used.
func NewVerifier(cacheKeys int) *Verifier {
	v := &Verifier{metSeed: maphash.MakeSeed()}
	v.batches.New = func() any { return ed25519.NewBatchVerifierWithCapacity(chunkMax) }
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
	s := search{verifier: v, batch: batch, keys: v.lookUp(batch[from:to]), offset: from, budget: 2 * (to - from)}
	if !s.holds(from, to) {
		s.find(from, to)
	}
	return append(bad, s.bad...)
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

// lookUp returns the expanded form of each signer's key, nil where it is not cached. A key met for
// the second time is expanded here and kept.
func (v *Verifier) lookUp(batch []Signed) []*ed25519.ExpandedPublicKey {
	keys := make([]*ed25519.ExpandedPublicKey, len(batch))
	if v.expanded == nil {
		return keys
	}
	for i := range batch {
		compressed := (*curve.CompressedEdwardsY)(batch[i].Public)
		if keys[i] = v.expanded.Get(compressed); keys[i] != nil || !v.metBefore(batch[i].Public) {
			continue
		}
		// Bytes that are no point stay nil here and fail in the equation.
		if key, err := ed25519.NewExpandedPublicKey(batch[i].Public); err == nil {
			v.expanded.Put(compressed, key)
			keys[i] = key
		}
	}
	return keys
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

// search finds the bad signatures of one chunk by halving it.
type search struct {
	verifier *Verifier
	batch    []Signed
	keys     []*ed25519.ExpandedPublicKey // keys[i] belongs to batch[offset+i]
	offset   int

	// budget is how many signatures may still be checked again in batches. One bad signature
	// among n costs at most 2n; beyond that there are many, and one by one is cheaper. It bounds
	// what a sender of nothing but bad signatures can make us spend.
	budget int

	bad []int
}

// holds reports whether all of batch[from:to] verify.
func (s *search) holds(from, to int) bool {
	if to-from == 1 {
		return s.holdsAlone(from)
	}
	equation := s.verifier.batches.Get().(*ed25519.BatchVerifier).Reset()
	defer s.verifier.batches.Put(equation)
	if to-from >= tableMax {
		equation.ForceNoPublicKeyExpansion()
	}
	for i := from; i < to; i++ {
		entry := &s.batch[i]
		if key := s.keys[i-s.offset]; key != nil {
			equation.AddExpandedWithOptions(key, entry.Message, entry.Signature, zip215)
		} else {
			equation.AddWithOptions(entry.Public, entry.Message, entry.Signature, zip215)
		}
	}
	// The random coefficients come from the system: a proposer who could predict them could craft
	// bad signatures that cancel each other out.
	return equation.VerifyBatchOnly(nil)
}

func (s *search) holdsAlone(i int) bool {
	entry := &s.batch[i]
	if key := s.keys[i-s.offset]; key != nil {
		return ed25519.VerifyExpandedWithOptions(key, entry.Message, entry.Signature, zip215)
	}
	return Verify(entry.Type, entry.Public, entry.Message, entry.Signature)
}

// find appends the bad ones of batch[from:to], which is known not to hold.
func (s *search) find(from, to int) {
	if to-from <= singlesMax || s.budget < to-from {
		for i := from; i < to; i++ {
			if !s.holdsAlone(i) {
				s.bad = append(s.bad, i)
			}
		}
		return
	}
	middle := from + (to-from)/2
	s.budget -= middle - from
	leftHolds := s.holds(from, middle)
	if !leftHolds {
		s.find(from, middle)
	}
	// If the left half holds, the right one cannot, and need not be asked.
	if leftHolds || !s.again(middle, to) {
		s.find(middle, to)
	}
}

// again is holds within the budget; out of budget it answers false, which sends the range to the
// search one by one and is never wrong there.
func (s *search) again(from, to int) bool {
	if s.budget < to-from {
		return false
	}
	s.budget -= to - from
	return s.holds(from, to)
}
