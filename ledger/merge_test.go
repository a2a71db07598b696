package ledger

import (
	"bytes"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestSumIsAnInteger adds random differences and compares with big integers.
func TestSumIsAnInteger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sum, want := Sum{}, new(big.Int)
		for _, d := range rapid.SliceOf(rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{1, -1, 1<<63 - 1, -1 << 63}))).Draw(t, "differences") {
			var ok bool
			if sum, ok = sum.Add(d); !ok {
				t.Fatal("it does not fit")
			}
			want.Add(want, big.NewInt(d))
			if sum.String() != want.String() || sum.IsZero() != (want.Sign() == 0) {
				t.Fatalf("the sum is %s, should be %s", sum, want)
			}
		}
	})
	if _, ok := (Sum{Negative: true, Magnitude: amountMax}).Add(-1); ok {
		t.Error("a sum below every sum fits")
	}
	if sum, ok := (Sum{Negative: true, Magnitude: amountMax}).Add(1); !ok || sum.Magnitude.Lo != 1<<64-2 {
		t.Errorf("%s, %v", sum, ok)
	}
}

// writers executes operations of alice, one transaction each, on a state of their own.
type writers struct {
	t     *testing.T
	state memory
	n     byte
}

func newWriters(t *testing.T) *writers {
	t.Helper()
	out, err := ExecuteGenesis(DefaultParams(), newUniverse().genesis(), testTimeMS)
	if err != nil {
		t.Fatal(err)
	}
	w := &writers{t: t, state: memory{}}
	w.state.apply(out.Changes)
	return w
}

