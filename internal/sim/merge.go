package sim

import (
	"bytes"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// merging is an entry whose operations do not conflict: what was ever said of it, from which the auditor works
// out what there should be.
type merging struct {
	kind   ledger.EntryKind
	sum    *big.Int // replaced, never changed
	writes map[ledger.Tag]write
	gone   map[ledger.Tag]uint64 // taken back, to be remembered until then
}

type write struct {
	depth uint64
	value []byte
}

func (e merging) copy() merging {
	e.writes, e.gone = maps.Clone(e.writes), maps.Clone(e.gone)
	return e
}

func (e merging) there() bool {
	return e.sum != nil && e.sum.Sign() != 0 || len(e.writes)+len(e.gone) > 0
}

// merge does an operation that does not conflict.
func (m *model) merge(op *ledger.Op, actor crypto.Address) ledger.Code {
	if a := m.accounts[actor]; a != nil && a.proofs.Barred {
		return ledger.CodeAuthorBarred
	}
	switch kind := op.Kind.(type) {
	case *ledger.Op_Add:
		return m.change(actor, kind.Add.Path, ledger.KindCounter, func(e *merging) ledger.Code {
			e.sum = new(big.Int).Add(e.sum, big.NewInt(kind.Add.Delta))
			return 0
		})
	case *ledger.Op_SetAdd:
		return m.change(actor, kind.SetAdd.Path, ledger.KindSet, func(e *merging) ledger.Code {
			return m.observe(e, nil, kind.SetAdd.Element, ledger.SetItemsMax)
		})
	case *ledger.Op_SetRemove:
		return m.change(actor, kind.SetRemove.Path, ledger.KindSet, func(e *merging) ledger.Code {
			return m.observe(e, kind.SetRemove.Seen, nil, ledger.SetItemsMax)
		})
	case *ledger.Op_WriteMulti:
		return m.change(actor, kind.WriteMulti.Path, ledger.KindMulti, func(e *merging) ledger.Code {
			return m.observe(e, kind.WriteMulti.Seen, kind.WriteMulti.Value, ledger.MultiItemsMax)
		})
	case *ledger.Op_WriteLast:
		return m.change(actor, kind.WriteLast.Path, ledger.KindLast, func(e *merging) ledger.Code {
			w := kind.WriteLast
			if w.Depth > m.height+ledger.LastDepthAhead {
				return ledger.CodeDepthAhead
			}
			for tag, old := range e.writes { // there is one at most
				if old.depth > w.Depth || old.depth == w.Depth && less(m.tag, tag) {
					return 0
				}
			}
			e.writes = map[ledger.Tag]write{m.tag: {w.Depth, w.Value}}
			return 0
		})
	}
	panic("sim: an operation that the auditor does not know")
}

func less(a, b ledger.Tag) bool {
	return bytes.Compare(append(a.TxID[:], a.Op), append(b.TxID[:], b.Op)) < 0
}

func (m *model) change(actor crypto.Address, path string, kind ledger.EntryKind, change func(*merging) ledger.Code) ledger.Code {
	name := entryName{actor, path}
	e := m.merging[name]
	if !e.there() {
		e = merging{kind: kind, sum: new(big.Int), writes: map[ledger.Tag]write{}, gone: map[ledger.Tag]uint64{}}
	}
	if _, register := m.entries[name]; register || e.kind != kind {
		return ledger.CodeKindMismatch
	}
	if code := change(&e); code != 0 {
		return code
	}
	if m.merging[name] = e; !e.there() {
		delete(m.merging, name)
	}
	return 0
}

func (m *model) observe(e *merging, seen []ledger.Seen, value []byte, most int) ledger.Code {
	for tag, until := range e.gone {
		if until <= m.timeMS {
			delete(e.gone, tag)
		}
	}
	for _, s := range seen {
		tag := ledger.Tag{TxID: ledger.TxID(s.Txid), Op: uint8(s.Op)}
		delete(e.writes, tag)
		if s.PendingUntilMs > m.timeMS+m.validForMaxMS {
			return ledger.CodeSeenTooFar
		}
		if s.PendingUntilMs > m.timeMS {
			e.gone[tag] = max(e.gone[tag], s.PendingUntilMs)
		}
	}
	if len(value) > 0 && e.gone[m.tag] == 0 {
		e.writes[m.tag] = write{value: value}
	}
	if len(e.writes) > most || len(e.gone) > ledger.RemovedMax {
		return ledger.CodeEntryFull
	}
	return 0
}

// compareMerging compares the entries of these kinds, and counts them by namespace.
func (m *model) compareMerging(view ledger.Reader, counts map[crypto.Address]uint64) error {
	for name, want := range m.merging {
		counts[name.namespace]++
		leaf, err := view.Get(ledger.KeyEntry(name.namespace, name.path))
		if err != nil {
			return err
		}
		got, err := ledger.DecodeEntry(leaf)
		if err != nil || !want.is(&got) {
			return fmt.Errorf("entry %s is %+v, should be %+v (%v)", name.path, got, want, err)
		}
	}
	return nil
}

// is tells whether a leaf says what the model says.
func (e merging) is(got *ledger.Entry) bool {
	sum := number(got.Sum.Magnitude)
	if got.Sum.Negative {
		sum.Neg(sum)
	}
	if got.Kind != e.kind || sum.Cmp(e.sum) != 0 || len(got.Removed) != len(e.gone) {
		return false
	}
	items := got.Items
	if e.kind == ledger.KindLast {
		items = []ledger.Item{{Tag: got.Tag, Value: got.Value}}
	}
	if len(items) != len(e.writes) {
		return false
	}
	for _, item := range items {
		if w, ok := e.writes[item.Tag]; !ok || !bytes.Equal(w.value, item.Value) || e.kind == ledger.KindLast && w.depth != got.Depth {
			return false
		}
	}
	for _, r := range got.Removed {
		if e.gone[r.Tag] != r.UntilMS {
			return false
		}
	}
	return true
}

// Operations that do not conflict have paths of their kind; now and then one goes elsewhere.
func (w *workload) mergingPath(path string) string {
	if w.rng.IntN(20) == 0 {
		return pick(w.rng, []string{"notes/0", "count", "set", "last", "multi"})
	}
	return path
}

func (w *workload) add(crypto.Address) ledger.Op {
	delta := w.rng.Int64N(7) - 3
	if delta == 0 {
		delta = int64(w.rng.Uint64() | 1)
	}
	return ledger.Op{Kind: &ledger.Op_Add{Add: &ledger.Add{Path: w.mergingPath("count"), Delta: delta}}}
}

func (w *workload) setAdd(crypto.Address) ledger.Op {
	element := fmt.Appendf(nil, "element %d", w.rng.IntN(20))
	return ledger.Op{Kind: &ledger.Op_SetAdd{SetAdd: &ledger.SetAdd{Path: w.mergingPath("set"), Element: element}}}
}

func (w *workload) setRemove(actor crypto.Address) ledger.Op {
	path := w.mergingPath("set")
	seen := w.seen(actor, path)
	if len(seen) == 0 {
		return w.setAdd(actor)
	}
	return ledger.Op{Kind: &ledger.Op_SetRemove{SetRemove: &ledger.SetRemove{Path: path, Seen: seen}}}
}

func (w *workload) writeMulti(actor crypto.Address) ledger.Op {
	path := w.mergingPath("multi")
	value := fmt.Appendf(nil, "value %d", w.rng.IntN(1000))
	return ledger.Op{Kind: &ledger.Op_WriteMulti{WriteMulti: &ledger.WriteMulti{Path: path, Value: value, Seen: w.seen(actor, path)}}}
}

func (w *workload) writeLast(actor crypto.Address) ledger.Op {
	path, depth := w.mergingPath("last"), uint64(1)
	for _, old := range w.audit.model.merging[entryName{actor, path}].writes {
		depth = old.depth + w.rng.Uint64N(2)
	}
	if w.rng.IntN(20) == 0 {
		depth += w.rng.Uint64N(3000)
	}
	value := fmt.Appendf(nil, "value %d", w.rng.IntN(1000))
	return ledger.Op{Kind: &ledger.Op_WriteLast{WriteLast: &ledger.WriteLast{Path: path, Value: value, Depth: max(depth, 1)}}}
}

// seen names writes: most of what the entry holds, and now and then one that is on its way.
func (w *workload) seen(actor crypto.Address, path string) (list []ledger.Seen) {
	e := w.audit.model.merging[entryName{actor, path}]
	for _, tag := range sortedTags(e.writes) {
		if len(list) < 8 && w.rng.IntN(5) > 0 {
			list = append(list, ledger.Seen{Txid: append([]byte(nil), tag.TxID[:]...), Op: uint32(tag.Op)})
		}
	}
	if len(w.made) > 0 && w.rng.IntN(4) == 0 {
		of := pick(w.rng, w.made)
		one := ledger.Seen{Txid: append([]byte(nil), of.id[:]...), Op: uint32(w.rng.IntN(2)), PendingUntilMs: of.body.ValidUntilMs}
		if !contains(list, &one) {
			list = append(list, one)
		}
	}
	return list
}

func contains(list []ledger.Seen, one *ledger.Seen) bool {
	for i := range list {
		if bytes.Equal(list[i].Txid, one.Txid) && list[i].Op == one.Op {
			return true
		}
	}
	return false
}

// sortedTags makes the choice among writes repeatable.
func sortedTags(writes map[ledger.Tag]write) []ledger.Tag {
	return slices.SortedFunc(maps.Keys(writes), ledger.Tag.Cmp)
}
