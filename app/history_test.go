package app

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// TestQueryHistory: what a block did can be read from the history at once, by path, with proof and without.
func TestQueryHistory(t *testing.T) {
	r := newReplica(t)
	bob := crypto.DevKey("bob").Public().Address()
	var ids []ledger.TxID
	for n := range uint64(5) {
		pay := sign(txSpec{key: crypto.DevKey("alice"), to: bob, amount: 1, nonce: n})
		ids = append(ids, idOf(pay))
		r.submit(pay)
		r.decide(r.prepare())
	}
	r.decide(r.prepare())
	path := "/accounts/" + bob.String() + "/history"
	for _, one := range []struct {
		query       string
		height      uint64
		first, last int // of ids
		next        uint64
	}{
		{"", 0, 0, 5, 0},
		{"?limit=2", 0, 3, 5, 4},
		{"?before=4&limit=2", 0, 1, 3, 2},
		{"?before=2&limit=1000", 0, 0, 1, 0},
		{"?before=1", 0, 0, 0, 0},
		{"?limit=0", 3, 0, 3, 0},
	} {
		for _, q := range []QueryResult{r.app.Query(path+one.query, nil, one.height), r.proves(path+one.query, one.height)} {
			var got historyLog
			if err := json.Unmarshal([]byte(q.Log), &got); q.Code != 0 || err != nil {
				t.Fatalf("%s: %+v, %v", one.query, q, err)
			}
			account, err := ledger.DecodeAccount(q.Value)
			if err != nil || account.LogCount != got.LogCount || account.LogHead != got.LogHead {
				t.Errorf("%s: %+v, the leaf says %+v (%v)", one.query, got, account, err)
			}
			if len(got.Entries) != one.last-one.first || got.NextBefore != one.next {
				t.Fatalf("%s: %+v", one.query, got)
			}
			for i, e := range got.Entries {
				if want := one.last - i; e.Seq != uint64(want) || e.TxID != ids[want-1] || e.Height != uint64(want) || e.TimeMS != at(uint64(want)) {
					t.Errorf("%s: entry %d is %+v", one.query, i, e)
				}
			}
		}
	}
	for query, want := range map[string]string{
		"?limit=1001": "at most 1000", "?before=x": "before is not a number", "?a=1": `"a" is not known`, "?%zz": "is no query",
	} {
		for _, q := range []QueryResult{r.app.Query(path+query, nil, 0), r.app.ProveQuery(path+query, 0)} {
			if q.Code != uint32(ledger.CodeBadRequest) || !strings.Contains(q.Log, want) {
				t.Errorf("%s: %+v", query, q)
			}
		}
	}
	if q := r.app.Query("/accounts/x/history", nil, 0); q.Code != uint32(ledger.CodeBadRequest) {
		t.Errorf("%+v", q)
	}
}

// TestQueryHistoryPruned names the first transaction that is kept.
func TestQueryHistoryPruned(t *testing.T) {
	page := ledger.LogPage{Pruned: true, First: ledger.LogEntry{Seq: 7, Height: 9}, Entries: []ledger.LogEntry{{Seq: 7, Height: 9}}}
	if got := historyLogOf(page); got.FirstSeq != 7 || got.FirstHeight != 9 || got.NextBefore != 0 {
		t.Errorf("%+v", got)
	}
}
