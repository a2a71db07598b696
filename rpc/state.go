package rpc

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

type accountInput struct {
	ID string `path:"id" doc:"An account's address (tet1...), or a system account's name (@gov)"`
	Freshness
}

type balanceInput struct {
	ID    string `path:"id" doc:"An account's address (tet1...), or a system account's name (@gov)"`
	Asset string `path:"asset" doc:"An asset's code, or its id in hexadecimal" example:"usd"`
	Freshness
}

type assetInput struct {
	Code string `path:"code" doc:"An asset's code, or its id in hexadecimal" example:"usd"`
	Freshness
}

type plainInput struct{ Freshness }

// registerState makes the routes that read objects of the state.
func (s *server) registerState(api huma.API) {
	op := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Tags: []string{tagState}}
	}
	registerRead(s, api, op("account", PathAccounts+"/{id}", "An account with its balances"), readAccount)
	registerRead(s, api, op("balances", PathAccounts+"/{id}/balances", "All balances of an account"), readBalances)
	registerRead(s, api, op("balance", PathAccounts+"/{id}/balances/{asset}", "What an account has of one asset"), readBalance)
	registerRead(s, api, op("history", PathAccounts+"/{id}/history", "The transactions of an account, newest first"), readHistory)
	registerRead(s, api, op("asset", PathAssets+"/{code}", "An asset and its supply"), readAsset)
	registerRead(s, api, op("entries", PathEntries+"/{namespace}", "The entries of an account's namespace, in order of their paths"), s.listEntries)
	huma.Register(api, op("equivocations", PathEquivocations, "Authors that this node has seen contradict themselves, with what proves it"), s.equivocations)
	huma.Register(api, op("entry", PathEntries+"/{namespace}/{path}", "An entry of an account's namespace"), s.entry)
	registerRead(s, api, op("validators", PathValidators, "All validators"), readValidators)
	registerRead(s, api, op("node", PathNodes+"/{validator}", "What is registered of a validator's node"), readNode)
	registerRead(s, api, op("params", PathParams, "The network's parameters"), readParams)
}

// parseAccount accepts an address or the name of a system account.
func parseAccount(where, id string) (crypto.Address, error) {
	if strings.HasPrefix(id, "@") {
		return crypto.SystemAddress(id), nil
	}
	a, err := crypto.ParseAddress(id)
	if err != nil {
		return a, badRequest("path %s: %v.", where, err)
	}
	return a, nil
}

func readAccount(snap Snapshot, in *accountInput) (Account, error) {
	a, err := parseAccount("id", in.ID)
	if err != nil {
		return Account{}, err
	}
	leaf, found, err := get(snap, ledger.KeyAccount(a), ledger.DecodeAccount)
	if err != nil {
		return Account{}, err
	}
	holdings, err := holdingsOf(snap, a, leaf)
	if err != nil {
		return Account{}, err
	}
	out := Account{
		Account: in.ID, Address: a.String(), Exists: found, Balances: holdings, Policy: policyOf(&leaf.Policy),
		Lanes: make([]Lane, 0, len(leaf.Lanes)), LogCount: leaf.LogCount, LogHead: leaf.LogHead, Height: snap.Height(),
		Equivocation: DescribeEquivocation(leaf.Equivocation),
	}
	for _, lane := range leaf.Lanes {
		out.Lanes = append(out.Lanes, Lane{ID: lane.ID, Seq: lane.Seq})
	}
	return out, nil
}

func policyOf(p *ledger.Policy) *Policy {
	if p.IsDefault() {
		return nil
	}
	out := &Policy{Threshold: p.Threshold}
	for _, m := range p.Members {
		key := crypto.PublicKey{Type: crypto.KeyType(m.KeyType), Bytes: m.PublicKey}
		out.Members = append(out.Members, Member{Key: key.String(), Weight: m.Weight})
	}
	return out
}

func readBalances(snap Snapshot, in *accountInput) (Balances, error) {
	a, err := parseAccount("id", in.ID)
	if err != nil {
		return Balances{}, err
	}
	leaf, _, err := get(snap, ledger.KeyAccount(a), ledger.DecodeAccount)
	if err != nil {
		return Balances{}, err
	}
	holdings, err := holdingsOf(snap, a, leaf)
	return Balances{Account: in.ID, Address: a.String(), Balances: holdings, Height: snap.Height()}, err
}

