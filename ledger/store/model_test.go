package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// model is what the store should hold, kept in maps, and the source of the blocks that get it there. It
// shares no code with the store or the tree: roots are computed from the definition.
type model struct {
	rng     *rand.Rand
	params  ledger.Params
	genesis ledger.Outcome
	records []Record                     // by height; the first is genesis
	states  []map[string][]byte          // by height, without replay records
	roots   []crypto.Hash                // by height
	replay  map[string][]byte            // all replay records ever
	buckets map[uint64]map[string][]byte // the same by bucket, by transaction
	settled map[crypto.Hash]ledger.Receipt
	refused map[crypto.Hash]ledger.Receipt
	pending []crypto.Hash // transactions that were refused and may come again
	keys    []string      // that are or were in the state; of the large block's a fiftieth
	root    func(map[string][]byte) crypto.Hash
}

const (
	modelStart = 1_800_000_000_000
	bigPrefix  = 0x02 // of the keys of the large block
)

// newModel makes a chain of n blocks from a seed. big is the height of one block too large for one
// transaction of Badger, 0 for none.
func newModel(seed uint64, n int, big uint64) *model {
	return newModelWith(naiveRoot, seed, n, big)
}

// newModelWith makes a model with another way to compute roots.
func newModelWith(root func(map[string][]byte) crypto.Hash, seed uint64, n int, big uint64) *model {
	m := &model{
		root:    root,
		rng:     rand.New(rand.NewPCG(seed, 0)),
		replay:  make(map[string][]byte),
		buckets: make(map[uint64]map[string][]byte),
		settled: make(map[crypto.Hash]ledger.Receipt),
		refused: make(map[crypto.Hash]ledger.Receipt),
	}
	m.params = ledger.DefaultParams()
	m.params.ReplayBucketMS, m.params.ReplayGraceMS, m.params.ValidForMaxMS = 2000, 6000, 8000
	g := Record{TimeMS: modelStart, Changes: m.changes(20, map[string][]byte{})}
	g.Changes = append(g.Changes, ledger.Change{Key: ledger.KeyParams(), Value: m.params.Append(nil)})
	sortChanges(g.Changes)
	m.genesis.Changes = g.Changes
	m.apply(g)
	for h := 1; h <= n; h++ {
		m.apply(m.block(uint64(h) == big))
	}
	all := make(map[string]bool)
	for _, state := range m.states {
		for key := range state {
			all[key] = all[key] || key[0] != bigPrefix || m.rng.IntN(50) == 0
		}
	}
	for key, chosen := range all {
		if chosen {
			m.keys = append(m.keys, key)
		}
	}
	return m
}

// height is the newest height of the model.
func (m *model) height() uint64 { return uint64(len(m.records)) - 1 }

func (m *model) state() map[string][]byte { return m.states[len(m.states)-1] }

// changes are random changes of a small set of keys: new ones, changed ones and deletions.
func (m *model) changes(n int, state map[string][]byte) []ledger.Change {
	picked := make(map[string]bool)
	var out []ledger.Change
	for range n {
		key := fmt.Sprintf("\x01key-%03d", m.rng.IntN(150))
		if picked[key] {
			continue
		}
		picked[key] = true
		c := ledger.Change{Key: []byte(key), Value: randomBytes(m.rng, 1+m.rng.IntN(60))}
		if state[key] != nil && m.rng.IntN(4) == 0 {
			c.Value = nil
		}
		out = append(out, c)
	}
	return out
}

// block makes the next block.
func (m *model) block(big bool) Record {
	last := m.records[len(m.records)-1]
	r := Record{Height: last.Height + 1, TimeMS: last.TimeMS + uint64(m.rng.IntN(1500))}
	r.Changes = m.changes(m.rng.IntN(12), m.state())
	if big {
		for i := range 6000 {
			r.Changes = append(r.Changes, ledger.Change{Key: fmt.Appendf([]byte{bigPrefix}, "big-%05d", i), Value: randomBytes(m.rng, 300)})
		}
	} else {
		for key := range m.state() {
			if key[0] == bigPrefix { // the block after the large one takes everything back
				r.Changes = append(r.Changes, ledger.Change{Key: []byte(key)})
			}
		}
	}
	for bucket, records := range m.buckets {
		if _, there := m.state()[string(ledger.KeyBucket(bucket))]; there && r.TimeMS >= m.params.BucketDropMS(bucket) && len(records) > 0 {
			r.Changes = append(r.Changes, ledger.Change{Key: ledger.KeyBucket(bucket)})
		}
	}
	for i := range m.rng.IntN(6) {
		m.transaction(&r, uint32(i))
	}
	sortChanges(r.Changes)
	return r
}

