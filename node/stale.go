package node

import (
	"context"
	"log/slog"
	"time"

	cmtp2p "github.com/cometbft/cometbft/p2p"
)

const (
	// stalledAfter is how long no block may come before what is believed of the peers is given up. It is
	// longer than several rounds with dead proposers take.
	stalledAfter = 5 * time.Second
	// stalledAgainMax bounds the pause between attempts, which doubles: in a network that really has lost
	// its quorum, dropping peers helps nobody.
	stalledAgainMax = time.Minute
)

// forget drops all peers, so that they connect anew, whenever no block has come for a while.
//
// The libp2p transport does not notice that a peer's process has died: when it comes back soon, its peers
// still believe that it has the votes they sent before, and never send them again. If they need that peer for
// a quorum, the network stands still for ever. A new connection begins with nothing believed. The classic
// transport drops a peer with its connection and does not need this. A node that waits for something else than
// blocks keeps its peers.
func forget(ctx context.Context, sw cmtp2p.Switcher, height func() uint64, waiting func() bool, log *slog.Logger) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last, since, patience := height(), time.Now(), stalledAfter
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if h := height(); h != last || waiting() {
				last, since, patience = h, now, stalledAfter
				continue
			}
			if now.Sub(since) < patience {
				continue
			}
			since, patience = now, min(2*patience, stalledAgainMax)
			log.Warn("no block for a while: connecting to all peers anew", "height", last)
			for _, p := range everybody(sw) {
				sw.StopPeerForError(p, "no block for a while")
			}
		}
	}
}

// everybody collects first and lets the set go, as strangers does.
func everybody(sw cmtp2p.Switcher) []cmtp2p.Peer {
	var out []cmtp2p.Peer
	sw.Peers().ForEach(func(p cmtp2p.Peer) { out = append(out, p) })
	return out
}
