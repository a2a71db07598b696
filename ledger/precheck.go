package ledger

// Precheck says what can be known of a transaction before it is in a block: whether its time has passed,
// whether it was in a block before, whether its signatures speak for the accounts that act, and, last,
// whether it is its turn in its lane. It says nothing of what its operations would do, since other
// transactions may come first. The error is a *Reject, or comes from the Reader.
func Precheck(r Reader, t *Transaction, nowMS uint64) error {
	p, err := NewPrechecker(r, nowMS)
	if err != nil {
		return err
	}
	return p.Check(t)
}

// Prechecker is Precheck for many transactions over one state: what it read once it does not read again. It
// lives no longer than its Reader's memory, and one goroutine uses it at a time.
type Prechecker struct{ state *state }

// NewPrechecker reads what all checks need.
func NewPrechecker(r Reader, nowMS uint64) (*Prechecker, error) {
	s, err := newState(r, 0, nowMS, 0)
	if err != nil {
		return nil, err
	}
	return &Prechecker{state: s}, nil
}

// Check is Precheck of one transaction. Transactions do not see each other: two of one nonce or of one
// place in a lane are both accepted.
func (p *Prechecker) Check(t *Transaction) error {
	if t.Fault != CodeOK {
		return &Reject{Code: t.Fault}
	}
	return p.state.admit(t)
}

// Prefetch prepares for checking transactions, which then takes less time if they are many.
func (p *Prechecker) Prefetch(txs []*Transaction) {
	for len(txs) > 0 {
		n := min(len(txs), prefetchTxs)
		p.state.prefetch(txs[:n])
		txs = txs[n:]
	}
}
