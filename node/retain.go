package node

import (
	"time"

	"github.com/tetradledger/tetrad/genesis"
)

// pruneStep is how many blocks leave at once. CometBFT deletes them while consensus waits, with two syncs each
// time whatever their number: so not one by one, and after "keep all" not all at once.
const pruneStep = 100

// retention decides which of CometBFT's blocks may go. A block stays while any of these needs it:
//
//   - the operator: the newest store.keep_blocks stay;
//   - evidence: CometBFT judges misbehaviour by the block it happened at, for as long as the genesis document says,
//     in blocks and in time. CometBFT would keep headers of such blocks by itself and then never delete them;
//   - nodes that begin from a snapshot: they ask their peers for all blocks above it. Where snapshots are made and
//     there is none yet, a new node has nothing else to begin from, and all blocks stay;
//   - our index of single transactions, which must forget a block's before the block is gone.
//
// CometBFT deletes its results and validator sets of the same heights along with the blocks.
type retention struct {
	keep     uint64 // 0: all
	evidence genesis.EvidenceParams
	step     int64
	// oldest is the lowest height of which there is a snapshot, 0 if there is none; nil where none are made.
	oldest func() uint64
	places interface{ forgetBelow(height int64) int64 }
	// blocks is nil until CometBFT is open; blocks it replays before are committed already and free nothing.
	blocks blockStore
}

// openRetention takes the rules from configuration and genesis, and says which of them cannot hold.
func (n *Node) openRetention() {
	n.retention = retention{keep: n.config.Store.KeepBlocks, evidence: n.doc.Consensus.Evidence, step: pruneStep, places: n.places}
	if n.config.Snapshots.Interval > 0 {
		n.retention.oldest = n.app.OldestSnapshot
	}
	if n.retention.keep == 0 {
		return
	}
	if n.retention.oldest == nil {
		n.log.Warn("blocks are pruned and no snapshots are made: a new node cannot begin from this one alone", "keep_blocks", n.retention.keep)
	}
	if blocks := n.retention.evidence.MaxAgeNumBlocks; uint64(blocks) > n.retention.keep {
		n.log.Info("more blocks are kept than store.keep_blocks says, for evidence", "keep_blocks", n.retention.keep,
			"evidence_blocks", blocks, "evidence_age", n.retention.evidence.MaxAgeDuration)
	}
}

// retain says after a commit which height is the lowest that CometBFT must keep; 0: it deletes nothing.
func (r *retention) retain(height, timeMS uint64) uint64 {
	if r.keep == 0 || r.blocks == nil || height < r.keep {
		return 0
	}
	to := int64(height-r.keep) + 1
	to = min(to, int64(height)-r.evidence.MaxAgeNumBlocks)
	if r.oldest != nil {
		to = min(to, int64(r.oldest()))
	}
	base := r.blocks.Base()
	if base <= 0 || to-base < r.step {
		return 0
	}
	to = base + r.step
	last := r.blocks.LoadBlockMeta(to - 1)
	if last == nil || time.UnixMilli(int64(timeMS)).Sub(last.Header.Time) <= r.evidence.MaxAgeDuration {
		return 0
	}
	if r.places.forgetBelow(to) < to {
		return 0 // it will have by one of the next blocks
	}
	return uint64(to)
}
