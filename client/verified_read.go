package client

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// answerProven asks a question of which only the answer matters.
func answerProven[T any](ctx context.Context, v *Verified, o ReadOptions, build func(*proven) (T, error), base string, elements ...string) (T, error) {
	q := question[T]{request: v.client.readRequest(o, readPath(base, elements...)), build: build}
	out, _, _, err := prove(ctx, v, o, q)
	return out, err
}

// accountOf is the address that an account's id means; the client computes it, whatever a node says.
func accountOf(id string) (crypto.Address, error) {
	if strings.HasPrefix(id, "@") {
		return crypto.SystemAddress(id), nil
	}
	return crypto.ParseAddress(id)
}

// Account reads an account with all its balances.
func (v *Verified) Account(ctx context.Context, id string, o ReadOptions) (rpc.Account, error) {
	a, err := accountOf(id)
	if err != nil {
		return rpc.Account{}, err
	}
	return answerProven(ctx, v, o, func(p *proven) (rpc.Account, error) { return buildAccount(p, id, a) }, rpc.PathAccounts, id)
}

// Balances reads all that an account holds; nothing can be left out of the list.
func (v *Verified) Balances(ctx context.Context, id string, o ReadOptions) (rpc.Balances, error) {
	a, err := accountOf(id)
	if err != nil {
		return rpc.Balances{}, err
	}
	return answerProven(ctx, v, o, func(p *proven) (rpc.Balances, error) {
		account, err := buildAccount(p, id, a)
		return rpc.Balances{Account: id, Address: account.Address, Balances: account.Balances, Height: p.height, Verified: true}, err
	}, rpc.PathAccounts, id, "balances")
}

// Balance reads what an account holds of one asset, which may be proven to be nothing.
func (v *Verified) Balance(ctx context.Context, id, asset string, o ReadOptions) (rpc.Balance, error) {
	a, err := accountOf(id)
	if err != nil {
		return rpc.Balance{}, err
	}
	level := v.levelOf(o)
	return answerProven(ctx, v, o, func(p *proven) (rpc.Balance, error) {
		info, assetID, err := provenAsset(p, asset, (*proven).asked)
		if err != nil {
			return rpc.Balance{}, err
		}
		held, err := provenBalance(p, a, assetID)
		amount := held.Format(info.Scale)
		return rpc.Balance{
			Account: id, Address: a.String(), Asset: info.Code, Amount: amount, Available: amount,
			Height: p.height, Verified: true, Consistency: level,
		}, err
	}, rpc.PathAccounts, id, "balances", asset)
}

// Asset reads an asset and its supply.
func (v *Verified) Asset(ctx context.Context, code string, o ReadOptions) (rpc.Asset, error) {
	return answerProven(ctx, v, o, func(p *proven) (rpc.Asset, error) {
		a, id, err := provenAsset(p, code, (*proven).asked)
		if err != nil {
			return rpc.Asset{}, err
		}
		return rpc.Asset{
			Asset: a.Code, ID: id, Scale: a.Scale, Issuer: a.Issuer.String(),
			MaxSupply: a.MaxSupply.Format(a.Scale), Supply: a.Supply.Format(a.Scale), Height: p.height, Verified: true,
		}, nil
	}, rpc.PathAssets, code)
}

// Entry reads a register, or proves that there is none: the error is then the API's not_found.
func (v *Verified) Entry(ctx context.Context, namespace, path string, o ReadOptions) (rpc.Entry, error) {
	a, err := accountOf(namespace)
	if err != nil {
		return rpc.Entry{}, err
	}
	if path == "" || len(path) > ledger.EntryPathMax {
		return rpc.Entry{}, fmt.Errorf("the path %q has %d characters, must have 1 to %d", cut(path), len(path), ledger.EntryPathMax)
	}
	elements := append([]string{namespace}, strings.Split(path, "/")...)
	return answerProven(ctx, v, o, func(p *proven) (rpc.Entry, error) {
		leaf, err := p.asked(ledger.KeyEntry(a, path))
		if err != nil {
			return rpc.Entry{}, err
		}
		e, found, err := decoded(leaf, ledger.DecodeEntry)
		if err == nil && !found {
			err = rpc.NewError(ledger.CodeNotFound, "There is no entry %q in the namespace of %s; that is proven.", path, namespace)
		}
		return rpc.Entry{Namespace: a.String(), EntryData: entryData(path, &e), Height: p.height, Verified: true}, err
	}, rpc.PathEntries, elements...)
}

