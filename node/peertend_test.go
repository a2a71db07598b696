package node

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	cmtblocksync "github.com/cometbft/cometbft/blocksync"
	cmtcfg "github.com/cometbft/cometbft/config"
	cmtconsensus "github.com/cometbft/cometbft/consensus"
	cmtcstypes "github.com/cometbft/cometbft/consensus/types"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtlog "github.com/cometbft/cometbft/libs/log"
	cmtlp2p "github.com/cometbft/cometbft/lp2p"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	cmtblocksyncproto "github.com/cometbft/cometbft/proto/tendermint/blocksync"
	cmtconsensusproto "github.com/cometbft/cometbft/proto/tendermint/consensus"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/libp2p/go-libp2p/core/peer"
)

// post is one end of CometBFT's libp2p transport, with listeners in the place of its reactors.
type post struct {
	host      *cmtlp2p.Host
	sw        *cmtlp2p.Switch
	listeners map[string]*listener
}

// listener notes what a reactor would hear.
type listener struct {
	cmtp2p.BaseReactor
	channels []*cmtp2p.ChannelDescriptor

	mu       sync.Mutex // guards what follows
	inits    int
	adds     int
	removals []any // the reasons
	heard    []any // the messages
}

func (l *listener) GetChannels() []*cmtp2p.ChannelDescriptor { return l.channels }

func (l *listener) InitPeer(p cmtp2p.Peer) cmtp2p.Peer {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inits++
	return p
}

func (l *listener) AddPeer(cmtp2p.Peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.adds++
}

func (l *listener) RemovePeer(_ cmtp2p.Peer, reason any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removals = append(l.removals, reason)
}

func (l *listener) Receive(e cmtp2p.Envelope) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, e.Message)
}

// removedFor counts the removals for a reason.
func (l *listener) removedFor(reason string) (count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.removals {
		if r == any(reason) {
			count++
		}
	}
	return count
}

// counts returns how often peers were initialised, added and removed.
func (l *listener) counts() [3]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return [3]int{l.inits, l.adds, len(l.removals)}
}

func (l *listener) messages() []any {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.heard)
}

// newHost makes a host with a key at an address, which may have been another's before.
func newHost(t *testing.T, key cmted25519.PrivKey, address string, known ...peer.AddrInfo) *cmtlp2p.Host {
	t.Helper()
	c := cmtcfg.DefaultP2PConfig()
	c.ListenAddress = address
	c.LibP2PConfig.Enabled = true
	for _, k := range known {
		at, err := k.Addrs[0].ValueForProtocol(4) // ip4
		if err != nil {
			t.Fatal(err)
		}
		port, err := k.Addrs[0].ValueForProtocol(273) // udp
		if err != nil {
			t.Fatal(err)
		}
		c.LibP2PConfig.BootstrapPeers = append(c.LibP2PConfig.BootstrapPeers,
			cmtcfg.LibP2PBootstrapPeer{Host: at + ":" + port, ID: k.ID.String(), Persistent: true})
	}
	h, err := cmtlp2p.NewHost(c, key, cmtlog.NewNopLogger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// newPost starts a transport over a host.
func newPost(t *testing.T, host *cmtlp2p.Host) *post {
	t.Helper()
	p := &post{host: host, listeners: map[string]*listener{}}
	var reactors []cmtlp2p.SwitchReactor
	for _, name := range reactorNames {
		l := &listener{}
		switch name {
		case "CONSENSUS":
			l.channels = []*cmtp2p.ChannelDescriptor{
				{ID: cmtconsensus.StateChannel, Priority: 1, RecvMessageCapacity: 1 << 16, MessageType: &cmtconsensusproto.Message{}},
			}
		case blocksyncReactor:
			l.channels = []*cmtp2p.ChannelDescriptor{
				{ID: cmtblocksync.BlocksyncChannel, Priority: 1, RecvMessageCapacity: 1 << 16, MessageType: &cmtblocksyncproto.Message{}},
			}
		}
		l.BaseReactor = *cmtp2p.NewBaseReactor(name, l)
		p.listeners[name] = l
		reactors = append(reactors, cmtlp2p.SwitchReactor{Name: name, Reactor: l})
	}
	var err error
	if p.sw, err = cmtlp2p.NewSwitch(nil, host, reactors, cmtp2p.NopMetrics(), cmtlog.NewNopLogger()); err != nil {
		t.Fatal(err)
	}
	if err := p.sw.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.sw.Stop() })
	return p
}

