package main

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
)

// testDoc is a genesis document with the accounts that the load uses.
func testDoc(t *testing.T) *genesis.Doc {
	t.Helper()
	spec := genesis.DevSpec("failover", time.Now(), []genesis.Validator{{Name: "one", Key: crypto.DevKey("validator").Public(), Power: 1}})
	spec.Bench = []genesis.Bench{{Seed: benchSeed, Count: payers, Asset: genesis.DevAsset, Amount: "1000.00"}}
	text, err := genesis.Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := genesis.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestMachine: an entry takes effect, once, however often it stands in the log, and every replica gets the same state.
func TestMachine(t *testing.T) {
	doc := testDoc(t)
	requests, err := (chain{doc.ChainID, doc.Hash()}).sign(0, 3)
	if err != nil {
		t.Fatal(err)
	}
	now := uint64(time.Now().UnixMilli())
	first := encodeEntry(now, [][]byte{requests[0].tx.Raw, requests[1].tx.Raw, requests[0].tx.Raw})
	again := encodeEntry(now-5, [][]byte{requests[1].tx.Raw, requests[2].tx.Raw}) // another leader, whose clock is behind
	var roots []crypto.Hash
	for range 2 {
		m, err := newMachine(doc)
		if err != nil {
			t.Fatal(err)
		}
		defer m.store.Close()
		for _, entry := range [][]byte{first, again} {
			if fault := m.Apply(&raft.Log{Data: entry}); fault != nil {
				t.Fatal(fault)
			}
		}
		for _, r := range requests {
			amount, err := m.balance(ledger.KeyAccount(r.to))
			if err != nil || amount != 1 {
				t.Errorf("write %d paid %d, %v", r.number, amount, err)
			}
			if code, known := m.outcome(r.tx.TxID); !known || code != ledger.CodeOK {
				t.Errorf("write %d: %v, known %t", r.number, code, known)
			}
		}
		head, _ := m.store.Head()
		roots = append(roots, head.Root)
	}
	if roots[0] != roots[1] {
		t.Error("two replicas have two states")
	}
}

// TestMachineRefusesNonsense: an entry that is not one must not pass for an empty block.
func TestMachineRefusesNonsense(t *testing.T) {
	m, err := newMachine(testDoc(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.store.Close()
	for _, entry := range [][]byte{nil, make([]byte, 8), append(make([]byte, 8), 3, 1, 2, 3), append(make([]byte, 8), 200)} {
		if fault := m.Apply(&raft.Log{Data: entry}); fault == nil {
			t.Errorf("%x was applied", entry)
		}
	}
}
