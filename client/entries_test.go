package client

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

const (
	manyEntries   = 23 // in alice's namespace
	entriesAtOnce = 5  // in a page of these tests
)

var entriesPath = rpc.PathEntries + "/" + rpctest.Address("alice").String()

// writeEntries gives alice's namespace entries, deletes some and changes others, and gives bob one of the same
// path.
func writeEntries(t testing.TB, p *proving) {
	t.Helper()
	write := func(who string, change func(*Draft)) {
		d := NewTx(p.ChainID, p.Genesis, rpctest.Address(who)).ValidUntilMS(p.blockTimeMS(t) + 60_000)
		change(d)
		tx, err := d.Sign(crypto.DevKey(who))
		if err != nil {
			t.Fatal(err)
		}
		p.submit(t, tx)
	}
	write("alice", func(d *Draft) {
		for i := range manyEntries + 4 {
			d.Put(fmt.Sprintf("list/%02d", i), fmt.Appendf(nil, "old %d", i))
		}
	})
	write("alice", func(d *Draft) {
		for i := range 6 {
			d.Put(fmt.Sprintf("list/%02d", 3*i), nil)
		}
		d.Put("config/a", []byte("1")).Put("zone", []byte{0, 255}).Put("list/05", []byte("new"))
	})
	write("bob", func(d *Draft) { d.Put("list/05", []byte("bob's")) })
	p.Seal()
}

func pathsOf(list []rpc.EntryData) (paths []string) {
	for _, e := range list {
		paths = append(paths, e.Path)
	}
	return paths
}

// TestEntries: an honest node's list is whole, page by page, proven or told, with and without a prefix.
func TestEntries(t *testing.T) {
	p := newProving(t, 2, fourValidators)
	writeEntries(t, p)
	v := p.verified(t, VerifiedOptions{})
	alice := rpctest.Address("alice").String()
	for _, limit := range []int{1, entriesAtOnce, manyEntries - 1, manyEntries, manyEntries + 1, rpc.EntriesPageMax} {
		all, err := v.entries(within(t, time.Minute), alice, "", limit, ReadOptions{})
		if err != nil || !all.Verified || len(all.Entries) != manyEntries || all.Count != manyEntries || !slices.IsSorted(pathsOf(all.Entries)) {
			t.Fatalf("pages of %d: %+v, %v", limit, all, err)
		}
		if e := all.Entries[slices.Index(pathsOf(all.Entries), "list/05")]; string(e.Value) != "new" || *e.Text != "new" || e.Version == 0 {
			t.Errorf("pages of %d: %+v", limit, e)
		}
	}
	for prefix, want := range map[string]int{"": manyEntries, "list/": manyEntries - 2, "list/1": 8, "config/": 1, "zone": 1, "zones": 0, "x": 0} {
		told, err := p.client(t, Options{}).Entries(within(t, time.Minute), alice, prefix, ReadOptions{})
		if err != nil || told.Verified || len(told.Entries) != want || told.Next != "" {
			t.Errorf("told under %q: %+v, %v", prefix, told, err)
		}
		proved, err := v.Entries(within(t, time.Minute), alice, prefix, ReadOptions{Height: told.Height - 1})
		if err != nil || !proved.Verified || proved.Prefix != prefix || !reflect.DeepEqual(pathsOf(proved.Entries), pathsOf(told.Entries)) {
			t.Errorf("proven under %q: %+v, %v", prefix, proved, err)
		}
	}
	old, err := v.Entries(within(t, time.Minute), alice, "", ReadOptions{Height: 1})
	if err != nil || len(old.Entries) != manyEntries+4 || old.Height != 1 || *old.Entries[5].Text != "old 5" {
		t.Errorf("at height 1: %+v, %v", old, err)
	}
	none, err := v.Entries(within(t, time.Minute), rpctest.Address("nobody").String(), "", ReadOptions{})
	if err != nil || !none.Verified || len(none.Entries) != 0 || none.Count != 0 {
		t.Errorf("an empty namespace: %+v, %v", none, err)
	}
	if _, err := v.Entries(within(t, time.Minute), alice, strings.Repeat("x", ledger.EntryPathMax+1), ReadOptions{}); err == nil {
		t.Error("a prefix longer than any path was asked for")
	}
}