func (w *writers) do(ops ...Op) Code {
	w.t.Helper()
	w.n++
	tx, err := DecodeTransaction(edit(func(b *Body) {
		b.Nonce, b.ValidUntilMs, b.Ops = bytes.Repeat([]byte{w.n}, NonceLen), testTimeMS+apartMS, ops
	}))
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := Execute(w.state, Block{Height: uint64(w.n), TimeMS: testTimeMS + uint64(w.n), Txs: []*Transaction{tx}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.state.apply(out.Changes)
	audit(w.t, w.state)
	return Code(out.Receipts[0].Code)
}

func setAdd(element string) Op {
	return Op{Kind: &Op_SetAdd{SetAdd: &SetAdd{Path: "s", Element: []byte(element)}}}
}

// seenOf names n writes; until is the end of their validity if they are on their way.
func seenOf(from, n int, until uint64) (list []Seen) {
	for i := range n {
		list = append(list, Seen{Txid: bytes.Repeat([]byte{byte(from + i)}, 32), PendingUntilMs: until})
	}
	return list
}

func setRemove(seen []Seen) Op {
	return Op{Kind: &Op_SetRemove{SetRemove: &SetRemove{Path: "s", Seen: seen}}}
}

// TestEntryBounds fills entries to their bounds, and one further.
func TestEntryBounds(t *testing.T) {
	w := newWriters(t)
	for range SetItemsMax / OpsMax {
		ops := make([]Op, OpsMax)
		for i := range ops {
			ops[i] = setAdd(strings.Repeat("x", SetElementMax))
		}
		if code := w.do(ops...); code != CodeOK {
			t.Fatal(code)
		}
	}
	if code := w.do(setAdd("y")); code != CodeEntryFull {
		t.Errorf("an addition too many: %s", code)
	}
	if code := w.do(setRemove(seenOf(1, RemovedMax, testTimeMS+apartMS))); code != CodeOK {
		t.Errorf("as many removals as are remembered: %s", code)
	}
	if code := w.do(setRemove(seenOf(1+RemovedMax, 1, testTimeMS+apartMS))); code != CodeEntryFull {
		t.Errorf("one more: %s", code)
	}
	if code := w.do(setRemove(seenOf(1, RemovedMax, testTimeMS+apartMS))); code != CodeOK {
		t.Errorf("the same once more: %s", code)
	}
	var multi []Op
	for range MultiItemsMax {
		multi = append(multi, Op{Kind: &Op_WriteMulti{WriteMulti: &WriteMulti{Path: "m", Value: make([]byte, MultiValueMax)}}})
	}
	if code := w.do(multi...); code != CodeOK {
		t.Errorf("as many values as there may be: %s", code)
	}
	if code := w.do(multi[0]); code != CodeEntryFull {
		t.Errorf("one more: %s", code)
	}
	leaf := w.state[string(KeyEntry(testKey("alice").address, "s"))]
	if len(leaf) > 16<<10 {
		t.Errorf("the largest set takes %d bytes", len(leaf))
	}
}

// TestShapesOfMergingOps: what is out of bounds in itself never gets into a block.
func TestShapesOfMergingOps(t *testing.T) {
	add := func(delta int64) Op { return Op{Kind: &Op_Add{Add: &Add{Path: "n", Delta: delta}}} }
	last := func(size int, depth uint64) Op {
		return Op{Kind: &Op_WriteLast{WriteLast: &WriteLast{Path: "l", Value: make([]byte, size), Depth: depth}}}
	}
	multi := func(size int, seen []Seen) Op {
		return Op{Kind: &Op_WriteMulti{WriteMulti: &WriteMulti{Path: "m", Value: make([]byte, size), Seen: seen}}}
	}
	short := []Seen{{Txid: make([]byte, 31)}}
	for name, c := range map[string]struct {
		op   Op
		code Code
	}{
		"smallest difference":    {add(-1 << 63), CodeOK},
		"no difference":          {add(0), CodeBadField},
		"longest element":        {setAdd(strings.Repeat("x", SetElementMax)), CodeOK},
		"element too long":       {setAdd(strings.Repeat("x", SetElementMax+1)), CodeTooLarge},
		"most seen":              {setRemove(seenOf(0, SeenMax, 0)), CodeOK},
		"too many seen":          {setRemove(seenOf(0, SeenMax+1, 0)), CodeTooMany},
		"nothing seen":           {setRemove(nil), CodeBadField},
		"seen twice":             {setRemove(append(seenOf(0, 1, 0), seenOf(0, 1, 9)...)), CodeBadField},
		"seen of a short id":     {setRemove(short), CodeBadField},
		"longest value":          {last(EntryValueMax, 1), CodeOK},
		"value too long":         {last(EntryValueMax+1, 1), CodeTooLarge},
		"no depth":               {last(1, 0), CodeBadField},
		"longest of many":        {multi(MultiValueMax, nil), CodeOK},
		"too long of many":       {multi(MultiValueMax+1, nil), CodeTooLarge},
		"neither value nor seen": {multi(0, nil), CodeBadField},
		"most replaced":          {multi(1, seenOf(0, SeenMax, 0)), CodeOK},
		"too many replaced":      {multi(1, seenOf(0, SeenMax+1, 0)), CodeTooMany},
	} {
		_, err := DecodeTransaction(edit(func(b *Body) { b.Ops = []Op{c.op} }))
		code := CodeOK
		if err != nil {
			code = err.(*Reject).Code
		}
		if code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestTagsAreReversible(t *testing.T) {
	tag := Tag{TxID: TxID{0xab}, Op: 63}
	if got, err := ParseTag(tag.String()); err != nil || got != tag {
		t.Errorf("%s reads back as %s: %v", tag, got, err)
	}
	id := TxID{}.String()
	for _, bad := range []string{"", id, id + "/", id + "/64", id + "/-1", id + "/01", id[1:] + "/1", strings.ToUpper(tag.String()), id + "/1/2"} {
		if _, err := ParseTag(bad); err == nil {
			t.Errorf("%q is a tag", bad)
		}
	}
	if (Tag{Op: 1}).Cmp(Tag{}) != 1 || (Tag{}).Cmp(Tag{TxID: TxID{1}}) != -1 || tag.Cmp(tag) != 0 {
		t.Error("tags are in another order")
	}
}

// TestMergingOpsInJSON: every form reads back, and a fault is named with its place.
func TestMergingOpsInJSON(t *testing.T) {
	tag := Tag{TxID: TxID{1}, Op: 3}.String()
	text := `[
		{"add": {"path": "n", "delta": "-9223372036854775808"}},
		{"set_add": {"path": "s", "element": "bob"}},
		{"set_add": {"path": "s", "element_base64": "AP8="}},
		{"set_remove": {"path": "s", "seen": [{"tag": "` + tag + `", "pending_until_ms": 7}]}},
		{"write_last": {"path": "l", "value": "x", "depth": 18446744073709551615}},
		{"write_last": {"path": "l", "depth": 1}},
		{"write_multi": {"path": "m", "value_base64": "AA==", "seen": [{"tag": "` + tag + `"}]}}
	]`
	ops, err := ParseOps([]byte(text), Names{})
	if err != nil {
		t.Fatal(err)
	}
	if ops[0].GetAdd().Delta != -1<<63 || ops[3].GetSetRemove().Seen[0].tag().String() != tag {
		t.Errorf("%+v", ops)
	}
	again, err := FormatOps(ops, Names{})
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseOps(again, Names{})
	for i := range ops {
		if err != nil || !back[i].Equal(&ops[i]) {
			t.Fatalf("%s reads back with %v", again, err)
		}
	}
	for text, want := range map[string]string{
		`[{"add": {"path": "n"}}]`:                                                                   "[0].add.delta: is missing",
		`[{"add": {"path": "n", "delta": 5}}]`:                                                       "[0].add.delta: must be a string",
		`[{"add": {"path": "n", "delta": "1.5"}}]`:                                                   `[0].add.delta: "1.5" is not a whole number of 64 bits`,
		`[{"add": {"path": "n", "delta": "9223372036854775808"}}]`:                                   "is not a whole number of 64 bits",
		`[{"add": {"path": "n", "delta": "0"}}]`:                                                     "delta is zero",
		`[{"set_add": {"path": "s", "element": "a", "element_base64": "YQ=="}}]`:                     "element and element_base64 are both present",
		`[{"set_remove": {"path": "s", "seen": [{"tag": "x"}]}}]`:                                    "[0].set_remove.seen[0].tag: \"x\" is not the id",
		`[{"set_remove": {"path": "s", "seen": [{"tag": "` + tag + `", "at": 1}]}}]`:                 "[0].set_remove.seen[0].at: unknown field",
		`[{"set_remove": {"path": "s", "seen": [` + strings.Repeat(`{},`, SeenMax) + `{}]}}]`:        "65 writes, at most 64 allowed",
		`[{"write_last": {"path": "l", "value": "x"}}]`:                                              "depth counts from 1",
		`[{"write_multi": {"path": "m", "seen": [{"tag": "` + tag + `"}, {"tag": "` + tag + `"}]}}]`: "seen[0] and seen[1] are the same",
	} {
		if _, err := ParseOps([]byte(text), Names{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80s: %v, want %q", text, err, want)
		}
	}
}
