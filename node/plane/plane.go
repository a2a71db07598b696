package plane

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	p2pcrypto "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// Options say who a plane is and what it answers.
type Options struct {
	// Key is the service key. It is the host's identity and signs the handshakes.
	Key crypto.PrivateKey
	// Listen is the host:port to listen on.
	Listen string
	// Attest answers a request. An error means that this node attests nothing now; the member is told no more.
	Attest func(nonce [ledger.AttestNonceLen]byte) (ledger.SignedAttestation, error)
	// MeasureEvery is how often the way to each member is measured, on average; 0: every 15 s.
	MeasureEvery time.Duration
	// Logger gets what an operator may have to act on; nil is silent.
	Logger *slog.Logger
}

// Plane is this node's host on the app plane.
type Plane struct {
	options Options
	log     *slog.Logger
	listen  multiaddr.Multiaddr
	host    host.Host
	gate    *gate
	meter   *meter

	mu      sync.Mutex
	ids     map[crypto.ValidatorID]peer.ID // of those admitted
	buckets map[peer.ID]*bucket            // of those admitted
	deaf    map[peer.ID]int                // requests in a row that a member left unanswered

	running context.Context // ends with Close
	cancel  context.CancelFunc
	changed chan struct{} // holds one wish to dial now
	workers sync.WaitGroup
}

// New makes a host that admits nobody and does not listen yet.
func New(o Options) (*Plane, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MeasureEvery <= 0 {
		o.MeasureEvery = measureEvery
	}
	listen, err := listenAddress(o.Listen)
	if err != nil {
		return nil, err
	}
	seed := o.Key.Seed()
	identity, err := p2pcrypto.UnmarshalEd25519PrivateKey(append(seed[:], o.Key.Public().Bytes...))
	if err != nil {
		return nil, fmt.Errorf("the service key cannot be a host's identity: %w", err)
	}
	bounds, err := resources()
	if err != nil {
		return nil, fmt.Errorf("set the plane's limits: %w", err)
	}
	p := &Plane{
		options: o, log: o.Logger, listen: listen, gate: &gate{}, buckets: map[peer.ID]*bucket{}, deaf: map[peer.ID]int{},
		changed: make(chan struct{}, 1), meter: newMeter(staleAfter * o.MeasureEvery),
	}
	p.host, err = libp2p.New(
		// Calls come from a port of their own: two nodes that called each other from where they listen, at the same moment,
		// would share one connection of TCP, to which both are clients.
		libp2p.Transport(tcp.NewTCPTransport, tcp.DisableReuseport()),
		libp2p.Identity(identity), libp2p.NoListenAddrs, libp2p.ConnectionGater(p.gate),
		libp2p.ResourceManager(bounds), libp2p.WithDialTimeout(dialTimeout), libp2p.DisableRelay(), libp2p.DisableMetrics(),
		libp2p.DisableIdentifyAddressDiscovery(), libp2p.Ping(false), libp2p.UserAgent("tetrad"), libp2p.ProtocolVersion("tetrad/plane/1"),
	)
	if err != nil {
		_ = bounds.Close() // nothing uses it
		return nil, fmt.Errorf("make the plane's host: %w", err)
	}
	p.running, p.cancel = context.WithCancel(context.Background())
	p.host.SetStreamHandler(Protocol, p.serve)
	p.host.SetStreamHandler(EchoProtocol, p.serveEcho)
	p.host.Network().Notify(&network.NotifyBundle{ConnectedF: p.recheck})
	return p, nil
}

// listenAddress is host:port as libp2p writes it. Without a host it is every address of this machine.
func listenAddress(hostPort string) (multiaddr.Multiaddr, error) {
	address, err := net.ResolveTCPAddr("tcp", hostPort)
	if err != nil {
		return nil, fmt.Errorf("the plane's address %q: %w", hostPort, err)
	}
	if address.IP == nil {
		address.IP = net.IPv4zero
	}
	return manet.FromNetAddr(address)
}

// Start listens and begins to connect to members.
func (p *Plane) Start() error {
	if err := p.host.Network().Listen(p.listen); err != nil {
		return fmt.Errorf("listen on %s for the app plane: %w", p.options.Listen, err)
	}
	p.workers.Go(p.connect)
	p.workers.Go(p.measureAll)
	return nil
}

// Close ends all connections. The plane is of no use afterwards.
func (p *Plane) Close() error {
	p.cancel()
	err := p.host.Close()
	p.workers.Wait()
	return err
}

