package ledger

import (
	"bytes"
	"encoding/base64"
	"slices"

	"github.com/tetradledger/tetrad/crypto"
)

// Operations that merge take effect in every order, so whoever sees one on its way may count on it, unless its author
// has given its place to another: signed two things under one nonce, or one sequence number of a lane. Then different
// people see different things, and one of them in vain. Two such transactions prove this to everybody.

// Equivocate reports whether two transactions are different words of one author in one place: of one account, under
// one nonce or one sequence number of a lane, with operations that merge and that are not the same. One that only
// repeats the operations of another, with a later end of validity, say, is no different word.
func Equivocate(a, b *Transaction) bool {
	x, y := &a.Body, &b.Body
	if a.ID == b.ID || x.ChainId != y.ChainId || !bytes.Equal(x.Actor, y.Actor) || !bytes.Equal(x.Nonce, y.Nonce) || !x.Lane.Equal(y.Lane) {
		return false
	}
	if len(a.Merges()) == 0 || len(b.Merges()) == 0 {
		return false
	}
	return !slices.EqualFunc(x.Ops, y.Ops, func(p, q Op) bool { return p.Equal(&q) })
}

// EvidenceFor is the operation that proves what Equivocate reports; false if the two do not fit into a transaction.
func EvidenceFor(a, b *Transaction) (Op, bool) {
	if bytes.Compare(a.ID[:], b.ID[:]) > 0 {
		a, b = b, a
	}
	op := Op{Kind: &Op_ProveEquivocation{ProveEquivocation: &ProveEquivocation{TxA: a.Raw, TxB: b.Raw}}}
	return op, a.canBeEvidence() && b.canBeEvidence()
}

// canBeEvidence reports whether two transactions of this size fit into one that proves something of them.
func (t *Transaction) canBeEvidence() bool { return len(t.Raw) <= EvidenceBytesMax }

func (m *ProveEquivocation) validate(crypto.Address) *Reject {
	a, b, r := m.transactions()
	switch {
	case r != nil:
		return r
	case bytes.Compare(a.ID[:], b.ID[:]) >= 0:
		return reject(CodeBadField, "tx_a must have a smaller id than tx_b")
	case !Equivocate(a, b):
		return reject(CodeBadField, "the two transactions do not contradict each other")
	}
	return nil
}

// transactions decodes the two.
func (m *ProveEquivocation) transactions() (a, b *Transaction, r *Reject) {
	if a, r = decodeEvidence(m.TxA); r != nil {
		return nil, nil, r.in("tx_a")
	}
	if b, r = decodeEvidence(m.TxB); r != nil {
		return nil, nil, r.in("tx_b")
	}
	return a, b, nil
}

// decodeEvidence decodes a transaction within a transaction. One that itself holds evidence is refused before it is
// looked into, so that nothing is ever nested deeper.
func decodeEvidence(raw []byte) (*Transaction, *Reject) {
	if len(raw) > EvidenceBytesMax {
		return nil, reject(CodeTooLarge, "%d bytes, at most %d allowed", len(raw), EvidenceBytesMax)
	}
	t := &Transaction{Raw: raw, evidence: true}
	return t, t.decode()
}

// apply bars the author of the two transactions from operations that merge. Both must still be able to come into a
// block: once the first cannot, its author may use its place again.
func (m *ProveEquivocation) apply(s *state, _ crypto.Address) error {
	a, b, r := m.transactions()
	switch {
	case r != nil:
		return r
	case s.height == 0:
		return reject(CodeEvidenceUnsigned, "nobody verifies signatures in a genesis")
	}
	for _, t := range []*Transaction{a, b} {
		if until := t.ValidUntilMS(); until != 0 && until <= s.timeMS {
			return reject(CodeEvidenceExpired, "%s was valid until %d", t.ID, until)
		}
	}
	author := a.Actor()
	c, err := s.accounts.get(s, author)
	if err != nil {
		return err
	}
	if c.value.Equivocation.Barred {
		return reject(CodeAlreadyBarred, "account %s", author)
	}
	for _, t := range []*Transaction{a, b} {
		if _, err := s.satisfied(t, author); err != nil {
			return asUnsigned(err)
		}
	}
	s.touch(c)
	e := &c.value.Equivocation
	e.Count, e.Height, e.Barred = e.Count+1, s.height, true
	return nil
}

// asUnsigned makes a fault of the evidence of one of authority, which is of the transaction that carries it.
func asUnsigned(err error) error {
	if r, ok := err.(*Reject); ok {
		return &Reject{Code: CodeEvidenceUnsigned, Detail: r.Detail}
	}
	return err
}

// barred refuses operations that merge by an account that was proven to equivocate.
func (s *state) barred(author crypto.Address) error {
	c, err := s.accounts.get(s, author)
	if err == nil && c.value.Equivocation.Barred {
		err = reject(CodeAuthorBarred, "account %s", author)
	}
	return err
}

// changeKey gives an account another policy. With another key than before it is no longer barred: what the old one
// signed means nothing any more, old evidence included.
func (a *Account) changeKey(id crypto.Address, policy *Policy) {
	if !a.Policy.sameKey(id, policy) {
		a.Equivocation.Barred = false
	}
	a.Policy = *policy
}

// sameKey reports whether the policy of the account with an id answers to the key of another policy, of one key.
func (p *Policy) sameKey(id crypto.Address, other *Policy) bool {
	key := &other.Members[0]
	if p.IsDefault() {
		return crypto.KeyAddress(crypto.KeyType(key.KeyType), key.PublicKey) == id
	}
	return p.Members[0].KeyType == key.KeyType && bytes.Equal(p.Members[0].PublicKey, key.PublicKey)
}

// jsonProveEquivocation is the JSON form of prove_equivocation, with the two transactions in base64.
type jsonProveEquivocation struct {
	TxA string `json:"tx_a"`
	TxB string `json:"tx_b"`
}

func (m *ProveEquivocation) show(Names) any {
	return jsonProveEquivocation{base64.StdEncoding.EncodeToString(m.TxA), base64.StdEncoding.EncodeToString(m.TxB)}
}

func parseProveEquivocation(o *jsonObject) isOp_Kind {
	return &Op_ProveEquivocation{ProveEquivocation: &ProveEquivocation{TxA: o.base64("tx_a"), TxB: o.base64("tx_b")}}
}