// holdingsOf lists what an account holds, in the order of the assets' codes.
func holdingsOf(snap Snapshot, a crypto.Address, leaf ledger.Account) ([]Holding, error) {
	balances := leaf.Balances
	for page := range leaf.Pages {
		more, err := mustGet(snap, ledger.KeyPage(a, page), ledger.DecodePage)
		if err != nil {
			return nil, err
		}
		balances = append(balances, more...)
	}
	holdings := make([]Holding, 0, len(balances))
	for _, b := range balances {
		asset, err := mustGet(snap, ledger.KeyAsset(b.Asset), ledger.DecodeAsset)
		if err != nil {
			return nil, err
		}
		amount := b.Amount.Format(asset.Scale)
		holdings = append(holdings, Holding{Asset: asset.Code, Amount: amount, Available: amount})
	}
	slices.SortFunc(holdings, func(a, b Holding) int { return cmp.Compare(a.Asset, b.Asset) })
	return holdings, nil
}

func readBalance(snap Snapshot, in *balanceInput) (Balance, error) {
	a, err := parseAccount("id", in.ID)
	if err != nil {
		return Balance{}, err
	}
	asset, err := findAsset(snap, in.Asset)
	if err != nil {
		return Balance{}, err
	}
	leaf, _, err := get(snap, ledger.KeyAccount(a), ledger.DecodeAccount)
	if err != nil {
		return Balance{}, err
	}
	held, err := heldOf(snap, a, leaf, ledger.AssetIDOf(asset.Code))
	amount := held.Format(asset.Scale)
	return Balance{
		Account: in.ID, Address: a.String(), Asset: asset.Code, Amount: amount, Available: amount,
		Height: snap.Height(), Consistency: in.level(),
	}, err
}

// heldOf looks for one balance, first in the account's leaf and then on its pages.
func heldOf(snap Snapshot, a crypto.Address, leaf ledger.Account, asset crypto.Hash) (ledger.Amount, error) {
	balances := leaf.Balances
	for page := uint32(0); ; page++ {
		for _, b := range balances {
			if b.Asset == asset {
				return b.Amount, nil
			}
		}
		if page == leaf.Pages {
			return ledger.Amount{}, nil
		}
		var err error
		if balances, err = mustGet(snap, ledger.KeyPage(a, page), ledger.DecodePage); err != nil {
			return ledger.Amount{}, err
		}
	}
}

// findAsset reads an asset by its code or its id. A code is at most 16 characters, so the two differ.
func findAsset(snap Snapshot, name string) (ledger.Asset, error) {
	id := ledger.AssetIDOf(name)
	if parsed, err := crypto.ParseHash(name); err == nil {
		id = parsed
	}
	asset, found, err := get(snap, ledger.KeyAsset(id), ledger.DecodeAsset)
	if err == nil && !found {
		err = NewError(ledger.CodeAssetNotFound, "There is no asset %q.", shorten(name))
	}
	return asset, err
}

func readAsset(snap Snapshot, in *assetInput) (Asset, error) {
	a, err := findAsset(snap, in.Code)
	if err != nil {
		return Asset{}, err
	}
	return Asset{
		Asset: a.Code, ID: ledger.AssetIDOf(a.Code), Scale: a.Scale, Issuer: a.Issuer.String(),
		MaxSupply: a.MaxSupply.Format(a.Scale), Supply: a.Supply.Format(a.Scale), Height: snap.Height(),
	}, nil
}

func readValidators(snap Snapshot, _ *plainInput) (Validators, error) {
	ids, err := mustGet(snap, ledger.KeyValidators(), ledger.DecodeValidators)
	if err != nil {
		return Validators{}, err
	}
	out := Validators{Validators: make([]Validator, 0, len(ids)), Height: snap.Height()}
	for _, id := range ids {
		v, err := mustGet(snap, ledger.KeyValidator(id), ledger.DecodeValidator)
		if err != nil {
			return Validators{}, err
		}
		n, found, err := get(snap, ledger.KeyNode(id), ledger.DecodeNode)
		if err != nil {
			return Validators{}, err
		}
		node := &n
		if !found {
			node = nil
		}
		out.Validators = append(out.Validators, DescribeValidator(id, &v, node))
		out.TotalPower += v.Power
	}
	slices.SortStableFunc(out.Validators, func(a, b Validator) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

func readParams(snap Snapshot, _ *plainInput) (Params, error) {
	p, err := mustGet(snap, ledger.KeyParams(), ledger.DecodeParams)
	return Params{Params: p, Height: snap.Height()}, err
}
