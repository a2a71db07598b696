package ledger

import (
	"errors"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
)

var errDisk = errors.New("disk on fire")

// failing is a state whose n-th read fails.
type failing struct {
	memory
	left int
}

func (f *failing) Get(key []byte) ([]byte, error) {
	if f.left--; f.left < 0 {
		return nil, errDisk
	}
	return f.memory.Get(key)
}

// busyBlock is a block that reads leaves of every kind.
func busyBlock(t *testing.T) (memory, Block) {
	t.Helper()
	u := newUniverse()
	alice, bob := u.parties[0], u.parties[1]
	ops := u.genesis()
	for _, name := range []string{"v1", "v2", "v3", "v4", "v5"} {
		ops = append(ops, GenesisOp{Actor: GovAddress, Op: Op{Kind: &Op_SetValidator{SetValidator: &SetValidator{
			KeyType: 1, PublicKey: testKey(name).public, Power: 1, Name: name,
		}}}})
	}
	out, err := ExecuteGenesis(DefaultParams(), ops, testTimeMS)
	if err != nil {
		t.Fatal(err)
	}
	state := memory{}
	state.apply(out.Changes)
	w := newWorld(t)
	w.state = state
	w.scales["usd"] = 2
	block := Block{Height: 1, TimeMS: testTimeMS + 1, Misbehaviour: []Misbehaviour{{Validator: crypto.ValidatorIDOf(1, testKey("v1").public)}}}
	var pages []Op
	for _, code := range []string{"x0", "x5", "x9"} { // alice holds 12 assets: the last lie in a page
		pages = append(pages, opTransfer(bob.address, code, 3))
	}
	lane := w.body(alice.address, put("b", []byte{1}))
	lane.Nonce, lane.Lane = nil, &Lane{Id: 1, Seq: 1}
	own := w.body(alice.address, put("c", []byte{1}))
	other := put("d", []byte{1})
	other.Actor = bob.address[:]
	own.Ops = append(own.Ops, other)
	block.Txs = []*Transaction{
		w.sign(w.body(alice.address, opTransfer(bob.address, "usd", 1), put("a", []byte("1"))), alice),
		w.sign(w.body(alice.address, pages...), alice),
		w.sign(w.body(alice.address, w.parseOp([]string{"assert", "balance", "bob", "usd", "min=0.01"})), alice),
		w.sign(w.body(alice.address, w.parseOp([]string{"assert", "entry", "bob", "p", "version=0"})), alice),
		w.sign(w.body(bob.address, opTransfer(alice.address, "usd", 1_000_000)), bob),
		w.sign(lane, alice),
		w.sign(own, alice, bob),
		w.sign(w.body(alice.address, w.parseOp([]string{"set_account", "key=bob", "salt=1"})), alice),
	}
	return state, block
}

// TestReaderErrorStopsTheBlock makes each read fail in turn: none may be taken for a fault of a transaction.
func TestReaderErrorStopsTheBlock(t *testing.T) {
	state, block := busyBlock(t)
	reads := 0
	for ; ; reads++ {
		out, err := Execute(&failing{state, reads}, block)
		if err == nil {
			for i, want := range []Code{0, 0, 0, 0, CodeInsufficientFunds, 0, 0, 0} {
				if Code(out.Receipts[i].Code) != want {
					t.Errorf("receipt %d is %s, want %s", i, Code(out.Receipts[i].Code), want)
				}
			}
			break
		}
		if !errors.Is(err, errDisk) || len(out.Receipts) != 0 || len(out.Changes) != 0 {
			t.Fatalf("read %d failed: %v, %+v", reads, err, out)
		}
	}
	if reads < 25 {
		t.Errorf("only %d reads", reads)
	}
	for n := range reads {
		_, err := NewPrechecker(&failing{state, n}, block.TimeMS)
		if n < 2 && !errors.Is(err, errDisk) || n >= 2 && err != nil {
			t.Errorf("prechecker with %d reads: %v", n, err)
		}
	}
}

// TestDamageStopsTheBlock damages each leaf in turn.
func TestDamageStopsTheBlock(t *testing.T) {
	state, block := busyBlock(t)
	stopped := 0
	for key := range state {
		damaged := state.clone()
		damaged[key] = []byte{leafVersion, 0xff}
		var leaf *LeafError
		if _, err := Execute(damaged, block); errors.As(err, &leaf) {
			stopped++
		} else if err != nil {
			t.Errorf("damage of %x: %v", key, err)
		}
	}
	if stopped < 10 {
		t.Errorf("only %d leaves were found damaged", stopped)
	}
}

// TestUncountedEntryStopsTheBlock: where an entry is and its namespace counts none, nothing can be taken away.
func TestUncountedEntryStopsTheBlock(t *testing.T) {
	state := memory{}
	out, err := ExecuteGenesis(DefaultParams(), newUniverse().genesis(), testTimeMS)
	if err != nil {
		t.Fatal(err)
	}
	state.apply(out.Changes)
	alice := testKey("alice")
	e := Entry{Version: 1, ModifiedHeight: 1, Value: []byte("1")}
	state[string(KeyEntry(alice.address, "a"))] = e.Append(nil)
	tx, err := DecodeTransaction(edit(func(b *Body) { b.Ops = []Op{put("a", nil)} }))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Execute(state, Block{Height: 1, TimeMS: tx.Body.ValidUntilMs - 1, Txs: []*Transaction{tx}}); err == nil || !strings.Contains(err.Error(), "the state is damaged") {
		t.Errorf("the block was executed: %v", err)
	}
}