// anywhere lets the system choose a port.
const anywhere = "tcp://127.0.0.1:0"

// newPair connects two posts: the first knows the second, and the second learns of the first by a message.
func newPair(t *testing.T) (a, b *post) {
	t.Helper()
	b = newPost(t, newHost(t, cmted25519.GenPrivKey(), anywhere))
	a = newPost(t, newHost(t, cmted25519.GenPrivKey(), anywhere, b.host.AddrInfo()))
	awaits(t, "each knows the other", func() bool {
		if p := a.peer(b); p != nil {
			p.Send(cmtp2p.Envelope{ChannelID: cmtconsensus.StateChannel, Message: &cmtconsensusproto.HasVote{}})
		}
		return b.peer(a) != nil
	})
	return a, b
}

// peer is what a knows b as.
func (p *post) peer(other *post) cmtp2p.Peer {
	return p.sw.Peers().Get(cmtp2p.ID(other.host.ID().String()))
}

// tender returns one whose consensus stands where round says.
func (p *post) tender(t *testing.T, round cmtcstypes.RoundState) *tender {
	t.Helper()
	no := func() bool { return false }
	tend := &tender{
		sw: p.sw, fetching: no, syncing: no, height: func() uint64 { return uint64(round.Height) },
		round: func() *cmtcstypes.RoundState { return &round }, log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if err := tend.open(); err != nil {
		t.Fatal(err)
	}
	return tend
}

func awaits(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(soon); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v", what, soon)
		}
	}
}

// settled beats until nothing more is to be done about a peer: libp2p may identify it more than once.
func settled(t *testing.T, tend *tender, known func() cmtp2p.Peer, now time.Time) cmtp2p.Peer {
	t.Helper()
	awaits(t, "the peer is left alone", func() bool {
		tend.beat(now)
		before := known()
		tend.beat(now)
		return before != nil && before == known() && marked(before)
	})
	return known()
}

// TestRenewIsLocal: to begin anew with a peer replaces what is known of it, and neither the connection nor what
// the other side knows.
func TestRenewIsLocal(t *testing.T) {
	a, b := newPair(t)
	tend := a.tender(t, cmtcstypes.RoundState{})
	old, mirror := a.peer(b), b.peer(a)
	before := map[string][3]int{}
	for name, l := range a.listeners {
		awaits(t, name+" has heard of the peer", func() bool {
			c := l.counts()
			before[name] = c
			return c[0] == c[1] && c[0] == c[2]+1
		})
	}
	connection := a.host.Network().ConnsToPeer(b.host.ID())[0].ID()

	renewed := tend.renew(old, "why")

	if renewed == old || renewed != a.peer(b) || old.IsRunning() || !renewed.IsRunning() {
		t.Errorf("renewed: %v, in the set: %v, old one runs: %v, new one runs: %v", renewed != old, renewed == a.peer(b), old.IsRunning(), renewed.IsRunning())
	}
	if !renewed.IsPersistent() || !reflect.DeepEqual(renewed.SocketAddr(), old.SocketAddr()) {
		t.Errorf("persistent: %v, address %v instead of %v", renewed.IsPersistent(), renewed.SocketAddr(), old.SocketAddr())
	}
	for name, l := range a.listeners {
		awaits(t, name+" heard of it", func() bool {
			b := before[name]
			return l.counts() == [3]int{b[0] + 1, b[1] + 1, b[2] + 1} && l.removedFor("why") == 1
		})
	}
	if got := a.host.Network().ConnsToPeer(b.host.ID())[0].ID(); got != connection {
		t.Errorf("the connection is %s instead of %s", got, connection)
	}
	if b.peer(a) != mirror || !mirror.IsRunning() {
		t.Error("the other side has replaced its peer too")
	}
	if tend.renew(old, "why") != old || a.peer(b) != renewed {
		t.Error("a peer that is no longer in the set has replaced the one that is")
	}
}

