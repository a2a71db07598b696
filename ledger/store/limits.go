package store

const (
	// chunkBytes is the size at which a chunk of a record or bucket is closed. A reader of one key reads a
	// few chunks, and the fold holds one of each record; per-key costs vanish long before this size.
	chunkBytes = 64 << 10
	// valueBytesMax bounds a value: a chunk of one such value must stay below Badger's value threshold, or
	// it would go to the value log, which this store cannot collect (ADR 0024).
	valueBytesMax = 512 << 10

	// memTableBytes is Badger's write buffer, doubled by its log. One transaction may fill 15 % of it: a
	// change record of 4.8 MB, that is 10,000 transfers; where the buffer is staggered, of 3.6 MB.
	memTableBytes = 32 << 20
	// memTableBytesMin keeps chunks of the largest value within a transaction.
	memTableBytesMin = 8 << 20
	// levelZeroTables full write buffers are merged into the level below together, and writers wait at
	// levelZeroTablesStall. Keys of accounts and transactions come in no order, so each merge copies nearly all of
	// that level: with Badger's 5 tables and 10 MiB it did so often enough to cost a transfer among a million
	// accounts more than verifying its signature did (ADR 0024).
	levelZeroTables      = 8
	levelZeroTablesStall = 24
	// baseLevelBytes is how large the level below may become before there is another one between. A merge needs
	// that much free disk, and the tables of level 0 again.
	baseLevelBytes = 256 << 20
	// tableBytes is the size of a table: each is a file of its own that is mapped and synchronised.
	tableBytes = 16 << 20
	// blockCacheBytes serves reads of older heights, which are rare; current state is read from memory.
	blockCacheBytes = 8 << 20
	// indexCacheBytes holds table indexes and bloom filters for looking up receipts.
	indexCacheBytes = 16 << 20
	// journalCacheBytes is the size of each of the journal's two caches, which serve reads of older heights, too.
	journalCacheBytes = 4 << 20
	// valueLogBytes is the size of a file that stays empty.
	valueLogBytes = 1 << 20

	// backgroundKeysMax is what a background transaction writes at once. No commit waits for it but in a store of one
	// database.
	backgroundKeysMax  = 8000
	backgroundBytesMax = 2 << 20
	// foldHeightsMax bounds the chunks a fold holds at once: 32 MiB.
	foldHeightsMax = 512
	// dropHeightsMax bounds the change records dropped in one step; the next step goes on.
	dropHeightsMax = 1024
	// SnapshotChunkBytesMax bounds a chunk of a snapshot: half of what CometBFT sends as one.
	SnapshotChunkBytesMax = 8 << 20
	// SnapshotChunksMax bounds a snapshot to 512 GiB, and its manifest to 2.3 MB, which CometBFT still offers as
	// one message.
	SnapshotChunksMax = 1 << 16
	// ManifestBytesMax is the length of the longest manifest.
	ManifestBytesMax = manifestHeadBytes + SnapshotChunksMax*chunkInfoBytes
	// maxHeight is no height: there must be one above for a fold mark, and Badger's times reach some further.
	maxHeight = 1 << 62

	// scanKeysMax bounds the keys that a scan returns, and half of those it holds: a few milliseconds, and some
	// hundred kilobytes.
	scanKeysMax = 4096
	// loadKeysMax is how many keys are put into the tree at once when opening.
	loadKeysMax = 16 << 10
)
