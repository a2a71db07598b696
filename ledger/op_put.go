package ledger

import "github.com/tetradledger/tetrad/crypto"

func (m *Put) validate() *Reject {
	if r := checkPath(m.Path); r != nil {
		return r
	}
	if len(m.Value) > EntryValueMax {
		return reject(CodeTooLarge, "value has %d bytes, at most %d allowed", len(m.Value), EntryValueMax)
	}
	return nil
}

// apply writes or deletes an entry in the actor's namespace. Every write gets a new revision number of the
// whole ledger; deleting what is not there does nothing.
func (m *Put) apply(s *state, actor crypto.Address) error {
	c, err := s.entries.get(s, entryID{namespace: actor, path: m.Path})
	if err != nil {
		return err
	}
	if m.IfVersion != nil && m.IfVersion.Version != c.value.Version {
		return reject(CodeVersionConflict, "%s is at version %d, not %d", m.Path, c.value.Version, m.IfVersion.Version)
	}
	if len(m.Value) == 0 && !c.exists {
		return nil
	}
	s.entries.change(s, c)
	if len(m.Value) == 0 {
		c.exists = false
		c.value = Entry{}
		return nil
	}
	c.exists = true
	c.value = Entry{Version: s.nextRevision(), ModifiedHeight: s.height, Value: m.Value}
	return nil
}
