package app

import (
	"time"

	"github.com/tetradledger/tetrad/ledger"
)

// Observer is told what the app does, for metrics. It is called on hot paths, from several goroutines, and
// must not block.
type Observer interface {
	// Verified reports a batch of signature checks and how many failed.
	Verified(signatures, bad int, took time.Duration)
	// Refused reports transactions that were not let into the pool.
	Refused(code ledger.Code, txs int)
	// Proposed reports a proposal of our own.
	Proposed(height uint64, txs, bytes int)
	// Committed reports a block.
	Committed(BlockStats)
}

// BlockStats is what a committed block held and what it cost.
type BlockStats struct {
	Height, TimeMS uint64
	Txs, Failed    int
	Bytes          int
	// Decode is the time for decoding, and verifying what was not verified before; Execute and Stage may
	// have been spent before the block was decided, in which case Speculated is set.
	Decode, Execute, Stage, Commit time.Duration
	Speculated                     bool
}

// unobserved is the observer of an app that was given none.
type unobserved struct{}

func (unobserved) Verified(int, int, time.Duration) {}
func (unobserved) Refused(ledger.Code, int)         {}
func (unobserved) Proposed(uint64, int, int)        {}
func (unobserved) Committed(BlockStats)             {}
