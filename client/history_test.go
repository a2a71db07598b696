package client

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// payments makes blocks in which alice pays bob: so many each. The transactions of bob come back, oldest first.
func (p *proving) payments(t testing.TB, blocks ...int) []rpc.HistoryEntry {
	t.Helper()
	var out []rpc.HistoryEntry
	for _, n := range blocks {
		var raws [][]byte
		at := p.blockTimeMS(t)
		var ids []crypto.Hash
		for range n {
			tx, err := NewTx(p.ChainID, p.Genesis, rpctest.Address("alice")).ValidUntilMS(at+60_000).
				Transfer(rpctest.Address("bob"), "usd", ledger.Amount{Lo: 1}).Sign(crypto.DevKey("alice"))
			if err != nil {
				t.Fatal(err)
			}
			raws, ids = append(raws, tx.Raw), append(ids, tx.TxID)
		}
		for _, result := range p.servers[0].node.Submit(within(t, time.Minute), raws) {
			if result.Code != ledger.CodeOK {
				t.Fatalf("%+v", result)
			}
		}
		height := p.Seal()
		for _, id := range ids {
			timeMS := p.blockTimeMS(t)
			out = append(out, rpc.HistoryEntry{Seq: uint64(len(out)) + 1, Height: height, TimeMS: timeMS, Time: timeText(timeMS), TxID: id})
		}
	}
	p.Seal()
	return out
}

// newestFirst are entries as a history lists them.
func newestFirst(entries []rpc.HistoryEntry) []rpc.HistoryEntry {
	out := slices.Clone(entries)
	slices.Reverse(out)
	return out
}

var bob = rpctest.Address("bob").String()

// historian makes histories: a client that believes nodes, or one that does not.
type historian interface {
	History(ctx context.Context, id string, o HistoryOptions) (rpc.History, error)
}

// TestHistory: with proof or without, the parts that are asked for are those that there are, over any number of pages.
func TestHistory(t *testing.T) {
	p := newProving(t, 2, fourValidators)
	log := p.payments(t, 3, 0, 500, rpc.HistoryLimitMax-500, 1, 500, rpc.HistoryLimitMax-505, 2)
	n := uint64(len(log))
	for name, history := range map[string]historian{"plain": p.client(t, Options{Timeout: 5 * time.Second}), "verified": p.verified(t, VerifiedOptions{})} {
		for what, one := range map[string]struct {
			o     HistoryOptions
			want  []rpc.HistoryEntry
			older uint64
		}{
			"newest":           {HistoryOptions{}, log[n-rpc.HistoryLimitDefault:], n - rpc.HistoryLimitDefault + 1},
			"three":            {HistoryOptions{Limit: 3}, log[n-3:], n - 2},
			"a page":           {HistoryOptions{Limit: rpc.HistoryLimitMax}, log[n-rpc.HistoryLimitMax:], n - rpc.HistoryLimitMax + 1},
			"more than a page": {HistoryOptions{Limit: rpc.HistoryLimitMax + 1}, log[n-rpc.HistoryLimitMax-1:], n - rpc.HistoryLimitMax},
			"all but one":      {HistoryOptions{Limit: int(n) - 1}, log[1:], 2},
			"exactly all":      {HistoryOptions{Limit: int(n)}, log, 0},
			"all":              {HistoryOptions{Limit: -1}, log, 0},
			"before":           {HistoryOptions{Before: 1002, Limit: 4}, log[997:1001], 998},
			"before the first": {HistoryOptions{Before: 1}, nil, 0},
			"from a height":    {HistoryOptions{FromHeight: 5, Limit: -1}, log[3+rpc.HistoryLimitMax:], 0},
			"up to a height":   {HistoryOptions{ToHeight: 2, Limit: -1}, log[:3], 0},
			"an empty height":  {HistoryOptions{FromHeight: 2, ToHeight: 2, Limit: -1}, nil, 0},
			"between":          {HistoryOptions{FromHeight: 1, ToHeight: 4, Limit: 10}, log[3+rpc.HistoryLimitMax-10 : 3+rpc.HistoryLimitMax], 3 + rpc.HistoryLimitMax - 9},
			"between, all":     {HistoryOptions{FromHeight: 3, ToHeight: 5, Limit: -1}, log[3 : 4+rpc.HistoryLimitMax], 0},
			"at a height":      {HistoryOptions{ReadOptions: ReadOptions{Height: 1}, Limit: -1}, log[:3], 0},
		} {
			got, err := history.History(within(t, time.Minute), bob, one.o)
			if err != nil {
				t.Fatalf("%s, %s: %v", name, what, err)
			}
			if !slices.Equal(got.Entries, newestFirst(one.want)) || got.NextBefore != one.older || got.Verified != (name == "verified") || got.TimesVerified {
				t.Errorf("%s, %s: %d entries, next %d, want %d and %d (%+v)", name, what, len(got.Entries), got.NextBefore, len(one.want), one.older, got.Verified)
			}
			if o := one.o; o.Height == 0 && (got.LogCount != n || got.LogHead.IsZero()) || o.Height == 1 && got.LogCount != 3 {
				t.Errorf("%s, %s: the log has %d transactions", name, what, got.LogCount)
			}
		}
		nobody, err := history.History(within(t, time.Minute), rpctest.Address("nobody").String(), HistoryOptions{})
		if err != nil || nobody.LogCount != 0 || len(nobody.Entries) != 0 {
			t.Errorf("%s: %+v, %v", name, nobody, err)
		}
		if _, err := history.History(within(t, time.Minute), bob, HistoryOptions{ReadOptions: ReadOptions{Height: 99}}); !errors.Is(err, rpc.NewError(ledger.CodeFuture, "")) {
			t.Errorf("%s: a height to come: %v", name, err)
		}
	}
}

