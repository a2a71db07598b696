package ledger

import (
	"bytes"
	"maps"
	"math/big"

	"github.com/tetradledger/tetrad/crypto"
	"pgregory.net/rapid"
)

// modelMerging is an entry of a kind whose operations do not conflict: everything that was ever said of it, and
// what it comes to is worked out when somebody looks.
type modelMerging struct {
	kind   EntryKind
	deltas []int64
	writes map[Tag]modelWrite
	gone   map[Tag]uint64 // writes that were taken back, and until when that must be known
}

type modelWrite struct {
	depth uint64
	value []byte
}

func (e modelMerging) copy() modelMerging {
	e.deltas = append([]int64(nil), e.deltas...)
	e.writes, e.gone = maps.Clone(e.writes), maps.Clone(e.gone)
	return e
}

func (e modelMerging) sum() *big.Int {
	sum := new(big.Int)
	for _, d := range e.deltas {
		sum.Add(sum, big.NewInt(d))
	}
	return sum
}

// there tells whether there is an entry at all.
func (e modelMerging) there() bool {
	return e.sum().Sign() != 0 || len(e.writes)+len(e.gone) > 0
}

// winner is the write of the greatest depth, and among equals of the greatest tag.
func (e modelMerging) winner() (Tag, modelWrite) {
	var tag Tag
	var best modelWrite
	for t, w := range e.writes {
		if w.depth > best.depth || w.depth == best.depth && bytes.Compare(t.append(nil), tag.append(nil)) > 0 {
			tag, best = t, w
		}
	}
	return tag, best
}

// merge does an operation of a kind that does not conflict.
func (m *model) merge(op *Op, actor crypto.Address) Code {
	switch x := op.Kind.(type) {
	case *Op_Add:
		return m.change(actor, x.Add.Path, KindCounter, func(e *modelMerging) Code {
			e.deltas = append(e.deltas, x.Add.Delta)
			return 0
		})
	case *Op_WriteLast:
		return m.change(actor, x.WriteLast.Path, KindLast, func(e *modelMerging) Code {
			if x.WriteLast.Depth > m.height+1024 {
				return CodeDepthAhead
			}
			e.writes[m.tag] = modelWrite{x.WriteLast.Depth, x.WriteLast.Value}
			return 0
		})
	case *Op_SetAdd:
		return m.change(actor, x.SetAdd.Path, KindSet, func(e *modelMerging) Code { return m.observe(e, nil, x.SetAdd.Element) })
	case *Op_SetRemove:
		return m.change(actor, x.SetRemove.Path, KindSet, func(e *modelMerging) Code { return m.observe(e, x.SetRemove.Seen, nil) })
	case *Op_WriteMulti:
		return m.change(actor, x.WriteMulti.Path, KindMulti, func(e *modelMerging) Code { return m.observe(e, x.WriteMulti.Seen, x.WriteMulti.Value) })
	}
	panic("an operation that the model does not know")
}

// setKey gives an account a key. A new one ends what was proven of the old one's owner.
func (m *model) setKey(id crypto.Address, key []byte) {
	a := m.account(id)
	same := bytes.Equal(a.key, key) || a.key == nil && crypto.KeyAddress(crypto.KeyEd25519, key) == id
	if !same {
		a.proofs.Barred = false
	}
	a.key = key
}

// prove bars an author, if the two transactions that it signed are good.
func (m *model) prove(x *ProveEquivocation, touched map[crypto.Address]bool) Code {
	var author crypto.Address
	for _, raw := range [][]byte{x.TxA, x.TxB} {
		t, err := DecodeTransaction(raw)
		if err != nil {
			panic(err)
		}
		if until := t.Body.ValidUntilMs; until != 0 && until <= m.timeMS {
			return CodeEvidenceExpired
		}
		author = t.Actor()
	}
	a := m.accounts[author]
	if a != nil && a.proofs.Barred {
		return CodeAlreadyBarred
	}
	for _, raw := range [][]byte{x.TxA, x.TxB} {
		t, _ := DecodeTransaction(raw)
		only := *t // of several actors, the author is asked for alone
		only.Body.Ops, only.Tx.Sigs = nil, nil
		found := false
		for _, sig := range t.Tx.Sigs {
			only.Tx.Sigs = []Sig{sig}
			found = found || m.authorised(&only) == 0
		}
		if !found {
			return CodeEvidenceUnsigned
		}
	}
	a = m.account(author)
	a.proofs.Count, a.proofs.Height, a.proofs.Barred = a.proofs.Count+1, m.height, true
	touched[author] = true
	return 0
}

func (m *model) change(actor crypto.Address, path string, kind EntryKind, change func(*modelMerging) Code) Code {
	id := entryID{actor, path}
	e := m.merging[id]
	if !e.there() {
		e = modelMerging{kind: kind, writes: map[Tag]modelWrite{}, gone: map[Tag]uint64{}}
	}
	if _, register := m.entries[actor][path]; register || e.kind != kind {
		return CodeKindMismatch
	}
	code := change(&e)
	m.merging[id] = e
	return code
}

