package ledger

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// orders calls fn with every order of n things.
func orders(n int, fn func([]int)) {
	order := make([]int, 0, n)
	var place func()
	place = func() {
		if len(order) == n {
			fn(order)
			return
		}
		for i := range n {
			if !slices.Contains(order, i) {
				order = append(order, i)
				place()
				order = order[:len(order)-1]
			}
		}
	}
	place()
}

// TestEverySplit decides one operation of each kind that merges, of which two know of each other, in every order and
// cut into blocks in every way, each sent again with the block after it: the entries are always the same.
func TestEverySplit(t *testing.T) {
	w := newPendingWorld(t)
	base := w.state.clone()
	add := w.tx(nil, setAdd("x"))
	seen := []Seen{{Txid: add.ID[:], PendingUntilMs: add.ValidUntilMS()}}
	txs := []*Transaction{
		add,
		w.tx(nil, setRemove(seen), setAdd("y")),
		w.tx(nil, addTo("n", -5), addTo("n", 7)),
		w.tx(nil, Op{Kind: &Op_WriteLast{WriteLast: &WriteLast{Path: "l", Value: []byte("a"), Depth: 1}}}, Op{Kind: &Op_WriteMulti{WriteMulti: &WriteMulti{Path: "m", Value: []byte("a")}}}),
		w.tx(nil, Op{Kind: &Op_WriteLast{WriteLast: &WriteLast{Path: "l", Value: []byte("b"), Depth: 1}}}, Op{Kind: &Op_WriteMulti{WriteMulti: &WriteMulti{Path: "m", Value: []byte("b")}}}),
	}
	roots := map[[32]byte]bool{}
	orders(len(txs), func(order []int) {
		for cuts := range 1 << (len(txs) - 1) { // a bit says that a block ends behind that transaction
			state, height := base.clone(), uint64(1)
			var block, last []*Transaction
			for i, at := range order {
				block = append(block, txs[at])
				if cuts&(1<<i) == 0 && i+1 < len(order) {
					continue
				}
				height++
				out, err := Execute(state, Block{Height: height, TimeMS: testTimeMS + height, Txs: slices.Concat(last, block)})
				if err != nil {
					t.Fatal(err)
				}
				for k := range out.Receipts {
					want := CodeOK
					if k < len(last) {
						want = CodeDuplicate
					}
					if Code(out.Receipts[k].Code) != want {
						t.Fatalf("order %v, cuts %b: %s", order, cuts, Code(out.Receipts[k].Code))
					}
				}
				state.apply(out.Changes)
				last, block = block, nil
			}
			if roots[entriesRoot(state)] = true; len(roots) > 1 {
				t.Fatalf("order %v, cuts %b makes other entries:\n%s", order, cuts, showEntries(state))
			}
		}
	})
}

// TestEquivocationAmongOthers puts a proof somewhere among operations of its author and of another. In whatever order
// and blocks, the other's entries are as without it, and the author's are what those operations make that were taken.
func TestEquivocationAmongOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawApart(t)
		author, other := a.u.parties[0], a.u.parties[1]
		var said []*Transaction
		for delta := range int64(2) {
			tx, err := DecodeTransaction(encodeTx(Body{
				Version: 1, ChainId: "order-1", Actor: author.address[:], Nonce: bytes.Repeat([]byte{200}, NonceLen),
				ValidUntilMs: testTimeMS + 3*apartMS, Ops: []Op{addTo("n", 1+delta)},
			}, author))
			if err != nil {
				t.Fatal(err)
			}
			said = append(said, tx)
		}
		op, _ := EvidenceFor(said[0], said[1])
		proof, err := DecodeTransaction(encodeTx(Body{
			Version: 1, ChainId: "order-1", Actor: other.address[:], Nonce: bytes.Repeat([]byte{201}, NonceLen),
			ValidUntilMs: testTimeMS + apartMS, Ops: []Op{op},
		}, other))
		if err != nil {
			t.Fatal(err)
		}
		a.txs = append(a.txs, said...)
		queue := rapid.Permutation(append(slices.Clone(a.txs), proof)).Draw(t, "order")
		state, height := a.base.clone(), uint64(1)
		var taken []*Transaction
		barred := false
		for len(queue) > 0 {
			n := rapid.IntRange(1, len(queue)).Draw(t, "block")
			height++
			out, err := Execute(state, Block{Height: height, TimeMS: a.u.timeMS + height, Txs: queue[:n]})
			if err != nil {
				t.Fatal(err)
			}
			for i, tx := range queue[:n] {
				want := CodeOK
				if barred && tx.Actor() == author.address {
					want = CodeAuthorBarred
				}
				switch got := Code(out.Receipts[i].Code); {
				case got != want:
					t.Fatalf("%s, want %s", got, want)
				case tx == proof:
					barred = true
				case got == CodeOK:
					taken = append(taken, tx)
				}
			}
			state.apply(out.Changes)
			queue = queue[n:]
		}
		plain := a.base.clone()
		plain.apply(a.execute(t, plain, 2, a.u.timeMS+2, taken).Changes)
		if one, two := entriesRoot(state), entriesRoot(plain); one != two {
			t.Fatalf("the entries are\n%s\nand without the proof and what was refused\n%s", showEntries(state), showEntries(plain))
		}
		audit(t, state)
	})
}
