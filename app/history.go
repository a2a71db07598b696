package app

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
)

const (
	// historyLimitMax bounds a page of a history: it travels in a line of text.
	historyLimitMax = 1000
	// historyLimitDefault fills a screen.
	historyLimitDefault = 50
)

// historyLog is a page of an account's log, as the Log of a query's answer says it.
type historyLog struct {
	LogCount      uint64         `json:"log_count"`
	LogHead       crypto.Hash    `json:"log_head"`
	Entries       []historyEntry `json:"entries"`
	LogHeadBefore *crypto.Hash   `json:"log_head_before,omitempty"`
	NextBefore    uint64         `json:"next_before,omitempty"`
	FirstSeq      uint64         `json:"first_seq,omitempty"`
	FirstHeight   uint64         `json:"first_height,omitempty"`
}

type historyEntry struct {
	Seq    uint64      `json:"seq"`
	Height uint64      `json:"height"`
	TimeMS uint64      `json:"time_ms"`
	TxID   crypto.Hash `json:"txid"`
	Code   uint32      `json:"code"`
}

// isHistory recognises /accounts/{id}/history.
func isHistory(parts []string) bool {
	if len(parts) != 3 || parts[0] != "accounts" {
		return false
	}
	name, _, _ := strings.Cut(parts[2], "?")
	return name == "history"
}

// queryHistory answers with the account's leaf, which holds the head of its log, and says the page in the Log.
func queryHistory(view *store.View, parts []string) (QueryResult, error) {
	id, err := crypto.ParseAddress(parts[1])
	if err != nil {
		return QueryResult{}, badPath("account: %v", err)
	}
	before, limit, err := historyPlace(parts[2])
	if err != nil {
		return QueryResult{}, err
	}
	page, err := view.History(id, before, limit)
	if err != nil {
		return QueryResult{}, err
	}
	if page.Pruned && len(page.Entries) == 0 {
		detail := "the history no longer goes back so far"
		if page.First.Seq > 0 {
			detail = fmt.Sprintf("the first that is kept is transaction %d of the account, at height %d", page.First.Seq, page.First.Height)
		}
		return QueryResult{}, &ledger.Reject{Code: ledger.CodePruned, Detail: detail}
	}
	text, err := json.Marshal(historyLogOf(page))
	if err != nil {
		return QueryResult{}, err
	}
	key := ledger.KeyAccount(id)
	value, err := view.Get(key)
	return QueryResult{Key: key, Value: append([]byte(nil), value...), Height: view.Height(), Log: string(text)}, err
}

// historyPlace reads history?before=SEQ&limit=N.
func historyPlace(text string) (before uint64, limit int, err error) {
	_, query, _ := strings.Cut(text, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return 0, 0, badPath("history: %q is no query", clip(query))
	}
	limit = historyLimitDefault
	for name, list := range values {
		n, err := strconv.ParseUint(list[len(list)-1], 10, 64)
		switch {
		case name != "before" && name != "limit":
			return 0, 0, badPath("history: %q is not known; there are before and limit", clip(name))
		case err != nil:
			return 0, 0, badPath("history: %s is not a number", name)
		case name == "before":
			before = n
		case n > historyLimitMax:
			return 0, 0, badPath("history: limit is %d, at most %d", n, historyLimitMax)
		case n > 0:
			limit = int(n)
		}
	}
	return before, limit, nil
}

func historyLogOf(page ledger.LogPage) historyLog {
	out := historyLog{LogCount: page.Count, LogHead: page.Head, Entries: make([]historyEntry, 0, len(page.Entries))}
	for _, e := range page.Entries {
		out.Entries = append(out.Entries, historyEntry{Seq: e.Seq, Height: e.Height, TimeMS: e.TimeMS, TxID: e.TxID})
	}
	n := len(page.Entries)
	if n == 0 {
		return out
	}
	out.LogHeadBefore = &page.Before
	switch oldest := page.Entries[n-1]; {
	case page.Pruned:
		out.FirstSeq, out.FirstHeight = page.First.Seq, page.First.Height
	case oldest.Seq > 1:
		out.NextBefore = oldest.Seq
	}
	return out
}

// queryHistory is the same with proof of the account's leaf.
func (p *Prover) queryHistory(parts []string) (QueryResult, error) {
	q, err := queryHistory(p.View, parts)
	if err != nil {
		return QueryResult{}, err
	}
	proof, err := p.Prove(q.Key)
	q.Proofs = []QueryProof{{q.Key, proof}}
	return q, err
}
