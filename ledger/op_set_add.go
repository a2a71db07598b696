package ledger

import "github.com/tetradledger/tetrad/crypto"

func (m *SetAdd) validate(crypto.Address) *Reject {
	if len(m.Element) == 0 {
		return reject(CodeBadField, "element is missing")
	}
	if len(m.Element) > SetElementMax {
		return reject(CodeTooLarge, "element has %d bytes, at most %d allowed", len(m.Element), SetElementMax)
	}
	return checkPath(m.Path)
}

// apply adds an element to a set in the actor's namespace. One that is in it already is in it twice, so that
// whoever takes the older addition back does not take back this one.
func (m *SetAdd) apply(s *state, actor crypto.Address) error {
	c, err := s.entryOf(entryID{namespace: actor, path: m.Path}, KindSet)
	if err != nil {
		return err
	}
	return s.observe(c, KindSet, SetItemsMax, nil, m.Element)
}

// jsonSetAdd is the JSON form of set_add.
type jsonSetAdd struct {
	Path          string `json:"path"`
	Element       string `json:"element,omitempty"`
	ElementBase64 string `json:"element_base64,omitempty"`
}

func (m *SetAdd) show(Names) any {
	text, coded := jsonBytes(m.Element)
	return jsonSetAdd{Path: m.Path, Element: text, ElementBase64: coded}
}

func parseSetAdd(o *jsonObject) isOp_Kind {
	return &Op_SetAdd{SetAdd: &SetAdd{Path: o.need("path"), Element: o.bytes("element")}}
}