// Validators reads all validators; nobody can be left out.
func (v *Verified) Validators(ctx context.Context, o ReadOptions) (rpc.Validators, error) {
	return answerProven(ctx, v, o, buildValidators, rpc.PathValidators)
}

// Params reads the network's parameters.
func (v *Verified) Params(ctx context.Context, o ReadOptions) (rpc.Params, error) {
	return answerProven(ctx, v, o, func(p *proven) (rpc.Params, error) {
		params, err := provenParams(p)
		return rpc.Params{Params: params, Height: p.height, Verified: true}, err
	}, rpc.PathParams)
}

func (v *Verified) levelOf(o ReadOptions) string { return cmp.Or(o.Consistency, v.client.consistency) }

func buildAccount(p *proven, id string, a crypto.Address) (rpc.Account, error) {
	leaf, found, err := provenAccount(p, a)
	if err != nil {
		return rpc.Account{}, err
	}
	holdings, err := provenHoldings(p, a, leaf)
	if err != nil {
		return rpc.Account{}, err
	}
	out := rpc.Account{
		Account: id, Address: a.String(), Exists: found, Balances: holdings, Policy: policyOf(&leaf.Policy),
		Lanes: make([]rpc.Lane, 0, len(leaf.Lanes)), LogCount: leaf.LogCount, LogHead: leaf.LogHead, Height: p.height, Verified: true,
	}
	for _, lane := range leaf.Lanes {
		out.Lanes = append(out.Lanes, rpc.Lane{ID: lane.ID, Seq: lane.Seq})
	}
	return out, nil
}

func provenAccount(p *proven, a crypto.Address) (ledger.Account, bool, error) {
	leaf, err := p.asked(ledger.KeyAccount(a))
	if err != nil {
		return ledger.Account{}, false, err
	}
	return decoded(leaf, ledger.DecodeAccount)
}

func policyOf(p *ledger.Policy) *rpc.Policy {
	if p.IsDefault() {
		return nil
	}
	out := &rpc.Policy{Threshold: p.Threshold}
	for _, m := range p.Members {
		key := crypto.PublicKey{Type: crypto.KeyType(m.KeyType), Bytes: m.PublicKey}
		out.Members = append(out.Members, rpc.Member{Key: key.String(), Weight: m.Weight})
	}
	return out
}

// provenHoldings lists all balances: the account's leaf says how many pages there are, and all but the last
// are full, so that none can be missing.
func provenHoldings(p *proven, a crypto.Address, leaf ledger.Account) ([]rpc.Holding, error) {
	balances := slices.Clone(leaf.Balances)
	for page := range leaf.Pages {
		more, err := provenPage(p, a, page)
		if err != nil {
			return nil, err
		}
		balances = append(balances, more...)
	}
	holdings := make([]rpc.Holding, 0, len(balances))
	for _, b := range balances {
		asset, _, err := provenAsset(p, b.Asset.String(), (*proven).element)
		if err != nil {
			return nil, err
		}
		amount := b.Amount.Format(asset.Scale)
		holdings = append(holdings, rpc.Holding{Asset: asset.Code, Amount: amount, Available: amount})
	}
	slices.SortFunc(holdings, func(a, b rpc.Holding) int { return cmp.Compare(a.Asset, b.Asset) })
	return holdings, nil
}

