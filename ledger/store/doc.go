// Package store keeps the ledger's state so that a height is there wholly or not at all. It is the only room
// with Badger.
//
// # Promise
//
// What Commit returned for survives any crash. Open brings back exactly the newest committed state, compared
// by its root, or refuses with a sentence that says why. Readers hold immutable views and never wait for a
// commit or for background work.
//
// # In memory
//
// The current state, keys and values, lies in a merkle.Map with the versions of the last few heights. Replay
// records (keys 0x10, bucket, transaction) are not in it: each bucket has a Map of its own, whose keys are the
// transactions, and whose root and count this package writes into the state as the bucket's leaf (0x11,
// bucket). Records are only added, and each carries its height, so one Map serves all heights.
//
// # On disk
//
// In the journal, whose keys ascend with the height:
//
//	h height                         head: format, time, root, genesis, and how to find the change record
//	c height root section chunk      change record: state changes, replay records, receipts, in chunks
//	m boundary                       fold mark: everything below this height is in flat keys
//	i height base horizon            history mark: everything below the height is in the histories
//	s height                         origin: the snapshot that the store began with, if it did
//
// Among the other keys, which come in no order:
//
//	k state key     @height          flat key: the value as of that height; empty: deleted
//	b bucket, r bucket chunk         frozen replay bucket: its root, and its records in chunks
//	t txid, u txid  @height          index: the receipt that decided a transaction, or that refused it
//	a account seq  @height           history: up to 128 transactions of an account's log, from that number on
//	z kind          @height          seal: what marks of that kind speak of, up to this height, was written before
//
// The two are Badger databases of their own, so that merging the latter does not copy change records (ADR 0026). A
// transaction is of one of them. A mark is written once all that it speaks of is synced, and its seal after that; Open
// refuses marks without a seal. What lies among the keys and is of a height above the head is of a block that the
// journal lost to a disk which did not keep its word; it does not count, and is written again with that block.
//
// Nothing is ever written under a key and a Badger time that has another value already: Badger returns the
// value of whichever table it meets first among equal times, and does not keep tables of level 0 in order.
// Unversioned keys are put at time 1 and deleted at time 2, once each; versioned ones (@height) are written at
// the time of their height, above both. Deleting a versioned key would lose its older versions, so a deleted
// state key gets an empty value. Values stay below the size at which Badger would move them to its value log.
// Every Badger transaction is synced before it returns: a sync after the fact would miss a memtable that was
// rotated in between.
//
// # Life of a block, and what a crash leaves
//
// Stage computes the root and writes nothing. Commit writes the change record and the head in one Badger
// transaction: a crash leaves both or neither. A record too large for one transaction goes first, in several,
// and the head last: a crash in between leaves chunks above the head, which nobody reads. The same block writes
// the same bytes under the same keys again; another would use other keys, since they carry a part of the root.
// Genesis has no head of its own until the first commit writes both.
//
// Background work then does, in this order:
//
//   - index: receipts under their transactions. A crash leaves a part, and the rest is written again, since the
//     fold mark waits for the index.
//   - buckets whose time is over: chunks, then the bucket's key. A crash in between leaves chunks without a key;
//     the bucket is rebuilt from change records, which are kept for it, and written again, the same.
//   - histories, now and then: groups of each account's log, at the time of the last height, then the mark. A crash
//     in between leaves groups; the same heights, and maybe more, are written again at a later time. Records stay
//     until then.
//   - fold: of each key that changed since the last mark the last value, as a flat key, then the mark. A crash
//     in between leaves flat keys later than the mark, which Open does not see and the next fold covers.
//     Heights in memory are not folded, so that a restart has their trees again.
//   - heights given up: their marks first, in one transaction, then records with their heads, lowest first, one
//     transaction each, then buckets no readable height knows. A crash leaves some more than was wanted.
//
// Open reads the flat keys at the last mark, applies the change records above it, compares the root with the
// head's, and rebuilds the buckets that are not on disk, comparing their roots with their leaves.
//
// # Snapshots
//
// Export writes the state at a height as chunks of leaves in tree order, replay records included, each of which
// proves itself against the root; from a pinned version, beside commits, the same bytes on every replica. Restore
// verifies each chunk when it comes and then writes it. What it leaves is a store that was folded at that height
// and kept nothing below: flat keys, mark and head; frozen buckets in their place; and the records of open buckets
// as the replay section of the head's change record, from which Open rebuilds them. A crash before the head leaves
// a directory with a file named restoring, which Open refuses and the next restore empties. The receipts of the
// height and of those below are not there.
//
// # Check
//
// Fsck reads everything there is and compares what is there twice: files with checksums, values with their
// encoding, the root of every height with its head, flat keys with the records they were folded from, replay
// records with the leaves of their buckets, balances with supplies, the index with the receipts, histories with the heads of the logs. It works on
// links to the files, or on a copy where a crash left a log: Badger changes files even when it only reads. Of a
// log that was cut short it cannot tell; whoever knows how high the store was can.
//
// # Limits
//
// State must fit in memory. Bits that flip on disk are noticed in everything Open reads; what is read later,
// for old heights or receipts, may then be reported as missing, since that is what Badger makes of a block with
// a wrong checksum, but is never another value. A full disk would end the process inside Badger's memory-mapped
// writes, so Commit refuses while there is still space (ErrDiskFull), and DiskLow says earlier that it is time
// to take no more transactions.
//
// # Example
//
//	s, err := store.Open(store.Options{Dir: dir, Genesis: doc.Hash()})
//	if _, ok := s.Head(); !ok {
//		root, err = s.Init(doc.Hash(), genesisOutcome, genesisTimeMS)
//	}
//	view := s.View()
//	out, err := ledger.Execute(view, block)
//	view.Close()
//	p, err := s.Stage(store.Record{Height: h, TimeMS: t, Changes: out.Changes, Receipts: out.Receipts, Touched: out.Touched})
//	// p.Root() is the app hash; when the block is decided:
//	err = s.Commit(p)
package store
