package app

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
)

// ErrProverBusy says that too many callers want proofs of transactions from buckets that must be rebuilt.
var ErrProverBusy = errors.New("too many proofs of old transactions are being made")

// ProvableHeight is the newest height whose state can be proven; zero if there is none yet. Its root stands in
// the header of the next block, so it is at most the one below the newest.
func (a *App) ProvableHeight() uint64 {
	view, err := a.store().TreeAt(0)
	if err != nil {
		return 0
	}
	defer view.Close()
	return view.Height()
}

// Prover reads and proves the state at one height. It does not change, and any number of goroutines may use it.
type Prover struct {
	*store.View
	app *App
}

// OpenProver opens a height for proofs; zero chooses the newest that is provable. It fails with store.ErrFuture,
// store.ErrPruned or store.ErrNoTree. The caller closes the Prover.
func (a *App) OpenProver(height uint64) (*Prover, error) {
	view, err := a.store().TreeAt(height)
	if err != nil {
		return nil, err
	}
	return &Prover{View: view, app: a}, nil
}

// Prove shows the value of a leaf, or that there is none, under the state's root: a marshalled ics23
// CommitmentProof for ics23.SmtSpec.
func (p *Prover) Prove(key []byte) ([]byte, error) { return ProveKey(p.Tree(), key) }

// ProveRecord shows a transaction's replay record, or that there is none, under the root of its bucket, which
// stands in the bucket's leaf. The proof's key is the transaction's id alone. Without a leaf there is no proof
// and no record either: the absence of the leaf is what shows it.
func (p *Prover) ProveRecord(bucket uint64, id ledger.TxID) ([]byte, error) {
	encoded, err := p.Get(ledger.KeyBucket(bucket))
	if err != nil || encoded == nil {
		return nil, err
	}
	leaf, err := ledger.DecodeBucket(encoded)
	if err != nil {
		return nil, err
	}
	tree := p.ReplayTree(bucket, leaf)
	if tree == nil {
		var done func()
		if tree, done, err = p.app.rebuilt.tree(p.View, bucket, leaf); err != nil {
			return nil, err
		}
		defer done()
	} else {
		defer tree.Close()
	}
	proof, err := ProveKey(tree, id[:])
	if err != nil {
		return nil, fmt.Errorf("prove transaction %s: %w", id, err)
	}
	return proof, nil
}

// rebuiltTrees are the trees of replay buckets that were rebuilt last. One is rebuilt at a time: it costs up to
// a third of a second of a processor, and a client that asks for many must not take more than one of them.
type rebuiltTrees struct {
	working sync.Mutex

	mu    sync.Mutex
	trees []rebuiltTree // the newest last; guarded by mu
	queue int           // callers inside tree; guarded by mu
}

// rebuiltTree is shared by whoever uses it; the garbage collector ends it.
type rebuiltTree struct {
	root crypto.Hash
	tree *merkle.View
}

const (
	// rebuiltTreesMax bounds the rebuilt trees kept: up to 80 MB each, for a bucket that is full.
	rebuiltTreesMax = 2
	// rebuiltQueueMax bounds the callers who wait for one: some seconds.
	rebuiltQueueMax = 16
	// rebuiltKeptFor is how long a rebuilt tree is kept for the next caller.
	rebuiltKeptFor = time.Minute
)

// tree finds a bucket's tree by its root, which is all that it depends on, or rebuilds it.
func (r *rebuiltTrees) tree(view *store.View, bucket uint64, leaf ledger.Bucket) (*merkle.View, func(), error) {
	if !r.join() {
		return nil, nil, ErrProverBusy
	}
	leave := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.queue--
	}
	if tree := r.find(leaf.Root); tree != nil {
		return tree, leave, nil
	}
	r.working.Lock()
	defer r.working.Unlock()
	if tree := r.find(leaf.Root); tree != nil {
		return tree, leave, nil
	}
	tree, err := view.RebuildReplayTree(bucket, leaf)
	if err != nil {
		leave()
		return nil, nil, err
	}
	r.keep(leaf.Root, tree)
	return tree, leave, nil
}

func (r *rebuiltTrees) join() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queue == rebuiltQueueMax {
		return false
	}
	r.queue++
	return true
}

func (r *rebuiltTrees) find(root crypto.Hash) *merkle.View {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.trees {
		if t.root == root {
			return t.tree
		}
	}
	return nil
}

func (r *rebuiltTrees) keep(root crypto.Hash, tree *merkle.View) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.trees) == rebuiltTreesMax {
		r.trees = r.trees[1:]
	}
	r.trees = append(r.trees[:len(r.trees):len(r.trees)], rebuiltTree{root, tree})
	time.AfterFunc(rebuiltKeptFor, func() { r.drop(root) })
}

func (r *rebuiltTrees) drop(root crypto.Hash) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var kept []rebuiltTree
	for _, t := range r.trees {
		if t.root != root {
			kept = append(kept, t)
		}
	}
	r.trees = kept
}
