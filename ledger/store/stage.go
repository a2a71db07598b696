package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
)

// Pending is a record whose effect is computed and not durable. It ends with Commit or Discard.
type Pending struct {
	stagedRecord
	generation uint64
	tree       *merkle.Map
	staged     *merkle.Staged
	buckets    []stagedBucket
	drops      []uint64 // buckets whose leaf the record deletes
	ended      bool
}

// stagedRecord is a record as it will be written: what the store itself derived is part of the changes.
type stagedRecord struct {
	head     Head
	state    []ledger.Change // of the state tree, bucket leaves included, in key order
	replay   []ledger.Change // new replay records, in key order
	receipts []ledger.Receipt
	touched  [][]crypto.Address
}

// stagedBucket is a bucket that gets new records.
type stagedBucket struct {
	number  uint64
	records *merkle.Map
	fresh   bool // there was no such bucket before
	staged  *merkle.Staged
}

// Root is the root the state will have.
func (p *Pending) Root() crypto.Hash { return p.staged.Root() }

// Stage computes what a record does to the current state, replay buckets included, and writes nothing.
// Several records may be staged on one state; one of them can be committed, after which the others can only
// be discarded. The record's slices must not change before then.
func (s *Store) Stage(r Record) (*Pending, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.usable(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	tree, parent, durable, params := s.main, s.current().Head, s.durable, s.params
	s.mu.RUnlock()
	switch {
	case !durable && s.genesis == nil:
		panic(fmt.Sprintf("store: stage height %d before Init", r.Height))
	case durable && r.Height != parent.Height+1, r.Height == 0:
		panic(fmt.Sprintf("store: stage height %d on height %d", r.Height, parent.Height))
	}
	return s.stage(tree, r, parent.Genesis, params), nil
}

// stage needs writing.
func (s *Store) stage(tree *merkle.Map, r Record, genesis crypto.Hash, params *ledger.Params) *Pending {
	checkRecord(r)
	p := &Pending{generation: s.generation, tree: tree}
	from, to := replaySpan(r.Changes)
	p.replay = r.Changes[from:to]
	p.receipts, p.touched = r.Receipts, r.Touched
	p.drops = droppedBuckets(r.Changes[to:])
	leaves := s.stageBuckets(p, r, params)
	p.state = slices.Concat(r.Changes[:from], mergeChanges(r.Changes[to:], leaves))
	p.staged = tree.Stage(treeNumber(r.Height), s.treeChanges(p.state))
	s.forgetScratch()
	p.head = Head{Height: r.Height, TimeMS: r.TimeMS, Root: p.staged.Root(), Genesis: genesis, Format: Format}
	return p
}

// checkRecord panics at a record that no correct caller makes: silently storing it would give this replica
// a state of its own.
func checkRecord(r Record) {
	for i, c := range r.Changes {
		switch {
		case i > 0 && bytes.Compare(r.Changes[i-1].Key, c.Key) >= 0:
			panic(fmt.Sprintf("store: changes of height %d are not in key order at %x", r.Height, c.Key))
		case len(c.Key) == 0 || c.Value != nil && len(c.Value) == 0:
			panic(fmt.Sprintf("store: empty key or value at height %d: key %x", r.Height, c.Key))
		case len(c.Value) > valueBytesMax || len(c.Key) > merkle.KeyBytesMax:
			panic(fmt.Sprintf("store: key of %d and value of %d bytes at height %d", len(c.Key), len(c.Value), r.Height))
		case c.Key[0] == ledger.PrefixRecord && (len(c.Key) != replayLeafLen || c.Value == nil):
			panic(fmt.Sprintf("store: replay record %x at height %d", c.Key, r.Height))
		case c.Key[0] == ledger.PrefixBucket && (len(c.Key) != bucketLeafLen || c.Value != nil):
			panic(fmt.Sprintf("store: bucket leaf %x written at height %d: only the store writes them", c.Key, r.Height))
		}
	}
	if n := len(r.Touched); n > 0 && n != len(r.Receipts) {
		panic(fmt.Sprintf("store: height %d has %d lists of touched accounts for %d receipts", r.Height, n, len(r.Receipts)))
	}
	for i := range r.Receipts {
		if len(r.Receipts[i].Txid) != crypto.HashSize {
			panic(fmt.Sprintf("store: receipt %d of height %d names no transaction", i, r.Height))
		}
	}
}

// Lengths of the keys whose subjects are buckets.
const (
	replayLeafLen = 1 + 8 + crypto.HashSize
	bucketLeafLen = 1 + 8
)

// replaySpan finds the replay records among sorted changes.
func replaySpan(changes []ledger.Change) (from, to int) {
	for from < len(changes) && changes[from].Key[0] < ledger.PrefixRecord {
		from++
	}
	to = from
	for to < len(changes) && changes[to].Key[0] == ledger.PrefixRecord {
		to++
	}
	return from, to
}

// droppedBuckets lists the buckets whose leaves the changes delete.
func droppedBuckets(changes []ledger.Change) []uint64 {
	var out []uint64
	for _, c := range changes {
		if c.Key[0] == ledger.PrefixBucket {
			out = append(out, binary.BigEndian.Uint64(c.Key[1:]))
		}
	}
	return out
}

// stageBuckets stages the new replay records in their buckets and returns the leaves that result.
func (s *Store) stageBuckets(p *Pending, r Record, params *ledger.Params) []ledger.Change {
	var leaves []ledger.Change
	for rest := p.replay; len(rest) > 0; {
		number := binary.BigEndian.Uint64(rest[0].Key[1:])
		n := 1
		for n < len(rest) && binary.BigEndian.Uint64(rest[n].Key[1:]) == number {
			n++
		}
		if params != nil && params.BucketEndMS(number) <= r.TimeMS {
			panic(fmt.Sprintf("store: height %d writes into replay bucket %d, whose time is over", r.Height, number))
		}
		b := s.openBucket(number)
		before := b.records.Stats().Leaves
		b.staged = b.records.Stage(r.Height, s.replayChanges(rest[:n]))
		if b.staged.Len() != before+uint64(n) {
			panic(fmt.Sprintf("store: height %d writes a replay record of bucket %d a second time", r.Height, number))
		}
		p.buckets = append(p.buckets, b)
		leaf := ledger.Bucket{Root: b.staged.Root(), Count: b.staged.Len()}
		leaves = append(leaves, ledger.Change{Key: ledger.KeyBucket(number), Value: leaf.Append(nil)})
		rest = rest[n:]
	}
	return leaves
}

// openBucket returns a bucket to stage records in.
func (s *Store) openBucket(number uint64) stagedBucket {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b := s.buckets[number]
	switch {
	case b == nil:
		return stagedBucket{number: number, records: merkle.New(), fresh: true}
	case b.records == nil || b.dropped > 0:
		panic(fmt.Sprintf("store: new replay record in bucket %d, which is frozen", number))
	}
	return stagedBucket{number: number, records: b.records}
}

// replayChanges are the changes of a bucket's own tree, whose keys are the transactions alone.
func (s *Store) replayChanges(changes []ledger.Change) []merkle.Change {
	s.scratch = s.scratch[:0]
	for _, c := range changes {
		s.scratch = append(s.scratch, merkle.Change{Key: c.Key[replayLeafLen-crypto.HashSize:], Value: c.Value})
	}
	return s.scratch
}

// treeChanges are changes as the tree takes them. The result is valid until the next call.
func (s *Store) treeChanges(changes []ledger.Change) []merkle.Change {
	s.scratch = s.scratch[:0]
	for _, c := range changes {
		s.scratch = append(s.scratch, merkle.Change(c))
	}
	return s.scratch
}

// scratchMax is as many changes as large blocks have. Genesis may have a million, once.
const scratchMax = 1 << 16

// forgetScratch lets go of the changes that were staged, and of the room for them if that is unusually large.
func (s *Store) forgetScratch() {
	if cap(s.scratch) > scratchMax {
		s.scratch = nil
	}
	clear(s.scratch[:cap(s.scratch)])
}

// mergeChanges joins two sorted lists.
func mergeChanges(a, b []ledger.Change) []ledger.Change {
	if len(b) == 0 {
		return a
	}
	out := slices.Concat(a, b)
	slices.SortFunc(out, func(x, y ledger.Change) int { return bytes.Compare(x.Key, y.Key) })
	for i := 1; i < len(out); i++ {
		if bytes.Equal(out[i-1].Key, out[i].Key) {
			panic(fmt.Sprintf("store: leaf %x is written and deleted by one record", out[i].Key))
		}
	}
	return out
}