func TestExecuteNeedsGenesis(t *testing.T) {
	if _, err := Execute(memory{}, Block{}); err == nil || !strings.Contains(err.Error(), "not made by a genesis") {
		t.Errorf("%v", err)
	}
}

// TestReceiptsOutliveTransactions: a receipt that pointed into its transaction would keep all its bytes alive.
func TestReceiptsOutliveTransactions(t *testing.T) {
	state, block := busyBlock(t)
	out, err := Execute(state, block)
	if err != nil {
		t.Fatal(err)
	}
	id := block.Txs[0].ID
	block.Txs[0].ID = TxID{}
	if out.Receipts[0].ID() != id {
		t.Error("the receipt's id is the transaction's memory")
	}
}

// TestExecuteChangesNothing: speculative executions share transactions and state.
func TestExecuteChangesNothing(t *testing.T) {
	state, block := busyBlock(t)
	before := state.clone()
	raws := make([]string, len(block.Txs))
	for i, tx := range block.Txs {
		raws[i] = string(tx.Raw)
	}
	if _, err := Execute(state, block); err != nil {
		t.Fatal(err)
	}
	for key, leaf := range before {
		if string(state[key]) != string(leaf) {
			t.Errorf("leaf %x changed", key)
		}
	}
	for i, tx := range block.Txs {
		if string(tx.Raw) != raws[i] || string(tx.Body.Encode()) != string(tx.Tx.Body) {
			t.Errorf("transaction %d changed", i)
		}
	}
}

// TestBucketsDroppedPerBlock drops many buckets at once, up to the bound and one more.
func TestBucketsDroppedPerBlock(t *testing.T) {
	for _, n := range []int{bucketsDroppedMax, bucketsDroppedMax + 1} {
		p := DefaultParams()
		out, err := ExecuteGenesis(p, nil, testTimeMS)
		if err != nil {
			t.Fatal(err)
		}
		state := memory{}
		state.apply(out.Changes)
		first := p.Bucket(testTimeMS)
		state[string(KeyChain())] = Chain{BucketsFrom: first, BucketsTo: first + uint64(n)}.Append(nil)
		for i := range uint64(n) {
			state[string(KeyBucket(first+i))] = Bucket{Count: 1}.Append(nil)
		}
		late := p.BucketDropMS(first + uint64(n))
		for block, want := range []int{bucketsDroppedMax, n - bucketsDroppedMax, 0} {
			out, err := Execute(state, Block{Height: uint64(block + 1), TimeMS: late})
			if err != nil {
				t.Fatal(err)
			}
			state.apply(out.Changes)
			if dropped := max(0, len(out.Changes)-1); dropped != want { // and the chain leaf
				t.Errorf("block %d of %d buckets dropped %d, want %d", block+1, n, dropped, want)
			}
		}
	}
}

// TestPrecheckerIsPrecheck checks many transactions with one and compares.
func TestPrecheckerIsPrecheck(t *testing.T) {
	state, block := busyBlock(t)
	p, err := NewPrechecker(state, block.TimeMS)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for i, tx := range block.Txs {
			if err := errors.Join(p.Check(tx), Precheck(state, tx, block.TimeMS)); err != nil {
				t.Errorf("transaction %d: %v", i, err)
			}
			late := Precheck(state, tx, block.TimeMS+60_000)
			if tx.Body.Lane == nil && late == nil {
				t.Errorf("transaction %d does not expire", i)
			}
		}
	}
}

func TestSystemAddresses(t *testing.T) {
	for _, name := range []string{"@gov", "@sys", "@guard"} {
		if !IsSystem(crypto.SystemAddress(name)) {
			t.Errorf("%s is no system account", name)
		}
	}
	if IsSystem(testKey("alice").address) || IsSystem(crypto.Address{}) {
		t.Error("an ordinary account is a system account")
	}
}

// TestTransfersAllocateLittle holds the allocations of a block's transfers down: they decide its speed.
func TestTransfersAllocateLittle(t *testing.T) {
	if invariants {
		t.Skip("the checks under the invariants tag allocate")
	}
	accounts := newBenchAccounts(t, 1000)
	block := Block{Height: 1, TimeMS: testTimeMS + 1000}
	for _, raw := range accounts.transfers(t, 1000) {
		tx, err := DecodeTransaction(raw)
		if err != nil {
			t.Fatal(err)
		}
		block.Txs = append(block.Txs, tx)
	}
	perBlock := testing.AllocsPerRun(5, func() {
		if _, err := Execute(accounts.state, block); err != nil {
			t.Fatal(err)
		}
	})
	if perBlock > 200 {
		t.Errorf("%v allocations for a block of 1000 transfers", perBlock)
	}
}
