package rpc

import (
	"context"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// Pending is what an entry was joined with, and what it is without. It is what one node knows: another one may have
// other transactions, and some of these may never come into a block.
type Pending struct {
	TxIDs     []crypto.Hash `json:"txids" doc:"The transactions that the entry was joined with, ascending. The same ones on the same committed state give the same entry, in whatever order they came"`
	LeftOut   []PendingOut  `json:"left_out,omitempty" doc:"Transactions that wait for a block and that the entry was not joined with"`
	Complete  bool          `json:"complete" doc:"false: more is pending at this node than was looked at"`
	Omitted   int           `json:"omitted,omitempty" doc:"How many transactions were not looked at, since there are too many"`
	Committed *EntryData    `json:"committed,omitempty" doc:"The entry without what is pending; absent if the ledger has none"`
}

// PendingOut is a pending transaction that an entry was not joined with.
type PendingOut struct {
	TxID   crypto.Hash `json:"txid"`
	Reason string      `json:"reason" doc:"The slug of the code that it would fail with now, or other_operations: it holds others, too, of which nobody can say whether they will succeed"`
}

// reasonOther is why a transaction of several kinds of operations is left out.
const reasonOther = "other_operations"

// entry answers a read of an entry.
func (s *server) entry(ctx context.Context, in *entryInput) (*answer[Entry], error) {
	if !in.IncludePending {
		return served[*entryInput, Entry](ctx, s, "entry", in, readEntry)
	}
	switch {
	case in.Proof:
		return nil, badRequest("query include_pending: what no block holds cannot be proven; ask twice.")
	case in.Height > 0:
		return nil, badRequest("query include_pending: what is pending is not of any height; leave height away.")
	}
	if !enter(s.pending) {
		return nil, busy(cap(s.pending))
	}
	defer leave(s.pending)
	return s.entryWithPending(ctx, in)
}

// entryWithPending joins the committed entry with what waits for a block.
func (s *server) entryWithPending(ctx context.Context, in *entryInput) (*answer[Entry], error) {
	namespace, err := parseAccount("namespace", in.Namespace)
	if err != nil {
		return nil, err
	}
	if err := checkPathBytes("path path", in.Path); err != nil {
		return nil, err
	}
	f := in.freshness()
	ctx, cancel, err := s.begin(ctx, f)
	if err != nil {
		return nil, err
	}
	defer cancel()
	name := ledger.EntryName{Namespace: namespace, Path: in.Path}
	snap, txs, all, err := s.backend.Pending(ctx, name, f.MinHeight)
	if err != nil {
		return nil, s.asError(err, "open the state")
	}
	defer snap.Close()
	height, timeMS := snap.Height(), snap.TimeMS()
	if err := s.young(f, height, timeMS); err != nil {
		return nil, err
	}
	joined, err := ledger.JoinPending(snap, name, height, timeMS, txs)
	if err != nil {
		return nil, s.asError(err, "join what is pending")
	}
	if !joined.Found && len(joined.Joined) == 0 {
		return nil, notFound("There is no entry %q in the namespace of %s, and nothing pending makes one.", shorten(in.Path), in.Namespace)
	}
	return answered(s, height, timeMS, describePending(namespace, in.Path, height, &joined, all)), nil
}

// describePending says what a joined entry says, and what it is made of.
func describePending(namespace crypto.Address, path string, height uint64, joined *ledger.PendingEntry, all bool) Entry {
	p := &Pending{TxIDs: joined.Joined, Omitted: joined.Omitted, Complete: all && joined.Omitted == 0}
	if p.TxIDs == nil {
		p.TxIDs = []crypto.Hash{}
	}
	for _, one := range joined.LeftOut {
		reason := one.Code.String()
		if one.Code == ledger.CodeOK {
			reason = reasonOther
		}
		p.LeftOut = append(p.LeftOut, PendingOut{one.TxID, reason})
	}
	if joined.Found {
		committed := DescribeEntry(path, &joined.Committed)
		p.Committed = &committed
	}
	return Entry{
		Namespace: namespace.String(), EntryData: DescribeEntry(path, &joined.Entry), Height: height,
		CanProve: new(bool), Pending: p,
	}
}
