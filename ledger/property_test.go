package ledger

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"pgregory.net/rapid"
)

// universe is a small world in which random transactions meet each other often.
type universe struct {
	parties []party
	codes   []string
	paths   []string
	txs     []*Transaction // made before, to be sent again
	timeMS  uint64
	nonce   byte
}

func newUniverse() *universe {
	u := &universe{codes: []string{"usd", "eur", "gold", "none"}, paths: []string{"a", "b", "c/d"}, timeMS: testTimeMS}
	for _, name := range []string{"alice", "bob", "carol", "dave", "mint"} {
		u.parties = append(u.parties, testKey(name))
	}
	for i := range 10 {
		u.codes = append(u.codes, fmt.Sprintf("x%d", i))
	}
	return u
}

// genesis gives everybody something.
func (u *universe) genesis() []GenesisOp {
	mint := u.parties[4].address
	ops := []GenesisOp{{Actor: mint, Op: opSetAsset("usd", 2)}, {Actor: mint, Op: opSetAsset("eur", 0)}}
	ops[1].Op.GetSetAsset().MaxSupply = []byte{2, 0} // what there may be of it can be raised by mistake
	for _, p := range u.parties[:4] {
		ops = append(ops, GenesisOp{Actor: mint, Op: opTransfer(p.address, "usd", 100)}, GenesisOp{Actor: mint, Op: opTransfer(p.address, "eur", 5)})
	}
	for i := range 10 {
		code := fmt.Sprintf("x%d", i)
		ops = append(ops, GenesisOp{Actor: mint, Op: opSetAsset(code, 0)}, GenesisOp{Actor: mint, Op: opTransfer(u.parties[0].address, code, 3)})
	}
	return ops
}

// op draws an operation; actor is who would act if the operation named nobody.
func (u *universe) op(t *rapid.T, actor party) Op {
	who := func(label string) []byte {
		a := rapid.SampledFrom(u.parties).Draw(t, label).address
		return a[:]
	}
	asset := func() []byte {
		id := AssetIDOf(rapid.SampledFrom(u.codes).Draw(t, "asset"))
		return id[:]
	}
	amount := func() []byte {
		return rapid.OneOf(rapid.Just(Amount{Lo: 1}), rapid.Map(rapid.Uint64Range(0, 120), func(n uint64) Amount { return Amount{Lo: n} }),
			rapid.Just(SupplyMax), rapid.Just(amountMax), genAmount()).Draw(t, "amount").Bytes()
	}
	if rapid.IntRange(0, 5).Draw(t, "merges") == 5 {
		return u.merging(t)
	}
	if rapid.IntRange(0, 15).Draw(t, "proves") == 15 {
		return u.evidence(t)
	}
	path := rapid.SampledFrom(u.paths)
	switch rapid.SampledFrom([]string{"transfer", "set_account", "set_asset", "put", "assert", "transfer", "transfer", "put", "set_asset"}).Draw(t, "kind") {
	case "transfer":
		return Op{Kind: &Op_Transfer{Transfer: &Transfer{To: who("to"), Asset: asset(), Amount: amount(), UpTo: rapid.Bool().Draw(t, "up_to")}}}
	case "set_account":
		m := &SetAccount{Policy: SingleKey(crypto.PublicKey{Type: crypto.KeyEd25519, Bytes: rapid.SampledFrom(u.parties).Draw(t, "key").public})}
		if rapid.Bool().Draw(t, "create") {
			m.Salt = bytes.Repeat([]byte{rapid.ByteRange(0, 1).Draw(t, "salt")}, SaltLen)
		}
		return Op{Kind: &Op_SetAccount{SetAccount: m}}
	case "set_asset":
		m := &SetAsset{Code: rapid.OneOf(rapid.SampledFrom(u.codes[:2]), rapid.SampledFrom(u.codes)).Draw(t, "code"), Scale: rapid.SampledFrom([]uint32{0, 2, 1}).Draw(t, "scale")}
		if rapid.Bool().Draw(t, "limited") {
			if m.MaxSupply = amount(); rapid.Bool().Draw(t, "tight") {
				m.MaxSupply = rapid.SampledFrom([][]byte{{2, 0}, {4, 0}}).Draw(t, "max")
			}
		}
		return Op{Kind: &Op_SetAsset{SetAsset: m}}
	case "put":
		m := &Put{Path: path.Draw(t, "path"), Value: rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "value")}
		if rapid.Bool().Draw(t, "conditional") {
			m.IfVersion = &IfVersion{Version: rapid.Uint64Range(0, 6).Draw(t, "version")}
		}
		return Op{Kind: &Op_Put{Put: m}}
	}
	switch rapid.IntRange(0, 3).Draw(t, "assert") {
	case 0:
		return Op{Kind: &Op_Assert{Assert: &Assert{That: &Assert_Balance{Balance: &AssertBalance{Account: who("whose"), Asset: asset(), Min: amount()}}}}}
	case 1:
		return Op{Kind: &Op_Assert{Assert: &Assert{That: &Assert_Entry{Entry: &AssertEntry{
			Namespace: who("namespace"), Path: path.Draw(t, "path"), Version: rapid.Uint64Range(0, 4).Draw(t, "version"),
		}}}}}
	case 2:
		return Op{Kind: &Op_Assert{Assert: &Assert{That: &Assert_Height{Height: &AssertHeight{Max: rapid.Uint64Range(1, 9).Draw(t, "max")}}}}}
	}
	return Op{Kind: &Op_Assert{Assert: &Assert{That: &Assert_Time{Time: &AssertTime{MinMs: u.timeMS}}}}}
}

