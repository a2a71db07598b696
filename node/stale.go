package node

import "time"

const (
	// stalledAfter is how long no block may come before what is believed of the peers is given up. It is
	// longer than several rounds with dead proposers take.
	stalledAfter = 5 * time.Second
	// stalledAgainMax bounds the pause between attempts, which doubles: a network too slow for a block in
	// five seconds must not be filled with what it has carried already.
	stalledAgainMax = 20 * time.Second
)

// stall judges when no block has come for too long.
type stall struct {
	height   uint64
	since    time.Time // when the height was reached, or the last attempt after that
	patience time.Duration
}

// due reports whether something is to be done about it now.
func (s *stall) due(now time.Time, height uint64, waiting bool) bool {
	if height != s.height || waiting || s.patience == 0 {
		s.height, s.since, s.patience = height, now, stalledAfter
		return false
	}
	if now.Sub(s.since) < s.patience {
		return false
	}
	s.since, s.patience = now, min(2*s.patience, stalledAgainMax)
	return true
}
