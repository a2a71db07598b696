package genesis

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// The functions of a ceremony: each participant adds itself to a draft, and somebody collects the drafts.
// They check what they add; Validate judges the whole once it is complete.

// AddAccount adds an account to a draft. A name or an address that is there already is a mistake.
func AddAccount(data []byte, a Account) ([]byte, error) {
	doc, err := Parse(data)
	if err != nil {
		return nil, err
	}
	for _, other := range doc.Accounts {
		if other.Name == a.Name || other.Address == a.Address {
			return nil, fmt.Errorf("account %s (%s) is in the document already", other.Name, other.Address)
		}
	}
	doc.Accounts = append(doc.Accounts, a)
	var f Faults
	doc.checkAccounts(&f)
	if err := f.err(); err != nil {
		return nil, err
	}
	return doc.encode()
}

// AddAsset adds an asset to a draft.
func AddAsset(data []byte, a Asset) ([]byte, error) {
	doc, err := Parse(data)
	if err != nil {
		return nil, err
	}
	doc.Assets = append(doc.Assets, a)
	var f Faults
	doc.checkAssets(&f)
	if err := f.err(); err != nil {
		return nil, err
	}
	return doc.encode()
}

// AddValidator adds a validator to a draft.
func AddValidator(data []byte, v Validator) ([]byte, error) {
	doc, err := Parse(data)
	if err != nil {
		return nil, err
	}
	doc.Validators = append(doc.Validators, v)
	var f Faults
	doc.checkValidators(&f)
	if err := f.err(); err != nil {
		return nil, err
	}
	return doc.encode()
}

// Collect makes one document of several drafts of one network: everything each of them adds, in the order
// of names, so that the result does not depend on the order of the drafts; the latest time; and
// parameters on which all must agree. What two drafts say differently is named.
func Collect(drafts ...[]byte) ([]byte, error) {
	if len(drafts) == 0 {
		return nil, fmt.Errorf("collect: no drafts given")
	}
	docs := make([]*Doc, len(drafts))
	for i, data := range drafts {
		var err error
		if docs[i], err = Parse(data); err != nil {
			return nil, fmt.Errorf("draft %d: %w", i+1, err)
		}
	}
	all := &Doc{
		ChainID: docs[0].ChainID, Consensus: docs[0].Consensus, Params: docs[0].Params,
		initialHeight: docs[0].initialHeight, appHash: docs[0].appHash, format: docs[0].format,
	}
	var f Faults
	for i, doc := range docs {
		at := fmt.Sprintf("draft %d", i+1)
		all.TimeMS = max(all.TimeMS, doc.TimeMS)
		if doc.ChainID != all.ChainID {
			f.addf(at, "chain_id is %q, draft 1 says %q", doc.ChainID, all.ChainID)
		}
		if doc.Params != all.Params || !reflect.DeepEqual(doc.Consensus, all.Consensus) {
			f.addf(at, "parameters differ from those of draft 1")
		}
		merge(&f, at+": validator", &all.Validators, doc.Validators, func(v Validator) string { return v.Name })
		merge(&f, at+": asset", &all.Assets, doc.Assets, func(a Asset) string { return a.Code })
		merge(&f, at+": account", &all.Accounts, doc.Accounts, func(a Account) string { return a.Name })
		merge(&f, at+": bench", &all.Bench, doc.Bench, func(b Bench) string { return b.Seed })
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	return all.encode()
}

// merge adds what is new, keeps what is equal, and reports what has the same name and is not.
func merge[T any](f *Faults, at string, all *[]T, more []T, name func(T) string) {
	for _, item := range more {
		i := slices.IndexFunc(*all, func(other T) bool { return name(other) == name(item) })
		if i < 0 {
			*all = append(*all, item)
		} else if !reflect.DeepEqual((*all)[i], item) {
			f.addf(at, "%q differs from an earlier draft's", name(item))
		}
	}
	slices.SortStableFunc(*all, func(a, b T) int { return strings.Compare(name(a), name(b)) })
}