// transaction draws a new transaction, or one that was there before; nil when the draw has no valid shape.
func (u *universe) transaction(t *rapid.T) *Transaction {
	if len(u.txs) > 0 && rapid.IntRange(0, 5).Draw(t, "again") == 5 {
		return rapid.SampledFrom(u.txs).Draw(t, "tx")
	}
	actor := rapid.SampledFrom(u.parties).Draw(t, "actor")
	signers := []party{actor}
	u.nonce++
	b := Body{
		Version: 1, ChainId: "property-1", Actor: actor.address[:], Nonce: bytes.Repeat([]byte{u.nonce}, NonceLen),
		ValidUntilMs: u.timeMS + rapid.SampledFrom([]uint64{30_000, 30_000, 30_000, 30_000, 500_000, 0, 601_000}).Draw(t, "valid for"),
	}
	if rapid.IntRange(0, 4).Draw(t, "lane") == 4 {
		b.Nonce = nil
		b.Lane = &Lane{Id: rapid.Uint64Range(0, 1).Draw(t, "lane id"), Seq: rapid.Uint64Range(1, 3).Draw(t, "seq")}
	}
	for range rapid.IntRange(1, 4).Draw(t, "ops") {
		op := u.op(t, actor)
		if rapid.IntRange(0, 5).Draw(t, "by other") == 5 {
			other := rapid.SampledFrom(u.parties).Draw(t, "by")
			op.Actor = other.address[:]
			if other.name != actor.name && len(signers) == 1 {
				signers = append(signers, other)
			}
		}
		b.Ops = append(b.Ops, op)
	}
	if rapid.IntRange(0, 9).Draw(t, "mis-signed") == 9 {
		signers = rapid.SliceOfNDistinct(rapid.SampledFrom(u.parties), 1, 3, func(p party) string { return p.name }).Draw(t, "signers")
	}
	tx, err := DecodeTransaction(encodeTx(b, signers...))
	if err != nil {
		return nil
	}
	if rapid.IntRange(0, 19).Draw(t, "fault") == 19 {
		tx.Fault = CodeBadSignature
	}
	u.txs = append(u.txs, tx)
	return tx
}

// block draws a block of up to n transactions.
func (u *universe) block(t *rapid.T, height uint64, n int) Block {
	u.timeMS += rapid.SampledFrom([]uint64{1, 1000, 1000, 1000, 29_000, 4_000_000}).Draw(t, "step")
	b := Block{Height: height, TimeMS: u.timeMS}
	for range rapid.IntRange(0, n).Draw(t, "txs") {
		if tx := u.transaction(t); tx != nil {
			b.Txs = append(b.Txs, tx)
		}
	}
	return b
}

// start executes a genesis for both the ledger and the model.
func start(t *rapid.T, u *universe) (memory, *model) {
	p := DefaultParams()
	p.ReplayBucketMax = 6
	out, err := ExecuteGenesis(p, u.genesis(), testTimeMS)
	if err != nil {
		t.Fatal(err)
	}
	state := memory{}
	state.apply(out.Changes)
	m := newModel(p)
	for _, g := range u.genesis() {
		if code := m.op(&g.Op, g.Actor, map[crypto.Address]bool{}); code != 0 {
			t.Fatal(code)
		}
	}
	return state, m
}

// TestLedgerIsItsModel runs random blocks through both and compares every receipt and the whole state, which
// is audited as well: supply conserved, nothing negative, nothing half-applied, nothing executed twice.
func TestLedgerIsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := newUniverse()
		state, m := start(t, u)
		executed := map[TxID]int{}
		for height := uint64(1); height <= uint64(rapid.IntRange(1, 6).Draw(t, "blocks")); height++ {
			b := u.block(t, height, 12)
			out, err := Execute(state, b)
			if err != nil {
				t.Fatal(err)
			}
			var want []Receipt
			m, want = m.block(b)
			for i := range want {
				if !out.Receipts[i].Equal(&want[i]) {
					t.Fatalf("receipt %d is %s op %d, should be %s op %d\n%+v", i, Code(out.Receipts[i].Code), out.Receipts[i].Op, Code(want[i].Code), want[i].Op, b.Txs[i].Body)
				}
				if out.Receipts[i].Code == 0 {
					executed[b.Txs[i].ID]++
				}
			}
			checkChanges(t, state, out.Changes)
			state.apply(out.Changes)
			audit(t, state)
			m.compare(t, state)
		}
		for id, n := range executed {
			if n > 1 {
				t.Fatalf("transaction %s was committed %d times", id, n)
			}
		}
	})
}