// TestNewProcessIsNoticed: a peer whose process was replaced by another is begun anew with, and left alone
// after that.
func TestNewProcessIsNoticed(t *testing.T) {
	key := cmted25519.GenPrivKey()
	first := newHost(t, key, anywhere)
	a := newPost(t, newHost(t, cmted25519.GenPrivKey(), anywhere, first.AddrInfo()))
	known := func() cmtp2p.Peer { return a.sw.Peers().Get(cmtp2p.ID(first.ID().String())) }
	awaits(t, "the peer is known", func() bool { return known() != nil })
	tend := a.tender(t, cmtcstypes.RoundState{Height: 1})
	tend.sw = mute{a.sw} // what is sent to nobody tells CometBFT that nobody is there
	old := settled(t, tend, known, time.Now())

	_ = first.Close()
	second := newHost(t, key, anywhere)
	awaits(t, "the new process has connected", func() bool {
		return second.Connect(context.Background(), a.host.AddrInfo()) == nil
	})
	awaits(t, "libp2p has identified it", func() bool { return !marked(old) })
	if known() != old {
		t.Fatal("CometBFT notices new processes: the tender need not")
	}
	tend.beat(time.Now())
	if known() == old || a.listeners["CONSENSUS"].removedFor(reasonReplaced) == 0 {
		t.Error("the new process has the beliefs about the old one")
	}
	settled(t, tend, known, time.Now())
}

// mute is a switch that sends nothing to all.
type mute struct{ cmtp2p.Switcher }

func (mute) BroadcastAsync(cmtp2p.Envelope) {}

// TestStalledPeersAreRenewed: when no block comes all peers are begun anew with, but not by a node that fetches
// blocks.
func TestStalledPeersAreRenewed(t *testing.T) {
	a, b := newPair(t)
	tend := a.tender(t, cmtcstypes.RoundState{Height: 1})
	now := time.Now()
	settled(t, tend, func() cmtp2p.Peer { return a.peer(b) }, now)
	mirror := b.peer(a)
	renewals := func() int { return a.listeners["CONSENSUS"].removedFor(reasonStalled) }
	tend.beat(now.Add(stalledAfter - 1))
	if renewals() != 0 {
		t.Error("the peer was replaced before its time")
	}
	tend.fetching = func() bool { return true }
	now = now.Add(stalledAfter)
	tend.beat(now)
	if renewals() != 0 {
		t.Error("a node that fetches blocks has replaced its peer")
	}
	tend.fetching = func() bool { return false }
	now = now.Add(stalledAfter)
	for range 2 {
		tend.beat(now)
		if renewals() != 1 {
			t.Errorf("the peer was replaced %d times, not once", renewals())
		}
	}
	if b.peer(a) != mirror {
		t.Error("the other side has replaced its peer too")
	}
}

// TestAnnounce: a node says where it is every time, although nothing has changed, and only once it takes part in
// consensus; before, it asks its peers where they are.
func TestAnnounce(t *testing.T) {
	a, b := newPair(t)
	began := time.Now().Add(-time.Hour)
	tend := a.tender(t, cmtcstypes.RoundState{Height: 7, Round: 2, Step: cmtcstypes.RoundStepPrevote, StartTime: began})
	rounds := func() (out []*cmtconsensusproto.NewRoundStep) {
		for _, m := range b.listeners["CONSENSUS"].messages() {
			if r, ok := m.(*cmtconsensusproto.NewRoundStep); ok {
				out = append(out, r)
			}
		}
		return out
	}
	asked := func() int { return len(b.listeners[blocksyncReactor].messages()) }

	tend.syncing = func() bool { return true }
	tend.fetching = tend.syncing
	for range 2 * askEvery {
		tend.beat(began)
	}
	tend.syncing = func() bool { return false }
	beats := 0
	awaits(t, "the peer was asked for its height", func() bool {
		tend.beat(began)
		beats++
		return asked() > 0
	})
	if got := asked(); got > beats/askEvery {
		t.Errorf("the peer was asked %d times in %d beats", got, beats)
	}
	if got := rounds(); len(got) > 0 {
		t.Errorf("a node that takes no part has said where it is: %v", got)
	}

	tend.fetching = tend.syncing
	awaits(t, "the peer was told twice", func() bool {
		tend.beat(began)
		return len(rounds()) >= 2
	})
	for _, r := range rounds() {
		if r.SecondsSinceStartTime < 3600 {
			t.Errorf("the round began %d seconds ago, not an hour", r.SecondsSinceStartTime)
		}
		want := cmtconsensusproto.NewRoundStep{
			Height: 7, Round: 2, Step: uint32(cmtcstypes.RoundStepPrevote), SecondsSinceStartTime: r.SecondsSinceStartTime, LastCommitRound: -1,
		}
		if *r != want {
			t.Errorf("told %v, want %v", r, &want)
		}
	}
}

