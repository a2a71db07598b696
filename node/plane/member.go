package plane

import (
	"fmt"
	"slices"

	p2pcrypto "github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/tetradledger/tetrad/crypto"
)

// Member is a validator as the ledger records its node.
type Member struct {
	Validator crypto.ValidatorID
	Service   crypto.PublicKey
	Address   string // multiaddr; empty: it dials, and cannot be dialled
}

// PeerID is the libp2p name of the host that holds a service key.
func PeerID(service crypto.PublicKey) (peer.ID, error) {
	if err := service.Validate(); err != nil {
		return "", err
	}
	key, err := p2pcrypto.UnmarshalEd25519PublicKey(service.Bytes)
	if err != nil {
		return "", fmt.Errorf("service key %s: %w", service, err)
	}
	return peer.IDFromPublicKey(key)
}

// parseAddress reads the address of a host: an IP address or a name, a TCP port, and perhaps the host's own id.
func parseAddress(text string, id peer.ID) (multiaddr.Multiaddr, error) {
	address, err := multiaddr.NewMultiaddr(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a multiaddr: %w", text, err)
	}
	address, named := peer.SplitAddr(address)
	if named != "" && named != id {
		return nil, fmt.Errorf("%q names another host than the service key does, %s", text, id)
	}
	hosts := []int{multiaddr.P_IP4, multiaddr.P_IP6, multiaddr.P_DNS, multiaddr.P_DNS4, multiaddr.P_DNS6}
	if len(address) != 2 || !slices.Contains(hosts, address[0].Code()) || address[1].Code() != multiaddr.P_TCP {
		return nil, fmt.Errorf("%q is not an address and a TCP port, such as /ip4/192.0.2.1/tcp/26659", text)
	}
	return address, nil
}

// admitted is a member as the plane knows it.
type admitted struct {
	validator crypto.ValidatorID
	id        peer.ID
	address   multiaddr.Multiaddr // nil: it cannot be dialled
}

// reachedAt tells whether an address may be dialled for the member. A name stands for whatever it resolves to.
func (m *admitted) reachedAt(address multiaddr.Multiaddr) bool {
	address, _ = peer.SplitAddr(address)
	if m.address == nil || len(address) != 2 || address[1].Code() != multiaddr.P_TCP || address[1].Value() != m.address[1].Value() {
		return false
	}
	if code := m.address[0].Code(); code != multiaddr.P_IP4 && code != multiaddr.P_IP6 {
		return true
	}
	return address.Equal(m.address)
}
