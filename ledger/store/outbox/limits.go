package outbox

// What an outbox holds is bounded, since whoever can reach a node can fill it while the network is cut.
const (
	// TxsMax bounds the index in memory, some 200 bytes for each transaction.
	TxsMax = 100_000
	// BytesMax bounds the disk and how long passing everything on takes.
	BytesMax = 256 << 20
	// AccountTxsMax leaves room for others: a hundred accounts fill the outbox, one cannot.
	AccountTxsMax = 1_000

	// FinalsMax and FinalsKeptMS bound the memory of how transactions ended. An hour is as long as the ledger itself
	// can tell that a transaction never will be in a block.
	FinalsMax    = 100_000
	FinalsKeptMS = 60 * 60 * 1000

	// retryFirstMS and retryMaxMS pace passing on: the pause doubles with each refusal, so that a transaction which
	// can only wait for its end costs little.
	retryFirstMS = 2_000
	retryMaxMS   = 32_000

	// memTableBytes bounds one write: a tenth of it, which is more than the largest transaction takes.
	memTableBytes = 4 << 20
	// valueLogBytes is of a file that stays empty: all values are small enough to live in tables.
	valueLogBytes = 1 << 20
	// indexCacheBytes is for what Badger keeps of its tables.
	indexCacheBytes = 4 << 20
)
