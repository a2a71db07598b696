package ledger

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"pgregory.net/rapid"
)

// apart is a set of transactions whose authors wrote without knowing in which order they would be decided, on a
// state that all of them knew.
type apart struct {
	u    *universe
	base memory
	txs  []*Transaction
}

// TestOrderDoesNotMatter decides the same operations of the kinds that do not conflict twice: in another order,
// cut into other blocks, and with some of them sent again. The entries are the same to the byte, and so is what
// is left when everything that was remembered for stragglers is forgotten.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawApart(t)
		one, two := a.decide(t, "first"), a.decide(t, "second")
		if r1, r2 := entriesRoot(one), entriesRoot(two); r1 != r2 {
			t.Fatalf("the entries of two orders differ:\n%s\n%s", showEntries(one), showEntries(two))
		}
		one, two = a.forget(t, one), a.forget(t, two)
		if r1, r2 := entriesRoot(one), entriesRoot(two); r1 != r2 {
			t.Fatalf("what is left differs:\n%s\n%s", showEntries(one), showEntries(two))
		}
		for _, e := range entriesOf(one) {
			if len(e.Removed) > 0 {
				t.Fatalf("something is remembered for ever: %+v", e)
			}
		}
	})
}

// apartMS is how long all transactions of such a set are valid, and apartBlocksMax how many blocks they are cut
// into at most, which all fit into that time.
const (
	apartMS        = 60_000
	apartBlocksMax = 40
)

// drawApart makes a state with some entries, and transactions that follow on it.
func drawApart(t *rapid.T) *apart {
	a := &apart{u: newUniverse(), base: memory{}}
	out, err := ExecuteGenesis(DefaultParams(), a.u.genesis(), testTimeMS)
	if err != nil {
		t.Fatal(err)
	}
	a.base.apply(out.Changes)
	a.u.parties = a.u.parties[:2]
	for range rapid.IntRange(0, 4).Draw(t, "before") {
		a.u.txs = append(a.u.txs, a.transaction(t, nil))
	}
	known := a.u.txs
	a.base.apply(a.execute(t, a.base, 1, a.u.timeMS+1, known).Changes)
	for range rapid.IntRange(2, 10).Draw(t, "apart") {
		a.txs = append(a.txs, a.transaction(t, known))
	}
	return a
}

// transaction makes one of one to three operations, which may know of those decided before and, while they are on
// their way, of those made before.
func (a *apart) transaction(t *rapid.T, decided []*Transaction) *Transaction {
	actor := rapid.SampledFrom(a.u.parties).Draw(t, "actor")
	a.u.nonce++
	b := Body{
		Version: 1, ChainId: "order-1", Actor: actor.address[:], Nonce: bytes.Repeat([]byte{a.u.nonce}, NonceLen),
		ValidUntilMs: testTimeMS + apartMS + uint64(a.u.nonce),
	}
	for range rapid.IntRange(1, 3).Draw(t, "ops") {
		b.Ops = append(b.Ops, a.op(t, decided))
	}
	tx, err := DecodeTransaction(encodeTx(b, actor))
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func (a *apart) op(t *rapid.T, decided []*Transaction) Op {
	value := rapid.SliceOfN(rapid.ByteRange('a', 'c'), 1, 2)
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		delta := rapid.SampledFrom([]int64{1, -1, 5, 1<<63 - 1, -1 << 63}).Draw(t, "delta")
		return Op{Kind: &Op_Add{Add: &Add{Path: "n", Delta: delta}}}
	case 1:
		depth := rapid.Uint64Range(1, 3).Draw(t, "depth")
		return Op{Kind: &Op_WriteLast{WriteLast: &WriteLast{Path: "l", Value: value.Draw(t, "value"), Depth: depth}}}
	case 2:
		return Op{Kind: &Op_WriteMulti{WriteMulti: &WriteMulti{Path: "m", Value: value.Draw(t, "value"), Seen: a.seen(t, decided)}}}
	case 3:
		if seen := a.seen(t, decided); len(seen) > 0 {
			return Op{Kind: &Op_SetRemove{SetRemove: &SetRemove{Path: "s", Seen: seen}}}
		}
	}
	return Op{Kind: &Op_SetAdd{SetAdd: &SetAdd{Path: "s", Element: value.Draw(t, "element")}}}
}

// seen draws writes that an author can know of: those that are decided, and those of others that are on their way,
// with the end of their validity.
func (a *apart) seen(t *rapid.T, decided []*Transaction) (list []Seen) {
	tags := map[Tag]bool{}
	for range rapid.IntRange(0, 3).Draw(t, "seen") {
		pool, pending := decided, false
		if len(a.txs) > 0 && rapid.Bool().Draw(t, "pending") {
			pool, pending = a.txs, true
		}
		if len(pool) == 0 {
			continue
		}
		tx := rapid.SampledFrom(pool).Draw(t, "of")
		one := Seen{Txid: tx.ID[:], Op: rapid.Uint32Range(0, 2).Draw(t, "op")}
		if pending {
			one.PendingUntilMs = tx.ValidUntilMS()
		}
		if !tags[one.tag()] {
			tags[one.tag()] = true
			list = append(list, one)
		}
	}
	return list
}

