package store

import (
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
)

// Init makes the outcome of a genesis document the current state, as height 0, and returns its root. It
// writes nothing: the state becomes durable together with the first Commit, and until then there is no
// head. An engine that crashed before that calls Init again.
func (s *Store) Init(genesis crypto.Hash, out ledger.Outcome, timeMS uint64) (crypto.Hash, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.usable(); err != nil {
		return crypto.Hash{}, err
	}
	if head, ok := s.Head(); ok {
		return crypto.Hash{}, fmt.Errorf("initialise the store: it holds height %d already", head.Height)
	}
	if want := s.options.Genesis; !want.IsZero() && genesis != want {
		return crypto.Hash{}, fmt.Errorf("initialise the store: it was opened for genesis %s, not %s", want, genesis)
	}
	s.generation++ // whatever was staged before has lost its parent
	tree := merkle.New()
	p := s.stage(tree, Record{TimeMS: timeMS, Changes: out.Changes}, genesis, nil)
	if len(p.replay) > 0 {
		return crypto.Hash{}, errors.New("initialise the store: a genesis state holds no replay records")
	}
	params, err := changedParams(p.state, nil)
	if err != nil {
		return crypto.Hash{}, fmt.Errorf("initialise the store: %w", err)
	}
	tree.Keep(s.options.KeepVersions)
	tree.Commit(p.staged)
	s.genesis = &p.stagedRecord

	s.mu.Lock()
	defer s.mu.Unlock()
	s.main = tree
	s.recent = []version{{Head: p.head, number: treeNumber(0)}}
	s.buckets = make(map[uint64]*bucket)
	s.params = params
	return p.head.Root, nil
}

// Commit makes a pending record durable and current. When it returns without error, the record survives any
// crash. ErrDiskFull means that nothing happened; after any other error the store must be opened again,
// since the record may be on disk or not.
func (s *Store) Commit(p *Pending) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if p.ended || p.generation != s.generation {
		panic(fmt.Sprintf("store: commit of height %d, which ended or was staged on another state", p.head.Height))
	}
	if err := s.usable(); err != nil {
		return err
	}
	if err := s.disk.check(); err != nil {
		return fmt.Errorf("commit height %d: %w", p.head.Height, err)
	}
	params, err := changedParams(p.state, s.params) // only holders of writing change it
	if err != nil {
		return fmt.Errorf("commit height %d: %w", p.head.Height, err)
	}
	size, err := s.writeRecord(p)
	if err != nil {
		s.fail(fmt.Errorf("an earlier commit failed: %w", err))
		return fmt.Errorf("commit height %d: %w", p.head.Height, err)
	}
	p.ended = true
	s.generation++
	s.genesis = nil
	s.publish(p, params, size)
	return nil
}

// Discard gives up a pending record.
func (s *Store) Discard(p *Pending) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if p.ended {
		panic(fmt.Sprintf("store: discard of height %d, which ended", p.head.Height))
	}
	p.ended = true
	p.tree.Discard(p.staged)
	for _, b := range p.buckets {
		b.records.Discard(b.staged)
	}
}

// writeRecord writes the change record and the head, and before the first of all the genesis state. It
// returns the record's size.
//
// One transaction does if it can hold everything: a crash leaves all of it or nothing. Otherwise the chunks
// go first and the heads last: a crash in between leaves chunks above the head, which nobody reads. The same
// block then writes the same bytes under the same keys; another one uses other keys, and these go when the
// height is dropped.
func (s *Store) writeRecord(p *Pending) (uint64, error) {
	var chunks, heads []*badger.Entry
	var size uint64
	for _, r := range []*stagedRecord{s.genesis, &p.stagedRecord} {
		if r == nil {
			continue
		}
		if r == s.genesis {
			heads = append(heads, badger.NewEntry(markKey(0), nil))
		}
		e, entries := r.encode()
		chunks = append(chunks, entries...)
		heads = append(heads, badger.NewEntry(headKey(e.Height), e.encode()))
		size += e.Bytes
	}
	if all := append(chunks, heads...); s.fits(all) {
		return size, s.commitOne("commit", putTime, all)
	}
	if err := s.commitMany("commit.chunks", putTime, chunks); err != nil {
		return 0, err
	}
	return size, s.commitOne("commit.head", putTime, heads)
}

// encode turns a record into its head entry and the entries of its chunks.
func (r *stagedRecord) encode() (headEntry, []*badger.Entry) {
	e := headEntry{Head: r.head}
	var entries []*badger.Entry
	for section, chunks := range [sections][][]byte{
		sectionState:    encodeChanges(r.state),
		sectionReplay:   encodeChanges(r.replay),
		sectionReceipts: encodeReceipts(r.receipts),
		sectionTouched:  encodeTouched(r.state, r.touched),
	} {
		e.Chunks[section] = uint32(len(chunks))
		if section == sectionState {
			e.Firsts = firstKeys(chunks)
		}
		for i, chunk := range chunks {
			key := recordKey(r.head.Height, r.head.Root, byte(section), uint32(i))
			entries = append(entries, badger.NewEntry(key, chunk))
			e.Bytes += uint64(len(chunk))
		}
	}
	return e, entries
}

// firstKeys are the first keys of chunks that were just encoded.
func firstKeys(chunks [][]byte) [][]byte {
	out := make([][]byte, 0, len(chunks))
	for _, chunk := range chunks {
		key, _, _, err := nextItem(chunk)
		if err != nil {
			panic("store: a chunk just encoded does not decode: " + err.Error())
		}
		out = append(out, key)
	}
	return out
}

// publish makes a durable record the current state. Readers wait only for the pointers at the end.
func (s *Store) publish(p *Pending, params *ledger.Params, size uint64) {
	next := version{Head: p.head, number: treeNumber(p.head.Height), bytes: size}
	recent := s.window(append(s.recent[:len(s.recent):len(s.recent)], next))
	p.tree.Keep(len(recent))
	p.tree.Commit(p.staged)
	for _, b := range p.buckets {
		b.records.Commit(b.staged)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	s.recent = recent
	s.durable = true
	s.params = params
	s.unfolded += size
	s.histories.pending += size
	for _, b := range p.buckets {
		if b.fresh {
			s.buckets[b.number] = &bucket{number: b.number, records: b.records, first: p.head.Height}
		}
	}
	for _, number := range p.drops {
		if b := s.buckets[number]; b != nil {
			b.dropped = p.head.Height
		}
	}
	if len(p.receipts) > 0 {
		s.blocks = append(s.blocks, &receiptBlock{height: p.head.Height, receipts: p.receipts})
	}
}

// window takes the oldest versions off until the rest is within the bounds of what stays in memory. Two
// always stay: a reader of the one before the newest must not lose it to a large block.
func (s *Store) window(recent []version) []version {
	var bytes uint64
	for _, v := range recent {
		bytes += v.bytes
	}
	for len(recent) > 2 && (len(recent) > s.options.KeepVersions || bytes > s.options.KeepBytes) {
		bytes -= recent[0].bytes
		recent = recent[1:]
	}
	return recent
}

// changedParams are the parameters after some changes.
func changedParams(changes []ledger.Change, before *ledger.Params) (*ledger.Params, error) {
	key := string(ledger.KeyParams())
	for _, c := range changes {
		if string(c.Key) != key {
			continue
		}
		if c.Value == nil {
			return nil, errors.New("the parameters are deleted")
		}
		params, err := ledger.DecodeParams(c.Value)
		return &params, err
	}
	return before, nil
}
