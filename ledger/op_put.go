package ledger

import "github.com/tetradledger/tetrad/crypto"

func (m *Put) validate(crypto.Address) *Reject {
	if r := checkPath(m.Path); r != nil {
		return r
	}
	if len(m.Value) > EntryValueMax {
		return reject(CodeTooLarge, "value has %d bytes, at most %d allowed", len(m.Value), EntryValueMax)
	}
	return nil
}

// apply writes or deletes an entry in the actor's namespace. Every write gets a new revision number of the
// whole ledger; deleting what is not there does nothing. An entry of every kind can be deleted, which, other than
// the operations of its kind, does depend on what comes before it.
func (m *Put) apply(s *state, actor crypto.Address) error {
	c, err := s.entries.get(s, entryID{namespace: actor, path: m.Path})
	if err != nil {
		return err
	}
	if c.exists && c.value.Kind != KindRegister && (len(m.Value) > 0 || m.IfVersion != nil) {
		return reject(CodeKindMismatch, "%s is a %s", m.Path, c.value.Kind)
	}
	if m.IfVersion != nil && m.IfVersion.Version != c.value.Version {
		return reject(CodeVersionConflict, "%s is at version %d, not %d", m.Path, c.value.Version, m.IfVersion.Version)
	}
	switch {
	case len(m.Value) > 0:
		return s.setEntry(c, Entry{Version: s.nextRevision(), ModifiedHeight: s.height, Value: m.Value})
	case c.exists:
		return s.dropEntry(c)
	}
	return nil
}

// jsonPut is the JSON form of put. A value that is text is shown as text; neither form deletes the entry.
type jsonPut struct {
	Path        string  `json:"path"`
	Value       string  `json:"value,omitempty"`
	ValueBase64 string  `json:"value_base64,omitempty"`
	IfVersion   *uint64 `json:"if_version,omitempty"`
}

func (m *Put) show(Names) any {
	form := jsonPut{Path: m.Path}
	form.Value, form.ValueBase64 = jsonBytes(m.Value)
	if m.IfVersion != nil {
		form.IfVersion = &m.IfVersion.Version
	}
	return form
}

func parsePut(o *jsonObject) isOp_Kind {
	m := &Put{Path: o.need("path"), Value: o.bytes("value")}
	if _, _, found := o.take("if_version"); found {
		m.IfVersion = &IfVersion{Version: o.number("if_version", 1<<64-1)}
	}
	return &Op_Put{Put: m}
}
