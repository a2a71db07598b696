package node

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	cmtblocksync "github.com/cometbft/cometbft/blocksync"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	cmtbc "github.com/cometbft/cometbft/proto/tendermint/blocksync"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

const (
	// lookEvery is how often a node looks at its peers and judges whether it is cut off.
	lookEvery = 250 * time.Millisecond
	// heardFor is how long a peer counts as there after its last byte.
	heardFor = 2 * time.Second
	// askAfter is how long a peer may be silent before it is asked for its height, four times a second, so that it
	// has a reason to speak: a network that commits nothing has nothing to say.
	askAfter = 500 * time.Millisecond
	// silentMax is after how many looks at a silent peer, all of them with a question, its connection is given up. One
	// whose other end is gone without a word, cut off or restarted behind a cut, lives for minutes otherwise, and
	// keeps the peer from connecting anew.
	silentMax = 40
	// redialEvery is how often persistent peers that are not connected are called. CometBFT does that less and less
	// often, after an hour's cut once in half an hour.
	redialEvery = 10 * time.Second
)

// reach is what the node sees of the others, kept up to date by watchReach.
type reach struct {
	state            atomic.Pointer[string]
	reachable, total atomic.Uint64
	turned           chan struct{} // capacity 1: the state has changed

	// What follows belongs to the goroutine of watchReach.
	height uint64
	since  time.Time // when the height was reached, by the monotonic clock
	seen   bool
	silent map[cmtp2p.ID]int // how many looks in a row found a peer silent
}

func newReach(now time.Time) *reach {
	r := &reach{turned: make(chan struct{}, 1), silent: map[cmtp2p.ID]int{}, since: now}
	unknown := rpc.PartitionSuspect // before the first look
	r.state.Store(&unknown)
	return r
}

// partition is the state of the node as it is known now.
func (r *reach) partition() string { return *r.state.Load() }

// watchReach looks at the network until the node stops.
func (n *Node) watchReach() {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	patience := n.config.patience()
	log := n.log.With("module", "reach")
	n.reach.height = n.Height()
	for {
		n.look(patience, log)
		select {
		case <-n.running.Done():
			return
		case <-tick.C:
		}
	}
}

// look takes in what is seen of the network, and tells when that makes a difference.
func (n *Node) look(p patience, log *slog.Logger) {
	r := n.reach
	now := time.Now()
	if h := n.Height(); h != r.height {
		r.height, r.since, r.seen = h, now, true
	}
	s := sight{Quiet: now.Sub(r.since), Seen: r.seen}
	heard := r.listen(n.engine.Switch(), !n.catchingUp(), log)
	if n.app.Ready() {
		voters, age, err := n.voters(now)
		if err != nil {
			log.Error("the validators cannot be read", "err", err)
			return
		}
		for _, v := range voters {
			s.Total += v.power
		}
		s.Age, s.Reachable = age, reachablePower(voters, heard)
	}
	s.Behind = n.catchingUp() || lag(r.height, n.peerHeights()) > 0
	r.reachable.Store(s.Reachable)
	r.total.Store(s.Total)
	state := p.judge(s)
	if before := r.partition(); state != before {
		r.state.Store(&state)
		select {
		case r.turned <- struct{}{}:
		default:
		}
		level := slog.LevelInfo
		if cut(state) && (s.Seen || s.Quiet >= p.Suspect) {
			level = slog.LevelWarn // a node that has just been started is alone for a moment
		}
		log.Log(context.Background(), level, "this node's view of the network has changed", "was", before, "is", state,
			"reachable_power", s.Reachable, "total_power", s.Total, "block_age_ms", s.Age.Milliseconds())
	}
}

// carriedAge is how old a state is by the time it carries. The genesis state and the first block carry the time of the
// genesis document, which may have been written at any time before the network began: they tell nothing, and are new.
func carriedAge(height, timeMS uint64, now time.Time) time.Duration {
	if height <= 1 {
		return 0
	}
	return max(0, now.Sub(time.UnixMilli(int64(timeMS))))
}

