package app

import (
	"container/list"
	"sync"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// pool holds the verified transactions that wait for a block. Every operation on one transaction takes
// constant time. The invariant: no entry is in a block up to height, and no two entries share an id.
//
// Room is claimed before a transaction is verified and given back in the moment it is pooled or turned down, so
// that the bounds hold for what is being verified too, no signature is verified for a place that is not there, and
// nothing counts twice.
type pool struct {
	options PoolOptions

	mu     sync.Mutex
	height uint64 // of the last block whose transactions were removed
	timeMS uint64 // of that block

	byKey  map[crypto.Hash]*entry // by the hash of all bytes: what was verified
	byID   map[ledger.TxID]*entry
	held   map[crypto.Address]int // entries per actor
	order  *list.List             // of *entry, in order of arrival
	expiry map[uint64]*list.List  // of *entry, by the second their validity ends
	bytes  int
	local  int

	merges  mergeIndex
	witness witness

	fresh   *list.List // local entries that gossip has not had yet
	offered *list.List // local entries that it had, least recently first
	heard   *list.List // entries of peers, likewise; gossip has them only where no blocks come
	still   standstill // since when no block has come

	claimed      claim // room for what is being verified
	claimedLocal int

	// arrived wakes the proposer; it holds at most one signal.
	arrived chan struct{}
}

// claim is room in the pool.
type claim struct{ txs, bytes int }

// entry is one verified transaction in the pool.
type entry struct {
	key     crypto.Hash
	tx      *ledger.Transaction
	account crypto.Address
	second  uint64 // its list in expiry
	local   bool   // taken in by this node, which therefore gossips it
	single  bool   // came by the engine's own RPC and stays a transaction of its own there
	fresh   bool   // in the list fresh, not in offered

	offeredAt   uint64    // height at which gossip last had it
	offeredTime time.Time // by this node's clock

	merges   []ledger.EntryName // the entries it is listed under in the index
	unlisted bool               // it found no room there

	inOrder, inExpiry, inOffer *list.Element
}

func newPool(o PoolOptions) *pool {
	return &pool{
		options: o.withDefaults(),
		byKey:   map[crypto.Hash]*entry{}, byID: map[ledger.TxID]*entry{}, held: map[crypto.Address]int{},
		order: list.New(), expiry: map[uint64]*list.List{}, fresh: list.New(), offered: list.New(), heard: list.New(),
		merges:  newMergeIndex(mergeIndexBytesMax),
		witness: witness{places: map[place]*entry{}},
		arrived: make(chan struct{}, 1),
	}
}

// claimAll takes room for transactions from a peer that are about to be verified, or says that there is none.
func (p *pool) claimAll(c claim) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.take(c, false)
}

// claimFirst takes room for as many transactions from a client, in order, as there is room for.
func (p *pool) claimFirst(txs []*candidate) (n int, total claim) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range txs {
		one := claim{1, len(c.tx.Raw)}
		if !p.take(one, true) {
			break
		}
		n++
		total.txs, total.bytes = total.txs+1, total.bytes+one.bytes
	}
	return n, total
}

// take claims room if there is enough.
func (p *pool) take(c claim, local bool) bool {
	if p.fullFor(c, local) {
		return false
	}
	p.claimed.txs += c.txs
	p.claimed.bytes += c.bytes
	if local {
		p.claimedLocal += c.txs
	}
	return true
}

// fullFor reports whether there is no room.
func (p *pool) fullFor(c claim, local bool) bool {
	return len(p.byKey)+p.claimed.txs+c.txs > p.options.TxsMax ||
		p.bytes+p.claimed.bytes+c.bytes > p.options.BytesMax ||
		local && p.local+p.claimedLocal+c.txs > p.options.LocalTxsMax
}

// full reports whether a client's transactions would all be turned away.
func (p *pool) full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fullFor(claim{txs: 1}, true)
}

// release gives back the room of jobs that still have some.
func (p *pool) release(jobs ...*job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.giveBack(jobs)
}