// transaction adds a transaction to a block: a new one, one that was refused before, or a duplicate.
func (m *model) transaction(r *Record, index uint32) {
	outcome := ledger.Record{Height: r.Height, Index: index}
	id := crypto.Hash(randomBytes(m.rng, 32))
	switch n := m.rng.IntN(10); {
	case n == 0 && len(m.settled) > 0:
		outcome.Code = ledger.CodeDuplicate
		ids := slices.SortedFunc(maps.Keys(m.settled), func(a, b crypto.Hash) int { return bytes.Compare(a[:], b[:]) })
		r.Receipts = append(r.Receipts, outcome.Receipt(ids[m.rng.IntN(len(ids))]))
		return
	case n == 1:
		outcome.Code = ledger.CodeBadSignature
		m.pending = append(m.pending, id)
		r.Receipts = append(r.Receipts, outcome.Receipt(id))
		return
	case n == 2 && len(m.pending) > 0:
		id, m.pending = m.pending[0], m.pending[1:]
	case n == 3:
		outcome.Code, outcome.Op = ledger.CodeUnsupportedPolicy, 2
	}
	bucket := m.params.Bucket(r.TimeMS + 1 + uint64(m.rng.IntN(int(m.params.ValidForMaxMS))))
	if m.params.BucketEndMS(bucket) <= r.TimeMS {
		panic("model: bucket is over")
	}
	r.Changes = append(r.Changes, ledger.Change{Key: ledger.KeyRecord(bucket, id), Value: outcome.Append(nil)})
	r.Receipts = append(r.Receipts, outcome.Receipt(id))
}

// apply makes a block part of the model.
func (m *model) apply(r Record) {
	state := make(map[string][]byte)
	if len(m.states) > 0 {
		state = maps.Clone(m.state())
	}
	touched := make(map[uint64]bool)
	for _, c := range r.Changes {
		switch {
		case c.Key[0] == ledger.PrefixRecord:
			bucket := binary.BigEndian.Uint64(c.Key[1:])
			touched[bucket] = true
			if m.buckets[bucket] == nil {
				m.buckets[bucket] = make(map[string][]byte)
			}
			m.buckets[bucket][string(c.Key[9:])] = c.Value
			m.replay[string(c.Key)] = c.Value
		case c.Value == nil:
			delete(state, string(c.Key))
		default:
			state[string(c.Key)] = c.Value
		}
	}
	for bucket := range touched { // each writes a leaf of its own
		leaf := ledger.Bucket{Root: m.root(m.buckets[bucket]), Count: uint64(len(m.buckets[bucket]))}
		state[string(ledger.KeyBucket(bucket))] = leaf.Append(nil)
	}
	for _, receipt := range r.Receipts {
		switch {
		case receipt.Outcome() == ledger.CodeDuplicate:
		case receipt.Outcome() == ledger.CodeBadSignature:
			m.refused[receipt.ID()] = receipt
		default:
			m.settled[receipt.ID()] = receipt
		}
	}
	m.records = append(m.records, r)
	m.states = append(m.states, state)
	m.roots = append(m.roots, m.root(state))
}

// naiveRoot is the root of a map, by the definition in package merkle.
func naiveRoot(m map[string][]byte) crypto.Hash {
	type leaf struct{ path, hash crypto.Hash }
	var leaves []leaf
	for k, v := range m {
		path, value := sha256.Sum256([]byte(k)), sha256.Sum256(v)
		leaves = append(leaves, leaf{path, sha256.Sum256(slices.Concat([]byte{0}, path[:], value[:]))})
	}
	slices.SortFunc(leaves, func(a, b leaf) int { return bytes.Compare(a.path[:], b.path[:]) })
	var root func(leaves []leaf, depth int) crypto.Hash
	root = func(leaves []leaf, depth int) crypto.Hash {
		switch len(leaves) {
		case 0:
			return crypto.Hash{}
		case 1:
			return leaves[0].hash
		}
		split := slices.IndexFunc(leaves, func(l leaf) bool { return l.path[depth/8]>>(7-depth%8)&1 == 1 })
		if split < 0 {
			split = len(leaves)
		}
		left, right := root(leaves[:split], depth+1), root(leaves[split:], depth+1)
		return sha256.Sum256(slices.Concat([]byte{1}, left[:], right[:]))
	}
	return root(leaves, 0)
}

// modelGenesis is the hash of the genesis document the model stands on.
var modelGenesis = crypto.Hash{7}

// initStore gives a store without a head the model's genesis.
func (m *model) initStore(t testing.TB, s *Store) {
	t.Helper()
	root, err := s.Init(modelGenesis, m.genesis, m.records[0].TimeMS)
	if err != nil {
		t.Fatal(err)
	}
	if root != m.roots[0] {
		t.Fatalf("genesis root is %s, want %s", root, m.roots[0])
	}
}

