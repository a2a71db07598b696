package client

import (
	"fmt"
	"strings"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// What a Question can be about.
const (
	AskAccount    = "account"
	AskBalances   = "balances"
	AskBalance    = "balance"
	AskAsset      = "asset"
	AskEntry      = "entry"
	AskValidators = "validators"
	AskNode       = "node"
	AskParams     = "params"
	AskBlock      = "block"
)

// Question is what a verified read asks. It says which leaves of the state the answer is made of, and stands in a
// proof document, so that whoever checks that knows what was asked.
type Question struct {
	What    string `json:"what"`              // one of the Ask constants
	Account string `json:"account,omitempty"` // an address or a system account's name; of an entry, its namespace
	Asset   string `json:"asset,omitempty"`   // a code, or an id in hexadecimal
	Path    string `json:"path,omitempty"`    // of an entry
	// Validator is the id of the validator whose node is asked about.
	Validator string `json:"validator,omitempty"`
}

// String says it the way a person would.
func (q Question) String() string {
	words := []string{q.What}
	for _, word := range []string{q.Account, q.Asset, q.Path, q.Validator} {
		if word != "" {
			words = append(words, cut(word))
		}
	}
	return strings.Join(words, " ")
}

// check finds out whether a question can be asked: it has what it needs, and nothing else.
func (q Question) check() error {
	account, asset, path, validator := false, false, false, false
	switch q.What {
	case AskAccount, AskBalances:
		account = true
	case AskBalance:
		account, asset = true, true
	case AskAsset:
		asset = true
	case AskEntry:
		account, path = true, true
	case AskNode:
		validator = true
	case AskValidators, AskParams, AskBlock:
	default:
		return fmt.Errorf("there is no question about %q", cut(q.What))
	}
	if account != (q.Account != "") || asset != (q.Asset != "") || path != (q.Path != "") || validator != (q.Validator != "") {
		return fmt.Errorf("a question about %s does not fit %q", q.What, q.String())
	}
	if account {
		if _, err := accountOf(q.Account); err != nil {
			return err
		}
	}
	if validator {
		if _, err := crypto.ParseValidatorID(q.Validator); err != nil {
			return err
		}
	}
	if len(q.Path) > ledger.EntryPathMax {
		return fmt.Errorf("the path %q has %d characters, at most %d are possible", cut(q.Path), len(q.Path), ledger.EntryPathMax)
	}
	return nil
}

// route is where nodes answer the question.
func (q Question) route() (base string, elements []string) {
	switch q.What {
	case AskAccount:
		return rpc.PathAccounts, []string{q.Account}
	case AskBalances:
		return rpc.PathAccounts, []string{q.Account, "balances"}
	case AskBalance:
		return rpc.PathAccounts, []string{q.Account, "balances", q.Asset}
	case AskAsset:
		return rpc.PathAssets, []string{q.Asset}
	case AskEntry:
		return rpc.PathEntries, append([]string{q.Account}, strings.Split(q.Path, "/")...)
	case AskValidators:
		return rpc.PathValidators, nil
	case AskNode:
		return rpc.PathNodes, []string{q.Validator}
	default:
		return rpc.PathParams, nil
	}
}

// answer makes the answer of proven leaves: an rpc.Account, rpc.Balance and so on. The error is an *rpc.Error
// where it is proven that there is nothing to answer with.
func (q Question) answer(p *proven) (any, error) {
	var a crypto.Address
	if q.Account != "" {
		var err error
		if a, err = accountOf(q.Account); err != nil {
			return nil, err
		}
	}
	switch q.What {
	case AskAccount:
		return buildAccount(p, q.Account, a)
	case AskBalances:
		account, err := buildAccount(p, q.Account, a)
		return rpc.Balances{Account: q.Account, Address: account.Address, Balances: account.Balances, Height: p.height, Verified: true}, err
	case AskBalance:
		return buildBalance(p, q.Account, a, q.Asset)
	case AskAsset:
		return buildAsset(p, q.Asset)
	case AskEntry:
		return buildEntry(p, q.Account, a, q.Path)
	case AskValidators:
		return buildValidators(p)
	case AskNode:
		return buildNode(p, q.Validator)
	default:
		params, err := provenParams(p)
		return rpc.Params{Params: params, Height: p.height, Verified: true}, err
	}
}

func buildBalance(p *proven, id string, a crypto.Address, asset string) (rpc.Balance, error) {
	info, assetID, err := provenAsset(p, asset, (*proven).asked)
	if err != nil {
		return rpc.Balance{}, err
	}
	held, err := provenBalance(p, a, assetID)
	amount := held.Format(info.Scale)
	return rpc.Balance{
		Account: id, Address: a.String(), Asset: info.Code, Amount: amount, Available: amount, Height: p.height, Verified: true,
	}, err
}

func buildAsset(p *proven, code string) (rpc.Asset, error) {
	a, id, err := provenAsset(p, code, (*proven).asked)
	if err != nil {
		return rpc.Asset{}, err
	}
	return rpc.Asset{
		Asset: a.Code, ID: id, Scale: a.Scale, Issuer: a.Issuer.String(),
		MaxSupply: a.MaxSupply.Format(a.Scale), Supply: a.Supply.Format(a.Scale), Height: p.height, Verified: true,
	}, nil
}

func buildEntry(p *proven, namespace string, a crypto.Address, path string) (rpc.Entry, error) {
	leaf, err := p.asked(ledger.KeyEntry(a, path))
	if err != nil {
		return rpc.Entry{}, err
	}
	e, found, err := decoded(leaf, ledger.DecodeEntry)
	if err == nil && !found {
		err = rpc.NewError(ledger.CodeNotFound, "There is no entry %q in the namespace of %s; that is proven.", path, namespace)
	}
	return rpc.Entry{Namespace: a.String(), EntryData: rpc.DescribeEntry(path, &e), Height: p.height, Verified: true}, err
}
