package main

// session remembers the newest height this client home has seen, so that a read after a write sees the
// write on any node. It belongs to one chain: after a dev network was reset the height starts again.
type session struct {
	path  string
	chain string // genesis hash of the chain in use
	saved sessionFile
}

type sessionFile struct {
	GenesisHash string `json:"genesis_hash"`
	Height      uint64 `json:"height"`
}

// openSession reads the session of a chain. A damaged file costs nothing but one stale read, so it counts
// as no session.
func openSession(h *clientHome, chain string) *session {
	s := &session{path: h.path("session.json"), chain: chain}
	if _, err := readJSON(s.path, &s.saved); err != nil || s.saved.GenesisHash != chain {
		s.saved = sessionFile{GenesisHash: chain}
	}
	return s
}

// height is what a read must not be older than.
func (s *session) height() uint64 { return s.saved.Height }

// saw raises the session to a height and saves it. Two commands at once may each save their own; the
// lower one can win, and then costs the same as a damaged file. It is not an error if the home is read-only.
func (s *session) saw(height uint64) {
	if height <= s.saved.Height {
		return
	}
	var other sessionFile
	if _, err := readJSON(s.path, &other); err == nil && other.GenesisHash == s.chain && other.Height > height {
		height = other.Height
	}
	s.saved.Height = height
	_ = writeJSONFile(s.path, s.saved)
}
