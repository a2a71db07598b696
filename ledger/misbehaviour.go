package ledger

import "github.com/tetradledger/tetrad/crypto"

type validatorCell = cell[crypto.ValidatorID, Validator]

// punish records a proven fault and takes the validator's power, unless too few validators would be left
// to tolerate any further fault. A validator the ledger does not know is none of its business.
func (s *state) punish(m Misbehaviour) error {
	v, err := s.validators.get(s, m.Validator)
	if err != nil || !v.exists {
		return err
	}
	s.validators.change(s, v)
	v.value.Faults++
	v.value.LastFaultHeight = max(v.value.LastFaultHeight, m.Height)
	if v.value.Power > 0 {
		powered, err := s.validatorsWithPower()
		if err != nil {
			return err
		}
		if powered > int(s.params.ValidatorsMin) {
			v.value.Power = 0
		}
	}
	s.keep()
	return nil
}

// validatorsWithPower counts the validators that take part in consensus.
func (s *state) validatorsWithPower() (int, error) {
	ids, err := s.ids.get(s, struct{}{})
	if err != nil {
		return 0, err
	}
	n := 0
	for _, id := range ids.value {
		v, err := s.validators.get(s, id)
		if err != nil {
			return 0, err
		}
		if v.value.Power > 0 {
			n++
		}
	}
	return n, nil
}

// powerBefore is the validator's power before the block.
func powerBefore(c *validatorCell) uint64 {
	if c.origin == nil {
		return 0
	}
	v, err := DecodeValidator(c.origin)
	if err != nil {
		// The same bytes were decoded when the cell was read.
		panic("ledger: a leaf that was read no longer decodes: " + err.Error())
	}
	return v.Power
}
