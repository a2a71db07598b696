package ledger

import (
	"cmp"

	"github.com/tetradledger/tetrad/crypto"
)

func (m *WriteLast) validate(crypto.Address) *Reject {
	if len(m.Value) > EntryValueMax {
		return reject(CodeTooLarge, "value has %d bytes, at most %d allowed", len(m.Value), EntryValueMax)
	}
	if m.Depth == 0 {
		return reject(CodeBadField, "depth counts from 1")
	}
	return checkPath(m.Path)
}

// apply writes a register in the actor's namespace unless a write of greater depth was there before. Who has seen
// a write takes its depth and one more, and so comes after it.
//
// Nobody gets ahead of everybody by claiming a depth of years to come: it may exceed the height of the block only
// by what could have been written since the author's last look, and whoever then reads the register can write again.
func (m *WriteLast) apply(s *state, actor crypto.Address) error {
	c, err := s.entryOf(entryID{namespace: actor, path: m.Path}, KindLast)
	if err != nil {
		return err
	}
	if m.Depth > s.height+LastDepthAhead {
		return reject(CodeDepthAhead, "depth %d at height %d", m.Depth, s.height)
	}
	if c.exists && cmp.Or(cmp.Compare(m.Depth, c.value.Depth), s.tag.Cmp(c.value.Tag)) <= 0 {
		return nil
	}
	return s.setEntry(c, Entry{Kind: KindLast, Value: m.Value, Depth: m.Depth, Tag: s.tag})
}

// jsonWriteLast is the JSON form of write_last; without a value it writes an empty one.
type jsonWriteLast struct {
	Path        string `json:"path"`
	Value       string `json:"value,omitempty"`
	ValueBase64 string `json:"value_base64,omitempty"`
	Depth       uint64 `json:"depth"`
}

func (m *WriteLast) show(Names) any {
	text, coded := jsonBytes(m.Value)
	return jsonWriteLast{Path: m.Path, Value: text, ValueBase64: coded, Depth: m.Depth}
}

func parseWriteLast(o *jsonObject) isOp_Kind {
	return &Op_WriteLast{WriteLast: &WriteLast{Path: o.need("path"), Value: o.bytes("value"), Depth: o.number("depth", 1<<64-1)}}
}
