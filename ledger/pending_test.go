package ledger

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"slices"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"pgregory.net/rapid"
)

// pendingNames are the entries that transactions of an apart write.
func (a *apart) pendingNames() (names []EntryName) {
	for _, p := range a.u.parties {
		for _, path := range []string{"n", "s", "l", "m"} {
			names = append(names, EntryName{p.address, path})
		}
	}
	return names
}

// TestPendingIsWhatBlocksMake: an entry joined with what is pending is the entry that blocks make of the same
// transactions, in whatever order either of them has them, and however often.
func TestPendingIsWhatBlocksMake(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawApart(t)
		decided := a.decide(t, "blocks")
		for _, name := range a.pendingNames() {
			var of []*Transaction
			for _, tx := range a.txs {
				if slices.Contains(tx.Merges(), name) {
					of = append(of, tx)
				}
			}
			offered := rapid.Permutation(of).Draw(t, "order")
			if known := slices.Concat(of, a.u.txs); len(known) > 0 { // those of the state count no more
				offered = slices.Concat(offered, rapid.SliceOfN(rapid.SampledFrom(known), 0, 4).Draw(t, "again"))
			}
			got, err := JoinPending(a.base, name, 1, a.u.timeMS+1, offered)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.LeftOut) > 0 || got.Omitted > 0 || len(got.Joined) != len(of) || !slices.IsSortedFunc(got.Joined, func(a, b TxID) int { return bytes.Compare(a[:], b[:]) }) {
				t.Fatalf("of %d transactions: %+v", len(of), got)
			}
			var want Entry
			leaf := decided[string(KeyEntry(name.Namespace, name.Path))]
			if leaf != nil {
				if want, err = DecodeEntry(leaf); err != nil {
					t.Fatal(err)
				}
			}
			joined := got.Entry
			joined.Removed, want.Removed = nil, nil // blocks have forgotten some of these by their time
			if leaf == nil {
				joined.Kind = 0
			}
			if len(joined.Items) == 0 {
				joined.Items = nil
			}
			if len(want.Items) == 0 {
				if want.Items = nil; want.Kind == KindSet || want.Kind == KindMulti {
					joined.Kind = want.Kind
				}
			}
			if !reflect.DeepEqual(joined, want) {
				t.Fatalf("%s: %+v, blocks make %+v", name.Path, joined, want)
			}
		}
	})
}

// pendingWorld is a state on which alice has a counter at 5, and transactions of hers.
type pendingWorld struct {
	*writers
	nonce uint64
}

func newPendingWorld(t *testing.T) *pendingWorld {
	p := &pendingWorld{writers: newWriters(t)}
	if code := p.do(addTo("n", 5)); code != CodeOK {
		t.Fatal(code)
	}
	return p
}

func addTo(path string, delta int64) Op {
	return Op{Kind: &Op_Add{Add: &Add{Path: path, Delta: delta}}}
}

func (p *pendingWorld) tx(change func(*Body), ops ...Op) *Transaction {
	p.t.Helper()
	p.nonce++
	t, err := DecodeTransaction(edit(func(b *Body) {
		b.Nonce, b.ValidUntilMs, b.Ops = binary.BigEndian.AppendUint64(make([]byte, 8), p.nonce), testTimeMS+apartMS, ops
		if change != nil {
			change(b)
		}
	}))
	if err != nil {
		p.t.Fatal(err)
	}
	return t
}

func (p *pendingWorld) join(path string, txs ...*Transaction) PendingEntry {
	p.t.Helper()
	got, err := JoinPending(p.state, EntryName{testKey("alice").address, path}, uint64(p.n), testTimeMS+uint64(p.n), txs)
	if err != nil {
		p.t.Fatal(err)
	}
	return got
}