// TestEntriesRestart: where nodes give up the height of a list's first page before its last, the list is read
// again from its beginning; where the caller chose the height, that is the answer.
func TestEntriesRestart(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	writeEntries(t, p)
	api, pages := p.apis[0], 0
	p.servers[0].fails(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == entriesPath {
			if pages++; pages == 3 {
				p.Seal()
				p.servers[0].node.KeepFrom(p.Height() - 1)
			}
		}
		api.ServeHTTP(w, r)
	})
	v := p.verified(t, VerifiedOptions{})
	alice := rpctest.Address("alice").String()
	first := p.Height() - 1
	all, err := v.entries(within(t, time.Minute), alice, "", entriesAtOnce, ReadOptions{})
	if err != nil || len(all.Entries) != manyEntries || all.Height <= first {
		t.Fatalf("%d entries at %d, %v", len(all.Entries), all.Height, err)
	}
	var refused *rpc.Error
	if _, err = v.entries(within(t, time.Minute), alice, "", entriesAtOnce, ReadOptions{Height: first}); !errors.As(err, &refused) || ledger.Code(refused.Code) != ledger.CodePruned {
		t.Errorf("a height that is gone: %v", err)
	}
}

// onPage makes a liar that changes the n-th page of a list, counted from 0.
func onPage(n int, change func(p *proving, o object)) func(*proving) func(string, []byte) []byte {
	return func(p *proving) func(string, []byte) []byte {
		seen := 0
		return func(path string, body []byte) []byte {
			if path != entriesPath {
				return body
			}
			if seen++; seen != n+1 {
				return body
			}
			return edit(body, func(o object) { change(p, o) })
		}
	}
}

// foreign gives an honest answer's page.
func foreign(p *proving, path string) object {
	var o object
	if err := json.Unmarshal(p.get(path), &o); err != nil || len(items(o)) == 0 {
		panic(fmt.Sprint(path, o, err))
	}
	return o
}

func listed(o object) []any { return o["entries"].([]any) }

func setItems(o object, list []any) { o["proof"].(object)["items"] = list }

// dropEntry takes an element out of a page and out of its proof, as if it had never been.
func dropEntry(o object, i int) {
	o["entries"] = slices.Delete(listed(o), i, i+1)
	setItems(o, slices.Delete(items(o), i+1, i+2)) // the count comes first
}

// doubleEntry puts an element in the place of another, in a page and in its proof.
func doubleEntry(o object, from, to int) {
	listed(o)[to], items(o)[to+1] = listed(o)[from], items(o)[from+1]
}

// foreignEntry puts another namespace's element in the place of one.
func foreignEntry(p *proving, o object, i int) {
	f := foreign(p, rpc.PathEntries+"/"+rpctest.Address("bob").String()+"?proof=true")
	listed(o)[i], items(o)[i+1] = listed(f)[0], items(f)[1]
}

