package rpc

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// pulse remembers the node's status for a moment, so that every answer can carry the partition state and no
// answer has to wait for it.
type pulse struct {
	last    atomic.Pointer[beat]
	refresh sync.Mutex // held by the one request that looks again
}

type beat struct {
	at     time.Time
	status Status
}

// fresh holds for so short a time that a clock that was set back makes it false, not true for ever.
func (b *beat) fresh(now time.Time) bool {
	return b != nil && now.Sub(b.at).Abs() < statusFreshFor
}

// recentStatus is the node's status, at most statusFreshFor old unless somebody is just renewing it. A node
// that cannot say how it is counts as suspect.
func (s *server) recentStatus() Status {
	last := s.pulse.last.Load()
	if last.fresh(s.now()) {
		return last.status
	}
	if last != nil {
		if !s.pulse.refresh.TryLock() {
			return last.status
		}
	} else {
		s.pulse.refresh.Lock()
	}
	defer s.pulse.refresh.Unlock()
	if last = s.pulse.last.Load(); last.fresh(s.now()) {
		return last.status // somebody else was faster
	}
	ctx, cancel := context.WithTimeout(context.Background(), statusWait)
	defer cancel()
	status, err := s.backend.Status(ctx)
	if err != nil {
		status.Partition = PartitionSuspect
	}
	s.pulse.last.Store(&beat{at: s.now(), status: status})
	return status
}