func (p *pool) giveBack(jobs []*job) {
	for _, j := range jobs {
		p.claimed.txs -= j.room.txs
		p.claimed.bytes -= j.room.bytes
		if j.local {
			p.claimedLocal -= j.room.txs
		}
		j.room = claim{}
	}
	if p.claimed.txs < 0 || p.claimed.bytes < 0 || p.claimedLocal < 0 {
		panic("app: more room in the pool released than was claimed")
	}
}

// contended reports whether accounts are held to their share.
func (p *pool) contended() bool {
	return len(p.byKey)+p.claimed.txs > p.options.TxsMax/2 || p.bytes+p.claimed.bytes > p.options.BytesMax/2
}

// overShare reports whether an account holds all that it may.
func (p *pool) overShare(account crypto.Address) bool {
	return p.held[account] >= p.options.AccountTxsMax && p.contended()
}

// standing is what the pool knows of a transaction that a client offers.
type standing uint8

const (
	standingNew    standing = iota
	standingPooled          // it waits here already
	standingOver            // its account holds all that it may
)

// standing looks a transaction up by its id.
func (p *pool) standing(t *ledger.Transaction) standing {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byID[t.ID] != nil {
		return standingPooled
	}
	if p.overShare(t.Actor()) {
		return standingOver
	}
	return standingNew
}

// has reports whether a transaction waits.
func (p *pool) has(id ledger.TxID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.byID[id] != nil
}

// verified returns, for each key, the transaction with exactly these bytes if it is pooled, and so verified.
func (p *pool) verified(keys []crypto.Hash) []*ledger.Transaction {
	found := make([]*ledger.Transaction, len(keys))
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, key := range keys {
		if e := p.byKey[key]; e != nil {
			found[i] = e.tx
		}
	}
	return found
}

// add pools the verified transactions of some jobs, writes what became of each into its verdict, and gives the
// room of the jobs back. They were checked against the state at height; if a block was committed since, some may be
// in it, and add does nothing but say so.
func (p *pool) add(batch []*candidate, height uint64, of ...*job) (stale bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.height != height {
		return true
	}
	p.giveBack(of)
	added := false
	for _, c := range batch {
		switch {
		case p.byID[c.tx.ID] != nil:
			c.verdict = Admission{ID: c.tx.ID, Known: true}
		case p.overShare(c.tx.Actor()):
			c.verdict = Admission{ID: c.tx.ID, Code: ledger.CodeAccountQuota}
		default:
			p.insert(c)
			c.verdict = Admission{ID: c.tx.ID}
			added = true
		}
	}
	if added {
		select {
		case p.arrived <- struct{}{}:
		default:
		}
	}
	return false
}

func (p *pool) insert(c *candidate) {
	e := &entry{key: c.key, tx: c.tx, account: c.tx.Actor(), local: c.local, single: c.single}
	until := c.tx.ValidUntilMS()
	if until == 0 {
		until = p.timeMS + pooledForMaxMS
	}
	e.second = until / 1000
	ending := p.expiry[e.second]
	if ending == nil {
		ending = list.New()
		p.expiry[e.second] = ending
	}
	p.byKey[e.key], p.byID[e.tx.ID] = e, e
	p.held[e.account]++
	p.bytes += len(e.tx.Raw)
	e.inOrder, e.inExpiry = p.order.PushBack(e), ending.PushBack(e)
	if len(c.merges) > 0 {
		p.merges.insert(e, c.merges)
		p.witness.insert(e)
	}
	if e.local {
		p.local++
		e.fresh = true
	}
	e.inOffer, e.offeredTime = p.offerList(e).PushBack(e), c.at
}

func (p *pool) remove(e *entry) {
	delete(p.byKey, e.key)
	delete(p.byID, e.tx.ID)
	if p.held[e.account]--; p.held[e.account] == 0 {
		delete(p.held, e.account)
	}
	p.bytes -= len(e.tx.Raw)
	if len(e.merges) > 0 || e.unlisted {
		p.merges.remove(e)
		p.witness.remove(e)
	}
	p.order.Remove(e.inOrder)
	ending := p.expiry[e.second]
	if ending.Remove(e.inExpiry); ending.Len() == 0 {
		delete(p.expiry, e.second)
	}
	if e.local {
		p.local--
	}
	p.offerList(e).Remove(e.inOffer)
}

