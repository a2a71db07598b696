package rpctest

import (
	"maps"
	"slices"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// logs are the logs of all accounts at one height, oldest first.
type logs map[crypto.Address][]ledger.LogEntry

// next adds what a block did. The lists of earlier heights stay as they are.
func (l logs) next(height, timeMS uint64, out ledger.Outcome) logs {
	all := maps.Clone(l)
	if all == nil {
		all = logs{}
	}
	for i, accounts := range out.Touched {
		for _, a := range accounts {
			log := all[a]
			e := ledger.LogEntry{Seq: uint64(len(log)) + 1, Height: height, TimeMS: timeMS, TxID: out.Receipts[i].ID()}
			all[a] = append(slices.Clip(log), e)
		}
	}
	return all
}

// KeepHistory lets all nodes forget the transactions of accounts before a height; they can still prove those that
// are left.
func (l *Ledger) KeepHistory(height uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.blocks {
		l.blocks[i].historyFrom = height
	}
}

// History implements rpc.Snapshot.
func (s snapshot) History(account crypto.Address, before uint64, limit int) (ledger.LogPage, error) {
	log := s.logs[account]
	page := ledger.LogPage{Count: uint64(len(log))}
	heads := []crypto.Hash{{}}
	first := len(log)
	for i, e := range log {
		heads = append(heads, ledger.LogHead(heads[i], e.TxID, e.Height))
		if e.Height >= s.historyFrom {
			first = min(first, i)
		}
	}
	page.Head = heads[len(log)]
	top := len(log)
	if before > 0 {
		top = int(min(uint64(top), before-1))
	}
	low := max(0, top-limit)
	if low < first {
		low, page.Pruned = min(first, top), true
		if first < len(log) {
			page.First = log[first]
		}
	}
	page.Entries = slices.Clone(log[low:top])
	slices.Reverse(page.Entries)
	page.Before = heads[low]
	return page, nil
}
