package genesis

import (
	"slices"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// Doc is a genesis document.
type Doc struct {
	ChainID    string
	TimeMS     uint64 // of the first block
	Validators []Validator
	Consensus  Consensus

	// What follows is the ledger's part.
	Params   ledger.Params
	Assets   []Asset
	Accounts []Account
	Bench    []Bench

	// raw is the document as it was distributed; Hash covers it.
	raw []byte
	// initialHeight and appHash are CometBFT's; Validate allows one value of each.
	initialHeight int64
	appHash       string
	format        uint32
}

// Validator is one of the validators the network begins with.
type Validator struct {
	Name  string
	Key   crypto.PublicKey // consensus key
	Power uint64
	// Operator speaks for the validator's node; zero for nobody.
	Operator crypto.Address
	Node     Node

	// address is what the document says the engine's address of Key is; it may be empty.
	address string
}

// Asset is created at genesis and issued by an account.
type Asset struct {
	Code   string `json:"code"`
	Scale  uint32 `json:"scale"`
	Issuer string `json:"issuer"` // an account's name in this document, or an address
	// MaxSupply is a decimal at the asset's scale; empty allows the largest supply an asset can have.
	MaxSupply string `json:"max_supply,omitempty"`
}

// Account has a name, which people use and the state does not record, and the balances it begins with.
// It answers to the key its address is derived from.
type Account struct {
	Name     string         `json:"name"`
	Address  crypto.Address `json:"address"`
	Balances []Balance      `json:"balances,omitempty"`
}

// Balance is what an account begins with of one asset: its issuer's first transfers.
type Balance struct {
	Asset  string `json:"asset"`
	Amount string `json:"amount"` // a decimal at the asset's scale
}

// Account returns the account with a name.
func (d *Doc) Account(name string) (Account, bool) {
	i := slices.IndexFunc(d.Accounts, func(a Account) bool { return a.Name == name })
	if i < 0 {
		return Account{}, false
	}
	return d.Accounts[i], true
}

// Asset returns the asset with a code.
func (d *Doc) Asset(code string) (Asset, bool) {
	i := slices.IndexFunc(d.Assets, func(a Asset) bool { return a.Code == code })
	if i < 0 {
		return Asset{}, false
	}
	return d.Assets[i], true
}

// JSON returns the document as it was distributed. The caller must not change it.
func (d *Doc) JSON() []byte { return d.raw }

// Hash identifies the document and, through every signature, the ledger that begins with it. Two
// documents that differ in one space are two ledgers: what is distributed is bytes.
func (d *Doc) Hash() crypto.Hash { return crypto.Sum(d.raw) }

// issuer resolves an asset's issuer.
func (d *Doc) issuer(a Asset) (crypto.Address, error) {
	if named, ok := d.Account(a.Issuer); ok {
		return named.Address, nil
	}
	return crypto.ParseAddress(a.Issuer)
}
