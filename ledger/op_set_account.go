package ledger

import (
	"encoding/hex"

	"github.com/tetradledger/tetrad/crypto"
)

func (m *SetAccount) validate(crypto.Address) *Reject {
	if len(m.Salt) != 0 && len(m.Salt) != SaltLen {
		return reject(CodeBadField, "salt has %d bytes, must have 0 or %d", len(m.Salt), SaltLen)
	}
	return m.Policy.validate()
}

// apply replaces the actor's policy or, with a salt, creates an account whose id is the hash of the actor,
// the salt and the policy. That id may have received balances before: nobody could act for it until now.
func (m *SetAccount) apply(s *state, actor crypto.Address) error {
	id := actor
	if len(m.Salt) > 0 {
		id = CreatedAddress(actor, m.Salt, m.Policy)
	}
	c, err := s.accounts.get(s, id)
	if err != nil {
		return err
	}
	if len(m.Salt) > 0 && !c.value.Policy.IsDefault() {
		return reject(CodeAccountExists, "account %s", id)
	}
	s.touch(c)
	c.value.changeKey(id, m.Policy)
	return nil
}

// jsonSetAccount is the JSON form of set_account.
type jsonSetAccount struct {
	Policy jsonPolicy `json:"policy"`
	Salt   string     `json:"salt,omitempty"`
}

func (m *SetAccount) show(Names) any {
	return jsonSetAccount{Policy: m.Policy.show(), Salt: hex.EncodeToString(m.Salt)}
}

func parseSetAccount(o *jsonObject) isOp_Kind {
	m := &SetAccount{Salt: o.hex("salt")}
	if policy := o.inner("policy"); policy != nil {
		m.Policy = parsePolicy(policy)
	}
	return &Op_SetAccount{SetAccount: m}
}
