package rpctest

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// Header is what a header of the ledger is made of.
type Header struct {
	Height, TimeMS uint64
	AppHash        crypto.Hash // root of the state after the height before
	Txs            [][]byte    // the block's, as an engine carries them
	LastResults    []Result    // of the block before
}

// Result is what the ledger tells an engine of one of its transactions.
type Result struct {
	Code uint32
	Data []byte
}

// Light is a signed header, and what a block's description takes from it.
type Light struct {
	Encoded  []byte
	Hash     crypto.Hash
	Proposer string
}

// ServeLight gives the ledger signed headers and a genesis document, for tests of clients that check them. make
// is called for each header that is asked for, with the ledger locked.
func (l *Ledger) ServeLight(genesis []byte, make func(Header) Light) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.genesis, l.light, l.lit = genesis, make, 0
}

// lightOf makes the header of a height above 0, of a ledger whose lock is held. Headers are made in order, so that
// each can name the one before it.
func (l *Ledger) lightOf(height uint64) Light {
	for ; l.lit < height; l.lit++ {
		l.light(l.header(l.lit + 1))
	}
	return l.light(l.header(height))
}

func (l *Ledger) header(height uint64) Header {
	b, before := &l.blocks[height], &l.blocks[height-1]
	return Header{Height: height, TimeMS: b.timeMS, AppHash: before.root, Txs: b.txs, LastResults: before.results()}
}

// pack puts transactions together as a proposer does: all but the last one go into frames, so that there are blocks
// with frames and blocks without.
func pack(txs []*ledger.Transaction) [][]byte {
	if len(txs) == 0 {
		return nil
	}
	last := len(txs) - 1
	var out [][]byte
	for framed := range slices.Chunk(txs[:last], ledger.FrameTxsMax) {
		var inner [][]byte
		for _, t := range framed {
			inner = append(inner, t.Raw)
		}
		out = append(out, ledger.EncodeFrame(inner))
	}
	return append(out, txs[last].Raw)
}

// results are what an engine is told of the block's transactions.
func (b *block) results() []Result {
	var out []Result
	receipts := b.receipts
	for _, tx := range b.txs {
		n := 1
		if ledger.IsFrame(tx) {
			inner, err := ledger.DecodeFrame(tx)
			if err != nil {
				panic("rpctest: a frame does not decode: " + err.Error())
			}
			n = len(inner)
			leaves := [][]byte{}
			for i := range receipts[:n] {
				leaves = append(leaves, receipts[i].Encode())
			}
			root := merkle.ListRoot(leaves)
			out = append(out, Result{Data: root[:]})
		} else {
			out = append(out, Result{Code: receipts[0].Code, Data: receipts[0].Encode()})
		}
		receipts = receipts[n:]
	}
	return out
}

// trees are the state tree and one for each replay bucket, as a real node has them.
type trees struct {
	state   *merkle.Map
	buckets map[uint64]*merkle.Map
	newest  proofs
}

// proofs are the trees of one height. They are never closed: tests are short.
type proofs struct {
	state   *merkle.View
	buckets map[uint64]*merkle.View
}

func newTrees() trees {
	t := trees{state: merkle.New(), buckets: map[uint64]*merkle.Map{}}
	t.state.Keep(math.MaxInt32)
	return t
}

// next adds a block's changes, and to its state the leaves of replay buckets, which a node's store writes. A
// bucket whose leaf is gone takes its records with it.
func (t *trees) next(height uint64, state map[string][]byte, changes []ledger.Change) proofs {
	out := proofs{buckets: maps.Clone(t.newest.buckets)}
	if out.buckets == nil {
		out.buckets = map[uint64]*merkle.View{}
	}
	var main []merkle.Change
	records := map[uint64][]merkle.Change{}
	for _, c := range changes {
		switch c.Key[0] {
		case ledger.PrefixRecord:
			bucket := binary.BigEndian.Uint64(c.Key[1:])
			records[bucket] = append(records[bucket], merkle.Change{Key: c.Key[9:], Value: c.Value})
		case ledger.PrefixBucket:
			drop(state, c.Key)
			main = append(main, merkle.Change(c))
		default:
			main = append(main, merkle.Change(c))
		}
	}
	for bucket, list := range records {
		view := t.record(height, bucket, list)
		leaf := ledger.Bucket{Root: view.Root(), Count: view.Len()}
		out.buckets[bucket] = view
		key := ledger.KeyBucket(bucket)
		state[string(key)] = leaf.Append(nil)
		main = append(main, merkle.Change{Key: key, Value: state[string(key)]})
	}
	t.state.Commit(t.state.Stage(height+1, main))
	out.state = t.state.Current()
	t.newest = out
	return out
}

// record adds records to a bucket's tree.
func (t *trees) record(height, bucket uint64, list []merkle.Change) *merkle.View {
	m := t.buckets[bucket]
	if m == nil {
		m = merkle.New()
		m.Keep(math.MaxInt32)
		t.buckets[bucket] = m
	}
	m.Commit(m.Stage(height+1, list))
	return m.Current()
}

// drop deletes the records of a bucket from a state.
func drop(state map[string][]byte, bucketKey []byte) {
	prefix := append([]byte{ledger.PrefixRecord}, bucketKey[1:]...)
	maps.DeleteFunc(state, func(key string, _ []byte) bool { return bytes.HasPrefix([]byte(key), prefix) })
}

// prover is a block as rpc proves it.
type prover struct{ snapshot }

var _ rpc.Prover = prover{}

// Prove implements rpc.Prover.
func (p prover) Prove(key []byte) ([]byte, error) { return app.ProveKey(p.proofs.state, key) }

// ProveRecord implements rpc.Prover.
func (p prover) ProveRecord(bucket uint64, id crypto.Hash) ([]byte, error) {
	tree := p.proofs.buckets[bucket]
	if tree == nil || p.state[string(ledger.KeyBucket(bucket))] == nil {
		return nil, nil
	}
	return app.ProveKey(tree, id[:])
}