var listLiars = []struct {
	name string
	kind LieKind
	tell func(*proving) func(string, []byte) []byte
}{
	{"an element left out of the last page", LieMissing, onPage(4, func(_ *proving, o object) { dropEntry(o, 1) })},
	{"an element left out of a page between", LieMissing, onPage(2, func(_ *proving, o object) { dropEntry(o, 4) })},
	{"an element left out of the answer alone", LieMissing, onPage(1, func(_ *proving, o object) { o["entries"] = listed(o)[1:] })},
	{"an element left out of the proof alone", LieUnproven, onPage(1, func(_ *proving, o object) { setItems(o, slices.Delete(items(o), 2, 3)) })},
	{"the count left out", LieKey, onPage(1, func(_ *proving, o object) { setItems(o, items(o)[1:]) })},
	{"a smaller count", LieValue, onPage(0, func(_ *proving, o object) { o["count"] = manyEntries - 1 })},
	{"a smaller count in its leaf", LieValue, onPage(0, func(_ *proving, o object) {
		n := ledger.Namespace{Entries: manyEntries - 1}
		item(o, 0)["value"] = base64.StdEncoding.EncodeToString(n.Append(nil))
	})},
	{"an element twice in a page", LieDoubled, onPage(1, func(_ *proving, o object) { doubleEntry(o, 1, 3) })},
	{"an element twice in the answer alone", LieDoubled, onPage(1, func(_ *proving, o object) { listed(o)[3] = listed(o)[1] })},
	{"an element of the page before", LieDoubled, onPage(2, func(p *proving, o object) {
		f := foreign(p, entriesPath+"?proof=true&limit=1")
		listed(o)[2], items(o)[3] = listed(f)[0], items(f)[1]
	})},
	{"another namespace's element", LieForeign, onPage(1, func(p *proving, o object) { foreignEntry(p, o, 2) })},
	{"another namespace's element under the right key", LieKey, onPage(1, func(p *proving, o object) {
		f := foreign(p, rpc.PathEntries+"/"+rpctest.Address("bob").String()+"?proof=true")
		item(o, 2)["value"], item(o, 2)["ics23"] = item(f, 1)["value"], item(f, 1)["ics23"]
	})},
	{"something that is no entry", LieForeign, onPage(1, func(p *proving, o object) {
		setItems(o, append(items(o), items(foreign(p, "/v1/params?proof=true"))...))
	})},
	{"an entry that is not there", LieForeign, onPage(1, func(p *proving, o object) {
		var absent object
		if err := json.Unmarshal(p.get(entriesPath+"/zzz?proof=true"), &absent); err != nil {
			panic(err)
		}
		items(o)[3] = item(absent, 0)
	})},
	{"another namespace's list", LieKey, onPage(0, func(p *proving, o object) {
		f := foreign(p, rpc.PathEntries+"/"+rpctest.Address("bob").String()+"?proof=true")
		for name := range o {
			o[name] = f[name]
		}
	})},
	{"a page of another height", LieHeight, onPage(1, func(p *proving, o object) {
		f := foreign(p, entriesPath+"?proof=true&height=1&limit=5&after=list/05")
		for name := range o {
			o[name] = f[name]
		}
	})},
	{"an element of another height", LieProof, onPage(0, func(p *proving, o object) {
		f := foreign(p, entriesPath+"/list/05?proof=true&height=1")
		i := slices.IndexFunc(items(o), func(i any) bool { return i.(object)["key"] == item(f, 0)["key"] })
		if i < 0 {
			panic("list/05 is not on this page")
		}
		items(o)[i] = item(f, 0)
	})},
	{"a list that ends early", LieMissing, onPage(2, func(_ *proving, o object) { delete(o, "next") })},
	{"a cursor that skips elements", LieMissing, onPage(2, func(_ *proving, o object) { o["next"] = "list/24" })},
	{"a cursor that goes back", LieShape, onPage(2, func(_ *proving, o object) { o["next"] = "config/a" })},
	{"an empty page that goes on where it began", LieShape, onPage(2, func(_ *proving, o object) {
		setItems(o, items(o)[:1])
		o["entries"], o["next"] = []any{}, "list/10"
	})},
	{"a changed value", LieValue, onPage(1, func(_ *proving, o object) { listed(o)[1].(object)["version"] = 99 })},
	{"a page without a proof", LieUnproven, onPage(1, func(_ *proving, o object) { delete(o, "proof") })},
	{"more than was asked for", LieShape, onPage(0, func(p *proving, o object) {
		f := foreign(p, entriesPath+"?proof=true&limit=6")
		for name := range o {
			o[name] = f[name]
		}
	})},
}

// TestListLies: whatever a node does to a list is found by the check that is there for it.
func TestListLies(t *testing.T) {
	p := newProving(t, 2, fourValidators)
	writeEntries(t, p)
	alice := rpctest.Address("alice").String()
	for _, l := range listLiars {
		t.Run(l.name, func(t *testing.T) {
			v := p.verified(t, VerifiedOptions{Options: Options{Endpoints: []string{p.servers[0].URL}, MinHeight: 2}})
			v.wait = 100 * time.Millisecond
			p.lies(0, l.tell(p))
			_, err := v.entries(within(t, time.Minute), alice, "", entriesAtOnce, ReadOptions{})
			var lie *LieError
			if !errors.As(err, &lie) || lie.Kind != l.kind || lie.Source != p.servers[0].URL {
				t.Fatalf("want a lie of the kind %s, got %v", l.kind, err)
			}
			honest := p.verified(t, VerifiedOptions{Options: Options{Endpoints: []string{p.servers[1].URL}}})
			if all, err := honest.entries(within(t, time.Minute), alice, "", entriesAtOnce, ReadOptions{}); err != nil || len(all.Entries) != manyEntries {
				t.Fatalf("the honest node: %d entries, %v", len(all.Entries), err)
			}
		})
	}
}

// listMutations is how many lies TestListMutations tells.
const listMutations = 2000

