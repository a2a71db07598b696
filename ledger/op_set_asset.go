package ledger

import "github.com/tetradledger/tetrad/crypto"

func (m *SetAsset) validate() *Reject {
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
