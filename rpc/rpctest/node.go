package rpctest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// Node is one node of a Ledger, as rpc.Backend sees it. By default it has all blocks at once; Hold makes it
// stay behind.
type Node struct {
	ledger *Ledger
	name   string

	mu      sync.Mutex // guards everything below
	held    uint64     // shows no later height; 0: shows all
	first   uint64     // oldest height it keeps
	poolMax int        // takes so many transactions at once; 0: any number
	adjust  func(*rpc.Status)
	unheard bool // hears of no other validator, and attests nothing
	rows    []rpc.TripsRow
}

var _ rpc.Backend = (*Node)(nil)

// Node makes a node that serves the ledger.
func (l *Ledger) Node(name string) *Node { return &Node{ledger: l, name: name} }

// Hold lets the node show no height beyond the given one; 0 lets it show all.
func (n *Node) Hold(height uint64) { n.set(func() { n.held = height }) }

// KeepFrom lets the node forget the states before the height.
func (n *Node) KeepFrom(height uint64) { n.set(func() { n.first = height }) }

// PoolMax lets the node hold at most so many waiting transactions.
func (n *Node) PoolMax(txs int) { n.set(func() { n.poolMax = txs }) }

// Adjust changes what the node says of itself.
func (n *Node) Adjust(f func(*rpc.Status)) { n.set(func() { n.adjust = f }) }

func (n *Node) set(change func()) {
	n.mu.Lock()
	change()
	n.mu.Unlock()
	n.ledger.mu.Lock()
	defer n.ledger.mu.Unlock()
	close(n.ledger.changed)
	n.ledger.changed = make(chan struct{})
}

// height is the newest height the node shows, of a ledger whose lock is held.
func (n *Node) height() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	head := n.ledger.head().height
	if n.held > 0 {
		head = min(head, n.held)
	}
	return head
}

func (n *Node) oldest() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.first
}

func (n *Node) full(pool int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.poolMax > 0 && pool >= n.poolMax
}

// Submit implements rpc.Backend.
func (n *Node) Submit(_ context.Context, raws [][]byte) []rpc.SubmitResult {
	l := n.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	results := make([]rpc.SubmitResult, len(raws))
	for i, raw := range raws {
		results[i] = n.take(raw)
	}
	if l.instant && len(l.pool) > 0 {
		l.seal(blockStepMS)
	}
	return results
}

func (n *Node) take(raw []byte) rpc.SubmitResult {
	l := n.ledger
	t, err := l.check(raw)
	var result rpc.SubmitResult
	if t != nil {
		result.TxID = t.ID
	}
	var rejected *ledger.Reject
	switch {
	case errors.As(err, &rejected):
		result.Code, result.Detail = rejected.Code, rejected.Detail
		result.Known = rejected.Code == ledger.CodeDuplicate
	case l.pooled[t.ID]:
		result.Known = true
	case n.full(len(l.pool)):
		result.Code = ledger.CodePoolFull
	default:
		l.pool, l.pooled[t.ID] = append(l.pool, t), true
	}
	return result
}

// check is what a node does with a transaction before it takes it in.
func (l *Ledger) check(raw []byte) (*ledger.Transaction, error) {
	t, err := ledger.DecodeTransaction(raw)
	if err != nil {
		return nil, err
	}
	if err := t.CheckChain(l.ChainID); err != nil {
		return t, err
	}
	for _, s := range t.Signed(l.Genesis) {
		if !crypto.Verify(s.Type, s.Public, s.Message, s.Signature) {
			return t, &ledger.Reject{Code: ledger.CodeBadSignature}
		}
	}
	return t, ledger.Precheck(l.head(), t, l.head().timeMS+1)
}

// Simulate implements rpc.Backend.
func (n *Node) Simulate(_ context.Context, raw []byte) (rpc.TxStatus, error) {
	l := n.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	t, err := l.check(raw)
	if err != nil {
		return rpc.TxStatus{}, err
	}
	head := l.head()
	out, err := ledger.Execute(head, ledger.Block{Height: head.height + 1, TimeMS: head.timeMS + 1, Txs: []*ledger.Transaction{t}})
	if err != nil {
		return rpc.TxStatus{}, err
	}
	return rpc.DecidedStatus(out.Receipts[0]), nil
}