// TestSilentPeersAreHeard: two of four validators stand still for want of a quorum, and one begins anew with the
// other, which has nothing new to say and would not be heard of again. It must be nevertheless: if not, votes do
// not flow when the rest comes.
func TestSilentPeersAreHeard(t *testing.T) {
	normally := tendEvery
	tendEvery = time.Hour // the test beats
	t.Cleanup(func() { tendEvery = normally })
	layout, err := Testnet(TestnetSpec{
		Dir: filepath.Join(t.TempDir(), "net"), Validators: 4, BasePort: freePorts(t, 4), ChainID: "test", LibP2P: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	n := &network{t: t, layout: layout, nodes: make([]*Node, 2)}
	t.Cleanup(func() { n.stop(0); n.stop(1) })
	var tenders []*tender
	for i := range n.nodes {
		n.startKnowing(i, layout.Nodes[1-i].Identity.PeerID)
		tend, err := n.nodes[i].newTender()
		n.must(err)
		tenders = append(tenders, tend)
	}
	// Without a third vote there is no way on from here.
	n.until("both have voted", func() bool {
		return tenders[0].round().Step == cmtcstypes.RoundStepPrevote && tenders[1].round().Step == cmtcstypes.RoundStepPrevote
	})
	believed := func() (cmtcstypes.PeerRoundState, bool) {
		p := n.nodes[0].Switch().Peers().Get(cmtp2p.ID(layout.Nodes[1].Identity.PeerID))
		if p == nil {
			return cmtcstypes.PeerRoundState{}, false
		}
		state, ok := p.Get(cmttypes.PeerStateKey).(*cmtconsensus.PeerState)
		if !ok {
			return cmtcstypes.PeerRoundState{}, false
		}
		return *state.GetRoundState(), true
	}
	n.until("the peer is silent", func() bool {
		for _, p := range everybody(n.nodes[0].Switch()) {
			tenders[0].renew(p, "why")
		}
		got, ok := believed()
		return ok && got.Height == 0
	})
	now := time.Now()
	n.until("it is heard", func() bool {
		tenders[1].beat(now)
		got, ok := believed()
		is := tenders[1].round()
		return ok && got.Height == is.Height && got.Round == is.Round && got.Step == is.Step
	})
}

// startKnowing starts a node that looks for one peer only.
func (n *network) startKnowing(i int, id string) {
	n.t.Helper()
	config, err := Load(n.layout.Nodes[i].Home, nil)
	n.must(err)
	config.Store.DiskFreeMin = diskFreeFloor
	p2p := config.Engine.P2P.LibP2PConfig
	p2p.BootstrapPeers = slices.DeleteFunc(slices.Clone(p2p.BootstrapPeers), func(p cmtcfg.LibP2PBootstrapPeer) bool { return p.ID != id })
	config.Engine.P2P.LibP2PConfig = p2p
	if n.nodes[i], err = New(config, n.testLogger(i)); err != nil {
		n.t.Fatal(err)
	}
	n.must(n.nodes[i].Start())
}

// TestReactorNames holds the list against the version of CometBFT that we use.
func TestReactorNames(t *testing.T) {
	dir := t.TempDir()
	if _, err := Testnet(TestnetSpec{Dir: dir, Validators: 1, BasePort: freePorts(t, 1), ChainID: "test", LibP2P: true}); err != nil {
		t.Fatal(err)
	}
	config, err := Load(filepath.Join(dir, "node0"), nil)
	if err != nil {
		t.Fatal(err)
	}
	config.Store.DiskFreeMin = diskFreeFloor
	n, err := New(config, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Stop() })
	if _, err := n.newTender(); err != nil {
		t.Error(err)
	}
	reactors := reflect.ValueOf(n.Switch()).Elem().FieldByName("reactors").Elem().FieldByName("reactors")
	var names []string
	for i := range reactors.Len() {
		names = append(names, reactors.Index(i).FieldByName("name").String())
	}
	if !slices.Equal(names, reactorNames) {
		t.Errorf("CometBFT tells %v of peers, we %v", names, reactorNames)
	}
}