// check compares everything in a store whose newest height is head with the model. Heights to look at in
// full are chosen by rng; nil looks at all.
func (m *model) check(t testing.TB, s *Store, head uint64, rng *rand.Rand) {
	t.Helper()
	got, ok := s.Head()
	want := Head{Height: head, TimeMS: m.records[head].TimeMS, Root: m.roots[head], Genesis: modelGenesis, Format: Format}
	if !ok || got != want {
		t.Fatalf("head is %v (%v), want %v", got, ok, want)
	}
	s.mu.RLock()
	first, inMemory := s.first(), s.recent[0].Height
	s.mu.RUnlock()
	for h := range head + 2 {
		v, err := s.ViewAt(h)
		switch {
		case h < first:
			if want := (ErrPruned{First: first}); !errors.Is(err, want) {
				t.Fatalf("view at %d: %v, want %v", h, err, want)
			}
			continue
		case h > head:
			if want := (ErrFuture{Head: head}); !errors.Is(err, want) {
				t.Fatalf("view at %d: %v, want %v", h, err, want)
			}
			continue
		case err != nil:
			t.Fatalf("view at %d: %v", h, err)
		}
		if (v.Tree() != nil) != (h >= inMemory) {
			t.Fatalf("view at %d has tree: %v; heights from %d on are in memory", h, v.Tree() != nil, inMemory)
		}
		if rng == nil || rng.IntN(8) == 0 || h+1 > head {
			m.checkView(t, v, h)
			m.checkBlock(t, s, h)
		}
		v.Close()
	}
	m.checkReceipts(t, s, head)
}

// checkView compares one height.
func (m *model) checkView(t testing.TB, v *View, h uint64) {
	t.Helper()
	if v.Height() != h || v.Root() != m.roots[h] || v.TimeMS() != m.records[h].TimeMS {
		t.Fatalf("view at %d: height %d, root %s, want %s, time %d", h, v.Height(), v.Root(), m.roots[h], v.TimeMS())
	}
	if v.Tree() != nil && v.Tree().Root() != m.roots[h] {
		t.Fatalf("tree at %d has root %s, want %s", h, v.Tree().Root(), m.roots[h])
	}
	state := m.states[h]
	var all [][]byte
	for _, key := range m.keys {
		all = append(all, []byte(key))
	}
	for key := range m.replay {
		all = append(all, []byte(key))
	}
	v.Prefetch(all) // whatever is in memory, on disk or gone: it must change nothing
	for _, key := range m.keys {
		got, err := v.Get([]byte(key))
		if err != nil || !bytes.Equal(got, state[key]) {
			t.Fatalf("key %q at %d is %x (%v), want %x", key, h, got, err, state[key])
		}
	}
	for key, value := range m.replay {
		record, err := ledger.DecodeRecord(value)
		if err != nil {
			t.Fatal(err)
		}
		leaf := state[string(ledger.KeyBucket(binary.BigEndian.Uint64([]byte(key)[1:])))]
		if leaf == nil || record.Height > h {
			value = nil
		}
		got, err := v.Get([]byte(key))
		if err != nil || !bytes.Equal(got, value) {
			t.Fatalf("replay record %x at %d is %x (%v), want %x", key, h, got, err, value)
		}
	}
}

// checkBlock compares the receipts of one height.
func (m *model) checkBlock(t testing.TB, s *Store, h uint64) {
	t.Helper()
	got, err := s.Receipts(h)
	same := slices.EqualFunc(got, m.records[h].Receipts, func(a, b ledger.Receipt) bool { return a.Equal(&b) })
	if err != nil || !same {
		t.Fatalf("receipts of height %d are %v (%v), want %v", h, got, err, m.records[h].Receipts)
	}
}

// checkReceipts compares the receipts of all transactions up to a height.
func (m *model) checkReceipts(t testing.TB, s *Store, head uint64) {
	t.Helper()
	check := func(id crypto.Hash, want ledger.Receipt, known bool) {
		got, ok, err := s.Receipt(id)
		if err != nil || ok != known || known && !got.Equal(&want) {
			t.Fatalf("receipt of %s at head %d is %v (%v, %v), want %v (%v)", id, head, got, ok, err, want, known)
		}
	}
	for id, receipt := range m.settled {
		if receipt.Height <= head {
			check(id, receipt, true)
		} else if refusal, ok := m.refused[id]; ok && refusal.Height <= head {
			check(id, refusal, true)
		} else {
			check(id, receipt, false)
		}
	}
	for id, refusal := range m.refused {
		if _, ok := m.settled[id]; !ok {
			check(id, refusal, refusal.Height <= head)
		}
	}
	check(crypto.Hash{9, 9, 9}, ledger.Receipt{}, false)
}

func sortChanges(changes []ledger.Change) {
	slices.SortFunc(changes, func(a, b ledger.Change) int { return bytes.Compare(a.Key, b.Key) })
}

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func openStore(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func commitRecord(t testing.TB, s *Store, r Record) {
	t.Helper()
	p, err := s.Stage(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(p); err != nil {
		t.Fatal(err)
	}
}