// TestFailureLeavesNothing executes transactions one by one: one that fails changes no leaf but its replay
// record, the counters of replay protection, and the lanes of its actor.
func TestFailureLeavesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := newUniverse()
		state, _ := start(t, u)
		for height := uint64(1); height <= 12; height++ {
			tx := u.transaction(t)
			if tx == nil {
				continue
			}
			u.timeMS += 1000
			out, err := Execute(state, Block{Height: height, TimeMS: u.timeMS, Txs: []*Transaction{tx}})
			if err != nil {
				t.Fatal(err)
			}
			if out.Receipts[0].Code != 0 {
				for _, c := range out.Changes {
					checkTrace(t, state, tx, c)
				}
			}
			state.apply(out.Changes)
		}
	})
}

// checkTrace accepts what a failed transaction may change.
func checkTrace(t *rapid.T, before memory, tx *Transaction, c Change) {
	switch c.Key[0] {
	case PrefixRecord, PrefixBucket:
		return
	case PrefixChain:
		old, _ := DecodeChain(before[string(c.Key)])
		now, _ := DecodeChain(c.Value)
		if old.Revision == now.Revision {
			return
		}
	case PrefixAccount:
		actor := tx.Actor()
		var old Account
		if leaf := before[string(c.Key)]; leaf != nil {
			old, _ = DecodeAccount(leaf)
		}
		now, _ := DecodeAccount(c.Value)
		old.Lanes, now.Lanes = nil, nil
		if tx.Body.Lane != nil && bytes.Equal(c.Key[1:], actor[:]) && bytes.Equal(old.Append(nil), now.Append(nil)) {
			return
		}
	}
	t.Fatalf("a failed transaction changed %x from %x to %x", c.Key, before[string(c.Key)], c.Value)
}

// TestExecutionIsDeterministic executes the same blocks with one and with many processors, and over maps that
// were filled in different orders.
func TestExecutionIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := newUniverse()
		state, _ := start(t, u)
		b := u.block(t, 1, 30)
		procs := runtime.GOMAXPROCS(1)
		first, err := Execute(state, b)
		if err != nil {
			t.Fatal(err)
		}
		runtime.GOMAXPROCS(procs)
		other := memory{}
		for range 3 {
			maps.Copy(other, state)
		}
		second, err := Execute(other, b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(first, second) {
			t.Fatalf("outcomes differ:\n%+v\n%+v", first, second)
		}
	})
}

// TestOrderWithinABlockIsAllThatCounts executes transactions in one block and in many: the state, but for the
// heights in it, cannot tell.
func TestBlockBoundariesDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := newUniverse()
		whole, _ := start(t, u)
		parts := whole.clone()
		b := u.block(t, 1, 15)
		out, err := Execute(whole, b)
		if err != nil {
			t.Fatal(err)
		}
		whole.apply(out.Changes)
		for i, tx := range b.Txs {
			one, err := Execute(parts, Block{Height: 1, TimeMS: b.TimeMS, Txs: []*Transaction{tx}})
			if err != nil {
				t.Fatal(err)
			}
			one.Receipts[0].Index = uint32(i)
			if !one.Receipts[0].Equal(&out.Receipts[i]) {
				t.Fatalf("receipt %d is %+v in one block, %+v in its own", i, out.Receipts[i], one.Receipts[0])
			}
			parts.apply(one.Changes)
		}
		for key, leaf := range whole {
			if key[0] != PrefixRecord && !bytes.Equal(parts[key], leaf) {
				t.Fatalf("leaf %x differs", key)
			}
		}
		if len(whole) != len(parts) {
			t.Fatalf("%d leaves in one block, %d in many", len(whole), len(parts))
		}
	})
}

// TestPropertiesReachTheRules makes sure that the random blocks above are not all refused at the door.
func TestPropertiesReachTheRules(t *testing.T) {
	seen := map[Code]int{}
	blocks := rapid.Custom(func(t *rapid.T) int {
		u := newUniverse()
		state, _ := start(t, u)
		for height := uint64(1); height <= 4; height++ {
			b := u.block(t, height, 12)
			out, err := Execute(state, b)
			if err != nil {
				t.Fatal(err)
			}
			state.apply(out.Changes)
			for i := range out.Receipts {
				seen[Code(out.Receipts[i].Code)]++
			}
		}
		return 0
	})
	for seed := range 400 {
		blocks.Example(seed)
	}
	for _, code := range []Code{
		CodeOK, CodeBadSignature, CodeNotAuthorised, CodeUnusedSignature, CodeDuplicate, CodeExpired, CodeTooFarAhead, CodeLaneGap,
		CodeLanePast, CodeBucketFull, CodeInsufficientFunds, CodeSupplyExceeded, CodeAssetNotFound, CodeAssetExists, CodeScaleFixed,
		CodeSupplyAboveMax, CodeMaxSupplyRaised, CodeAccountExists, CodeVersionConflict, CodeAssertFailed,
		CodeKindMismatch, CodeDepthAhead, CodeSeenTooFar,
	} {
		if seen[code] == 0 {
			t.Errorf("%s was never reached", code)
		}
	}
	t.Logf("%v", seen)
}