// TestListMutations is TestMutations for lists of several pages: one page is changed in one of thousands of
// ways, either somewhere in its bytes or by what a liar would do to a list on purpose. Whatever is not refused is
// the whole list all the same.
func TestListMutations(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	p.populate(t)
	writeEntries(t, p)
	rnd := rand.New(rand.NewPCG(*mutationSeed, 2))
	m := &listMutator{mutator: mutator{rnd: rnd, pool: newPool(t, p)}, p: p}
	p.remember(0, m.change)
	alice := rpctest.Address("alice").String()
	read := func(v *Verified) (rpc.Entries, error) {
		return v.entries(within(t, time.Minute), alice, "", entriesAtOnce, ReadOptions{})
	}
	truth, err := read(p.verified(t, VerifiedOptions{}))
	if err != nil || len(truth.Entries) != manyEntries+1 {
		t.Fatalf("%d entries, %v", len(truth.Entries), err)
	}
	kinds := map[LieKind]int{}
	refused, harmless, other := 0, 0, 0
	for i := range listMutations {
		m.on, m.page, m.onPurpose = true, rnd.IntN(5), rnd.IntN(2) == 0
		v := p.verified(t, VerifiedOptions{Options: Options{MinHeight: 2}})
		v.wait = 0
		got, err := read(v)
		var lie *LieError
		switch {
		case errors.As(err, &lie):
			kinds[lie.Kind]++
			refused++
		case err != nil:
			other++
		case !reflect.DeepEqual(got, truth):
			t.Fatalf("seed %d: mutation %d (%s): believed %+v", *mutationSeed, i, m.last, got)
		default:
			harmless++
		}
	}
	t.Logf("seed %d: %d lies refused (%v), %d answers unusable, %d changes without effect, 0 accepted", *mutationSeed, refused, kinds, other, harmless)
	for _, kind := range []LieKind{LieValue, LieKey, LieHeight, LieProof, LieMissing, LieDoubled, LieForeign, LieUnproven, LieShape} {
		if kinds[kind] == 0 {
			t.Errorf("no mutation was refused as %s", kind)
		}
	}
	if refused < listMutations*3/4 {
		t.Errorf("only %d of %d mutations were refused as lies", refused, listMutations)
	}
}

// remember is lies for a node whose state does not change: what it once answered it answers again.
func (p *proving) remember(node int, change func(path string, body []byte) []byte) {
	api, said := p.apis[node], map[string]*httptest.ResponseRecorder{}
	var mu sync.Mutex
	p.servers[node].fails(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		honest := said[r.URL.String()]
		if honest == nil {
			honest = httptest.NewRecorder()
			api.ServeHTTP(honest, r)
			said[r.URL.String()] = honest
		}
		w.WriteHeader(honest.Code)
		w.Write(change(r.URL.Path, honest.Body.Bytes()))
	})
}

// listMutator changes one page of a list.
type listMutator struct {
	mutator
	p         *proving
	page      int // pages still to let pass
	onPurpose bool
}

func (m *listMutator) change(path string, body []byte) []byte {
	if path != entriesPath || !m.on {
		return body
	}
	if m.page--; m.page >= 0 {
		return body
	}
	m.on = false
	if m.onPurpose {
		return edit(body, m.lie)
	}
	return edit(body, m.answer)
}

// lie does to a page what somebody would do who wants it to be believed.
func (m *listMutator) lie(o object) {
	n := len(listed(o))
	i, kind := m.rnd.IntN(n), m.rnd.IntN(9)
	m.last = fmt.Sprint("list ", kind)
	switch kind {
	case 0:
		dropEntry(o, i)
	case 1:
		dropEntry(o, i)
		delete(o, "next")
	case 2:
		doubleEntry(o, i, (i+1)%n)
	case 3:
		foreignEntry(m.p, o, i)
	case 4:
		delete(o, "next")
		dropEntry(o, n-1)
	case 5:
		o["next"] = fmt.Sprintf("list/%02d", 18+m.rnd.IntN(9))
		dropEntry(o, i)
	case 6:
		from, height := fmt.Sprintf("list/%02d", m.rnd.IntN(20)), 3+m.rnd.IntN(2)
		f := foreign(m.p, fmt.Sprintf("%s?proof=true&limit=5&after=%s&height=%d", entriesPath, from, height))
		for name := range o {
			o[name] = f[name]
		}
	case 7:
		f := foreign(m.p, fmt.Sprintf("%s?proof=true&limit=5&after=list/%02d", entriesPath, m.rnd.IntN(20)))
		j := m.rnd.IntN(len(listed(f)))
		listed(o)[i], items(o)[i+1] = listed(f)[j], items(f)[j+1]
	default:
		key, _ := hex.DecodeString(item(o, i+1)["key"].(string))
		key[len(key)-1] ^= 1
		item(o, i+1)["key"] = hex.EncodeToString(key)
		listed(o)[i].(object)["path"] = string(key[33:])
	}
}

