package app

import (
	"sync"
	"time"
)

// suspects remembers clients that sent a bad signature, for some time. What they send is verified one by one
// and apart from the rest, so that only they wait for it.
type suspects struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (s *suspects) has(client string, now time.Time) bool {
	if client == "" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.until[client]
	if ok && !now.Before(until) {
		delete(s.until, client)
		return false
	}
	return ok
}

// add remembers a client. A client without a name is not remembered: it could be any. When there are too
// many to remember, those whose time is over go, and if that is not enough the new one is let off.
func (s *suspects) add(client string, now time.Time) {
	if client == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.until) >= clientsMax {
		for name, until := range s.until {
			if !now.Before(until) {
				delete(s.until, name)
			}
		}
		if len(s.until) >= clientsMax {
			return
		}
	}
	s.until[client] = now.Add(clientSuspectFor)
}