// TestHistoryTimes: times are proven where that is asked for, and a wrong one is found then.
func TestHistoryTimes(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	log := p.payments(t, 2, 1, 3)
	v := p.verified(t, VerifiedOptions{})
	got, err := v.History(within(t, time.Minute), bob, HistoryOptions{ProveTimes: true})
	if err != nil || !got.Verified || !got.TimesVerified || !slices.Equal(got.Entries, newestFirst(log)) {
		t.Fatalf("%+v, %v", got, err)
	}
	earlier := tell(func(o object) {
		for _, e := range o["entries"].([]any) {
			if e.(object)["height"].(json.Number) == "1" {
				e.(object)["time_ms"] = log[0].TimeMS - 1
			}
		}
	})
	p.lies(0, earlier(p))
	got, err = v.History(within(t, time.Minute), bob, HistoryOptions{})
	if err != nil || got.TimesVerified || got.Entries[len(log)-1].Time != timeText(log[0].TimeMS-1) {
		t.Fatalf("%+v, %v", got, err)
	}
	_, err = v.History(within(t, time.Minute), bob, HistoryOptions{ProveTimes: true})
	var lie *LieError
	if !errors.As(err, &lie) || lie.Kind != LieValue || lie.Source != p.servers[0].URL {
		t.Fatalf("%v", err)
	}
}

