package ledger

import (
	"bytes"
	"encoding/hex"
	"slices"

	"github.com/tetradledger/tetrad/crypto"
)

func (m *SetValidator) validate(crypto.Address) *Reject {
	if r := checkNewKey(m.KeyType, m.PublicKey); r != nil {
		return r
	}
	if m.Power > ValidatorPowerMax {
		return reject(CodeBadField, "power is %d, at most %d allowed", m.Power, uint64(ValidatorPowerMax))
	}
	if r := checkName(m.Name); r != nil {
		return r
	}
	if len(m.Operator) == 0 {
		return nil
	}
	if r := checkID("operator", m.Operator); r != nil {
		return r
	}
	if operator := addressOf(m.Operator); operator.IsZero() || IsSystem(operator) {
		return reject(CodeBadField, "operator is an account that nobody signs for")
	}
	return nil
}

// apply adds a validator or replaces its power, name and operator. Faults that were proven stay on its record.
func (m *SetValidator) apply(s *state, _ crypto.Address) error {
	id := crypto.ValidatorIDOf(crypto.KeyType(m.KeyType), m.PublicKey)
	v, err := s.validators.get(s, id)
	if err != nil {
		return err
	}
	if !v.exists {
		if err := s.listValidator(id); err != nil {
			return err
		}
	}
	s.validators.change(s, v)
	v.exists = true
	v.value.KeyType = crypto.KeyType(m.KeyType)
	v.value.PublicKey = m.PublicKey
	v.value.Power = m.Power
	v.value.Name = m.Name
	v.value.Operator = crypto.Address{}
	copy(v.value.Operator[:], m.Operator)
	return nil
}

// listValidator puts a new id into the ascending list of all validators.
func (s *state) listValidator(id crypto.ValidatorID) error {
	ids, err := s.ids.get(s, struct{}{})
	if err != nil {
		return err
	}
	if len(ids.value) >= int(s.params.ValidatorsMax) {
		return reject(CodeValidatorsFull, "%d", len(ids.value))
	}
	s.ids.change(s, ids)
	ids.exists = true
	i, _ := slices.BinarySearchFunc(ids.value, id, compareIDs)
	ids.value = slices.Insert(ids.value, i, id)
	return nil
}

func compareIDs(a, b crypto.ValidatorID) int { return bytes.Compare(a[:], b[:]) }

// jsonSetValidator is the JSON form of set_validator.
type jsonSetValidator struct {
	KeyType   string `json:"key_type"`
	PublicKey string `json:"public_key"`
	Power     uint64 `json:"power"`
	Name      string `json:"name,omitempty"`
	Operator  string `json:"operator,omitempty"`
}

func (m *SetValidator) show(n Names) any {
	return jsonSetValidator{
		KeyType: keyTypeName(m.KeyType), PublicKey: hex.EncodeToString(m.PublicKey), Power: m.Power, Name: m.Name,
		Operator: n.show(m.Operator),
	}
}

func parseSetValidator(o *jsonObject) isOp_Kind {
	return &Op_SetValidator{SetValidator: &SetValidator{
		KeyType: o.keyType("key_type"), PublicKey: o.hex("public_key"),
		Power: o.number("power", ValidatorPowerMax), Name: o.text("name"), Operator: o.account("operator"),
	}}
}
