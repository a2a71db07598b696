package app

import (
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// Equivocation is two transactions of one author that contradict each other, both with good signatures:
// ledger.EvidenceFor makes the operation of them that proves it to all.
type Equivocation struct{ A, B *ledger.Transaction }

// witness sees authors contradict themselves: it knows for each place, a nonce or a number in a lane, the pooled
// transaction with operations that merge that stands there. The pool's lock guards it.
type witness struct {
	places map[place]*entry
	seen   []Equivocation // the first of each author, oldest first
}

// place is where an author can say one thing.
type place struct {
	author crypto.Address
	nonce  [ledger.NonceLen]byte
	lane   ledger.Lane
}

func placeOf(t *ledger.Transaction) place {
	p := place{author: t.Actor()}
	copy(p.nonce[:], t.Body.Nonce)
	if t.Body.Lane != nil {
		p.lane = *t.Body.Lane
	}
	return p
}

// insert takes in a pooled transaction with operations that merge.
func (w *witness) insert(e *entry) {
	at := placeOf(e.tx)
	if first := w.places[at]; first != nil {
		w.compare(first.tx, e.tx)
		return
	}
	w.places[at] = e
}

func (w *witness) remove(e *entry) {
	if at := placeOf(e.tx); w.places[at] == e {
		delete(w.places, at)
	}
}

// compare keeps two transactions if they contradict each other. One pair of an author is enough: it bars the author.
func (w *witness) compare(a, b *ledger.Transaction) {
	if !ledger.Equivocate(a, b) {
		return
	}
	for i := range w.seen {
		if w.seen[i].A.Actor() == a.Actor() {
			w.seen[i] = Equivocation{a, b} // the newest is valid for longest
			return
		}
	}
	if len(w.seen) == equivocationsMax {
		w.seen = w.seen[1:]
	}
	w.seen = append(w.seen[:len(w.seen):len(w.seen)], Equivocation{a, b})
}

// decided compares what stands in a block with what waits here in the same places.
func (p *pool) decided(txs []*ledger.Transaction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.witness.places) == 0 {
		return
	}
	for _, t := range txs {
		if t.Fault != ledger.CodeOK {
			continue
		}
		if e := p.witness.places[placeOf(t)]; e != nil {
			p.witness.compare(e.tx, t)
		}
	}
}

// Equivocations are the contradictions that this node has seen, one of each author, oldest first. Those whose
// transactions can come into no block any more prove nothing and are left out.
func (a *App) Equivocations() []Equivocation {
	p := a.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	var valid []Equivocation
	for _, e := range p.witness.seen {
		if p.inTime(e.A) && p.inTime(e.B) {
			valid = append(valid, e)
		}
	}
	return valid
}

func (p *pool) inTime(t *ledger.Transaction) bool {
	until := t.ValidUntilMS()
	return until == 0 || until > p.timeMS
}