// observe is the same for sets and for registers of many values; the model does not bound them.
func (m *model) observe(e *modelMerging, seen []Seen, value []byte) Code {
	for tag, until := range e.gone {
		if until <= m.timeMS {
			delete(e.gone, tag)
		}
	}
	for _, s := range seen {
		tag := Tag{TxID(s.Txid), uint8(s.Op)}
		delete(e.writes, tag)
		if s.PendingUntilMs > m.timeMS+m.params.ValidForMaxMS {
			return CodeSeenTooFar
		}
		if s.PendingUntilMs > m.timeMS {
			e.gone[tag] = max(e.gone[tag], s.PendingUntilMs)
		}
	}
	if len(value) > 0 && e.gone[m.tag] == 0 {
		e.writes[m.tag] = modelWrite{value: value}
	}
	return 0
}

// compareMerging compares the entries of these kinds, and how many entries of all kinds namespaces count.
func (m *model) compareMerging(t tester, take func([]byte) []byte) {
	t.Helper()
	counts := map[crypto.Address]uint64{}
	for namespace, entries := range m.entries {
		counts[namespace] += uint64(len(entries))
	}
	for id, e := range m.merging {
		if !e.there() {
			continue
		}
		counts[id.namespace]++
		got, err := DecodeEntry(take(KeyEntry(id.namespace, id.path)))
		if err != nil || got.Kind != e.kind || got.Version != 0 || got.ModifiedHeight != 0 {
			t.Fatalf("entry %s is %+v, should be a %s: %v", id.path, got, e.kind, err)
		}
		e.compare(t, got)
	}
	for namespace, count := range counts {
		leaf := take(KeyNamespace(namespace))
		if count == 0 && leaf == nil {
			continue
		}
		if n, err := DecodeNamespace(leaf); err != nil || n.Entries != count {
			t.Fatalf("the namespace of %s counts %d entries, should count %d: %v", namespace, n.Entries, count, err)
		}
	}
}

func (e modelMerging) compare(t tester, got Entry) {
	t.Helper()
	if sum := toBig(got.Sum.Magnitude); e.sum().CmpAbs(sum) != 0 || got.Sum.Negative != (e.sum().Sign() < 0) {
		t.Fatalf("a counter is at %s, should be at %s", got.Sum, e.sum())
	}
	if e.kind == KindLast {
		if tag, w := e.winner(); got.Tag != tag || got.Depth != w.depth || !bytes.Equal(got.Value, w.value) {
			t.Fatalf("a register is %+v, should be %q by %s", got, w.value, tag)
		}
		return
	}
	if len(got.Items) != len(e.writes) || len(got.Removed) != len(e.gone) {
		t.Fatalf("%d values and %d removed, should be %d and %d", len(got.Items), len(got.Removed), len(e.writes), len(e.gone))
	}
	for _, item := range got.Items {
		if w, ok := e.writes[item.Tag]; !ok || !bytes.Equal(item.Value, w.value) {
			t.Fatalf("%s wrote %q, should be %q", item.Tag, item.Value, w.value)
		}
	}
	for _, r := range got.Removed {
		if e.gone[r.Tag] != r.UntilMS {
			t.Fatalf("%s is removed until %d, should be until %d", r.Tag, r.UntilMS, e.gone[r.Tag])
		}
	}
}

// merging draws an operation that does not conflict. Most have a path of their kind.
func (u *universe) merging(t *rapid.T) Op {
	kind := rapid.SampledFrom([]string{"add", "set_add", "set_add", "set_remove", "write_last", "write_multi"}).Draw(t, "merging")
	path := map[string]string{"add": "n", "set_add": "s", "set_remove": "s", "write_last": "l", "write_multi": "m"}[kind]
	if rapid.IntRange(0, 7).Draw(t, "elsewhere") == 7 {
		path = rapid.SampledFrom(u.paths).Draw(t, "path")
	}
	value := rapid.SliceOfN(rapid.ByteRange('a', 'c'), 0, 2)
	switch kind {
	case "add":
		delta := rapid.OneOf(rapid.SampledFrom([]int64{1, -1, 1<<63 - 1, -1 << 63}), rapid.Int64()).Draw(t, "delta")
		return Op{Kind: &Op_Add{Add: &Add{Path: path, Delta: delta}}}
	case "set_add":
		return Op{Kind: &Op_SetAdd{SetAdd: &SetAdd{Path: path, Element: value.Draw(t, "element")}}}
	case "set_remove":
		return Op{Kind: &Op_SetRemove{SetRemove: &SetRemove{Path: path, Seen: u.seen(t)}}}
	case "write_last":
		depth := rapid.SampledFrom([]uint64{1, 1, 2, 3, 1 << 40, 0}).Draw(t, "depth")
		return Op{Kind: &Op_WriteLast{WriteLast: &WriteLast{Path: path, Value: value.Draw(t, "value"), Depth: depth}}}
	}
	return Op{Kind: &Op_WriteMulti{WriteMulti: &WriteMulti{Path: path, Value: value.Draw(t, "value"), Seen: u.seen(t)}}}
}

// seen draws writes of transactions made before.
func (u *universe) seen(t *rapid.T) (list []Seen) {
	for range min(len(u.txs), rapid.IntRange(0, 3).Draw(t, "seen")) {
		id := rapid.SampledFrom(u.txs).Draw(t, "seen tx").ID
		one := Seen{Txid: id[:], Op: rapid.Uint32Range(0, 3).Draw(t, "seen op")}
		if ahead := rapid.SampledFrom([]uint64{0, 0, 1, 30_000, 500_000, 600_000, 700_000}).Draw(t, "seen until"); ahead > 0 {
			one.PendingUntilMs = u.timeMS + ahead
		}
		list = append(list, one)
	}
	return list
}
