package app

import (
	"github.com/tetradledger/tetrad/ledger"
)

// packer turns pooled transactions into what the engine carries: transactions that came alone stay alone,
// the others are packed into frames. It keeps within a number of bytes, counted as the engine counts them.
type packer struct {
	txsMax int // of a frame
	budget int // bytes left, the open frame's already taken off
	block  block
	open   []*ledger.Transaction // of the frame being filled
	size   int                   // encoded size of that frame
}

// frameHeadBytes is what a frame has besides its transactions.
const frameHeadBytes = 2

func newPacker(bytesMax, txsMax int) *packer { return &packer{budget: bytesMax, txsMax: txsMax} }

// carried is what n bytes cost in the engine's list of transactions: a field tag and a length besides.
func carried(n int) int { return 1 + ledger.DelimitedSize(n) }

// cost is what adding e takes off the budget.
func (p *packer) cost(e *entry) int {
	if e.single {
		return carried(len(e.tx.Raw))
	}
	size := ledger.DelimitedSize(len(e.tx.Raw))
	if p.closes(size) {
		return carried(frameHeadBytes + size)
	}
	return carried(p.size+size) - carried(p.size)
}

// closes reports whether a transaction that takes size bytes needs a new frame.
func (p *packer) closes(size int) bool {
	return len(p.open) == 0 || len(p.open) == p.txsMax || p.size+size > ledger.FrameBytesMax
}

// add packs e if it fits. The order of transactions within one lane is kept: a single one in a lane closes
// the open frame, since that may hold its predecessor. Others have no order, so they need not.
func (p *packer) add(e *entry) bool {
	cost := p.cost(e)
	if cost > p.budget {
		return false
	}
	p.budget -= cost
	if e.single {
		if e.tx.Body.Lane != nil {
			p.flush()
		}
		p.block.add(e.tx.Raw, false, e.tx)
		return true
	}
	size := ledger.DelimitedSize(len(e.tx.Raw))
	if p.closes(size) {
		p.flush()
		p.size = frameHeadBytes
	}
	p.open = append(p.open, e.tx)
	p.size += size
	return true
}

// count is how many transactions are packed.
func (p *packer) count() int { return len(p.block.inner) + len(p.open) }

// flush closes the open frame.
func (p *packer) flush() {
	if len(p.open) == 0 {
		return
	}
	raws := make([][]byte, len(p.open))
	for i, t := range p.open {
		raws[i] = t.Raw
	}
	p.block.add(ledger.EncodeFrame(raws), true, p.open...)
	p.open, p.size = p.open[:0], 0
}

// done returns everything packed.
func (p *packer) done() *block {
	p.flush()
	return &p.block
}

// Reap returns what gossip should carry to the other validators, at most maxBytes (or a default if that is
// not positive): local transactions it has not had yet, and those still waiting long after it had them.
func (a *App) Reap(maxBytes int) [][]byte {
	if maxBytes <= 0 {
		maxBytes = reapBytesDefault
	}
	p := newPacker(maxBytes, a.options.FrameTxs)
	a.pool.offer(a.options.Now(), p.add)
	return p.done().txs
}
