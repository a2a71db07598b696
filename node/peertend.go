package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	cmtblocksync "github.com/cometbft/cometbft/blocksync"
	cmtconsensus "github.com/cometbft/cometbft/consensus"
	cmtcstypes "github.com/cometbft/cometbft/consensus/types"
	cmtlp2p "github.com/cometbft/cometbft/lp2p"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	cmtblocksyncproto "github.com/cometbft/cometbft/proto/tendermint/blocksync"
	cmtconsensusproto "github.com/cometbft/cometbft/proto/tendermint/consensus"
)

// tendEvery is how often a node says where it is and looks at its peers. It bounds how long two nodes that have
// lost track of each other stay so. A test that looks by itself makes it long.
var tendEvery = time.Second

// askEvery is how many times of that pass between questions for the peers' heights while blocks are fetched. It
// must not be one: CometBFT looks every second whether it has all blocks, and would always look right after it
// has heard of new ones.
const askEvery = 3

// tender keeps nodes on the libp2p transport from losing track of each other.
//
// CometBFT sends a peer only what it believes that the peer lacks, and believes what it has sent to have
// arrived. It says where it is (height, round, step) when it adds a peer and when that changes, never again,
// and sends nothing to a peer that has not said so. The classic transport makes this true: a connection
// delivers all or ends, and with it both sides' beliefs. On libp2p none of it holds. Each side adds and removes
// its peer by itself; what is sent to a node that is still starting is lost without an error; a process that
// was killed and started again meets beliefs about its predecessor. If a quorum needs one of the silent peers,
// no step changes anywhere and the network stands still for good.
//
// So a tender makes up for the three. It says again and again where this node is. It notices a peer's new
// connection and begins with that peer anew. And if blocks stay away nevertheless it does so with all peers.
// To begin anew is a matter of this side alone: connections stay, nothing under way is lost, and the other
// side says within a second where it is.
type tender struct {
	sw       cmtp2p.Switcher
	peers    *cmtlp2p.PeerSet
	reactors []cmtp2p.Reactor

	fetching func() bool // CometBFT fetches blocks and takes no part in consensus yet
	syncing  func() bool // it has not even begun to fetch blocks
	round    func() *cmtcstypes.RoundState
	height   func() uint64
	log      *slog.Logger

	met   map[cmtp2p.ID]cmtp2p.Peer // peers seen the last time
	stall stall
	beats int
}

// reactorNames are CometBFT's parts that hear of peers, in the order in which they do.
var reactorNames = []string{"MEMPOOL", blocksyncReactor, "CONSENSUS", "EVIDENCE", "STATESYNC"}

var errOtherPeers = errors.New("CometBFT's peers on libp2p are not as in v0.40.0")

// tendPeers begins to tend the peers on libp2p. It comes before CometBFT's start, which waits for peers that are
// away while the others are there already.
func (n *Node) tendPeers() {
	if !n.config.Engine.P2P.LibP2PEnabled() {
		return
	}
	t, err := n.newTender()
	if err != nil {
		n.log.Error("peers are not tended: blocks may stay away after several nodes have been restarted", "err", err)
		return
	}
	n.work(func() { t.run(n.running) })
}

// newTender returns one for a node that has made CometBFT's.
func (n *Node) newTender() (*tender, error) {
	sw := n.engine.Switch()
	consensus, ok := n.env.ConsensusState.(interface {
		GetRoundState() *cmtcstypes.RoundState
	})
	if !ok {
		return nil, errOtherPeers
	}
	t := &tender{
		sw: sw, fetching: n.catchingUp, syncing: n.syncing.Load, round: consensus.GetRoundState, height: n.Height,
		log: n.log.With("module", "peers"),
	}
	return t, t.open()
}

// open finds what a tender needs to begin anew with a peer.
func (t *tender) open() error {
	var ok bool
	if t.peers, ok = t.sw.Peers().(*cmtlp2p.PeerSet); !ok {
		return errOtherPeers
	}
	for _, name := range reactorNames {
		r, ok := t.sw.Reactor(name)
		if !ok {
			return fmt.Errorf("%w: no %s", errOtherPeers, name)
		}
		t.reactors = append(t.reactors, r)
	}
	return nil
}

// run tends until ctx ends.
func (t *tender) run(ctx context.Context) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			t.beat(now)
		}
	}
}

