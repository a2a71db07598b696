package ledger

import "github.com/tetradledger/tetrad/crypto"

func (m *SetAsset) validate(crypto.Address) *Reject {
	if r := checkAssetCode(m.Code); r != nil {
		return r
	}
	if m.Scale > ScaleMax {
		return reject(CodeBadField, "scale is %d, at most %d allowed", m.Scale, ScaleMax)
	}
	limit, err := AmountFromBytes(m.MaxSupply)
	if err != nil {
		return reject(CodeBadAmount, "max_supply: %s", err.(*Reject).Detail)
	}
	if limit.Cmp(SupplyMax) > 0 {
		return reject(CodeBadAmount, "max_supply is larger than %s", SupplyMax)
	}
	return nil
}

// apply creates the asset, or lowers the maximum supply of one that the actor issues. A maximum that could
// be raised would promise nothing to those who hold the asset.
func (m *SetAsset) apply(s *state, actor crypto.Address) error {
	limit := SupplyMax
	if len(m.MaxSupply) > 0 {
		limit = amountOf(m.MaxSupply)
	}
	c, err := s.assets.get(s, AssetIDOf(m.Code))
	if err != nil {
		return err
	}
	if !c.exists {
		s.assets.change(s, c)
		c.exists = true
		c.value = Asset{Code: m.Code, Scale: uint8(m.Scale), Issuer: actor, MaxSupply: limit}
		return nil
	}
	a := &c.value
	switch {
	case a.Issuer != actor:
		return reject(CodeAssetExists, "issuer of %s is %s", m.Code, a.Issuer)
	case uint32(a.Scale) != m.Scale:
		return reject(CodeScaleFixed, "scale of %s is %d", m.Code, a.Scale)
	case limit.Cmp(a.MaxSupply) > 0:
		return reject(CodeMaxSupplyRaised, "maximum of %s is %s", m.Code, a.MaxSupply)
	case limit.Cmp(a.Supply) < 0:
		return reject(CodeSupplyAboveMax, "supply of %s is %s", m.Code, a.Supply)
	}
	s.assets.change(s, c)
	a.MaxSupply = limit
	return nil
}

// jsonSetAsset is the JSON form of set_asset; max_supply is a decimal at the scale beside it.
type jsonSetAsset struct {
	Code      string `json:"code"`
	Scale     uint32 `json:"scale"`
	MaxSupply string `json:"max_supply,omitempty"`
}

func (m *SetAsset) show(Names) any {
	form := jsonSetAsset{Code: m.Code, Scale: m.Scale}
	if len(m.MaxSupply) > 0 {
		form.MaxSupply = amountOf(m.MaxSupply).Format(uint8(m.Scale))
	}
	return form
}

func parseSetAsset(o *jsonObject) isOp_Kind {
	m := &SetAsset{Code: o.need("code"), Scale: uint32(o.number("scale", ScaleMax))}
	if limit := o.text("max_supply"); limit != "" {
		path := joinPath(o.path, "max_supply")
		amount := o.parseAmount(path, limit, uint8(m.Scale))
		if amount.IsZero() {
			// Zero has the empty encoding, which would mean no maximum at all.
			o.r.fail(path, "must be more than zero")
		}
		m.MaxSupply = amount.Bytes()
	}
	return &Op_SetAsset{SetAsset: m}
}
