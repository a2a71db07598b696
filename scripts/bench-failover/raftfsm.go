package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
)

// machine is the ledger as raft's state machine. Each entry of the log is a block: the leader's clock and signed
// transactions, whose signatures the leader has checked. The state is in memory and rebuilt from the log at start, as
// raft means it to be; what makes a write durable is the synced log of a majority.
type machine struct {
	store *store.Store

	mu      sync.Mutex // guards decided
	decided map[ledger.TxID]ledger.Code
}

func newMachine(doc *genesis.Doc) (*machine, error) {
	s, err := store.Open(store.Options{InMemory: true, Genesis: doc.Hash(), NoHistory: true})
	if err != nil {
		return nil, err
	}
	first, err := doc.Outcome()
	if err != nil {
		return nil, err
	}
	if _, err := s.Init(doc.Hash(), first, doc.TimeMS); err != nil {
		return nil, err
	}
	return &machine{store: s, decided: map[ledger.TxID]ledger.Code{}}, nil
}

// entryTxsMax bounds the transactions of an entry.
const entryTxsMax = 2000

// encodeEntry makes a block of transactions.
func encodeEntry(timeMS uint64, raws [][]byte) []byte {
	entry := binary.BigEndian.AppendUint64(nil, timeMS)
	for _, raw := range raws {
		entry = ledger.AppendDelimited(entry, raw)
	}
	return entry
}

// Apply implements raft.FSM. What it returns is an error or nil. An error means that this replica is broken.
func (m *machine) Apply(log *raft.Log) any {
	if len(log.Data) < 8 {
		return errors.New("an entry without a time")
	}
	raws, err := ledger.SplitDelimited(log.Data[8:], entryTxsMax)
	if err != nil {
		return err
	}
	txs := make([]*ledger.Transaction, len(raws))
	for i, raw := range raws {
		if txs[i], err = ledger.DecodeTransaction(raw); err != nil {
			return err
		}
	}
	view := m.store.View()
	defer view.Close()
	b := ledger.Block{Height: view.Height() + 1, TimeMS: max(binary.BigEndian.Uint64(log.Data), view.TimeMS()+1), Txs: txs}
	out, err := ledger.Execute(view, b)
	if err != nil {
		return err
	}
	pending, err := m.store.Stage(store.Record{Height: b.Height, TimeMS: b.TimeMS, Changes: out.Changes, Receipts: out.Receipts})
	if err != nil {
		return err
	}
	if err := m.store.Commit(pending); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range out.Receipts {
		id := out.Receipts[i].ID()
		if _, before := m.decided[id]; !before { // the first receipt is the outcome; others say that it was a duplicate
			m.decided[id] = out.Receipts[i].Outcome()
		}
	}
	return nil
}

// outcome is what became of a transaction.
func (m *machine) outcome(id ledger.TxID) (code ledger.Code, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	code, known = m.decided[id]
	return code, known
}

// balance reads what an account holds of the asset.
func (m *machine) balance(key []byte) (uint64, error) {
	view := m.store.View()
	defer view.Close()
	leaf, err := view.Get(key)
	if err != nil || leaf == nil {
		return 0, err
	}
	account, err := ledger.DecodeAccount(leaf)
	if err != nil {
		return 0, err
	}
	asset := ledger.AssetIDOf(genesis.DevAsset)
	for _, b := range account.Balances {
		if b.Asset == asset {
			return b.Amount.Lo, nil
		}
	}
	return 0, nil
}

var errNoSnapshots = errors.New("the log of a measurement is short: there are no snapshots")

// Snapshot implements raft.FSM.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) { return nil, errNoSnapshots }

// Restore implements raft.FSM.
func (m *machine) Restore(r io.ReadCloser) error {
	return fmt.Errorf("restore: %w", errors.Join(errNoSnapshots, r.Close()))
}
