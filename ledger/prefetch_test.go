package ledger

import (
	"slices"
	"testing"
)

// announced is a state that notes what it was told before it was asked.
type announced struct {
	memory
	told  map[string]bool
	blind []byte // keys of accounts and records that were read without
}

func (a *announced) Prefetch(keys [][]byte) {
	for _, key := range keys {
		a.told[string(key)] = true
	}
}

func (a *announced) Get(key []byte) ([]byte, error) {
	if (key[0] == PrefixAccount || key[0] == PrefixRecord) && !a.told[string(key)] {
		a.blind = append(a.blind, key...)
	}
	return a.memory.Get(key)
}

// TestPrefetch pins that all accounts and records that transfers read are announced before, accounts that were read
// already not again, and that a block comes to the same with and without.
func TestPrefetch(t *testing.T) {
	accounts := newBenchAccounts(t, 50)
	block := Block{Height: 1, TimeMS: testTimeMS + 1000}
	for _, raw := range accounts.transfers(t, 2*prefetchTxs+1) {
		tx, err := DecodeTransaction(raw)
		if err != nil {
			t.Fatal(err)
		}
		block.Txs = append(block.Txs, tx)
	}
	block.Txs = append(block.Txs, UndecodableTransaction([]byte("?"), CodeBadEncoding))
	want, err := Execute(accounts.state, block)
	if err != nil {
		t.Fatal(err)
	}

	reader := &announced{memory: accounts.state, told: map[string]bool{}}
	got, err := Execute(reader, block)
	if err != nil {
		t.Fatal(err)
	}
	if len(reader.blind) > 0 {
		t.Errorf("read without being announced: %x", reader.blind)
	}
	if !slices.EqualFunc(got.Receipts, want.Receipts, func(a, b Receipt) bool { return string(a.Encode()) == string(b.Encode()) }) {
		t.Error("the receipts are others with a reader that is told what comes")
	}
	if !slices.EqualFunc(got.Changes, want.Changes, func(a, b Change) bool {
		return string(a.Key) == string(b.Key) && string(a.Value) == string(b.Value)
	}) {
		t.Error("the changes are others with a reader that is told what comes")
	}
	reader.told = map[string]bool{}
	state := emptyState(reader, 1, testTimeMS, 0)
	state.params = DefaultParams()
	for _, id := range accounts.ids {
		if _, err := state.accounts.get(state, id); err != nil {
			t.Fatal(err)
		}
	}
	state.prefetch(block.Txs[:prefetchTxs])
	for key := range reader.told {
		if key[0] == PrefixAccount {
			t.Fatal("an account that was read already is announced again")
		}
	}

	// The same for what is judged before it is in a block.
	reader = &announced{memory: accounts.state, told: map[string]bool{}}
	checker, err := NewPrechecker(reader, testTimeMS)
	if err != nil {
		t.Fatal(err)
	}
	checker.Prefetch(block.Txs)
	for _, tx := range block.Txs[:len(block.Txs)-1] {
		if err := checker.Check(tx); err != nil {
			t.Fatal(err)
		}
	}
	if len(reader.blind) > 0 {
		t.Errorf("checked without being announced: %x", reader.blind)
	}
}
