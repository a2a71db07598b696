package app

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
)

// QueryResult answers a query by path: a leaf of the state, as it stands there, under the key that proves it.
// Value is nil when there is no such leaf; Log then says so. For a balance, the leaf is the one that holds
// it, and Log says the amount.
type QueryResult struct {
	Code   uint32
	Key    []byte
	Value  []byte
	Height uint64
	Log    string
	Proofs []QueryProof // of ProveQuery alone
}

// Query answers the paths of the HTTP API from the state at a height, zero being the newest:
//
//	/accounts/{id}   /accounts/{id}/balances/{asset}   /assets/{code}   /entries/{account}/{path}
//	/entries/{account}   /validators   /validators/{id}   /params   /transactions/{txid}
//	/accounts/{id}/history?before=SEQ&limit=N
//
// A history is answered by the account's leaf, which holds the head of its log; Log has the page as JSON.
// Data is not used: everything is in the path.
func (a *App) Query(path string, _ []byte, height uint64) QueryResult {
	if !a.ready.Load() {
		return failedQuery(0, &ledger.Reject{Code: ledger.CodeSyncing})
	}
	view, err := a.viewAt(height)
	if err != nil {
		return failedQuery(height, err)
	}
	defer view.Close()
	parts := pathParts(path)
	if parts[0] == "transactions" && len(parts) == 2 {
		return a.queryTransaction(parts[1], view.Height())
	}
	if isHistory(parts) {
		q, err := queryHistory(view, parts)
		if err != nil {
			return a.refuseProof(path, view.Height(), err)
		}
		return q
	}
	key, note, err := resolve(view, parts)
	if err != nil {
		return failedQuery(view.Height(), err)
	}
	value, err := view.Get(key)
	if err != nil {
		a.log.Error("query failed", "path", path, "height", view.Height(), "error", err)
		return failedQuery(view.Height(), &ledger.Reject{Code: ledger.CodeInternal})
	}
	if value == nil && note == "" {
		note = "there is no such leaf"
	}
	// The value is valid until the view is closed, so it is copied.
	return QueryResult{Key: key, Value: append([]byte(nil), value...), Height: view.Height(), Log: note}
}

func (a *App) viewAt(height uint64) (*store.View, error) {
	if height == 0 {
		return a.store().View(), nil
	}
	view, err := a.store().ViewAt(height)
	var pruned store.ErrPruned
	var future store.ErrFuture
	switch {
	case errors.As(err, &pruned):
		return nil, &ledger.Reject{Code: ledger.CodePruned, Detail: fmt.Sprintf("the first that is kept is %d", pruned.First)}
	case errors.As(err, &future):
		return nil, &ledger.Reject{Code: ledger.CodeFuture, Detail: fmt.Sprintf("it is at %d", future.Head)}
	case err != nil:
		a.log.Error("read an old height", "height", height, "error", err)
		return nil, &ledger.Reject{Code: ledger.CodeInternal}
	}
	return view, nil
}

func failedQuery(height uint64, err error) QueryResult {
	code := ledger.CodeInternal
	var reject *ledger.Reject
	if errors.As(err, &reject) {
		code = reject.Code
	}
	return QueryResult{Code: uint32(code), Height: height, Log: err.Error()}
}

func badPath(format string, args ...any) error {
	return &ledger.Reject{Code: ledger.CodeBadRequest, Detail: fmt.Sprintf(format, args...)}
}

