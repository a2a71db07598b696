package app

import (
	"context"
	"errors"
	"slices"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
)

// Admission is what became of a transaction that somebody offered.
type Admission struct {
	ID ledger.TxID
	// Code is zero when the transaction waits for a block, and otherwise says why it does not.
	Code   ledger.Code
	Detail string
	// Known: it was known before. With code zero it waits here already; with CodeDuplicate it is in a block,
	// and its outcome can be asked for. Offering a transaction again is no mistake.
	Known bool
}

// refused is the admission of a transaction that is wrong, or that this node cannot judge.
func refused(id ledger.TxID, err error) Admission {
	var reject *ledger.Reject
	if errors.As(err, &reject) {
		return Admission{ID: id, Code: reject.Code, Detail: reject.Detail, Known: reject.Code == ledger.CodeDuplicate}
	}
	return Admission{ID: id, Code: ledger.CodeInternal}
}

// clientKey is the context key of a client's name.
type clientKey struct{}

// WithClient names the client on whose behalf Submit is called, for example by its network address. A
// client that sends a bad signature is verified apart from the others for some time.
func WithClient(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, clientKey{}, id)
}

// Submit takes transactions from a client of this node and waits until their signatures are verified. Those
// with code zero are pooled, gossiped and offered again until they are in a block or their validity ends.
func (a *App) Submit(ctx context.Context, raws [][]byte) []Admission {
	if code := a.closedTo(true); code != ledger.CodeOK {
		out := make([]Admission, len(raws))
		for i := range out {
			out[i] = Admission{Code: code}
		}
		return out
	}
	by, err := a.newJudge()
	if err != nil {
		out := make([]Admission, len(raws))
		for i := range out {
			out[i] = Admission{Code: ledger.CodeInternal}
		}
		return out
	}
	defer by.view.Close()
	j := &job{lane: laneLocal, local: true, done: make(chan struct{})}
	var place []int // of each candidate among raws
	txs, out := a.decode(raws, by)
	for i, t := range txs {
		if t != nil {
			j.txs = append(j.txs, &candidate{key: crypto.Sum(t.Raw), tx: t, local: true, single: a.options.FrameTxs == 1})
			place = append(place, i)
		}
	}
	offered := slices.Clone(j.txs)
	if len(offered) > 0 {
		a.await(ctx, j, offered)
	}
	for k, c := range offered {
		out[place[k]] = c.verdict
	}
	a.observeRefusals(out)
	return out
}

// await queues a job of a local client and waits for the verdicts on what was offered.
func (a *App) await(ctx context.Context, j *job, offered []*candidate) {
	client, _ := ctx.Value(clientKey{}).(string)
	if a.suspects.has(client, a.options.Now()) {
		j.lane = laneSingle
	}
	n := a.queueLocal(j)
	for _, c := range offered[n:] {
		c.verdict = Admission{ID: c.tx.ID, Code: ledger.CodePoolFull}
	}
	if n == 0 {
		return
	}
	select {
	case <-j.done:
		if j.bad {
			a.suspects.add(client, a.options.Now())
		}
		return
	case <-ctx.Done():
	case <-a.closed:
	}
	// The job goes on without its caller: what it holds is the worker's.
	for i, c := range offered[:n] {
		offered[i] = &candidate{verdict: Admission{ID: c.tx.ID, Code: ledger.CodeTimeout}}
	}
}

// CheckTx takes one transaction from the engine's RPC. It never waits: code zero means that the transaction
// was put into the queue, and a signature that does not verify drops it from there.
func (a *App) CheckTx(raw []byte) Admission {
	out := a.checkTx(raw)
	if out.Code != ledger.CodeOK {
		a.observer.Refused(out.Code, 1)
	}
	return out
}

func (a *App) checkTx(raw []byte) Admission {
	if code := a.closedTo(true); code != ledger.CodeOK {
		return Admission{Code: code}
	}
	by, err := a.newJudge()
	if err != nil {
		return Admission{Code: ledger.CodeInternal}
	}
	defer by.view.Close()
	txs, verdicts := a.decode([][]byte{raw}, by)
	t, out := txs[0], verdicts[0]
	if t == nil {
		return out
	}
	c := &candidate{key: crypto.Sum(t.Raw), tx: t, local: true, single: true}
	j := &job{lane: laneEngine, local: true, txs: []*candidate{c}, done: make(chan struct{})}
	if a.queueLocal(j) == 0 {
		out.Code = ledger.CodePoolFull
	}
	return out
}

