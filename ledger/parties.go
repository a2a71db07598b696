package ledger

import (
	"slices"

	"github.com/tetradledger/tetrad/crypto"
)

// Parties lists the accounts that take part in a transaction, each once: those that act, those that transfers go to,
// those that it makes, and authors that it proves something of. It is what the transaction says, whether or not it takes effect; if it does, all
// accounts whose logs it extends are among them. One that does not decode names nobody.
func (t *Transaction) Parties() []crypto.Address {
	if len(t.Body.Actor) == 0 {
		return nil
	}
	actor := t.Actor()
	parties := append(make([]crypto.Address, 0, 2), actor)
	add := func(a crypto.Address) {
		if !slices.Contains(parties, a) {
			parties = append(parties, a)
		}
	}
	for i := range t.Body.Ops {
		op := &t.Body.Ops[i]
		own := op.ActorOr(actor)
		add(own)
		if m := op.GetTransfer(); m != nil {
			add(addressOf(m.To))
		}
		if m := op.GetSetAccount(); m != nil && len(m.Salt) > 0 {
			add(CreatedAddress(own, m.Salt, m.Policy))
		}
		if m := op.GetProveEquivocation(); m != nil {
			if author, _, fault := m.transactions(); fault == nil {
				add(author.Actor())
			}
		}
		if m := op.GetProveEquivocation(); m != nil {
			if a, _, r := m.transactions(); r == nil {
				add(a.Actor())
			}
		}
	}
	return parties
}

// Assets lists the assets that a transaction moves, makes or changes, each once, whether or not it takes effect.
func (t *Transaction) Assets() []crypto.Hash {
	var assets []crypto.Hash
	add := func(id crypto.Hash) {
		if !slices.Contains(assets, id) {
			assets = append(assets, id)
		}
	}
	for i := range t.Body.Ops {
		op := &t.Body.Ops[i]
		if m := op.GetTransfer(); m != nil && len(m.Asset) == crypto.HashSize {
			add(crypto.Hash(m.Asset))
		}
		if m := op.GetSetAsset(); m != nil {
			add(AssetIDOf(m.Code))
		}
	}
	return assets
}
