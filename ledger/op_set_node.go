package ledger

import (
	"bytes"
	"encoding/hex"

	"github.com/tetradledger/tetrad/crypto"
)

func (m *SetNode) validate(crypto.Address) *Reject {
	if r := checkID("validator", m.Validator); r != nil {
		return r
	}
	if r := checkNewKey(uint32(crypto.KeyEd25519), m.ServiceKey); r != nil {
		return r.in("service_key")
	}
	if r := CheckRegion(m.Region); r != nil {
		return r
	}
	if r := checkURLs(m.Urls); r != nil {
		return r
	}
	return checkPlane(m.Plane)
}

// Check says what is wrong with the form of the operation, whatever the state.
func (m *SetNode) Check() error {
	if r := m.validate(crypto.Address{}); r != nil {
		return r
	}
	return nil
}

// apply registers a node or replaces what was registered. A region that genesis names is approved: all have
// agreed on the document.
func (m *SetNode) apply(s *state, actor crypto.Address) error {
	id := crypto.ValidatorID(m.Validator)
	v, err := s.validators.get(s, id)
	switch {
	case err != nil:
		return err
	case !v.exists:
		return reject(CodeValidatorNotFound, "%s", id)
	case actor != GovAddress && (actor != v.value.Operator || actor.IsZero()):
		return reject(CodeNotOperator, "validator %s", id)
	}
	if err := s.checkServiceKey(id, m.ServiceKey); err != nil {
		return err
	}
	n, err := s.nodes.get(s, id)
	if err != nil {
		return err
	}
	s.nodes.change(s, n)
	n.exists = true
	n.value.ServiceKey, n.value.URLs, n.value.Plane = m.ServiceKey, m.Urls, m.Plane
	if n.value.Claimed != m.Region {
		n.value.Claimed, n.value.Approved, n.value.Approvals = m.Region, false, nil
		if m.Region != "" {
			n.value.Approvals = []crypto.ValidatorID{id}
		}
	}
	if m.Region == "" {
		return nil
	}
	if actor == GovAddress {
		n.value.Approved = true
		return nil
	}
	return s.approve(n)
}

// checkServiceKey refuses a key that speaks for somebody else already: another node, or a validator in consensus.
func (s *state) checkServiceKey(of crypto.ValidatorID, key []byte) error {
	ids, err := s.ids.get(s, struct{}{})
	if err != nil {
		return err
	}
	for _, id := range ids.value {
		v, err := s.validators.get(s, id)
		if err != nil {
			return err
		}
		if bytes.Equal(v.value.PublicKey, key) {
			return reject(CodeServiceKeyTaken, "it is the consensus key of %s", id)
		}
		n, err := s.nodes.get(s, id)
		if err != nil {
			return err
		}
		if id != of && n.exists && bytes.Equal(n.value.ServiceKey, key) {
			return reject(CodeServiceKeyTaken, "by %s", id)
		}
	}
	return nil
}

// jsonSetNode is the JSON form of set_node.
type jsonSetNode struct {
	Validator  string   `json:"validator"`
	ServiceKey string   `json:"service_key"`
	Region     string   `json:"region,omitempty"`
	URLs       []string `json:"urls,omitempty"`
	Plane      string   `json:"plane,omitempty"`
}

func (m *SetNode) show(Names) any {
	return jsonSetNode{showValidator(m.Validator), hex.EncodeToString(m.ServiceKey), m.Region, m.Urls, m.Plane}
}

func parseSetNode(o *jsonObject) isOp_Kind {
	return &Op_SetNode{SetNode: &SetNode{
		Validator: o.validator("validator"), ServiceKey: o.hex("service_key"), Region: o.text("region"),
		Urls: o.texts("urls", NodeURLsMax), Plane: o.text("plane"),
	}}
}
