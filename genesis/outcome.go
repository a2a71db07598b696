package genesis

import (
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// Outcome is the ledger's first state: what the document's operations do on empty state. It derives the
// keys of all bench accounts, which takes some 15 microseconds each on one processor.
func (d *Doc) Outcome() (ledger.Outcome, error) {
	ops, err := d.operations()
	if err != nil {
		return ledger.Outcome{}, err
	}
	for i, b := range d.Bench {
		if err := d.addBench(&ops, b); err != nil {
			return ledger.Outcome{}, fmt.Errorf("app_state.bench[%d]: %w", i, err)
		}
	}
	out, err := ledger.ExecuteGenesis(d.Params, ops, d.TimeMS)
	if err != nil {
		return ledger.Outcome{}, fmt.Errorf("execute the genesis document: %w", err)
	}
	return out, nil
}

// operations are what the document does, bench accounts aside: validators and their nodes, assets, first balances.
func (d *Doc) operations() ([]ledger.GenesisOp, error) {
	ops := d.validators()
	for i, a := range d.Assets {
		issuer, err := d.issuer(a)
		if err != nil {
			return nil, fmt.Errorf("app_state.assets[%d].issuer: %w", i, err)
		}
		set := &ledger.SetAsset{Code: a.Code, Scale: a.Scale}
		if a.MaxSupply != "" {
			most, err := ledger.ParseAmount(a.MaxSupply, uint8(a.Scale))
			if err != nil {
				return nil, fmt.Errorf("app_state.assets[%d].max_supply: %w", i, err)
			}
			set.MaxSupply = most.Bytes()
		}
		ops = append(ops, ledger.GenesisOp{Actor: issuer, Op: ledger.Op{Kind: &ledger.Op_SetAsset{SetAsset: set}}})
	}
	mints := d.mints()
	for i, account := range d.Accounts {
		for k, balance := range account.Balances {
			op, err := mints.fund(account.Address, balance)
			if err != nil {
				return nil, fmt.Errorf("app_state.accounts[%d].balances[%d]: %w", i, k, err)
			}
			ops = append(ops, op)
		}
	}
	return ops, nil
}

// addBench appends the transfers that fund derived accounts.
func (d *Doc) addBench(ops *[]ledger.GenesisOp, b Bench) error {
	if b.Count < 1 || b.Count > BenchAccountsMax {
		return fmt.Errorf("count: %d is not between 1 and %d", b.Count, BenchAccountsMax)
	}
	mints := d.mints()
	for _, to := range b.addresses() {
		op, err := mints.fund(to, Balance{b.Asset, b.Amount})
		if err != nil {
			return err
		}
		*ops = append(*ops, op)
	}
	return nil
}

// mints resolves each asset of a document once: a document may fund very many accounts.
type mints map[string]mint

type mint struct {
	Asset
	issuer crypto.Address
	err    error // the issuer does not resolve
}

func (d *Doc) mints() mints {
	m := mints{}
	for _, a := range d.Assets {
		issuer, err := d.issuer(a)
		if a.Scale > ledger.ScaleMax {
			err = fmt.Errorf("scale %d is more than %d", a.Scale, ledger.ScaleMax)
		}
		m[a.Code] = mint{a, issuer, err}
	}
	return m
}

// fund is the issuer's transfer that makes a first balance.
func (m mints) fund(to crypto.Address, b Balance) (ledger.GenesisOp, error) {
	from, ok := m[b.Asset]
	if !ok {
		return ledger.GenesisOp{}, fmt.Errorf("there is no asset %q in this document", b.Asset)
	}
	if from.err != nil {
		return ledger.GenesisOp{}, fmt.Errorf("asset %s: %w", b.Asset, from.err)
	}
	if from.issuer == to {
		return ledger.GenesisOp{}, fmt.Errorf("the issuer of %s holds no balance of it", b.Asset)
	}
	amount, err := ledger.ParseAmount(b.Amount, uint8(from.Scale))
	if err != nil {
		return ledger.GenesisOp{}, err
	}
	if amount.IsZero() {
		return ledger.GenesisOp{}, fmt.Errorf("amount %q: a balance is more than nothing; leave it out", b.Amount)
	}
	return transfer(from.issuer, to, ledger.AssetIDOf(b.Asset), amount), nil
}

func transfer(from, to crypto.Address, asset crypto.Hash, amount ledger.Amount) ledger.GenesisOp {
	return ledger.GenesisOp{Actor: from, Op: ledger.Op{Kind: &ledger.Op_Transfer{Transfer: &ledger.Transfer{
		To: to[:], Asset: asset[:], Amount: amount.Bytes(),
	}}}}
}
