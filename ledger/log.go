package ledger

import "github.com/tetradledger/tetrad/crypto"

// LogEntry is a transaction in an account's log. Being there means that it was committed and that it changed the
// account or acted for it: transactions that fail extend no log.
type LogEntry struct {
	Seq    uint64 // counts from 1; that of the newest entry is Account.LogCount
	Height uint64
	TimeMS uint64 // of the block; unlike the rest, it is not in the chain of hashes
	TxID   TxID
}

// LogPage is a stretch of an account's log.
type LogPage struct {
	Count   uint64      // entries in the whole log
	Head    crypto.Hash // of the whole log
	Entries []LogEntry  // newest first, without gaps
	// Before is the head of the log before the oldest of Entries: with it, whoever knows the head after the newest
	// can tell that the entries are those, all of them, and in that order.
	Before crypto.Hash
	// First is the oldest entry that can be given at all, where the page ends because of that; zero if it does
	// not, or if there is none.
	First LogEntry
	// Pruned says that the entries before First, or all before the page's place, are no longer kept.
	Pruned bool
}

// FoldLog is the head of a log after entries, which are newest first, were added to one with the given head.
func FoldLog(before crypto.Hash, entries []LogEntry) crypto.Hash {
	for i := len(entries) - 1; i >= 0; i-- {
		before = LogHead(before, entries[i].TxID, entries[i].Height)
	}
	return before
}