// Outcome implements rpc.Backend.
func (n *Node) Outcome(ctx context.Context, id crypto.Hash, wait bool) (rpc.TxStatus, error) {
	l := n.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if r, ok := l.decided[id]; ok && r.Height <= n.height() {
			return rpc.DecidedStatus(r), nil
		}
		status := rpc.TxStatus{TxID: id, Status: rpc.StatusUnknown}
		if l.pooled[id] {
			status.Status = rpc.StatusPending
		}
		if !wait || !l.wait(ctx) {
			return status, nil
		}
	}
}

// wait lets go of the lock until something changed or the context ends.
func (l *Ledger) wait(ctx context.Context) bool {
	changed := l.changed
	l.mu.Unlock()
	defer l.mu.Lock()
	select {
	case <-changed:
		return true
	case <-ctx.Done():
		return false
	}
}

// Read implements rpc.Backend.
func (n *Node) Read(ctx context.Context, o rpc.ReadOptions) (rpc.Snapshot, error) {
	l := n.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for n.height() < o.MinHeight {
		if !l.wait(ctx) {
			return nil, rpc.ErrBehind(o.MinHeight, n.height())
		}
	}
	b, err := n.at(o.Height)
	if err != nil {
		return nil, err
	}
	return snapshot{b}, nil
}

// Pending implements rpc.Backend: all transactions that wait are at every node.
func (n *Node) Pending(ctx context.Context, name ledger.EntryName, minHeight uint64) (rpc.Snapshot, []*ledger.Transaction, bool, error) {
	snap, err := n.Read(ctx, rpc.ReadOptions{MinHeight: minHeight})
	if err != nil {
		return nil, nil, false, err
	}
	l := n.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	var txs []*ledger.Transaction
	for _, t := range l.pool {
		if slices.Contains(t.Merges(), name) {
			txs = append(txs, t)
		}
	}
	return snap, txs, true, nil
}

// Equivocations implements rpc.Backend: those among the transactions that wait.
func (n *Node) Equivocations(context.Context) ([][2]*ledger.Transaction, error) {
	l := n.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	var out [][2]*ledger.Transaction
	for i, a := range l.pool {
		for _, b := range l.pool[:i] {
			if ledger.Equivocate(a, b) {
				out = append(out, [2]*ledger.Transaction{a, b})
			}
		}
	}
	return out, nil
}

// Prove implements rpc.Backend.
func (n *Node) Prove(ctx context.Context, o rpc.ReadOptions) (rpc.Prover, error) {
	l := n.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if o.Height > 0 && o.Height == n.height() {
		o.MinHeight = max(o.MinHeight, o.Height)
	}
	for o.MinHeight > 0 && n.height() <= o.MinHeight {
		if !l.wait(ctx) {
			return nil, rpc.ErrProofBehind(o.MinHeight, max(n.height(), 1)-1)
		}
	}
	newest := max(n.height(), 1) - 1
	if o.Height == 0 {
		o.Height = newest
	}
	switch first := max(n.oldest(), 1); {
	case newest == 0:
		return nil, rpc.ErrNothingProvable()
	case o.Height > newest:
		return nil, rpc.ErrUnproven(o.Height, newest)
	case o.Height < first:
		return nil, rpc.ErrUnprovable(o.Height, first)
	}
	return prover{snapshot{&l.blocks[o.Height]}}, nil
}

// Light implements rpc.Backend, once ServeLight was called.
func (n *Node) Light(_ context.Context, height uint64) (rpc.LightBlock, error) {
	l := n.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	b, err := n.at(height)
	if err != nil {
		return rpc.LightBlock{}, err
	}
	if l.light == nil || b.height == 0 {
		return rpc.LightBlock{}, rpc.NewError(ledger.CodeNotFound, "There are no headers here.")
	}
	return rpc.LightBlock{Height: b.height, Light: l.lightOf(b.height).Encoded}, nil
}

// Genesis implements rpc.Backend, once ServeLight was called.
func (n *Node) Genesis(context.Context) ([]byte, error) {
	n.ledger.mu.Lock()
	defer n.ledger.mu.Unlock()
	return n.ledger.genesis, nil
}

