package ledger

import (
	"bytes"
	"errors"
	"slices"

	"github.com/tetradledger/tetrad/crypto"
)

// Block is what the engine decided: transactions in order, at a height and time all replicas agree on.
type Block struct {
	Height       uint64
	TimeMS       uint64
	Txs          []*Transaction
	Misbehaviour []Misbehaviour
}

// Misbehaviour is a proven fault of a validator, such as two votes in one round.
type Misbehaviour struct {
	Validator crypto.ValidatorID
	Kind      string
	Height    uint64 // at which the validator did it
}

// ValidatorUpdate tells the engine a validator's new power; 0 removes it.
type ValidatorUpdate struct {
	KeyType   crypto.KeyType
	PublicKey []byte
	Power     uint64
}

// Outcome is everything a block does. Execute changes nothing itself.
type Outcome struct {
	Receipts   []Receipt         // one for each transaction, in order
	Changes    []Change          // ascending by key, each key once
	Validators []ValidatorUpdate // ascending by key, each key once
	// Touched lists, for each transaction, the accounts whose log chain it extended; nil when it failed.
	Touched [][]crypto.Address
}

// Execute applies a block to the state that r reads. The error is never about a transaction: it comes from
// the Reader or says that the state is damaged, and the replica must stop.
func Execute(r Reader, b Block) (Outcome, error) {
	s, err := newState(r, b.Height, b.TimeMS, len(b.Txs))
	if err != nil {
		return Outcome{}, err
	}
	if err := s.dropBuckets(); err != nil {
		return Outcome{}, err
	}
	for _, m := range b.Misbehaviour {
		if err := s.punish(m); err != nil {
			return Outcome{}, err
		}
	}
	out := Outcome{Receipts: make([]Receipt, len(b.Txs)), Touched: make([][]crypto.Address, len(b.Txs))}
	ids := make([]byte, 0, len(b.Txs)*crypto.HashSize)
	for i, t := range b.Txs {
		if i%prefetchTxs == 0 {
			s.prefetch(b.Txs[i:min(i+prefetchTxs, len(b.Txs))])
		}
		// The receipt gets its own copy of the id: it outlives the transaction.
		ids = append(ids, t.ID[:]...)
		receipt := &out.Receipts[i]
		*receipt = Receipt{Txid: ids[len(ids)-crypto.HashSize : len(ids) : len(ids)], Height: b.Height, Index: uint32(i)}
		if out.Touched[i], err = s.execute(t, receipt); err != nil {
			return Outcome{}, err
		}
	}
	out.Changes, out.Validators = s.finish()
	return out, nil
}

// execute runs one transaction and completes its receipt.
func (s *state) execute(t *Transaction, receipt *Receipt) ([]crypto.Address, error) {
	if t.Fault != CodeOK {
		receipt.Code = uint32(t.Fault)
		return nil, nil
	}
	if err := s.admit(t); err != nil {
		return nil, receipt.refuse(err)
	}
	if err := s.consume(t); err != nil {
		return nil, err
	}
	op, err := s.apply(t)
	if err != nil {
		s.restore()
		if err := receipt.refuse(err); err != nil {
			return nil, err
		}
		receipt.Op = uint32(op)
		s.record(t, receipt)
		return nil, nil
	}
	touched, err := s.commit(t)
	if err != nil {
		return nil, err
	}
	s.record(t, receipt)
	return touched, nil
}

// refuse puts a Reject's code into the receipt and returns every other error.
func (r *Receipt) refuse(err error) error {
	var rejected *Reject
	if !errors.As(err, &rejected) {
		return err
	}
	r.Code = uint32(rejected.Code)
	return nil
}

// admit decides whether a transaction is executed at all. One that is refused here leaves no trace, not
// even a record: it may be someone else's transaction under a signature that means nothing.
//
// The lane comes last, so that a gap in it means that everything but the transaction's turn is right.
func (s *state) admit(t *Transaction) error {
	if err := s.checkTime(t); err != nil {
		return err
	}
	if t.Body.Lane == nil {
		if err := s.checkNonce(t); err != nil {
			return err
		}
		return s.authorise(t)
	}
	if err := s.authorise(t); err != nil {
		return err
	}
	return s.checkLane(t.Actor(), t.Body.Lane)
}

// apply runs the operations in order and returns the 1-based position of the one that failed.
func (s *state) apply(t *Transaction) (int, error) {
	actor := t.Actor()
	for i := range t.Body.Ops {
		op := &t.Body.Ops[i]
		s.tag = Tag{TxID: t.ID, Op: uint8(i)}
		operation, _ := op.kind()
		if err := operation.apply(s, op.ActorOr(actor)); err != nil {
			return i + 1, err
		}
	}
	return 0, nil
}

// touchedPerSlab accounts are allocated at once for the lists of touched accounts.
const touchedPerSlab = 1024

// commit extends the log chains and makes the transaction's changes final.
func (s *state) commit(t *Transaction) ([]crypto.Address, error) {
	actor := t.Actor()
	if err := s.touchActor(actor); err != nil {
		return nil, err
	}
	for i := range t.Body.Ops {
		if len(t.Body.Ops[i].Actor) == 0 {
			continue
		}
		if err := s.touchActor(t.Body.Ops[i].ActorOr(actor)); err != nil {
			return nil, err
		}
	}
	if n := len(s.accounts.undo); cap(s.touched)-len(s.touched) < n {
		s.touched = make([]crypto.Address, 0, max(n, touchedPerSlab))
	}
	from := len(s.touched)
	for i := range s.accounts.undo {
		s.touched = append(s.touched, s.accounts.undo[i].cell.id)
	}
	s.log(t.ID)
	s.keep()
	return s.touched[from:len(s.touched):len(s.touched)], nil
}

// touchActor makes an acting account part of the transaction's log even if its leaf did not change.
func (s *state) touchActor(actor crypto.Address) error {
	c, err := s.accounts.get(s, actor)
	if err != nil {
		return err
	}
	s.touch(c)
	return nil
}

// finish encodes what changed, in the order of keys.
func (s *state) finish() ([]Change, []ValidatorUpdate) {
	s.changes = s.accounts.collect(s, s.changes)
	s.changes = s.pages.collect(s, s.changes)
	s.changes = s.assets.collect(s, s.changes)
	s.changes = s.entries.collect(s, s.changes)
	s.changes = s.namespaces.collect(s, s.changes)
	s.changes = s.validators.collect(s, s.changes)
	s.changes = s.ids.collect(s, s.changes)
	s.changes = s.nodes.collect(s, s.changes)
	if s.chain != s.loaded {
		s.changes = append(s.changes, Change{Key: KeyChain(), Value: s.chain.Append(nil)})
	}
	changes := sortChanges(s.changes)
	if invariants {
		mustHold(changes)
	}
	return changes, s.validatorUpdates()
}

// validatorUpdates lists the validators whose power is not what it was before the block.
func (s *state) validatorUpdates() []ValidatorUpdate {
	var updates []ValidatorUpdate
	for _, c := range s.validators.dirty {
		if c.value.Power != powerBefore(c) {
			updates = append(updates, ValidatorUpdate{KeyType: c.value.KeyType, PublicKey: c.value.PublicKey, Power: c.value.Power})
		}
	}
	slices.SortFunc(updates, func(a, b ValidatorUpdate) int { return bytes.Compare(a.PublicKey, b.PublicKey) })
	return updates
}