// decide executes all transactions in some order, cut into blocks, some of them again and again.
func (a *apart) decide(t *rapid.T, label string) memory {
	queue := rapid.Permutation(a.txs).Draw(t, label)
	for range rapid.IntRange(0, 4).Draw(t, label+": again") {
		at := rapid.IntRange(0, len(queue)).Draw(t, label+": at")
		queue = slices.Insert(slices.Clone(queue), at, rapid.SampledFrom(a.txs).Draw(t, label+": what"))
	}
	state, height, timeMS := a.base.clone(), uint64(1), a.u.timeMS+1
	for len(queue) > 0 {
		n := rapid.IntRange(1, len(queue)).Draw(t, label+": block")
		height++
		timeMS += rapid.Uint64Range(1, apartMS/apartBlocksMax).Draw(t, label+": time")
		state.apply(a.execute(t, state, height, timeMS, queue[:n]).Changes)
		queue = queue[n:]
	}
	return state
}

// execute demands that nothing fails but what was decided before.
func (a *apart) execute(t *rapid.T, state memory, height, timeMS uint64, txs []*Transaction) Outcome {
	out, err := Execute(state, Block{Height: height, TimeMS: timeMS, Txs: txs})
	if err != nil {
		t.Fatal(err)
	}
	for i := range out.Receipts {
		if code := Code(out.Receipts[i].Code); code != CodeOK && code != CodeDuplicate {
			t.Fatalf("an operation that conflicts with none failed: %s in %+v", code, txs[i].Body)
		}
	}
	return out
}

// forget touches every entry when nothing can come any more.
func (a *apart) forget(t *rapid.T, state memory) memory {
	state = state.clone()
	stranger := Seen{Txid: make([]byte, 32)}
	for i, p := range a.u.parties {
		b := Body{
			Version: 1, ChainId: "order-1", Actor: p.address[:], Nonce: bytes.Repeat([]byte{255}, NonceLen), ValidUntilMs: testTimeMS + 3*apartMS,
			Ops: []Op{
				{Kind: &Op_SetRemove{SetRemove: &SetRemove{Path: "s", Seen: []Seen{stranger}}}},
				{Kind: &Op_WriteMulti{WriteMulti: &WriteMulti{Path: "m", Seen: []Seen{stranger}}}},
			},
		}
		tx, err := DecodeTransaction(encodeTx(b, p))
		if err != nil {
			t.Fatal(err)
		}
		state.apply(a.execute(t, state, 100+uint64(i), testTimeMS+2*apartMS, []*Transaction{tx}).Changes)
	}
	audit(t, state)
	return state
}

// entriesOf reads all entries of a state.
func entriesOf(state memory) map[string]Entry {
	entries := map[string]Entry{}
	for key, leaf := range state {
		if key[0] == PrefixEntry {
			entries[key], _ = DecodeEntry(leaf)
		}
	}
	return entries
}

// entriesRoot stands for the root of all that a state says of entries: their leaves, and the counts of namespaces.
func entriesRoot(state memory) crypto.Hash {
	var all []byte
	for _, key := range slices.Sorted(maps.Keys(state)) {
		if key[0] == PrefixEntry || key[0] == PrefixNamespace {
			all = fmt.Appendf(all, "%x=%x\n", key, state[key])
		}
	}
	return crypto.Sum(all)
}

func showEntries(state memory) string {
	var b bytes.Buffer
	for _, key := range slices.Sorted(maps.Keys(state)) {
		if key[0] == PrefixEntry {
			e, err := DecodeEntry([]byte(state[key]))
			fmt.Fprintf(&b, "%x %s: %+v %v\n", key[1:5], key[33:], e, err)
		}
	}
	return b.String()
}

// TestAdditionWins: of an addition and a removal that do not know of each other the addition wins, whichever comes
// first.
func TestAdditionWins(t *testing.T) {
	alice := testKey("alice")
	out, err := ExecuteGenesis(DefaultParams(), newUniverse().genesis(), testTimeMS)
	if err != nil {
		t.Fatal(err)
	}
	genesis := memory{}
	genesis.apply(out.Changes)
	tx := func(nonce byte, op Op) *Transaction {
		tx, err := DecodeTransaction(edit(func(b *Body) {
			b.Nonce, b.ValidUntilMs, b.Ops = bytes.Repeat([]byte{nonce}, NonceLen), testTimeMS+apartMS, []Op{op}
		}))
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	add := Op{Kind: &Op_SetAdd{SetAdd: &SetAdd{Path: "s", Element: []byte("x")}}}
	first, again := tx(1, add), tx(2, add)
	remove := tx(3, Op{Kind: &Op_SetRemove{SetRemove: &SetRemove{Path: "s", Seen: []Seen{{Txid: first.ID[:]}}}}})
	for _, order := range [][]*Transaction{{first, again, remove}, {first, remove, again}} {
		state := genesis.clone()
		out, err := Execute(state, Block{Height: 1, TimeMS: testTimeMS + 1, Txs: order})
		if err != nil {
			t.Fatal(err)
		}
		state.apply(out.Changes)
		e, err := DecodeEntry(state[string(KeyEntry(alice.address, "s"))])
		if err != nil || len(e.Items) != 1 || e.Items[0].Tag.TxID != again.ID || string(e.Items[0].Value) != "x" {
			t.Errorf("%+v, %v", e, err)
		}
	}
}
