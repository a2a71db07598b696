package node

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	"github.com/libp2p/go-libp2p/core/peer"
)

// allowList says who may be a peer. A node has one key and two ids made of it, one for each transport; the
// list keeps the classic one, which can be computed from the other.
type allowList struct {
	everybody bool
	ids       map[string]bool
}

// newAllowList joins the ids of app.toml and those of the configured peers.
func newAllowList(listed, configured []string) (allowList, error) {
	l := allowList{ids: map[string]bool{}}
	for _, text := range append(append([]string(nil), listed...), configured...) {
		text = strings.TrimSpace(text)
		if text == "*" {
			l.everybody = true
			continue
		}
		id, err := classicID(text)
		if err != nil {
			return allowList{}, err
		}
		l.ids[id] = true
	}
	return l, nil
}

// allows tells whether the node with an id of either form may be a peer.
func (l allowList) allows(id string) bool {
	if l.everybody {
		return true
	}
	classic, err := classicID(id)
	return err == nil && l.ids[classic]
}

// classicID accepts a node id of either form and returns the classic one.
func classicID(text string) (string, error) {
	if raw, err := hex.DecodeString(text); err == nil && len(raw) == cmtp2p.IDByteLength {
		return strings.ToLower(text), nil
	}
	id, err := peer.Decode(text)
	if err != nil {
		return "", fmt.Errorf("%q is neither a node id of %d hex digits nor a libp2p id", text, 2*cmtp2p.IDByteLength)
	}
	key, err := id.ExtractPublicKey()
	if err != nil {
		return "", fmt.Errorf("libp2p id %q does not hold its key; node keys are ed25519", text)
	}
	raw, err := key.Raw()
	if err != nil || len(raw) != cmted25519.PubKeySize {
		return "", fmt.Errorf("libp2p id %q is not of an ed25519 key", text)
	}
	return string(cmtp2p.PubKeyToID(cmted25519.PubKey(raw))), nil
}

// configuredPeers lists the ids of the peers in config.toml, of both transports: whoever we connect to may
// connect to us.
func configuredPeers(p *cmtcfg.P2PConfig) []string {
	var ids []string
	for _, list := range []string{p.PersistentPeers, p.UnconditionalPeerIDs} {
		for item := range strings.SplitSeq(list, ",") {
			if id, _, _ := strings.Cut(strings.TrimSpace(item), "@"); id != "" {
				ids = append(ids, id)
			}
		}
	}
	for _, b := range p.LibP2PConfig.BootstrapPeers {
		ids = append(ids, b.ID)
	}
	return ids
}

// evictEvery is how long a stranger on the libp2p transport can stay. It is asked about only after it has
// become a peer: that transport has no admission control and gives no access to its host. Until it is
// evicted a stranger can send what any peer can, all of which is checked by signature.
const evictEvery = 100 * time.Millisecond

// evict drops peers that are not on the list until ctx ends. The classic transport asks the list before
// it takes a peer in (filter_peers); the same sweep there is a second line that finds nothing.
func evict(ctx context.Context, sw cmtp2p.Switcher, allowed allowList, log *slog.Logger) {
	tick := time.NewTicker(evictEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for _, p := range strangers(sw, allowed) {
				log.Warn("dropping a peer that is not on the allow-list", "peer", p.ID(), "address", p.RemoteAddr().String())
				sw.StopPeerForError(p, "not on the allow-list (peers.allow in app.toml)")
			}
		}
	}
}

// strangers collects first and lets the set go: dropping a peer takes the lock that ForEach holds.
func strangers(sw cmtp2p.Switcher, allowed allowList) []cmtp2p.Peer {
	var out []cmtp2p.Peer
	sw.Peers().ForEach(func(p cmtp2p.Peer) {
		if !allowed.allows(string(p.ID())) {
			out = append(out, p)
		}
	})
	return out
}
