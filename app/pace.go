package app

import "time"

// pace bounds a proposal by time, learning from the blocks before. A block that takes long to make, to gossip
// and to execute costs its round: the others give up on the proposer, and the work was for nothing. How long is
// long depends on what else the machines do, so two things are learned besides how long execution takes:
//
//   - how long blocks live, from one commit to the next;
//   - that a round failed with a block close to the bound. It falls by a quarter then, and grows by an eighth
//     with every block that needed one round: where one validator in four is dead, and a round in four fails for
//     that reason, it does not fall for good.
//
// Its fields belong to the goroutine that executes blocks.
type pace struct {
	perTx  time.Duration // executing and staging one transaction
	lifeTx time.Duration // from commit to commit, divided by the transactions
	most   int           // what failed rounds have taught; 0: nothing yet

	// The last committed block. Whether it needed several rounds is known with the next one.
	lastTook time.Duration
	lastTxs  int
}

// executed takes in how long a block took to execute.
func (p *pace) executed(took time.Duration, txs int) { average(&p.perTx, took, txs) }

// committed takes in how long after the one before it a block was committed.
func (p *pace) committed(took time.Duration, txs int) { p.lastTook, p.lastTxs = took, txs }

// decided takes in how many proposers the last committed block needed, less one.
func (p *pace) decided(lastRound int32) {
	took, txs := p.lastTook, p.lastTxs
	p.lastTook, p.lastTxs = 0, 0
	switch {
	case lastRound == 0:
		average(&p.lifeTx, took, txs)
		if p.most > 0 {
			p.most = min(p.most+p.most/8, blockTxsMax)
		}
	case 2*txs > p.txsMax():
		p.most = max(blockTxsMin, min(txs, p.txsMax())*3/4)
	}
}

// average follows the time per transaction of blocks that are large enough to say something.
func average(perTx *time.Duration, took time.Duration, txs int) {
	if txs < blockTxsMin/2 || took <= 0 {
		return
	}
	one := took / time.Duration(txs)
	if *perTx == 0 {
		*perTx = one
	}
	*perTx = (7**perTx + one) / 8
}

// txsMax bounds a proposal.
func (p *pace) txsMax() int {
	most := blockTxsDefault
	if p.perTx > 0 {
		most = int(blockTime / p.perTx)
	}
	if p.lifeTx > 0 {
		most = min(most, int(blockLife/p.lifeTx))
	}
	if p.most > 0 {
		most = min(most, p.most)
	}
	return min(max(most, blockTxsMin), blockTxsMax)
}
