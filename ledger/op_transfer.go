package ledger

import (
	"bytes"

	"github.com/tetradledger/tetrad/crypto"
)

func (m *Transfer) validate(actor crypto.Address) *Reject {
	if r := checkID("to", m.To); r != nil {
		return r
	}
	if r := checkID("asset", m.Asset); r != nil {
		return r
	}
	amount, err := AmountFromBytes(m.Amount)
	if err != nil {
		return reject(CodeBadAmount, "amount: %s", err.(*Reject).Detail)
	}
	if amount.IsZero() {
		return reject(CodeBadAmount, "amount is zero")
	}
	if IsSystem(crypto.Address(m.To)) {
		return reject(CodeSystemRecipient, "to")
	}
	if bytes.Equal(actor[:], m.To) {
		return reject(CodeSelfTransfer, "account %s", actor)
	}
	return nil
}

// apply moves the amount. The issuer holds no balance of its own asset: what leaves it is new supply, and
// what reaches it ceases to be.
func (m *Transfer) apply(s *state, actor crypto.Address) error {
	assetID := crypto.Hash(m.Asset)
	asset, err := s.asset(assetID)
	if err != nil {
		return err
	}
	from, err := s.accounts.get(s, actor)
	if err != nil {
		return err
	}
	to, err := s.accounts.get(s, crypto.Address(m.To))
	if err != nil {
		return err
	}
	amount := amountOf(m.Amount)
	if m.UpTo {
		there, err := s.spendable(from, asset)
		if err != nil {
			return err
		}
		if there.Cmp(amount) < 0 {
			amount = there
		}
		if amount.IsZero() {
			return nil
		}
	}
	switch asset.value.Issuer {
	case actor:
		if err := s.mint(asset, amount); err != nil {
			return err
		}
		return s.credit(to, assetID, amount)
	case to.id:
		if err := s.debit(from, assetID, amount); err != nil {
			return err
		}
		s.touch(to)
		return s.burn(asset, amount)
	}
	if err := s.debit(from, assetID, amount); err != nil {
		return err
	}
	return s.credit(to, assetID, amount)
}

// spendable is the most the account could move: its balance, or what its asset's supply leaves to the issuer.
func (s *state) spendable(c *accountCell, asset *cell[crypto.Hash, Asset]) (Amount, error) {
	if asset.value.Issuer == c.id {
		left, _ := asset.value.MaxSupply.Sub(asset.value.Supply)
		return left, nil
	}
	have, _, _, err := s.balance(c, asset.id)
	return have, err
}

func (s *state) mint(asset *cell[crypto.Hash, Asset], amount Amount) error {
	supply, ok := asset.value.Supply.Add(amount)
	if !ok || supply.Cmp(asset.value.MaxSupply) > 0 {
		return reject(CodeSupplyExceeded, "supply %s and %s, maximum %s", asset.value.Supply, amount, asset.value.MaxSupply)
	}
	s.assets.change(s, asset)
	asset.value.Supply = supply
	return nil
}

func (s *state) burn(asset *cell[crypto.Hash, Asset], amount Amount) error {
	supply, ok := asset.value.Supply.Sub(amount)
	if !ok {
		// The supply is the sum of all balances, so no balance can be larger than it.
		panic("ledger: supply of " + asset.value.Code + " is smaller than a balance")
	}
	s.assets.change(s, asset)
	asset.value.Supply = supply
	return nil
}

// jsonTransfer is the JSON form of a transfer.
type jsonTransfer struct {
	To     string `json:"to"`
	Asset  string `json:"asset"`
	Amount string `json:"amount,omitempty"`
	Units  string `json:"units,omitempty"`
	UpTo   bool   `json:"up_to,omitempty"`
}

func (m *Transfer) show(n Names) any {
	decimal, units := n.showAmount(m.Asset, m.Amount)
	return jsonTransfer{To: n.show(m.To), Asset: n.showAsset(m.Asset), Amount: decimal, Units: units, UpTo: m.UpTo}
}

func parseTransfer(o *jsonObject) isOp_Kind {
	m := &Transfer{To: o.needAccount("to"), Asset: o.asset("asset"), UpTo: o.flag("up_to")}
	m.Amount = o.amountOrUnits("amount", "units", m.Asset).Bytes()
	return &Op_Transfer{Transfer: m}
}
