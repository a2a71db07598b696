package ledger

import (
	"github.com/tetradledger/tetrad/crypto"
)

// Asset is the leaf of an asset. Transfers from the issuer mint and transfers to the issuer burn, so the
// issuer holds no balance of its own asset and Supply is the sum of all balances.
type Asset struct {
	Code      string
	Scale     uint8 // digits after the point
	Issuer    crypto.Address
	MaxSupply Amount
	Supply    Amount
}

// AssetIDOf is the id of the asset with the code.
func AssetIDOf(code string) crypto.Hash { return crypto.SumTagged(crypto.TagAsset, []byte(code)) }

// Append appends the leaf's encoding.
func (a *Asset) Append(b []byte) []byte {
	b = append(b, leafVersion, byte(len(a.Code)))
	b = append(b, a.Code...)
	b = append(b, a.Scale)
	b = append(b, a.Issuer[:]...)
	b = appendAmount(b, a.MaxSupply)
	return appendAmount(b, a.Supply)
}

// DecodeAsset reads an asset's leaf.
func DecodeAsset(b []byte) (Asset, error) {
	r := readLeaf(b)
	a := Asset{Code: string(r.take(r.count("characters", AssetCodeMax)))}
	a.Scale = r.u8()
	a.Issuer = r.b32()
	a.MaxSupply = r.amount()
	a.Supply = r.amount()
	if r.fault == "" {
		switch {
		case checkAssetCode(a.Code) != nil:
			r.fail("bad code")
		case a.Scale > ScaleMax:
			r.fail("bad scale")
		case a.MaxSupply.Cmp(SupplyMax) > 0 || a.Supply.Cmp(a.MaxSupply) > 0:
			r.fail("supply out of bounds")
		}
	}
	return a, r.end("asset")
}

// checkAssetCode accepts a lower-case letter and then lower-case letters and digits.
func checkAssetCode(code string) *Reject {
	if len(code) == 0 || len(code) > AssetCodeMax {
		return reject(CodeBadField, "asset code has %d characters, must have 1 to %d", len(code), AssetCodeMax)
	}
	for i := 0; i < len(code); i++ {
		letter := code[i] >= 'a' && code[i] <= 'z'
		digit := code[i] >= '0' && code[i] <= '9'
		if !letter && (!digit || i == 0) {
			return reject(CodeBadField, "asset code %q must be lower-case letters and digits, a letter first", code)
		}
	}
	return nil
}