// at finds a block; 0 is the newest.
func (n *Node) at(height uint64) (*block, error) {
	head := n.height()
	if height == 0 {
		height = head
	}
	if height > head {
		return nil, rpc.ErrFuture(height, head)
	}
	if first := n.oldest(); height < first {
		return nil, rpc.ErrPruned(height, first)
	}
	return &n.ledger.blocks[height], nil
}

// snapshot is a block as rpc reads it.
type snapshot struct{ *block }

func (s snapshot) Height() uint64    { return s.height }
func (s snapshot) TimeMS() uint64    { return s.timeMS }
func (s snapshot) Root() crypto.Hash { return s.root }
func (s snapshot) Close()            {}

// Block implements rpc.Backend.
func (n *Node) Block(_ context.Context, height uint64, receipts bool) (rpc.Block, error) {
	n.ledger.mu.Lock()
	defer n.ledger.mu.Unlock()
	b, err := n.at(height)
	if err != nil {
		return rpc.Block{}, err
	}
	out := n.ledger.describe(b)
	if receipts {
		out.Receipts = rpc.ReceiptsOf(b.receipts)
	}
	return out, nil
}

func (l *Ledger) describe(b *block) rpc.Block {
	out := rpc.Block{Height: b.height, Hash: crypto.Sum(b.root[:]), TimeMS: b.timeMS, AppHash: b.root, TxCount: len(b.receipts)}
	if l.light != nil && b.height > 0 {
		light := l.lightOf(b.height)
		out.Hash, out.Proposer = light.Hash, light.Proposer
	}
	return out
}

// Contents implements rpc.Backend.
func (n *Node) Contents(_ context.Context, height uint64) (rpc.Block, [][]byte, error) {
	n.ledger.mu.Lock()
	defer n.ledger.mu.Unlock()
	b, err := n.at(height)
	if err != nil {
		return rpc.Block{}, nil, err
	}
	out := n.ledger.describe(b)
	out.Receipts = rpc.ReceiptsOf(b.receipts)
	var raws [][]byte
	for _, tx := range b.txs {
		inner := [][]byte{tx}
		if ledger.IsFrame(tx) {
			inner, _ = ledger.DecodeFrame(tx) // made by pack
		}
		raws = append(raws, inner...)
	}
	return out, raws, nil
}

// ProveBlock implements rpc.Backend.
func (n *Node) ProveBlock(ctx context.Context, height uint64) (rpc.Block, error) {
	l := n.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if height == 0 {
		height = max(n.height(), 1) - 1
	}
	if height == 0 {
		return rpc.Block{}, rpc.ErrNothingProvable()
	}
	for height == n.height() {
		if !l.wait(ctx) {
			return rpc.Block{}, rpc.ErrUnproven(height, height-1)
		}
	}
	b, err := n.at(height)
	if err != nil {
		return rpc.Block{}, err
	}
	out := l.describe(b)
	out.Receipts = rpc.ReceiptsOf(b.receipts)
	out.Proof = rpc.ProveBlock(b.txs, out.Receipts)
	return out, nil
}

// Status implements rpc.Backend.
func (n *Node) Status(context.Context) (rpc.Status, error) {
	n.ledger.mu.Lock()
	b, err := n.at(0)
	pool := len(n.ledger.pool)
	n.ledger.mu.Unlock()
	if err != nil {
		return rpc.Status{}, err
	}
	s := rpc.Status{
		Node: n.name, ChainID: n.ledger.ChainID, GenesisHash: n.ledger.Genesis, Version: "test", Height: b.height, AppHash: b.root,
		BlockTime:  time.UnixMilli(int64(b.timeMS)).UTC().Format(time.RFC3339Nano),
		BlockAgeMS: 100, Partition: rpc.PartitionOK, Peers: 3, Validators: 4, Reachable: 40, TotalPower: 40, PoolTxs: pool, CPUSeconds: 1, RSSBytes: 1 << 20, UptimeS: 60,
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.adjust != nil {
		n.adjust(&s)
	}
	return s, nil
}
