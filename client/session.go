package client

import "sync"

// lieHeights is how far apart heights of honest nodes that answer at all can be: a node that is further
// behind says it is catching up. A claim that lies further out than that, and that nobody confirms, is false.
const lieHeights = 10_000

// session is the height token: reads ask every node for at least the highest height any node has shown, so
// that a client sees its own writes wherever it reads. A node that claims a height which does not exist would
// make all others look behind for ever; short forgets such a claim.
type session struct {
	mu     sync.Mutex // guards everything below
	start  uint64
	claims map[string]uint64 // highest height by node
	behind map[string]uint64 // what nodes have that did not reach the token
	liars  map[string]bool   // nodes whose heights count no more
	faults int               // so many nodes may lie
}

func newSession(start uint64, urls []string) *session {
	return &session{start: start, claims: map[string]uint64{}, behind: map[string]uint64{}, liars: map[string]bool{}, faults: (len(urls) - 1) / 3}
}

// token is the highest height that was seen and not found to be false.
func (s *session) token() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokenLocked()
}

func (s *session) tokenLocked() uint64 {
	token := s.start
	for url, height := range s.claims {
		if !s.liars[url] {
			token = max(token, height)
		}
	}
	return token
}

// confirmed tells whether more nodes than may lie have shown a height: then it exists, and a node that does not have it
// is behind.
func (s *session) confirmed(height uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := 0
	for url, claim := range s.claims {
		if claim >= height && !s.liars[url] {
			shown++
		}
	}
	return shown > s.faults
}

// saw notes the height at which a node answered.
func (s *session) saw(url string, height uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims[url] = max(s.claims[url], height)
	delete(s.behind, url)
}

// short notes that a node did not reach the token and how far it got. When more nodes than can lie are
// further below the token than honest nodes ever are, whoever claimed more is not listened to any longer.
func (s *session) short(url string, height uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behind[url] = height
	token, best, below := s.tokenLocked(), uint64(0), 0
	for _, height := range s.behind {
		if height+lieHeights < token {
			below++
			best = max(best, height)
		}
	}
	if below <= s.faults {
		return
	}
	s.start = min(s.start, best)
	for url, height := range s.claims {
		if height > best+lieHeights {
			s.liars[url] = true
		}
	}
}