// provenPage gives a page that the account's leaf says is there.
func provenPage(p *proven, a crypto.Address, page uint32) ([]ledger.Balance, error) {
	leaf, err := p.element(ledger.KeyPage(a, page))
	if err != nil {
		return nil, err
	}
	balances, found, err := decoded(leaf, ledger.DecodePage)
	if err == nil && !found {
		err = lie(LieMissing, "page %d of the balances", page)
	}
	return balances, err
}

// provenBalance looks for one balance. A page that holds it is enough; that there is none takes all of them.
func provenBalance(p *proven, a crypto.Address, asset crypto.Hash) (ledger.Amount, error) {
	leaf, _, err := provenAccount(p, a)
	if err != nil {
		return ledger.Amount{}, err
	}
	if i := slices.IndexFunc(leaf.Balances, func(b ledger.Balance) bool { return b.Asset == asset }); i >= 0 {
		return leaf.Balances[i].Amount, nil
	}
	var missing error
	for page := range leaf.Pages {
		if p.items[string(ledger.KeyPage(a, page))] == nil {
			missing = lie(LieMissing, "page %d of the balances", page)
			continue
		}
		balances, err := provenPage(p, a, page)
		if err != nil {
			return ledger.Amount{}, err
		}
		if i := slices.IndexFunc(balances, func(b ledger.Balance) bool { return b.Asset == asset }); i >= 0 {
			return balances[i].Amount, nil
		}
	}
	return ledger.Amount{}, missing
}

// provenAsset gives an asset by its code or its id.
func provenAsset(p *proven, name string, get func(*proven, []byte) ([]byte, error)) (ledger.Asset, crypto.Hash, error) {
	id := ledger.AssetIDOf(name)
	if parsed, err := crypto.ParseHash(name); err == nil {
		id = parsed
	}
	leaf, err := get(p, ledger.KeyAsset(id))
	if err != nil {
		return ledger.Asset{}, id, err
	}
	asset, found, err := decoded(leaf, ledger.DecodeAsset)
	if err == nil && !found {
		err = rpc.NewError(ledger.CodeAssetNotFound, "There is no asset %q; that is proven.", cut(name))
	}
	return asset, id, err
}

func provenParams(p *proven) (ledger.Params, error) {
	leaf, err := p.asked(ledger.KeyParams())
	if err != nil {
		return ledger.Params{}, err
	}
	params, found, err := decoded(leaf, ledger.DecodeParams)
	if err == nil && !found {
		err = fmt.Errorf("the state at height %d has no parameters", p.height)
	}
	return params, err
}

// buildValidators lists those whose ids the parent leaf names.
func buildValidators(p *proven) (rpc.Validators, error) {
	out := rpc.Validators{Validators: []rpc.Validator{}, Height: p.height, Verified: true}
	list, err := p.asked(ledger.KeyValidators())
	if err != nil {
		return out, err
	}
	ids, found, err := decoded(list, ledger.DecodeValidators)
	if err != nil || !found {
		return out, cmp.Or(err, fmt.Errorf("the state at height %d has no validators", p.height))
	}
	for _, id := range ids {
		leaf, err := p.element(ledger.KeyValidator(id))
		if err != nil {
			return out, err
		}
		val, found, err := decoded(leaf, ledger.DecodeValidator)
		if err == nil && !found {
			err = lie(LieMissing, "validator %s", id)
		}
		if err != nil {
			return out, err
		}
		key := crypto.PublicKey{Type: val.KeyType, Bytes: val.PublicKey}
		out.Validators = append(out.Validators, rpc.Validator{
			ID: id.String(), Name: val.Name, Key: key.String(), Power: val.Power, Faults: val.Faults, LastFaultHeight: val.LastFaultHeight,
		})
		out.TotalPower += val.Power
	}
	slices.SortStableFunc(out.Validators, func(a, b rpc.Validator) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// readable tells whether bytes are text that no terminal is harmed by.
func readable(b []byte) bool {
	return utf8.Valid(b) && !strings.ContainsFunc(string(b), func(c rune) bool {
		return c < ' ' && c != '\n' && c != '\t' || c >= 0x7f && c < 0xa0
	})
}
