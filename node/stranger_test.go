package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	cmtp2p "github.com/cometbft/cometbft/p2p"
)

// TestStrangerIsDropped: a node with the right genesis and the right addresses, but not on the others'
// allow-list, does not become a peer on the classic transport and does not stay one on libp2p. The others
// go on meanwhile.
func TestStrangerIsDropped(t *testing.T) {
	for name, libp2p := range transports {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t, 4, libp2p)
			n.committed(n.submit(0))
			stranger := n.stranger(libp2p)

			met := func(i int) bool {
				for _, p := range peersOfNode(n.nodes[i]) {
					if id, err := classicID(string(p)); err == nil && id == stranger.identity.NodeID {
						return true
					}
				}
				return false
			}
			n.until("the stranger was turned away", func() bool {
				log, err := os.ReadFile(filepath.Join(n.layout.Nodes[0].Home, "log"))
				if err != nil {
					t.Fatal(err)
				}
				if !libp2p && met(0) {
					t.Fatal("a stranger is a peer on the classic transport")
				}
				return strings.Contains(string(log), "not on the allow-list")
			})
			for i := range n.nodes {
				n.until("the stranger is no peer", func() bool { return !met(i) })
				n.committed(n.submit(i))
			}
			if libp2p {
				return // it may have fetched a block or two before it was dropped
			}
			// The stranger dials again and again, and believes in a peer until it is told otherwise.
			n.until("the stranger sees that it is alone", func() bool { return len(peersOfNode(stranger)) == 0 })
			if h := stranger.Height(); h > 0 {
				t.Errorf("the stranger has height %d", h)
			}
		})
	}
}

// stranger starts a node that knows the network but is not known to it.
func (n *network) stranger(libp2p bool) *Node {
	n.t.Helper()
	dir := filepath.Join(n.t.TempDir(), "stranger")
	spec := InitSpec{Moniker: "stranger", BasePort: freePorts(n.t, 1), LibP2P: libp2p}
	for _, other := range n.layout.Nodes {
		spec.Peers = append(spec.Peers, Peer{other.Identity, localAddress(other.BasePort, portP2P)})
	}
	if _, err := Init(dir, spec); err != nil {
		n.t.Fatal(err)
	}
	document, err := os.ReadFile(filepath.Join(n.layout.Nodes[0].Home, "config", "genesis.json"))
	if err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config", "genesis.json"), document, 0o644); err != nil {
		n.t.Fatal(err)
	}
	config, err := Load(dir, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	config.Store.DiskFreeMin = diskFreeFloor
	node, err := New(config, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = node.Stop() })
	if err := node.Start(); err != nil {
		n.t.Fatal(err)
	}
	return node
}

func peersOfNode(n *Node) []cmtp2p.ID {
	var out []cmtp2p.ID
	n.Switch().Peers().ForEach(func(p cmtp2p.Peer) { out = append(out, p.ID()) })
	return out
}

func TestAllowList(t *testing.T) {
	_, a, err := newKeys()
	if err != nil {
		t.Fatal(err)
	}
	_, b, err := newKeys()
	if err != nil {
		t.Fatal(err)
	}
	for name, listed := range map[string]string{"by node id": a.NodeID, "by libp2p id": a.PeerID, "in capitals": strings.ToUpper(a.NodeID)} {
		t.Run(name, func(t *testing.T) {
			l, err := newAllowList([]string{" " + listed + " "}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !l.allows(a.NodeID) || !l.allows(a.PeerID) || l.allows(b.NodeID) || l.allows(b.PeerID) || l.allows("") || l.allows("x") {
				t.Error("the wrong nodes are allowed")
			}
		})
	}
	if l, err := newAllowList([]string{"*"}, nil); err != nil || !l.allows(b.NodeID) {
		t.Errorf("everybody: %v", err)
	}
	if l, err := newAllowList(nil, []string{b.NodeID}); err != nil || !l.allows(b.PeerID) {
		t.Errorf("configured peers: %v", err)
	}
	for _, bad := range []string{"", "abc", a.NodeID + "00", "12D3Koo", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"} {
		if _, err := newAllowList([]string{bad}, nil); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