// beat does once what is to be done each time. While this node takes no part in consensus beliefs do no harm:
// they are looked at when it does.
func (t *tender) beat(now time.Time) {
	idle := t.syncing() || t.fetching()
	stalled := t.stall.due(now, t.height(), idle)
	if stalled {
		t.log.Warn("no block for a while: telling all peers everything anew", "height", t.stall.height)
	}
	met := map[cmtp2p.ID]cmtp2p.Peer{}
	for _, p := range everybody(t.sw) {
		switch {
		case t.met[p.ID()] != p:
			mark(p)
		case idle:
		case stalled:
			p = t.renew(p, reasonStalled)
		case !marked(p):
			p = t.renew(p, reasonReplaced)
		}
		met[p.ID()] = p
	}
	t.met = met
	t.announce()
}

// Why it is begun anew with a peer, as CometBFT logs it.
const (
	reasonStalled  = "no block for a while"
	reasonReplaced = "it has connected anew"
)

// everybody collects first and lets the set go, as strangers does.
func everybody(sw cmtp2p.Switcher) []cmtp2p.Peer {
	var out []cmtp2p.Peer
	sw.Peers().ForEach(func(p cmtp2p.Peer) { out = append(out, p) })
	return out
}

// agentKey is where libp2p keeps the name that a peer's program gives itself. It writes it anew for each
// connection, after it has been established, and forgets it, with all that CometBFT keeps there about the
// peer, after the peer has been away for a while. CometBFT does not use it. So a mark left there disappears
// when the peer has become another process.
const agentKey = "AgentVersion"

type agentMark struct{}

func mark(p cmtp2p.Peer)        { p.Set(agentKey, agentMark{}) }
func marked(p cmtp2p.Peer) bool { return p.Get(agentKey) == any(agentMark{}) }

// renew replaces a peer by one of which nothing is believed, over the same connections. The mark comes first: a
// connection that is made meanwhile removes it again.
func (t *tender) renew(p cmtp2p.Peer, reason string) cmtp2p.Peer {
	old, ok := p.(*cmtlp2p.Peer)
	if !ok || t.peers.Get(p.ID()) != p {
		return p
	}
	mark(p)
	err := t.peers.Remove(p.ID(), cmtlp2p.PeerRemovalOptions{
		Reason: reason,
		OnAfterStop: func(p *cmtlp2p.Peer, reason any) {
			for _, r := range t.reactors {
				r.RemovePeer(p, reason)
			}
		},
	})
	if err != nil {
		return p // CometBFT has dropped it in this moment and connects anew
	}
	renewed, err := t.peers.Add(old.AddrInfo(), cmtlp2p.PeerAddOptions{
		Private: old.IsPrivate(), Persistent: old.IsPersistent(), Unconditional: old.IsUnconditional(),
		OnBeforeStart: func(p *cmtlp2p.Peer) {
			for _, r := range t.reactors {
				r.InitPeer(p)
			}
		},
		// Reactors greet the peer, which takes seconds if it is dead; the others must not wait for that.
		OnAfterStart: func(p *cmtlp2p.Peer) { go t.greet(p) },
	})
	switch {
	case errors.Is(err, cmtlp2p.ErrPeerExists): // a message of the peer has just added it
		return p
	case err != nil:
		t.log.Error("a peer cannot be added again", "peer", p.ID(), "err", err)
		return p
	}
	t.log.Debug("began anew with a peer", "peer", p.ID(), "reason", reason)
	return renewed
}

// greet lets the reactors begin to send to a peer.
func (t *tender) greet(p *cmtlp2p.Peer) {
	for _, r := range t.reactors {
		r.AddPeer(p)
	}
}

// announce tells all peers where this node is, or asks them where they are while it fetches their blocks.
// Peers that know already ignore it.
func (t *tender) announce() {
	t.beats++
	switch {
	case t.syncing():
	case !t.fetching():
		t.sw.BroadcastAsync(cmtp2p.Envelope{ChannelID: cmtconsensus.StateChannel, Message: roundStep(t.round())})
	case t.beats%askEvery == 0:
		t.sw.BroadcastAsync(cmtp2p.Envelope{ChannelID: cmtblocksync.BlocksyncChannel, Message: &cmtblocksyncproto.StatusRequest{}})
	}
}

// roundStep is the message by which consensus says where it is.
func roundStep(s *cmtcstypes.RoundState) *cmtconsensusproto.NewRoundStep {
	return &cmtconsensusproto.NewRoundStep{
		Height: s.Height, Round: s.Round, Step: uint32(s.Step),
		SecondsSinceStartTime: int64(time.Since(s.StartTime).Seconds()),
		LastCommitRound:       s.LastCommit.GetRound(),
	}
}
