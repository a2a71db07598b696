package e2e

import (
	"testing"

	"github.com/tetradledger/tetrad/crypto"
)

// TestPowerCutAlone cuts the power of a network of one again and again while it takes payments. Everything
// that was acknowledged must be there afterwards: nobody else has it.
func TestPowerCutAlone(t *testing.T) {
	seed := seedOf(t)
	d := newPowerDisk(t, seed)
	n := newNetwork(t, 1, nil)
	d.hold(n.nodes[0])
	n.start()
	var acked []crypto.Hash
	for range 8 {
		acked = append(acked, n.cutUnderLoad(d, 0)...)
		n.audit(acked)
	}
	d.report()
	n.fsck(n.nodes[0])
}

// TestPowerCutOfOne cuts the power of one of four. The others go on, and it comes back without signing twice.
func TestPowerCutOfOne(t *testing.T) {
	seed := seedOf(t)
	d := newPowerDisk(t, seed)
	n := newNetwork(t, 4, nil)
	d.hold(n.nodes[3])
	n.start()
	var acked []crypto.Hash
	for range 5 {
		acked = append(acked, n.cutUnderLoad(d, 3)...)
		n.rejoined(n.nodes[3], 0)
	}
	d.report()
	n.audit(acked)
	n.nobodySignedTwice()
	n.fsck(n.nodes[3])
}

// TestPowerCutOfAll cuts the power of all four at the same moment.
func TestPowerCutOfAll(t *testing.T) {
	seed := seedOf(t)
	d := newPowerDisk(t, seed)
	n := newNetwork(t, 4, nil)
	for _, p := range n.nodes {
		d.hold(p)
	}
	n.start()
	var acked []crypto.Hash
	for range 5 {
		acked = append(acked, n.cutUnderLoad(d)...)
	}
	d.report()
	n.audit(acked)
	n.nobodySignedTwice()
}

// cutUnderLoad sends payments, cuts the power of the disk at some moment, and ends and starts the validators
// that are on it. It returns what was acknowledged before and after.
func (n *network) cutUnderLoad(d *powerDisk, indexes ...int) []crypto.Hash {
	n.t.Helper()
	l := n.startLoad(3)
	l.untilMore(int64(5 + d.rng.IntN(40)))
	d.cut()
	for _, p := range n.pick(indexes) {
		n.killUnlessDead(p)
	}
	d.back()
	n.start(indexes...)
	l.untilMore(5)
	return l.stop()
}