// resolve finds the leaf that a path names.
func resolve(r ledger.Reader, parts []string) (key []byte, note string, err error) {
	switch {
	case parts[0] == "accounts" && len(parts) == 2:
		id, err := crypto.ParseAddress(parts[1])
		if err != nil {
			return nil, "", badPath("account: %v", err)
		}
		return ledger.KeyAccount(id), "", nil
	case parts[0] == "accounts" && len(parts) == 4 && parts[2] == "balances":
		id, err := crypto.ParseAddress(parts[1])
		if err != nil {
			return nil, "", badPath("account: %v", err)
		}
		return resolveBalance(r, id, parts[3])
	case parts[0] == "assets" && len(parts) == 2:
		return ledger.KeyAsset(ledger.AssetIDOf(parts[1])), "", nil
	case isEntryList(parts):
		list, err := parseEntryList(parts)
		if err != nil {
			return nil, "", err
		}
		note, err := entriesNote(r, list.namespace)
		return ledger.KeyNamespace(list.namespace), note, err
	case parts[0] == "entries" && len(parts) >= 3:
		namespace, err := crypto.ParseAddress(parts[1])
		if err != nil {
			return nil, "", badPath("namespace: %v", err)
		}
		entry := strings.Join(parts[2:], "/")
		if len(entry) > ledger.EntryPathMax {
			return nil, "", badPath("path: %d bytes, at most %d", len(entry), ledger.EntryPathMax)
		}
		return ledger.KeyEntry(namespace, entry), "", nil
	case parts[0] == "validators" && len(parts) == 1:
		return ledger.KeyValidators(), "", nil
	case parts[0] == "validators" && len(parts) == 2:
		id, err := crypto.ParseValidatorID(parts[1])
		if err != nil {
			return nil, "", badPath("validator: %v", err)
		}
		return ledger.KeyValidator(id), "", nil
	case parts[0] == "nodes" && len(parts) == 2:
		id, err := crypto.ParseValidatorID(parts[1])
		if err != nil {
			return nil, "", badPath("validator: %v", err)
		}
		return ledger.KeyNode(id), "", nil
	case parts[0] == "params" && len(parts) == 1:
		return ledger.KeyParams(), "", nil
	}
	return nil, "", badPath("unknown path /%s", clip(strings.Join(parts, "/")))
}

// resolveBalance finds the leaf that holds a balance: the account's own, or one of its pages. A balance that
// is nowhere is answered by the account's leaf, which says how many pages there are.
func resolveBalance(r ledger.Reader, id crypto.Address, code string) ([]byte, string, error) {
	asset, err := r.Get(ledger.KeyAsset(ledger.AssetIDOf(code)))
	if err != nil {
		return nil, "", err
	}
	if asset == nil {
		return nil, "", &ledger.Reject{Code: ledger.CodeAssetNotFound, Detail: clip(code)}
	}
	info, err := ledger.DecodeAsset(asset)
	if err != nil {
		return nil, "", err
	}
	key := ledger.KeyAccount(id)
	leaf, err := r.Get(key)
	if err != nil || leaf == nil {
		return key, ledger.Amount{}.Format(info.Scale) + " " + code, err
	}
	account, err := ledger.DecodeAccount(leaf)
	if err != nil {
		return nil, "", err
	}
	held := account.Balances
	for page := uint32(0); ; page++ {
		for _, b := range held {
			if b.Asset == ledger.AssetIDOf(code) {
				return key, b.Amount.Format(info.Scale) + " " + code, nil
			}
		}
		if page == account.Pages {
			return ledger.KeyAccount(id), ledger.Amount{}.Format(info.Scale) + " " + code, nil
		}
		key = ledger.KeyPage(id, page)
		if leaf, err = r.Get(key); err != nil {
			return nil, "", err
		}
		if held, err = ledger.DecodePage(leaf); err != nil {
			return nil, "", err
		}
	}
}

// queryTransaction answers with a receipt. Receipts are not leaves: what commits to them are the results of
// their block.
func (a *App) queryTransaction(text string, height uint64) QueryResult {
	id, err := crypto.ParseHash(text)
	if err != nil {
		return failedQuery(height, badPath("transaction: %v", err))
	}
	outcome, err := a.Outcome(id)
	if err != nil {
		a.log.Error("look up a receipt", "txid", id, "error", err)
		return failedQuery(height, &ledger.Reject{Code: ledger.CodeInternal})
	}
	q := QueryResult{Key: id[:], Height: height, Log: outcome.Status.String()}
	if len(outcome.Receipt.Txid) > 0 {
		q.Value = outcome.Receipt.Encode()
	}
	return q
}

// clip bounds what an error repeats of somebody's input.
func clip(text string) string {
	const shown = 80
	if len(text) <= shown {
		return text
	}
	return text[:shown] + "..."
}
