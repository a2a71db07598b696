package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// ErrPendingUnprovable is what a Verified says to ReadOptions.IncludePending.
var ErrPendingUnprovable = errors.New("client: what no block holds cannot be proven: ask a Client for it")

// accountOf is the address that an account's id means; the client computes it, whatever a node says.
func accountOf(id string) (crypto.Address, error) {
	if strings.HasPrefix(id, "@") {
		return crypto.SystemAddress(id), nil
	}
	return crypto.ParseAddress(id)
}

// Account reads an account with all its balances.
func (v *Verified) Account(ctx context.Context, id string, o ReadOptions) (rpc.Account, error) {
	return askState[rpc.Account](ctx, v, o, Question{What: AskAccount, Account: id})
}

// Balances reads all that an account holds; nothing can be left out of the list.
func (v *Verified) Balances(ctx context.Context, id string, o ReadOptions) (rpc.Balances, error) {
	return askState[rpc.Balances](ctx, v, o, Question{What: AskBalances, Account: id})
}

// Balance reads what an account holds of one asset, which may be proven to be nothing.
func (v *Verified) Balance(ctx context.Context, id, asset string, o ReadOptions) (rpc.Balance, error) {
	b, err := askState[rpc.Balance](ctx, v, o, Question{What: AskBalance, Account: id, Asset: asset})
	b.Consistency = v.levelOf(o)
	return b, err
}

// Asset reads an asset and its supply.
func (v *Verified) Asset(ctx context.Context, code string, o ReadOptions) (rpc.Asset, error) {
	return askState[rpc.Asset](ctx, v, o, Question{What: AskAsset, Asset: code})
}

// Entry reads a register, or proves that there is none: the error is then the API's not_found.
func (v *Verified) Entry(ctx context.Context, namespace, path string, o ReadOptions) (rpc.Entry, error) {
	return askState[rpc.Entry](ctx, v, o, Question{What: AskEntry, Account: namespace, Path: path})
}

// Validators reads all validators; nobody can be left out.
func (v *Verified) Validators(ctx context.Context, o ReadOptions) (rpc.Validators, error) {
	return askState[rpc.Validators](ctx, v, o, Question{What: AskValidators})
}

// Node reads what is registered of a validator's node, or proves that nothing is: the error is then the API's
// node_not_found. validator is its id.
func (v *Verified) Node(ctx context.Context, validator string, o ReadOptions) (rpc.Node, error) {
	return askState[rpc.Node](ctx, v, o, Question{What: AskNode, Validator: validator})
}

// Params reads the network's parameters.
func (v *Verified) Params(ctx context.Context, o ReadOptions) (rpc.Params, error) {
	return askState[rpc.Params](ctx, v, o, Question{What: AskParams})
}

// askState asks a question about the state, and makes the document that proves the answer if one is wanted.
func askState[T any](ctx context.Context, v *Verified, o ReadOptions, q Question) (T, error) {
	var nothing T
	if o.IncludePending {
		return nothing, ErrPendingUnprovable
	}
	if err := q.check(); err != nil {
		return nothing, err
	}
	base, elements := q.route()
	out, p, node, err := prove(ctx, v, o, query[T]{
		request: v.client.readRequest(o, readPath(base, elements...)),
		build: func(p *proven) (T, error) {
			answer, err := q.answer(p)
			if err != nil {
				return nothing, err
			}
			return answer.(T), nil
		},
	})
	if p == nil || o.Prove == nil {
		return out, err
	}
	document := Proof{Format: proofFormat, Question: q, Height: p.height, Items: p.used}
	if failed := v.document(ctx, node, &document, o.Prove); failed != nil {
		return nothing, failed
	}
	return out, err
}

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
		Equivocation: rpc.DescribeEquivocation(leaf.Equivocation),
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
		node, err := provenNode(p, id)
		if err != nil {
			return out, err
		}
		out.Validators = append(out.Validators, rpc.DescribeValidator(id, &val, node))
		out.TotalPower += val.Power
	}
	slices.SortStableFunc(out.Validators, func(a, b rpc.Validator) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// provenNode gives what is registered of a validator's node, nil for nothing.
func provenNode(p *proven, id crypto.ValidatorID) (*ledger.Node, error) {
	leaf, err := p.element(ledger.KeyNode(id))
	if err != nil {
		return nil, err
	}
	n, found, err := decoded(leaf, ledger.DecodeNode)
	if err != nil || !found {
		return nil, err
	}
	return &n, nil
}

func buildNode(p *proven, validator string) (rpc.Node, error) {
	id, err := crypto.ParseValidatorID(validator)
	if err != nil {
		return rpc.Node{}, err
	}
	leaf, err := p.asked(ledger.KeyNode(id))
	if err != nil {
		return rpc.Node{}, err
	}
	n, found, err := decoded(leaf, ledger.DecodeNode)
	if err == nil && !found {
		err = rpc.NewError(ledger.CodeNodeNotFound, "Validator %s has registered no node; that is proven.", id)
	}
	if err != nil {
		return rpc.Node{}, err
	}
	out := rpc.DescribeNode(id, &n)
	out.Height, out.Verified = p.height, true
	return out, nil
}