func (p *pool) offerList(e *entry) *list.List {
	switch {
	case e.fresh:
		return p.fresh
	case e.local:
		return p.offered
	}
	return p.heard
}

// commit removes what a block decided, those very bytes it refused, and what can no longer be in any block. It
// returns the ids of what expired and of what was refused.
func (p *pool) commit(height, timeMS uint64, decided []ledger.TxID, refused []crypto.Hash) (expired, turnedAway []ledger.TxID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.height, p.timeMS = height, timeMS
	for _, id := range decided {
		if e := p.byID[id]; e != nil {
			p.remove(e)
		}
	}
	for _, key := range refused {
		if e := p.byKey[key]; e != nil {
			turnedAway = append(turnedAway, e.tx.ID)
			p.remove(e)
		}
	}
	for second, ending := range p.expiry {
		if (second+1)*1000 > timeMS { // some of this second may still be valid
			continue
		}
		for next := ending.Front(); next != nil; next = ending.Front() {
			e := next.Value.(*entry)
			expired = append(expired, e.tx.ID)
			p.remove(e)
		}
	}
	return expired, turnedAway
}

// drop removes transactions that turned out to be impossible.
func (p *pool) drop(ids []ledger.TxID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		if e := p.byID[id]; e != nil {
			p.remove(e)
		}
	}
}

// each calls fn for the entries in order of arrival until it returns false. fn must not call the pool.
func (p *pool) each(fn func(*entry) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for next := p.order.Front(); next != nil; next = next.Next() {
		if !fn(next.Value.(*entry)) {
			return
		}
	}
}

// standstill tells when blocks have stopped coming, as they do where there is no quorum.
type standstill struct {
	height uint64
	since  time.Time
}

// lasts reports whether there was no block for so long, by what it was told before.
func (s *standstill) lasts(height uint64, now time.Time) bool {
	if s.since.IsZero() || s.height != height {
		s.height, s.since = height, now
	}
	return now.Sub(s.since) >= reofferStill
}

// offer gives transactions to gossip: local ones it never had, and then those it had reofferBlocks ago or, while no
// blocks come, reofferStill ago. Then those of peers are passed on as well, every relayStill: who took them in may be
// out of reach. take decides whether one more fits.
func (p *pool) offer(now time.Time, take func(*entry) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	still := p.still.lasts(p.height, now)
	for next := p.fresh.Front(); next != nil; next = p.fresh.Front() {
		e := next.Value.(*entry)
		if !take(e) {
			return
		}
		p.fresh.Remove(next)
		e.fresh, e.offeredAt, e.offeredTime, e.inOffer = false, p.height, now, p.offered.PushBack(e)
	}
	p.offerAgain(p.offered, now, take, func(e *entry) bool {
		return e.offeredAt+reofferBlocks <= p.height || still && now.Sub(e.offeredTime) >= reofferStill
	})
	p.offerAgain(p.heard, now, take, func(e *entry) bool { return still && now.Sub(e.offeredTime) >= relayStill })
}

// offerAgain offers the entries of a list, least recently offered first, as long as they are due and fit.
func (p *pool) offerAgain(l *list.List, now time.Time, take, due func(*entry) bool) {
	for next := l.Front(); next != nil; next = l.Front() {
		e := next.Value.(*entry)
		if !due(e) || !take(e) {
			return
		}
		e.offeredAt, e.offeredTime = p.height, now
		l.MoveToBack(next)
	}
}

// PoolStats says how full the pool is.
type PoolStats struct {
	Txs, Bytes int // verified and waiting for a block
	Local      int // of these, taken in by this node
	Queued     int // being verified
}

func (p *pool) stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PoolStats{Txs: len(p.byKey), Bytes: p.bytes, Local: p.local, Queued: p.claimed.txs}
}
