package app

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

const (
	// entriesProvenMax bounds the entries that one query proves, each at about a kilobyte.
	entriesProvenMax     = 500
	entriesProvenDefault = 100
)

// entryList is a query for a namespace's entries: /entries/{account}?after={path}&limit={n}.
type entryList struct {
	namespace crypto.Address
	after     string
	limit     int
}

// isEntryList tells a list from a single entry, whose path holds no question mark.
func isEntryList(parts []string) bool {
	return parts[0] == "entries" && (len(parts) == 2 || strings.Contains(strings.Join(parts, ""), "?"))
}

func parseEntryList(parts []string) (entryList, error) {
	account, query, _ := strings.Cut(strings.Join(parts[1:], "/"), "?")
	namespace, err := crypto.ParseAddress(account)
	if err != nil {
		return entryList{}, badPath("namespace: %v", err)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return entryList{}, badPath("what follows the question mark: %v", err)
	}
	list := entryList{namespace: namespace, after: values.Get("after"), limit: entriesProvenDefault}
	if len(list.after) > ledger.EntryPathMax {
		return entryList{}, badPath("after: %d bytes, at most %d", len(list.after), ledger.EntryPathMax)
	}
	if text := values.Get("limit"); text != "" {
		if list.limit, err = strconv.Atoi(text); err != nil || list.limit < 1 || list.limit > entriesProvenMax {
			return entryList{}, badPath("limit: %q is not a number from 1 to %d", clip(text), entriesProvenMax)
		}
	}
	return list, nil
}

// entriesNote says how many entries a namespace's leaf counts.
func entriesNote(r ledger.Reader, namespace crypto.Address) (string, error) {
	leaf, err := r.Get(ledger.KeyNamespace(namespace))
	if err != nil || leaf == nil {
		return "0 entries", err
	}
	n, err := ledger.DecodeNamespace(leaf)
	return strconv.FormatUint(n.Entries, 10) + " entries", err
}

// queryEntries answers with the leaf that counts a namespace's entries, and proves it and, after it, each entry
// of a page, whose value stands in its proof. A list is whole when it has as many entries as the leaf counts.
func (p *Prover) queryEntries(parts []string) (QueryResult, error) {
	list, err := parseEntryList(parts)
	if err != nil {
		return QueryResult{}, err
	}
	note, err := entriesNote(p, list.namespace)
	if err != nil {
		return QueryResult{}, err
	}
	key := ledger.KeyNamespace(list.namespace)
	value, err := p.Get(key)
	if err != nil {
		return QueryResult{}, err
	}
	keys := [][]byte{key}
	if value != nil {
		var after []byte
		if list.after != "" {
			after = ledger.KeyEntry(list.namespace, list.after)
		}
		found, next, err := p.Scan(ledger.KeyEntry(list.namespace, ""), after, list.limit)
		if err != nil {
			return QueryResult{}, err
		}
		keys = append(keys, found...)
		if next != nil {
			note += "; the list goes on after " + string(next[len(key):])
		}
	}
	q := QueryResult{Key: key, Value: append([]byte(nil), value...), Log: note}
	for _, key := range keys {
		proof, err := p.Prove(key)
		if err != nil {
			return QueryResult{}, err
		}
		q.Proofs = append(q.Proofs, QueryProof{key, proof})
	}
	return q, nil
}
