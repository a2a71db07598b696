package rpc

import (
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

const (
	// HistoryLimitMax bounds a page: some 150 KB of JSON, read from a few places on disk.
	HistoryLimitMax = 1000
	// HistoryLimitDefault fills a screen.
	HistoryLimitDefault = 50
)

// HistoryEntry is one transaction in an account's log.
type HistoryEntry struct {
	Seq    uint64      `json:"seq" doc:"Counts the account's transactions from 1; the newest has log_count"`
	Height uint64      `json:"height" doc:"Of the block that holds it"`
	Time   string      `json:"time" doc:"RFC 3339; of the block. The log binds heights, not times"`
	TimeMS uint64      `json:"time_ms"`
	TxID   crypto.Hash `json:"txid"`
	Code   uint32      `json:"code" doc:"0: what failed changed nothing, and is in no log"`
}

// History is a page of an account's log: the committed transactions that changed the account, or that it acted
// in. The log is a chain of hashes whose head stands in the account's leaf.
type History struct {
	Account       string         `json:"account" doc:"The account, as it was asked for"`
	Address       string         `json:"address"`
	LogCount      uint64         `json:"log_count" doc:"How many transactions the log has at this height"`
	LogHead       crypto.Hash    `json:"log_head" doc:"Head of the hash chain over them"`
	Entries       []HistoryEntry `json:"entries" doc:"Newest first, without gaps"`
	LogHeadBefore *crypto.Hash   `json:"log_head_before,omitempty" doc:"Head of the chain before the last of entries. Added to it one after another from the oldest on, the entries must give the head behind the newest: SHA-256 over the tag, the head, the txid and the height"`
	NextBefore    uint64         `json:"next_before,omitempty" doc:"There are older ones: ask again with before set to this"`
	FirstSeq      uint64         `json:"first_seq,omitempty" doc:"The node keeps no transactions before this one of the account"`
	FirstHeight   uint64         `json:"first_height,omitempty" doc:"Height of that one"`
	Height        uint64         `json:"height" doc:"The log is that after this block"`
	Verified      bool           `json:"verified" doc:"false: this is what the node says"`
	TimesVerified bool           `json:"times_verified" doc:"Whether the times, too, were compared with block headers; a node never says so of itself"`
	Provable
}

type historyInput struct {
	ID     string `path:"id" doc:"An account's address (tet1...), or a system account's name (@gov)"`
	Before uint64 `query:"before" doc:"Only transactions of the account before this one; 0 or absent: from the newest on" example:"0"`
	Limit  int    `query:"limit" minimum:"0" maximum:"1000" doc:"At most so many; 0 or absent: 50" example:"50"`
	Freshness
}

// readHistory reads a page. Its proof is that of the account's leaf, which holds the head of the chain; pages
// that do not begin with the newest entry are checked against the page before.
func readHistory(snap Snapshot, in *historyInput) (History, error) {
	a, err := parseAccount("id", in.ID)
	if err != nil {
		return History{}, err
	}
	limit := in.Limit
	if limit == 0 {
		limit = HistoryLimitDefault
	}
	if _, err := snap.Get(ledger.KeyAccount(a)); err != nil {
		return History{}, err
	}
	page, err := snap.History(a, in.Before, min(limit, HistoryLimitMax))
	if err != nil {
		return History{}, err
	}
	if page.Pruned && len(page.Entries) == 0 {
		return History{}, ErrHistoryPruned(in.ID, page.First.Seq, page.First.Height)
	}
	out := HistoryOf(page, in.ID, a.String())
	out.Height = snap.Height()
	return out, nil
}

// ErrHistoryPruned says that a node does not keep what was asked for of an account's history; the first it has is
// a transaction of the account, zero if it has none.
func ErrHistoryPruned(account string, seq, height uint64) *Error {
	if seq == 0 {
		return NewError(ledger.CodePruned, "The node no longer keeps any transactions of the history of %s.", account)
	}
	return NewError(ledger.CodePruned, "The node no longer keeps that part of the history of %s; the first it has is transaction %d of the account, at height %d.",
		account, seq, height)
}

// HistoryOf writes a page as the API does.
func HistoryOf(page ledger.LogPage, account, address string) History {
	out := History{
		Account: account, Address: address, LogCount: page.Count, LogHead: page.Head,
		Entries: make([]HistoryEntry, 0, len(page.Entries)),
	}
	for _, e := range page.Entries {
		out.Entries = append(out.Entries, HistoryEntry{Seq: e.Seq, Height: e.Height, Time: timeText(e.TimeMS), TimeMS: e.TimeMS, TxID: e.TxID})
	}
	n := len(page.Entries)
	if n == 0 {
		return out
	}
	before := page.Before
	out.LogHeadBefore = &before
	switch oldest := page.Entries[n-1]; {
	case page.Pruned:
		out.FirstSeq, out.FirstHeight = page.First.Seq, page.First.Height
	case oldest.Seq > 1:
		out.NextBefore = oldest.Seq
	}
	return out
}

func timeText(ms uint64) string { return time.UnixMilli(int64(ms)).UTC().Format(time.RFC3339Nano) }