// Insert takes a transaction or a frame from another validator. It bounds, splits and queues it, nothing
// more: it is called where the engine also receives votes.
func (a *App) Insert(raw []byte) ledger.Code {
	code := a.insert(raw)
	if code != ledger.CodeOK {
		a.observer.Refused(code, 1)
	}
	return code
}

func (a *App) insert(raw []byte) ledger.Code {
	j := &job{lane: lanePeer, frame: [][]byte{raw}, done: make(chan struct{})}
	if ledger.IsFrame(raw) {
		txs, err := ledger.DecodeFrame(raw)
		if err != nil {
			return refused(ledger.TxID{}, err).Code
		}
		j.frame, j.framed = txs, true
	} else if len(raw) == 0 || len(raw) > ledger.TxBytesMax {
		return ledger.CodeTooLarge
	}
	if code := a.closedTo(false); code != ledger.CodeOK {
		return code
	}
	j.room = claim{len(j.frame), len(raw)}
	if !a.pool.claimAll(j.room) {
		return ledger.CodePoolFull
	}
	if !a.verification.enqueue(j, a.pool.options.TxsMax) {
		a.pool.release(j)
		return ledger.CodePoolFull
	}
	return ledger.CodeOK
}

// closedTo says why the node takes no transactions at all, if so: asked before anything is decoded, it makes
// turning away a flood cheap.
func (a *App) closedTo(local bool) ledger.Code {
	switch {
	case a.store().DiskLow():
		return ledger.CodeDiskLow
	case !a.ready.Load():
		return ledger.CodeSyncing
	case local && a.pool.full():
		return ledger.CodePoolFull
	}
	return ledger.CodeOK
}

// queueLocal claims room for a client's transactions and queues as many, in order, as there is room for.
func (a *App) queueLocal(j *job) (n int) {
	n, j.room = a.pool.claimFirst(j.txs)
	if j.txs = j.txs[:n]; n == 0 {
		return 0
	}
	if !a.verification.enqueue(j, a.laneTxsMax(j.lane)) {
		a.pool.release(j)
		j.txs = nil
		return 0
	}
	return n
}

// laneTxsMax bounds what a client's lane holds. What is in one of them must not use up the room of the others:
// the single lane is slow, and anybody can fill that of the engine's RPC, where nobody has a name.
func (a *App) laneTxsMax(lane int) int {
	switch lane {
	case laneSingle:
		return max(1, a.pool.options.LocalTxsMax/8)
	case laneEngine:
		return max(1, a.pool.options.LocalTxsMax/2)
	}
	return a.pool.options.TxsMax
}

// judge says what the state and the clock say of transactions. One goroutine uses it, while the view is open.
type judge struct {
	view    *store.View
	checker *ledger.Prechecker
}

// newJudge opens the newest state. Block time is a median over the validators; a node whose own clock is
// behind it does not know better.
func (a *App) newJudge() (*judge, error) {
	view := a.store().View()
	now := uint64(max(0, a.options.Now().UnixMilli()))
	checker, err := ledger.NewPrechecker(view, max(now, view.TimeMS()))
	if err != nil {
		view.Close()
		a.log.Error("cannot judge transactions by the state", "height", view.Height(), "error", err)
		return nil, err
	}
	return &judge{view, checker}, nil
}

// check judges a transaction. One whose turn in its lane has not come yet is kept: its predecessors may be
// on their way.
func (j *judge) check(t *ledger.Transaction) error {
	err := j.checker.Check(t)
	var reject *ledger.Reject
	if errors.As(err, &reject) && reject.Code == ledger.CodeLaneGap {
		return nil
	}
	return err
}

// decode makes transactions of what somebody offered and judges them by the state. A transaction is nil if there
// is nothing left to do for it: then its admission is final.
func (a *App) decode(raws [][]byte, by *judge) ([]*ledger.Transaction, []Admission) {
	txs, out := make([]*ledger.Transaction, len(raws)), make([]Admission, len(raws))
	asked := make([]*ledger.Transaction, 0, len(raws))
	for i, raw := range raws {
		if txs[i], out[i] = a.decodeOne(raw); txs[i] != nil {
			asked = append(asked, txs[i])
		}
	}
	by.checker.Prefetch(asked)
	for i, t := range txs {
		if t == nil {
			continue
		}
		if err := by.check(t); err != nil {
			txs[i], out[i] = nil, refused(t.ID, err)
		}
	}
	return txs, out
}