// TestListBounds: a namespace with more entries than are read at once is refused, not cut.
func TestListBounds(t *testing.T) {
	page := func(n int, count uint64, next string) rpc.Entries {
		return rpc.Entries{Count: count, Entries: make([]rpc.EntryData, n), Next: next, Height: 7}
	}
	read := func(count uint64) (rpc.Entries, error) {
		left := int(count)
		return gather("", ReadOptions{}, func(p EntriesOptions, _ ReadOptions) (rpc.Entries, error) {
			n := min(left, p.Limit)
			if left -= n; left > 0 {
				return page(n, count, p.After+"x"), nil
			}
			return page(n, count, ""), nil
		})
	}
	if all, err := read(EntriesMax); err != nil || len(all.Entries) != EntriesMax {
		t.Errorf("%d entries, %v", len(all.Entries), err)
	}
	var many *EntriesTooManyError
	if _, err := read(EntriesMax + 1); !errors.As(err, &many) || many.Count != EntriesMax+1 {
		t.Errorf("one too many: %v", err)
	}
	pages := 0
	_, err := gather("x", ReadOptions{}, func(p EntriesOptions, _ ReadOptions) (rpc.Entries, error) {
		pages++
		return page(0, 1, p.After+"x"), nil
	})
	if !errors.Is(err, errEndless) || pages != entryPagesMax {
		t.Errorf("a list without end: %d pages, %v", pages, err)
	}
	if _, err := gather("x", ReadOptions{}, func(EntriesOptions, ReadOptions) (rpc.Entries, error) { return page(1, 1, "x"), nil }); !errors.Is(err, errEndless) {
		t.Errorf("a list that goes in a circle: %v", err)
	}
}

// TestEntryKinds: entries of every kind are proven, one by one and in a list, and say what was written.
func TestEntryKinds(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	write := func(change func(*Draft)) Signed {
		d := NewTx(p.ChainID, p.Genesis, rpctest.Address("alice")).ValidUntilMS(p.blockTimeMS(t) + 60_000)
		change(d)
		tx, err := d.Sign(crypto.DevKey("alice"))
		if err != nil {
			t.Fatal(err)
		}
		p.submit(t, tx)
		return tx
	}
	first := write(func(d *Draft) {
		d.Add("count", 7).Add("count", -9).SetAdd("set", []byte("b")).SetAdd("set", []byte("a")).SetAdd("set", []byte("b")).
			WriteLast("last", []byte("x"), 1).WriteMulti("multi", []byte("one")).WriteMulti("multi", []byte("two"))
	})
	seen, err := SeenTags(first.TxID.String()+"/2", first.TxID.String()+"/6")
	if err != nil {
		t.Fatal(err)
	}
	write(func(d *Draft) { d.SetRemove("set", seen[0]).WriteMulti("multi", []byte("three"), seen[1]) })
	p.Seal()
	v, alice := p.verified(t, VerifiedOptions{}), rpctest.Address("alice").String()
	all, err := v.Entries(within(t, time.Minute), alice, "", ReadOptions{})
	if err != nil || len(all.Entries) != 4 || !all.Verified {
		t.Fatalf("%+v, %v", all, err)
	}
	values := func(e rpc.EntryData) (text []string) {
		for _, v := range e.Values {
			text = append(text, *v.Text)
		}
		return text
	}
	for i, want := range []struct {
		path, kind string
		holds      func(e rpc.EntryData) bool
	}{
		{"count", "counter", func(e rpc.EntryData) bool { return e.Sum == "-2" }},
		{"last", "last", func(e rpc.EntryData) bool { return e.Depth == 1 && *e.Text == "x" && e.Tag == first.TxID.String()+"/5" }},
		{"multi", "multi", func(e rpc.EntryData) bool { return slices.Equal(values(e), []string{"three", "two"}) }},
		{"set", "set", func(e rpc.EntryData) bool {
			return slices.Equal(values(e), []string{"a", "b"}) && slices.Equal(e.Values[1].Tags, []string{first.TxID.String() + "/4"})
		}},
	} {
		one, err := v.Entry(within(t, time.Minute), alice, want.path, ReadOptions{})
		if e := all.Entries[i]; err != nil || e.Path != want.path || e.Kind != want.kind || e.Version != 0 || !want.holds(e) || !reflect.DeepEqual(one.EntryData, e) {
			t.Errorf("%s: %+v, %+v, %v", want.path, e, one, err)
		}
	}
	if _, err := SeenTags("x"); err == nil {
		t.Error("a tag that is none was taken")
	}
}