// TestHistoryPruned: where nodes keep a part, that part is proven, and the first one kept is named. What one node
// has dropped, another may have.
func TestHistoryPruned(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	log := p.payments(t, 2, 2, 2, 2)
	p.KeepHistory(3)
	for name, history := range map[string]historian{"plain": p.client(t, Options{}), "verified": p.verified(t, VerifiedOptions{})} {
		for _, limit := range []int{0, 2, 4, -1} {
			got, err := history.History(within(t, time.Minute), bob, HistoryOptions{Limit: limit})
			want, next := log[4:], uint64(0)
			switch limit {
			case 2:
				want, next = log[6:], 7
			case 4: // nobody looked for more
				next = 5
			}
			first := next == 0
			if err != nil || !slices.Equal(got.Entries, newestFirst(want)) || got.NextBefore != next || first != (got.FirstSeq == 5) || first != (got.FirstHeight == 3) {
				t.Errorf("%s, limit %d: %+v, %v", name, limit, got, err)
			}
		}
		if got, err := history.History(within(t, time.Minute), bob, HistoryOptions{Limit: -1, FromHeight: 4}); err != nil || len(got.Entries) != 2 {
			t.Errorf("%s: what is kept: %+v, %v", name, got, err)
		}
		for what, o := range map[string]HistoryOptions{"from": {Limit: -1, FromHeight: 2}, "before": {Before: 4}} {
			_, err := history.History(within(t, time.Minute), bob, o)
			if what == "before" && name == "verified" {
				continue // it begins at the top and finds what there is: nothing
			}
			if !errors.Is(err, errPruned) || !strings.Contains(err.Error(), "transaction 5 of the account, at height 3") {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}

// historyLies are what a node may do to a history, each on the page that it is done to.
var historyLies = map[string]func(entries []any, o object) []any{
	"the newest left out": func(entries []any, _ object) []any { return entries[1:] },
	"one left out":        func(entries []any, _ object) []any { return slices.Delete(entries, 2, 3) },
	"one left out, the rest counted anew": func(entries []any, _ object) []any {
		for i, e := range entries {
			if i < 2 {
				e.(object)["seq"] = entries[i+1].(object)["seq"]
			}
		}
		return slices.Delete(entries, 2, 3)
	},
	"the oldest left out":  func(entries []any, _ object) []any { return entries[:len(entries)-1] },
	"all left out":         func([]any, object) []any { return []any{} },
	"one twice":            func(entries []any, _ object) []any { return slices.Insert(entries, 1, entries[1]) },
	"two changed in place": func(entries []any, _ object) []any { entries[1], entries[2] = entries[2], entries[1]; return entries },
	"two changed in place, with their numbers": func(entries []any, _ object) []any {
		a, b := entries[1].(object), entries[2].(object)
		a["txid"], b["txid"] = b["txid"], a["txid"]
		return entries
	},
	"another transaction": func(entries []any, _ object) []any {
		entries[1].(object)["txid"] = crypto.Sum([]byte("forged")).String()
		return entries
	},
	"another height": func(entries []any, _ object) []any { entries[1].(object)["height"] = 1; return entries },
	"another code":   func(entries []any, _ object) []any { entries[1].(object)["code"] = 500; return entries },
	"a later time":   func(entries []any, _ object) []any { entries[1].(object)["time_ms"] = uint64(1) << 60; return entries },
	"another head before": func(entries []any, o object) []any {
		o["log_head_before"] = crypto.Sum([]byte("forged")).String()
		return entries
	},
	"no head before": func(entries []any, o object) []any { delete(o, "log_head_before"); return entries },
	"a beginning that is none": func(entries []any, o object) []any {
		o["log_head_before"] = crypto.Hash{}.String()
		delete(o, "next_before")
		return entries
	},
	"an end that is none": func(entries []any, o object) []any { delete(o, "next_before"); return entries },
	"a gap between pages": func(entries []any, o object) []any {
		o["next_before"] = 2
		return entries
	},
	"another first one": func(entries []any, o object) []any {
		delete(o, "next_before")
		o["first_seq"], o["first_height"] = 3, 1
		return entries
	},
	"more than asked for": func(entries []any, _ object) []any {
		return append(entries, entries...)
	},
}

// TestHistoryLies: whatever a node does to a page, the first or a later one, is found, as a lie about the history,
// and blamed on it. The other node then tells the truth.
func TestHistoryLies(t *testing.T) {
	p := newProving(t, 2, fourValidators)
	log := p.payments(t, 1, 4, 3, 6)
	for name, change := range historyLies {
		for _, later := range []bool{false, true} {
			v := p.verified(t, VerifiedOptions{Options: Options{MinHeight: 4, Policy: balance.Listed}})
			told := false
			p.lies(0, func(path string, body []byte) []byte {
				if isTrust(path) {
					return body
				}
				return edit(body, func(o object) {
					entries, _ := o["entries"].([]any)
					if len(entries) == 0 || (o["proof"] == nil) != later {
						return
					}
					if later && len(entries) < 4 {
						t.Errorf("the later page has %d entries", len(entries))
					}
					told = true
					o["entries"] = change(entries, o)
				})
			})
			_, err := v.History(within(t, time.Minute), bob, HistoryOptions{Limit: -1, page: 8})
			var lie *LieError
			if !told {
				t.Fatalf("%s: the liar was not asked", name)
			}
			if later && (name == "an end that is none" || name == "a beginning that is none") { // the later page is the last
				if err != nil {
					t.Errorf("the end that is one: %v", err)
				}
				continue
			}
			if !errors.As(err, &lie) || lie.Kind != LieHistory || lie.Source != p.servers[0].URL {
				t.Errorf("%s (later page: %v): %v", name, later, err)
				continue
			}
			got, err := v.History(within(t, time.Minute), bob, HistoryOptions{Limit: -1})
			if err != nil || !slices.Equal(got.Entries, newestFirst(log)) {
				t.Errorf("%s: the honest node was not asked: %v", name, err)
			}
		}
	}
}

// TestHistoryMutations changes pages in thousands of ways: every change of an entry, and of what holds the pages
// together, is refused. What is not refused is the truth all the same.
func TestHistoryMutations(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	p.payments(t, 1, 4, 2, 9, 3, 4)
	v := p.verified(t, VerifiedOptions{Options: Options{MinHeight: 2}})
	v.wait = 0
	read := func() (rpc.History, error) {
		return v.History(within(t, time.Minute), bob, HistoryOptions{Limit: -1, ProveTimes: true, page: 8})
	}
	truth, err := read()
	if err != nil {
		t.Fatal(err)
	}
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	m := &mutator{rnd: rand.New(rand.NewPCG(*mutationSeed, 9))}
	later := false
	p.lies(0, func(path string, body []byte) []byte {
		if isTrust(path) {
			return body
		}
		return edit(body, func(o object) {
			if entries, _ := o["entries"].([]any); (o["proof"] == nil) == later {
				o["entries"] = m.history(entries, o)
			}
		})
	})
	kinds := map[LieKind]int{}
	refused, harmless := 0, 0
	for i := range rounds {
		later = m.rnd.IntN(2) == 0
		got, err := read()
		var lie *LieError
		switch {
		case errors.As(err, &lie):
			kinds[lie.Kind]++
			refused++
		case err != nil:
			refused++ // the answer was of no use
		case !reflect.DeepEqual(got, truth):
			t.Fatalf("seed %d: mutation %d (%s, later page: %v): believed what is not true", *mutationSeed, i, m.last, later)
		default:
			harmless++
		}
	}
	t.Logf("seed %d: %d changed pages refused (%v), %d changes without effect, 0 accepted", *mutationSeed, refused, kinds, harmless)
	if refused < rounds*17/20 || kinds[LieHistory] < rounds/2 {
		t.Errorf("only %d of %d were refused, %d as lies about the history", refused, rounds, kinds[LieHistory])
	}
}

// history changes one thing on a page.
func (m *mutator) history(entries []any, o object) []any {
	r := m.rnd
	i, k := r.IntN(len(entries)), r.IntN(len(entries))
	e := entries[i].(object)
	switch kind := r.IntN(8); kind {
	case 0:
		m.last = "left out"
		return slices.Delete(slices.Clone(entries), i, i+1)
	case 1:
		m.last = "inserted"
		return slices.Insert(slices.Clone(entries), k, any(e))
	case 2:
		m.last = "moved"
		out := slices.Delete(slices.Clone(entries), i, i+1)
		return slices.Insert(out, min(k, len(out)), any(e))
	case 3:
		m.last = "cut off"
		return entries[:i]
	case 4, 5, 6:
		m.field(e)
	default:
		names := []string{"log_head_before", "next_before", "log_count", "log_head", "height", "address"}
		name := names[r.IntN(len(names))]
		m.last = name
		switch v := o[name].(type) {
		case string:
			o[name] = strings.Map(func(c rune) rune { return c ^ 1 }, v[:1]) + v[1:]
		case json.Number:
			o[name] = json.Number(v.String() + "1")
		default:
			o[name] = 7
		}
	}
	return entries
}
