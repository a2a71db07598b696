package ledger

import (
	"bytes"
	"errors"
	"slices"

	"github.com/tetradledger/tetrad/crypto"
)

// EntryName names an entry: the account whose namespace it is in, and its path.
type EntryName struct {
	Namespace crypto.Address
	Path      string
}

// Merges lists the entries that the transaction's merging operations write, each once: those that never conflict
// with any other. Nil: it has none.
func (t *Transaction) Merges() []EntryName {
	var names []EntryName
	for i := range t.Body.Ops {
		path, _, ok := t.Body.Ops[i].mergesInto()
		if !ok {
			continue
		}
		name := EntryName{t.Body.Ops[i].ActorOr(t.Actor()), path}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// mergesInto is the path of an operation that never conflicts, and what kind of entry it is for; false for all
// others.
func (m *Op) mergesInto() (string, EntryKind, bool) {
	switch kind := m.Kind.(type) {
	case *Op_Add:
		return kind.Add.Path, KindCounter, true
	case *Op_SetAdd:
		return kind.SetAdd.Path, KindSet, true
	case *Op_SetRemove:
		return kind.SetRemove.Path, KindSet, true
	case *Op_WriteLast:
		return kind.WriteLast.Path, KindLast, true
	case *Op_WriteMulti:
		return kind.WriteMulti.Path, KindMulti, true
	}
	return "", 0, false
}

// onlyMerges reports whether nothing but merging operations is in the transaction. What else it holds may fail or
// not depending on what comes before it, and would take its merging operations with it.
func (t *Transaction) onlyMerges() bool {
	for i := range t.Body.Ops {
		if _, _, ok := t.Body.Ops[i].mergesInto(); !ok {
			return false
		}
	}
	return true
}

// PendingEntry is an entry as it is committed, and as it is with transactions that no block holds yet.
type PendingEntry struct {
	Committed Entry
	Found     bool  // whether there is a committed one
	Entry     Entry // with Joined; a counter at zero or an empty set if all is taken back

	Joined  []TxID    // what Entry holds beyond Committed, ascending
	LeftOut []LeftOut // what was offered and not joined, ascending
	Omitted int       // transactions that were not looked at, since there are too many
}

// LeftOut is a pending transaction that an entry was not joined with.
type LeftOut struct {
	TxID TxID
	// Code is why the ledger would refuse it now, or CodeOK if it holds other operations, too, of which nobody
	// can say whether they will succeed.
	Code Code
}

// JoinPending joins an entry of the state that r reads with transactions that may come into later blocks. It
// executes them with the very operations of Execute, ascending by their ids, so that the result is a function of
// the state and of which transactions there are, never of the order in which they came. Height and time are those
// of the state; the transactions decode, and their signatures are verified. Those that the state holds already
// are passed over. At most PendingOpsMax operations are executed.
func JoinPending(r Reader, name EntryName, height, timeMS uint64, txs []*Transaction) (PendingEntry, error) {
	s, err := newState(r, height+1, timeMS, 0)
	if err != nil {
		return PendingEntry{}, err
	}
	c, err := s.entries.get(s, entryID{name.Namespace, name.Path})
	if err != nil {
		return PendingEntry{}, err
	}
	out := PendingEntry{Committed: c.value, Found: c.exists}
	j := joining{state: s, places: map[place]struct{}{}}
	kind := c.value.Kind
	txs = ascending(txs)
	for i, t := range txs {
		if j.ops += len(t.Body.Ops); j.ops > PendingOpsMax {
			out.Omitted = len(txs) - i
			break
		}
		known, err := j.join(t)
		var refused *Reject
		switch {
		case errors.As(err, &refused):
			out.LeftOut = append(out.LeftOut, LeftOut{t.ID, refused.Code})
		case err != nil:
			return PendingEntry{}, err
		case !known:
			out.Joined = append(out.Joined, t.ID)
			kind = t.kindFor(name, kind)
		}
	}
	if out.Entry = c.value; !c.exists {
		out.Entry = Entry{Kind: kind}
	}
	return out, nil
}

// ascending puts transactions in the order of their ids, each once.
func ascending(txs []*Transaction) []*Transaction {
	txs = slices.Clone(txs)
	slices.SortFunc(txs, func(a, b *Transaction) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return slices.CompactFunc(txs, func(a, b *Transaction) bool { return a.ID == b.ID })
}

// kindFor is the kind of entry that the transaction makes of a name.
func (t *Transaction) kindFor(name EntryName, otherwise EntryKind) EntryKind {
	for i := range t.Body.Ops {
		op := &t.Body.Ops[i]
		if path, kind, ok := op.mergesInto(); ok && path == name.Path && op.ActorOr(t.Actor()) == name.Namespace {
			return kind
		}
	}
	return otherwise
}

// joining is the execution of pending transactions.
type joining struct {
	*state
	ops    int
	places map[place]struct{} // in lanes, that were taken
}

// place is one in an account's lane, which one transaction can take.
type place struct {
	account crypto.Address
	lane    Lane
}

// errOther stands for a transaction with operations of which nobody knows whether they will succeed.
var errOther = &Reject{}

// join executes a pending transaction, or reports that the state holds it already.
func (j *joining) join(t *Transaction) (known bool, err error) {
	if err := j.admitPending(t); err != nil {
		var refused *Reject
		if errors.As(err, &refused) && (refused.Code == CodeDuplicate || refused.Code == CodeLanePast) {
			return true, nil
		}
		return false, err
	}
	if !t.onlyMerges() {
		return false, errOther
	}
	if !t.canBeEvidence() {
		return false, &Reject{Code: CodeTooLarge} // of such, nobody could prove that its author says something else elsewhere
	}
	if t.Body.Lane != nil {
		at := place{t.Actor(), *t.Body.Lane}
		if _, taken := j.places[at]; taken {
			return false, &Reject{Code: CodeLanePast}
		}
		j.places[at] = struct{}{}
	}
	if _, err := j.apply(t); err != nil {
		j.restore()
		return false, err
	}
	j.keep()
	return false, nil
}

// admitPending is admit for a transaction whose block is not there yet. When that comes is not known, so its time
// is not judged; nor is its turn in a lane, since those before it may be pending, too.
func (s *state) admitPending(t *Transaction) error {
	switch {
	case t.Fault != CodeOK:
		return &Reject{Code: t.Fault}
	case t.Body.Lane == nil:
		if err := s.checkNonce(t); err != nil {
			return err
		}
		return s.authorise(t)
	}
	if err := s.authorise(t); err != nil {
		return err
	}
	err := s.checkLane(t.Actor(), t.Body.Lane)
	var refused *Reject
	if errors.As(err, &refused) && refused.Code == CodeLaneGap {
		return nil
	}
	return err
}