// decodeOne is the part of decode that does not look at the state.
func (a *App) decodeOne(raw []byte) (*ledger.Transaction, Admission) {
	if len(raw) > ledger.TxBytesMax {
		return nil, Admission{Code: ledger.CodeTooLarge}
	}
	// A copy of its own: the transaction aliases its bytes, and would keep a whole batch or frame in memory.
	t, err := ledger.DecodeTransaction(append([]byte(nil), raw...))
	if err != nil {
		return nil, refused(ledger.TxID{}, err)
	}
	if err := t.CheckChain(a.genesis.ChainID); err != nil {
		return nil, refused(t.ID, err)
	}
	switch a.pool.standing(t) {
	case standingPooled:
		return nil, Admission{ID: t.ID, Known: true}
	case standingOver:
		return nil, Admission{ID: t.ID, Code: ledger.CodeAccountQuota}
	}
	return t, Admission{ID: t.ID}
}

// settle gives each candidate of a batch its verdict: it decodes what peers sent, verifies what is new, and
// pools what is good. It is called by the workers of the verification.
func (a *App) settle(batch []*job, verify func([]*ledger.Transaction) []bool) {
	defer a.pool.release(batch...) // where nothing could be judged
	by, err := a.newJudge()
	if err != nil {
		for _, j := range batch {
			for _, c := range j.txs {
				c.verdict = Admission{ID: c.tx.ID, Code: ledger.CodeInternal}
			}
		}
		return
	}
	a.open(batch, by)
	var checked []*candidate
	var owner []*job
	for _, j := range batch {
		for _, c := range j.txs {
			checked, owner = append(checked, c), append(owner, j)
		}
	}
	good := a.verify(checked, verify)
	pooling := checked[:0:0]
	now := a.options.Now()
	for i, c := range checked {
		if good[i] {
			c.merges, c.at = c.tx.Merges(), now // before the pool's lock is taken
			pooling = append(pooling, c)
			continue
		}
		c.verdict = Admission{ID: c.tx.ID, Code: ledger.CodeBadSignature}
		owner[i].bad = true
	}
	a.admit(pooling, batch, by)
}

// open decodes what peers sent; what is wrong or known is left out. What is offered again while it waits here is known by
// its bytes, which costs a tenth of decoding it.
func (a *App) open(batch []*job, by *judge) {
	for _, j := range batch {
		keys := make([]crypto.Hash, len(j.frame))
		for i, raw := range j.frame {
			keys[i] = crypto.Sum(raw)
		}
		var fresh [][]byte
		var freshKeys []crypto.Hash
		for i, pooled := range a.pool.verified(keys) {
			if pooled == nil {
				fresh, freshKeys = append(fresh, j.frame[i]), append(freshKeys, keys[i])
			}
		}
		txs, _ := a.decode(fresh, by)
		for i, t := range txs {
			if t != nil {
				j.txs = append(j.txs, &candidate{key: freshKeys[i], tx: t, single: !j.framed})
			}
		}
	}
}

// verify reports which candidates carry good signatures, asking only for those not verified before.
func (a *App) verify(batch []*candidate, verify func([]*ledger.Transaction) []bool) []bool {
	good := make([]bool, len(batch))
	var asked []*ledger.Transaction
	var place []int
	for i, c := range batch {
		if a.verified.has(c.key) {
			good[i] = true
			continue
		}
		asked = append(asked, c.tx)
		place = append(place, i)
	}
	if len(asked) > 0 {
		for k, ok := range verify(asked) {
			good[place[k]] = ok
		}
	}
	return good
}

// admit pools the verified candidates of some jobs. If a block was committed since they were judged, they are judged
// again: some may be in it. admit closes the judge's view.
func (a *App) admit(batch []*candidate, of []*job, by *judge) {
	defer func() { by.view.Close() }()
	for a.pool.add(batch, by.view.Height(), of...) {
		next, err := a.newJudge()
		if err != nil {
			for _, c := range batch {
				c.verdict = Admission{ID: c.tx.ID, Code: ledger.CodeInternal}
			}
			return
		}
		by.view.Close()
		by = next
		kept := batch[:0:0]
		for _, c := range batch {
			if err := by.check(c.tx); err != nil {
				c.verdict = refused(c.tx.ID, err)
				continue
			}
			kept = append(kept, c)
		}
		batch = kept
	}
}

func (a *App) observeRefusals(out []Admission) {
	counts := map[ledger.Code]int{}
	for _, o := range out {
		if o.Code != ledger.CodeOK && !o.Known {
			counts[o.Code]++
		}
	}
	for code, n := range counts {
		a.observer.Refused(code, n)
	}
}
