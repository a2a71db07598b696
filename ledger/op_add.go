package ledger

import (
	"strconv"

	"github.com/tetradledger/tetrad/crypto"
)

func (m *Add) validate(crypto.Address) *Reject {
	if m.Delta == 0 {
		return reject(CodeBadField, "delta is zero")
	}
	return checkPath(m.Path)
}

// apply adds to a counter in the actor's namespace. One that comes to zero is gone.
func (m *Add) apply(s *state, actor crypto.Address) error {
	c, err := s.entryOf(entryID{namespace: actor, path: m.Path}, KindCounter)
	if err != nil {
		return err
	}
	sum, ok := c.value.Sum.Add(m.Delta)
	switch {
	case !ok:
		return reject(CodeAmountOverflow, "counter %s is at %s", m.Path, c.value.Sum)
	case sum.IsZero():
		return s.dropEntry(c)
	}
	return s.setEntry(c, Entry{Kind: KindCounter, Sum: sum})
}

// jsonAdd is the JSON form of add. The difference is a decimal string, as amounts are.
type jsonAdd struct {
	Path  string `json:"path"`
	Delta string `json:"delta"`
}

func (m *Add) show(Names) any { return jsonAdd{m.Path, strconv.FormatInt(m.Delta, 10)} }

func parseAdd(o *jsonObject) isOp_Kind {
	m := &Add{Path: o.need("path")}
	if text := o.need("delta"); text != "" {
		var err error
		if m.Delta, err = strconv.ParseInt(text, 10, 64); err != nil {
			o.r.fail(joinPath(o.path, "delta"), "%q is not a whole number of 64 bits", text)
		}
	}
	return &Op_Add{Add: m}
}
