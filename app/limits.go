package app

import "time"

// PoolOptions bounds what waits for a block. A zero field takes its default.
type PoolOptions struct {
	// TxsMax and BytesMax bound the whole pool, what is being verified included.
	TxsMax, BytesMax int
	// LocalTxsMax bounds what this node took in from its own clients. It defaults to a quarter of TxsMax, so
	// that four validators whose clients all press at once still fit into each other's pools.
	LocalTxsMax int
	// AccountTxsMax is how much one account may hold while the pool is contended, that is, more than half
	// full; before that nobody is turned away. It defaults to a sixteenth of TxsMax.
	AccountTxsMax int
}

// VerifyOptions shapes the verification of what waits. A zero field takes its default.
type VerifyOptions struct {
	// Workers verify what clients and peers send. One is the default: consensus verifies what stands in a
	// proposal on its own goroutine, and several processes share a machine more often than not.
	Workers int
	// BatchTxs is how many transactions one batch takes; a batch of 512 costs 15 us per signature where a
	// single one costs 39.
	BatchTxs int
	// Gather is how long a worker waits for a small batch to grow. Negative: not at all.
	Gather time.Duration
	// KeysCached bounds the expanded public keys that are kept, 1.7 KiB each. Negative: none.
	KeysCached int
}

const (
	poolTxsDefault   = 50_000
	poolBytesDefault = 64 << 20

	verifyWorkersMax    = 64
	verifyBatchDefault  = 1024
	verifyGatherDefault = 3 * time.Millisecond
	verifyKeysDefault   = 8192

	// gatherTxs is the size from which a batch is not worth waiting for: most of the gain is there.
	gatherTxs = 256
	// singleTurnTxs is how many transactions the single lane verifies before the other lanes are asked again:
	// some 2.5 ms of work.
	singleTurnTxs = 64

	// pooledForMaxMS is how long a transaction without an end of validity may wait: it is in a lane, and
	// whoever signed it can send it again.
	pooledForMaxMS = 10 * 60 * 1000

	// reofferBlocks is after how many blocks a local transaction is gossiped again. Gossip is fire and
	// forget, so a peer that was away has never heard of it.
	reofferBlocks = 10
	// reofferStill takes the place of reofferBlocks while no blocks come. A peer that comes back to this side of a
	// partition then has the transactions of the others after this time and one gossip.
	reofferStill = 2 * time.Second
	// relayStill is how often, while no blocks come, each node passes on what its peers took in.
	relayStill = 10 * time.Second

	// mergeIndexBytesMax bounds the index of pooled transactions by the entries they merge into, and mergeRefBytes
	// is about what one name takes in it besides its path. A transaction can name 64 entries in some 600 bytes, so
	// that the bound on the pool does not bound this.
	mergeIndexBytesMax = 32 << 20
	mergeRefBytes      = 192

	// equivocationsMax bounds the authors whose contradictions are kept, each two transactions.
	equivocationsMax = 256

	// reapBytesDefault bounds one gossip batch where the engine names no bound.
	reapBytesDefault = 1 << 20

	// verifiedMax bounds the memory of signatures that were verified outside the pool, for blocks that are
	// proposed again in a later round. A block of 2 MiB holds some 12,000 transactions.
	verifiedMax = 1 << 15
	// expiredMax bounds the memory of pooled transactions that ran out of time, for those who ask about them.
	expiredMax = 1 << 15

	// blocksParsedMax bounds the decoded proposals of the height that is being decided, one per round.
	blocksParsedMax = 4

	// waitersMax bounds callers who wait for an outcome.
	waitersMax = 100_000
	// subscribersMax bounds event streams, and subscriptionBlocks what each may lag behind before it is cut.
	subscribersMax     = 1_000
	subscriptionBlocks = 64

	// clientsMax bounds the memory of clients that sent a bad signature, and clientSuspectFor how long each
	// stays in the single lane.
	clientsMax       = 4096
	clientSuspectFor = time.Minute

	// blockTime is how long executing a full block may take; the proposer fills no more than that, by the
	// measured time per transaction. blockTxsMin keeps one slow measurement from stopping the network.
	blockTime       = 250 * time.Millisecond
	blockTxsMin     = 500
	blockTxsDefault = 5_000
	blockTxsMax     = 50_000
	// blockLife is how long a full block may take from the commit before it to its own, gossip and votes
	// included: less than two such blocks fit into the two seconds that clients may have to wait.
	blockLife = 750 * time.Millisecond

	idleDefault = 250 * time.Millisecond

	// refreshBlocks is how often an unchanged validator is reported to the engine as if it had changed. The
	// engine stores a full validator set only on change and otherwise recomputes priorities from the last
	// one stored, at a cost that grows with every block.
	refreshBlocks = 1000
)

// withDefaults fills in what was left out.
func (o PoolOptions) withDefaults() PoolOptions {
	orDefault(&o.TxsMax, poolTxsDefault)
	orDefault(&o.BytesMax, poolBytesDefault)
	orDefault(&o.LocalTxsMax, max(1, o.TxsMax/4))
	orDefault(&o.AccountTxsMax, max(1, o.TxsMax/16))
	return o
}

func (o VerifyOptions) withDefaults() VerifyOptions {
	orDefault(&o.Workers, 1)
	o.Workers = min(o.Workers, verifyWorkersMax)
	orDefault(&o.BatchTxs, verifyBatchDefault)
	if o.KeysCached == 0 {
		o.KeysCached = verifyKeysDefault
	}
	if o.Gather == 0 {
		o.Gather = verifyGatherDefault
	}
	return o
}

func orDefault(field *int, value int) {
	if *field <= 0 {
		*field = value
	}
}
