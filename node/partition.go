package node

import (
	"slices"
	"time"

	"github.com/tetradledger/tetrad/rpc"
)

// sight is what a node sees of the network at one moment.
type sight struct {
	Age              time.Duration // of the newest block, by the time it carries
	Quiet            time.Duration // since a block was committed here or, if none was yet, since the start
	Seen             bool          // a block was committed here since the start
	Behind           bool          // others have blocks that this node has yet to get
	Reachable, Total uint64        // voting power: of whom this node has just heard, and of all
}

// patience is how long the network may be quiet before a node thinks that something is wrong, and before it thinks that
// nothing will be committed.
type patience struct{ Suspect, Stalled time.Duration }

// patience follows the timeouts, and with them the profile. Suspect is an age of the newest block that a healthy network
// does not reach: several proposers in a row would have to be away. Stalled says that validators with a quorum are
// there and cannot agree, which a machine with far too much to do looks like for a while.
func (c Config) patience() patience {
	suspect := c.Blocks.Idle + 4*(c.Engine.Consensus.TimeoutPropose+c.Engine.Consensus.TimeoutPrecommit)
	return patience{Suspect: suspect, Stalled: 4 * suspect}
}

// judge names the state of a node, as rpc.Partition... say it. It has no memory: blocks that come again make every
// state ok at once.
//
// Whether blocks come is judged by this node's own stopwatch, not by the time they carry: a clock that is wrong must
// not make a node believe that it is cut off. Only before the first block after a start the carried time counts, so
// that a node which was restarted while it was cut off knows it at once.
func (p patience) judge(s sight) string {
	late := s.Quiet
	if !s.Seen {
		late = max(late, s.Age)
	}
	switch {
	case late < p.Suspect && s.Age < p.Suspect:
		return rpc.PartitionOK
	case late < p.Suspect:
		return rpc.PartitionSuspect // blocks come and are old: the node catches up, or a clock is wrong
	case s.Total > 0 && !quorum(s.Reachable, s.Total):
		return rpc.PartitionMinority
	case s.Quiet >= p.Stalled && !s.Behind:
		return rpc.PartitionStalled
	}
	return rpc.PartitionSuspect
}

// quorum tells whether so much power can commit blocks. Sums of power are far below the end of the integer.
func quorum(power, total uint64) bool { return 3*power > 2*total }

// cut tells whether a node in this state takes no transaction for granted: what it takes in, it can only keep.
func cut(state string) bool {
	return state == rpc.PartitionMinority || state == rpc.PartitionStalled
}

// voter is a validator as this node knows it.
type voter struct {
	name  string
	power uint64
	self  bool
}

// reachablePower is the power of this node, if it is a validator, and of those it hears from.
//
// Nothing in CometBFT says which validator a peer is: a peer proves its node key, blocks are signed with another, and
// votes are passed on by everybody. What a peer says of itself is its moniker, and the ledger has a name for each
// validator, by default the same. A peer counts for the validator of its name. One whose name is no validator's,
// and one that has none because its transport knows no handshake (libp2p), may be any of those not heard of by
// name: the strongest of them is assumed, so that a moniker which was changed makes nobody believe that he is cut
// off. A peer that uses another's name, which only one of the allowed nodes can, makes this node call a minority
// stalled or suspect: it is a label, on which no block depends.
func reachablePower(voters []voter, peers []string) uint64 {
	heard := map[string]bool{}
	for _, name := range peers {
		heard[name] = true
	}
	var sum uint64
	var left []uint64 // powers of those not heard of by name
	known := map[string]bool{}
	for _, v := range voters {
		switch {
		case v.self:
			sum += v.power
		case v.name != "" && heard[v.name]:
			sum += v.power
			known[v.name] = true
			heard[v.name] = false // two validators of one name are not both heard through one peer
		default:
			left = append(left, v.power)
		}
	}
	slices.Sort(left)
	for _, name := range peers {
		if !known[name] && len(left) > 0 {
			sum += left[len(left)-1]
			left = left[:len(left)-1]
		}
	}
	return sum
}
