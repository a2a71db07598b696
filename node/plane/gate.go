package plane

import (
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// gate admits members and nobody else. libp2p asks it at each step of a connection; who is at the other end of one that
// comes in is known from InterceptSecured on.
type gate struct {
	members atomic.Pointer[map[peer.ID]*admitted] // replaced, never changed
	refused atomic.Uint64
}

var _ connmgr.ConnectionGater = (*gate)(nil)

// member is who is admitted under a libp2p name, or nil.
func (g *gate) member(id peer.ID) *admitted {
	if all := g.members.Load(); all != nil {
		return (*all)[id]
	}
	return nil
}

func (g *gate) admits(id peer.ID) bool { return g.member(id) != nil }

// InterceptPeerDial implements connmgr.ConnectionGater.
func (g *gate) InterceptPeerDial(id peer.ID) bool { return g.admits(id) }

// InterceptAddrDial implements connmgr.ConnectionGater.
func (g *gate) InterceptAddrDial(id peer.ID, address multiaddr.Multiaddr) bool {
	m := g.member(id)
	return m != nil && m.reachedAt(address)
}

// InterceptAccept implements connmgr.ConnectionGater.
func (g *gate) InterceptAccept(network.ConnMultiaddrs) bool { return true }

// InterceptSecured implements connmgr.ConnectionGater.
func (g *gate) InterceptSecured(_ network.Direction, id peer.ID, _ network.ConnMultiaddrs) bool {
	if g.admits(id) {
		return true
	}
	g.refused.Add(1)
	return false
}

// InterceptUpgraded implements connmgr.ConnectionGater.
func (g *gate) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	return g.admits(c.RemotePeer()), 0
}
