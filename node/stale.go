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

// stall judges when no block has come for too long.
type stall struct {
	height   uint64
	since    time.Time // when the height was reached, or peers were dropped after that
	patience time.Duration
	dropped  time.Time // zero: never
}

// due reports whether peers are to be dropped now. Nodes that stall together drop each other in turn, and whoever
// is dropped takes a while to be back: if they all began with the least patience again after each block, one of
// them would always be dropping somebody. So patience stays, until blocks have come for twice as long.
func (s *stall) due(now time.Time, height uint64, waiting bool) bool {
	if height != s.height || waiting {
		s.height, s.since = height, now
		if now.Sub(s.dropped) >= 2*s.patience {
			s.patience = stalledAfter
		}
		return false
	}
	if now.Sub(s.since) < s.patience {
		return false
	}
	s.since, s.dropped, s.patience = now, now, min(2*s.patience, stalledAgainMax)
	return true
}

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
	s := stall{height: height(), since: time.Now(), patience: stalledAfter}
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if !s.due(now, height(), waiting()) {
				continue
			}
			log.Warn("no block for a while: connecting to all peers anew", "height", s.height)
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
