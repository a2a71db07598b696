package ledger

import (
	"bytes"

	"github.com/tetradledger/tetrad/crypto"
)

// authorise checks that the signatures satisfy the policy of every acting account, as the policies are
// before the transaction: an operation cannot lend authority to a later one. A signature that serves none
// of them is refused, so that nobody can fatten somebody else's transaction.
func (s *state) authorise(t *Transaction) error {
	actor := t.Actor()
	used, err := s.satisfied(t, actor)
	if err != nil {
		return err
	}
	last := actor
	for i := range t.Body.Ops {
		acting := t.Body.Ops[i].ActorOr(actor)
		if acting == last {
			continue
		}
		more, err := s.satisfied(t, acting)
		if err != nil {
			return err
		}
		used |= more
		last = acting
	}
	for i := range t.Tx.Sigs {
		if used&(1<<i) == 0 {
			return reject(CodeUnusedSignature, "sigs[%d]", i)
		}
	}
	return nil
}

// sigSet is a set of positions in the list of signatures.
type sigSet uint64

// satisfied returns the signatures that speak for the account, if they suffice.
func (s *state) satisfied(t *Transaction, account crypto.Address) (sigSet, error) {
	c, err := s.accounts.get(s, account)
	if err != nil {
		return 0, err
	}
	var used sigSet
	policy := &c.value.Policy
	if policy.IsDefault() {
		for i := range t.signers {
			if t.signers[i] == account {
				return 1 << i, nil
			}
		}
		return 0, reject(CodeNotAuthorised, "account %s", account)
	}
	var weight uint64
	for i := range policy.Members {
		m := &policy.Members[i]
		if at := t.signedBy(m); at >= 0 {
			used |= 1 << at
			weight += uint64(m.Weight)
		}
	}
	if weight < uint64(policy.Threshold) {
		return 0, reject(CodeNotAuthorised, "account %s", account)
	}
	return used, nil
}

// signedBy is the position of the member's signature, or -1.
func (t *Transaction) signedBy(m *Member) int {
	for i := range t.Tx.Sigs {
		sig := &t.Tx.Sigs[i]
		if sig.KeyType == m.KeyType && bytes.Equal(sig.PublicKey, m.PublicKey) {
			return i
		}
	}
	return -1
}
