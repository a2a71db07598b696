package ledger

import "github.com/tetradledger/tetrad/crypto"

func (m *SetRemove) validate(crypto.Address) *Reject {
	if len(m.Seen) == 0 {
		return reject(CodeBadField, "names no addition")
	}
	if r := checkSeen(m.Seen); r != nil {
		return r
	}
	return checkPath(m.Path)
}

// apply takes back additions to a set in the actor's namespace. Those that are not there, or not any more, make
// no difference.
func (m *SetRemove) apply(s *state, actor crypto.Address) error {
	c, err := s.entryOf(entryID{namespace: actor, path: m.Path}, KindSet)
	if err != nil {
		return err
	}
	return s.observe(c, KindSet, SetItemsMax, m.Seen, nil)
}

// jsonSetRemove is the JSON form of set_remove.
type jsonSetRemove struct {
	Path string     `json:"path"`
	Seen []jsonSeen `json:"seen"`
}

func (m *SetRemove) show(Names) any { return jsonSetRemove{m.Path, showSeen(m.Seen)} }

func parseSetRemove(o *jsonObject) isOp_Kind {
	return &Op_SetRemove{SetRemove: &SetRemove{Path: o.need("path"), Seen: parseSeen(o)}}
}