// TestPendingLeavesOut: what cannot be said to succeed is not joined, and why is said.
func TestPendingLeavesOut(t *testing.T) {
	p := newPendingWorld(t)
	lane := func(seq uint64) func(*Body) {
		return func(b *Body) { b.Nonce, b.Lane = nil, &Lane{Id: 1, Seq: seq} }
	}
	other := p.tx(nil, addTo("n", 1), Op{Kind: &Op_Put{Put: &Put{Path: "text", Value: []byte("x")}}})
	kind := p.tx(nil, Op{Kind: &Op_SetAdd{SetAdd: &SetAdd{Path: "n", Element: []byte("x")}}})
	foreign := p.tx(func(b *Body) { bob := testKey("bob").address; b.Actor = bob[:] }, addTo("n", 1))
	for name, c := range map[string]struct {
		tx   *Transaction
		code Code
	}{
		"other operations":  {other, CodeOK},
		"another kind":      {kind, CodeKindMismatch},
		"somebody else's":   {foreign, CodeNotAuthorised},
		"too deep":          {p.tx(nil, Op{Kind: &Op_WriteLast{WriteLast: &WriteLast{Path: "n2", Depth: 5000}}}), CodeDepthAhead},
		"one fails, so all": {p.tx(nil, addTo("n", 1), setAdd("x"), Op{Kind: &Op_SetAdd{SetAdd: &SetAdd{Path: "n", Element: []byte("x")}}}), CodeKindMismatch},
	} {
		if got := p.join("n", c.tx); len(got.Joined) != 0 || len(got.LeftOut) != 1 || got.LeftOut[0].Code != c.code || got.Entry.Sum.String() != "5" || got.Committed.Sum.String() != "5" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// Of two transactions on one place of a lane one can come; a gap before a place is no fault.
	first, second, far := p.tx(lane(1), addTo("n", 1)), p.tx(lane(1), addTo("n", 10)), p.tx(lane(7), addTo("n", 100))
	got := p.join("n", first, second, far)
	if again := p.join("n", far, second, first); !reflect.DeepEqual(got, again) || len(got.Joined) != 2 || len(got.LeftOut) != 1 || got.LeftOut[0].Code != CodeLanePast {
		t.Errorf("%+v, %+v", got, again)
	}
	// What is all taken back is still of its kind.
	if got := p.join("n", p.tx(nil, addTo("n", -5))); !got.Found || got.Entry.Kind != KindCounter || !got.Entry.Sum.IsZero() {
		t.Errorf("%+v", got)
	}
	if got := p.join("new", p.tx(nil, addTo("new", 5)), p.tx(nil, addTo("new", -5))); got.Found || got.Entry.Kind != KindCounter || len(got.Joined) != 2 {
		t.Errorf("%+v", got)
	}
}

// TestPendingIsBounded: as many operations as may be are executed, and of more the first by their ids.
func TestPendingIsBounded(t *testing.T) {
	p := newPendingWorld(t)
	ops := make([]Op, OpsMax)
	for i := range ops {
		ops[i] = addTo("n", 1)
	}
	var txs []*Transaction
	for range PendingOpsMax / OpsMax {
		txs = append(txs, p.tx(nil, ops...))
	}
	if got := p.join("n", txs...); got.Omitted != 0 || got.Entry.Sum.Magnitude.Lo != 5+PendingOpsMax {
		t.Errorf("as many as may be: %d omitted, %s", got.Omitted, got.Entry.Sum)
	}
	txs = append(txs, p.tx(nil, addTo("n", 1)))
	got := p.join("n", txs...)
	slices.Reverse(txs)
	if again := p.join("n", txs...); got.Omitted != 1 || len(got.Joined) != len(txs)-1 || !reflect.DeepEqual(got, again) {
		t.Errorf("one more: %d omitted, %d joined; in another order %d and %d", got.Omitted, len(got.Joined), again.Omitted, len(again.Joined))
	}
}

// TestPendingPassesOverWhatIsDecided: a transaction that the state holds counts once.
func TestPendingPassesOverWhatIsDecided(t *testing.T) {
	p := newPendingWorld(t)
	tx := p.tx(nil, addTo("n", 7))
	out, err := Execute(p.state, Block{Height: 2, TimeMS: testTimeMS + 2, Txs: []*Transaction{tx}})
	if err != nil {
		t.Fatal(err)
	}
	p.state.apply(out.Changes)
	if got := p.join("n", tx); len(got.Joined)+len(got.LeftOut) != 0 || got.Entry.Sum.String() != "12" {
		t.Errorf("%+v", got)
	}
	if _, err := JoinPending(memory{}, EntryName{crypto.Address{}, "n"}, 1, 1, nil); err == nil {
		t.Error("there is a state without parameters")
	}
}