// voters reads the validators with power from the newest state, and how old that is by the time it carries.
func (n *Node) voters(now time.Time) ([]voter, time.Duration, error) {
	view := n.app.View()
	defer view.Close()
	age := carriedAge(view.Height(), view.TimeMS(), now)
	raw, err := view.Get(ledger.KeyValidators())
	if err != nil || raw == nil {
		return nil, age, err
	}
	ids, err := ledger.DecodeValidators(raw)
	if err != nil {
		return nil, age, err
	}
	self := crypto.ValidatorIDOf(n.identity.Validator.Type, n.identity.Validator.Bytes)
	var out []voter
	for _, id := range ids {
		raw, err := view.Get(ledger.KeyValidator(id))
		if err != nil {
			return nil, age, err
		}
		v, err := ledger.DecodeValidator(raw)
		if err != nil {
			return nil, age, err
		}
		if v.Power > 0 {
			out = append(out, voter{name: v.Name, power: v.Power, self: v.ID() == self})
		}
	}
	return out, age, nil
}

// listen names the peers that were heard lately. With ask, those that are silent are given a reason to speak, and
// those that do not use it are dropped.
//
// CometBFT answers a request for its height on the channel of block sync at any time. Where a node still fetches
// blocks itself it asks no more often than CometBFT does: an answer that is overtaken by an older one would make it
// take the peer for a liar.
func (r *reach) listen(sw cmtp2p.Switcher, ask bool, log *slog.Logger) (heard []string) {
	peers := everybody(sw)
	there := make(map[cmtp2p.ID]bool, len(peers))
	for _, p := range peers {
		id := p.ID()
		there[id] = true
		idle, known := idleFor(p)
		if !known || idle < heardFor {
			heard = append(heard, moniker(p))
			delete(r.silent, id)
		}
		if !known || !ask || idle < askAfter {
			continue
		}
		p.TrySend(cmtp2p.Envelope{ChannelID: cmtblocksync.BlocksyncChannel, Message: &cmtbc.StatusRequest{}})
		if idle < heardFor {
			continue
		}
		if r.silent[id]++; r.silent[id] >= silentMax {
			log.Warn("dropping a connection over which nothing comes", "peer", id, "silent_s", int(idle.Seconds()))
			sw.StopPeerForError(p, "nothing comes over the connection")
			delete(r.silent, id)
		}
	}
	for id := range r.silent {
		if !there[id] {
			delete(r.silent, id)
		}
	}
	return heard
}

// idleFor is how long nothing has come from a peer; false where the transport does not tell (libp2p).
func idleFor(p cmtp2p.Peer) (time.Duration, bool) {
	status := p.Status()
	return status.RecvMonitor.Idle, !status.RecvMonitor.Start.IsZero()
}

// moniker is what a peer calls itself; "" where the transport does not tell.
func moniker(p cmtp2p.Peer) string {
	if info, ok := p.NodeInfo().(cmtp2p.DefaultNodeInfo); ok {
		return info.Moniker
	}
	return ""
}

// redial calls persistent peers that are not connected, over the classic transport, until the node stops. Calls run
// beside it: one that is never answered must not hold up the others, nor the end of the node.
func (n *Node) redial() {
	sw := n.engine.Switch()
	peers := strings.Split(n.config.Engine.P2P.PersistentPeers, ",")
	tick := time.NewTicker(redialEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.running.Done():
			return
		case <-tick.C:
		}
		for _, peer := range peers {
			peer = strings.TrimSpace(peer)
			id, _, _ := strings.Cut(peer, "@")
			if id == "" || sw.Peers().Has(cmtp2p.ID(strings.ToLower(id))) {
				continue
			}
			go func() {
				if address, err := cmtp2p.NewNetAddressString(peer); err == nil { // its name may be known later
					_ = sw.DialPeerWithAddress(address) // it is called again
				}
			}()
		}
	}
}