// Addresses are where the plane listens.
func (p *Plane) Addresses() []string {
	var out []string
	for _, a := range p.host.Network().ListenAddresses() {
		out = append(out, a.String())
	}
	return out
}

// Peers is how many members are connected.
func (p *Plane) Peers() int { return len(p.host.Network().Peers()) }

// Refused is how often somebody was refused who is no member.
func (p *Plane) Refused() uint64 { return p.gate.refused.Load() }

// Trips are the ways to the members and back, as they were measured here.
func (p *Plane) Trips() []Trip { return p.meter.row(time.Now()) }

// Gathered is what the members said they had measured when they were last asked. It is their word and no more.
func (p *Plane) Gathered() []Row { return p.meter.gathered(time.Now()) }

// Admit replaces the members. Whoever is none any more is disconnected before Admit returns, and refused from then on.
// A member whose key or address makes no sense is left out of reach, and the log says so.
func (p *Plane) Admit(members []Member) {
	all := make(map[peer.ID]*admitted, len(members))
	ids := make(map[crypto.ValidatorID]peer.ID, len(members))
	for _, m := range members[:min(len(members), membersMax)] {
		id, err := PeerID(m.Service)
		if err != nil {
			p.log.Warn("a validator cannot take part in the app plane", "validator", m.Validator, "err", err)
			continue
		}
		if id == p.host.ID() {
			continue
		}
		one := &admitted{validator: m.Validator, id: id}
		if m.Address != "" {
			if one.address, err = parseAddress(m.Address, id); err != nil {
				p.log.Warn("a validator's address on the app plane is of no use", "validator", m.Validator, "err", err)
			}
		}
		all[id], ids[m.Validator] = one, id
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.gate.members.Swap(&all)
	p.ids = ids
	p.forget(all)
	p.meter.keep(ids)
	for id, m := range all {
		var old *admitted
		if before != nil {
			old = (*before)[id]
		}
		if old == nil || old.address == nil || m.address == nil || !old.address.Equal(m.address) {
			p.host.Peerstore().ClearAddrs(id)
			if m.address != nil {
				p.host.Peerstore().AddAddr(id, m.address, peerstore.PermanentAddrTTL)
			}
		}
	}
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// recheck closes a connection whose other end was a member when the gate let it through, and is none any more. It comes
// after libp2p has listed the connection: either Admit finds it in that list, or recheck finds the new members.
func (p *Plane) recheck(_ network.Network, c network.Conn) {
	if !p.gate.admits(c.RemotePeer()) {
		go func() { _ = c.Close() }() // not here: libp2p calls this while the connection is locked
	}
}

// forget lets go of everybody who is not among the members. It needs mu.
func (p *Plane) forget(members map[peer.ID]*admitted) {
	for _, id := range p.host.Network().Peers() {
		if members[id] == nil {
			_ = p.host.Network().ClosePeer(id) // an error says that the connection was broken already
			p.host.Peerstore().RemovePeer(id)
		}
	}
	for id := range p.buckets {
		if members[id] == nil {
			delete(p.buckets, id)
			delete(p.deaf, id)
		}
	}
	for id := range members {
		if p.buckets[id] == nil {
			p.buckets[id] = &bucket{}
		}
	}
}

// connect keeps the plane connected, so that a request finds its connection made.
func (p *Plane) connect() {
	tick := time.NewTicker(redialEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.running.Done():
			return
		case <-p.changed:
		case <-tick.C:
		}
		all := p.gate.members.Load()
		if all == nil {
			continue
		}
		var dials sync.WaitGroup
		for id, m := range *all {
			if m.address == nil || p.host.Network().Connectedness(id) == network.Connected {
				continue
			}
			dials.Add(1)
			go func() {
				defer dials.Done()
				p.dial(id)
			}()
		}
		dials.Wait()
	}
}

// dial connects to a member. It is called once a second and keeps to that pace by itself: libp2p would wait for minutes
// in the end, and so would the reads of a network that has just healed.
func (p *Plane) dial(id peer.ID) {
	ctx, cancel := context.WithTimeout(p.running, dialTimeout)
	defer cancel()
	if s, ok := p.host.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(id)
	}
	if err := p.host.Connect(ctx, peer.AddrInfo{ID: id}); err != nil {
		p.log.Debug("a validator is not reached on the app plane", "peer", id, "err", err)
	}
}
