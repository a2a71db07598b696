package ledger

import "github.com/tetradledger/tetrad/crypto"

func (m *WriteMulti) validate(crypto.Address) *Reject {
	if len(m.Value) > MultiValueMax {
		return reject(CodeTooLarge, "value has %d bytes, at most %d allowed", len(m.Value), MultiValueMax)
	}
	if len(m.Value) == 0 && len(m.Seen) == 0 {
		return reject(CodeBadField, "there is neither a value nor one that is replaced")
	}
	if r := checkSeen(m.Seen); r != nil {
		return r
	}
	return checkPath(m.Path)
}

// apply writes a register in the actor's namespace that keeps all values of which none was known to the author of
// another: it takes back the ones it names and adds its own.
func (m *WriteMulti) apply(s *state, actor crypto.Address) error {
	c, err := s.entryOf(entryID{namespace: actor, path: m.Path}, KindMulti)
	if err != nil {
		return err
	}
	var value []byte
	if len(m.Value) > 0 {
		value = m.Value
	}
	return s.observe(c, KindMulti, MultiItemsMax, m.Seen, value)
}

// jsonWriteMulti is the JSON form of write_multi; without a value it only takes values back.
type jsonWriteMulti struct {
	Path        string     `json:"path"`
	Value       string     `json:"value,omitempty"`
	ValueBase64 string     `json:"value_base64,omitempty"`
	Seen        []jsonSeen `json:"seen,omitempty"`
}

func (m *WriteMulti) show(Names) any {
	text, coded := jsonBytes(m.Value)
	return jsonWriteMulti{Path: m.Path, Value: text, ValueBase64: coded, Seen: showSeen(m.Seen)}
}

func parseWriteMulti(o *jsonObject) isOp_Kind {
	return &Op_WriteMulti{WriteMulti: &WriteMulti{Path: o.need("path"), Value: o.bytes("value"), Seen: parseSeen(o)}}
}
