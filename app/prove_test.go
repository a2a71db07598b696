package app

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ics23 "github.com/cosmos/ics23/go"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
)

// holds asks the stock library, with the stock spec, whether a proof shows a value, or absence if that is nil.
func holds(t testing.TB, root crypto.Hash, proof, key, value []byte) bool {
	t.Helper()
	var p ics23.CommitmentProof
	if err := p.Unmarshal(proof); err != nil {
		t.Fatalf("proof of %x: %v", key, err)
	}
	if value == nil {
		return ics23.VerifyNonMembership(ics23.SmtSpec, root[:], &p, key)
	}
	return ics23.VerifyMembership(ics23.SmtSpec, root[:], &p, key, value)
}

// mustHold is holds, and that the proof shows neither the contrary, nor another root's value, nor another key's.
func mustHold(t testing.TB, what string, root crypto.Hash, proof, key, value []byte) {
	t.Helper()
	if !holds(t, root, proof, key, value) {
		t.Fatalf("%s: ics23 refuses the proof of %x", what, key)
	}
	other := crypto.Sum(root[:])
	if holds(t, other, proof, key, value) || value != nil && holds(t, root, proof, append([]byte("x"), key...), value) {
		t.Fatalf("%s: the proof of %x shows more than it should", what, key)
	}
	contrary := []byte("a value")
	if value != nil {
		contrary = nil
	}
	if holds(t, root, proof, key, contrary) {
		t.Fatalf("%s: the proof of %x shows the contrary", what, key)
	}
}

// proves checks an answer of ProveQuery in full and returns it.
func (r *replica) proves(path string, height uint64) QueryResult {
	r.t.Helper()
	q := r.app.ProveQuery(path, height)
	if q.Code != 0 || len(q.Proofs) == 0 {
		r.t.Fatalf("%s at %d: %+v", path, height, q)
	}
	view, err := r.store.ViewAt(q.Height)
	if err != nil {
		r.t.Fatal(err)
	}
	defer view.Close()
	last := q.Proofs[len(q.Proofs)-1]
	leaf, err := view.Get(last.Key)
	if err != nil {
		r.t.Fatal(err)
	}
	mustHold(r.t, path, view.Root(), last.ICS23, last.Key, leaf)
	if len(q.Proofs) == 1 {
		if last.Key[0] != ledger.PrefixBucket && (!bytes.Equal(last.Key, q.Key) || !bytes.Equal(leaf, q.Value) || (leaf == nil) != (q.Value == nil)) {
			r.t.Fatalf("%s: %+v is not what the state holds", path, q)
		}
		return q
	}
	bucket, err := ledger.DecodeBucket(leaf)
	if err != nil || !bytes.Equal(q.Proofs[0].Key, q.Key) {
		r.t.Fatalf("%s: %+v %v", path, q, err)
	}
	mustHold(r.t, path, bucket.Root, q.Proofs[0].ICS23, q.Key, q.Value)
	return q
}

// empty makes blocks without transactions.
func (r *replica) empty(blocks int) {
	for range blocks {
		r.decide(nil)
	}
}

func TestProveQuery(t *testing.T) {
	r := newReplica(t)
	alice, bob := crypto.DevKey("alice").Public().Address(), crypto.DevKey("bob").Public().Address()
	pay := sign(txSpec{key: crypto.DevKey("alice"), to: bob, amount: 1250, nonce: 1})
	body := mustDecode(pay).Body
	body.Nonce = append([]byte{1}, body.Nonce[1:]...)
	body.Ops = []ledger.Op{{Kind: &ledger.Op_Put{Put: &ledger.Put{Path: "notes/first", Value: []byte("hello")}}}}
	r.submit(pay, signBody(body, crypto.DevKey("alice")))
	r.decide(r.prepare())
	r.empty(1)
	validator := crypto.ValidatorIDOf(crypto.KeyEd25519, testDoc.Validators[0].Key.Bytes)
	stranger := crypto.DevKey("stranger").Public().Address()
	none := crypto.Sum([]byte("no transaction")).String()

	for path, present := range map[string]bool{
		"/accounts/" + bob.String():                        true,
		"/v1/accounts/" + bob.String():                     true,
		"/accounts/" + stranger.String():                   false,
		"/accounts/" + bob.String() + "/balances/usd":      true,
		"/accounts/" + bob.String() + "/balances/none":     false,
		"/accounts/" + stranger.String() + "/balances/usd": false,
		"/assets/usd":  true,
		"/assets/none": false,
		"/entries/" + alice.String() + "/notes/first":  true,
		"/entries/" + alice.String() + "/notes/second": false,
		"/validators":                       true,
		"/validators/" + validator.String(): true,
		"/validators/" + crypto.ValidatorID(stranger).String(): false,
		"/params":                             true,
		"/transactions/" + idOf(pay).String(): true,
		"/transactions/" + fmt.Sprint(idOf(pay), "/", until(pay)): true,
		"/transactions/" + fmt.Sprint(none, "/", until(pay)):      false,
		"/transactions/" + fmt.Sprint(none, "/", until(pay)*2):    false, // there is no such bucket
	} {
		q := r.proves(path, 0)
		if q.Height != 1 || (q.Value != nil) != present || !present && q.Log == "" {
			t.Errorf("%s: %+v", path, q)
		}
	}
	for path, code := range map[string]ledger.Code{
		"/transactions/" + none:           ledger.CodeNotFound,
		"/transactions/12":                ledger.CodeBadRequest,
		"/transactions/" + none + "/soon": ledger.CodeBadRequest,
		"/accounts/bob":                   ledger.CodeBadRequest,
		"":                                ledger.CodeBadRequest,
	} {
		if q := r.app.ProveQuery(path, 0); q.Code != uint32(code) || q.Log == "" || q.Proofs != nil {
			t.Errorf("%s: %+v", path, q)
		}
	}
}

// TestProveEntryLists: a list is proven by the leaf that counts it, and by each entry of its pages, all different.
func TestProveEntryLists(t *testing.T) {
	r := newReplica(t)
	alice := crypto.DevKey("alice").Public().Address()
	body := mustDecode(sign(txSpec{key: crypto.DevKey("alice"), to: crypto.DevKey("bob").Public().Address(), amount: 1, nonce: 1})).Body
	body.Ops = nil
	for i := range 7 {
		body.Ops = append(body.Ops, ledger.Op{Kind: &ledger.Op_Put{Put: &ledger.Put{Path: fmt.Sprintf("n/%d", i), Value: []byte{1}}}})
	}
	r.submit(signBody(body, crypto.DevKey("alice")))
	r.decide(r.prepare())
	r.empty(1)
	view, err := r.store.ViewAt(1)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	path, seen := "/entries/"+alice.String(), map[string]bool{}
	for after, pages := "", 0; pages < 4; pages++ {
		q := r.app.ProveQuery(path+"?limit=3&after="+after, 1)
		n, err := ledger.DecodeNamespace(q.Value)
		if q.Code != 0 || err != nil || n.Entries != 7 || string(q.Proofs[0].Key) != string(ledger.KeyNamespace(alice)) || len(q.Proofs) > 4 {
			t.Fatalf("%+v, %v", q, err)
		}
		for _, p := range q.Proofs[1:] {
			leaf, err := view.Get(p.Key)
			if err != nil || leaf == nil {
				t.Fatalf("%x is not there: %v", p.Key, err)
			}
			mustHold(t, path, view.Root(), p.ICS23, p.Key, leaf)
			seen[string(p.Key)] = true
		}
		_, next, more := strings.Cut(q.Log, "goes on after ")
		if after = next; !more {
			break
		}
	}
	if len(seen) != 7 {
		t.Errorf("%d entries are proven, there are 7", len(seen))
	}
}

func until(raw []byte) uint64 { return mustDecode(raw).ValidUntilMS() }

// TestProvableHeights: what is provable lies below the newest height and within what is in memory.
func TestProvableHeights(t *testing.T) {
	r := newReplica(t)
	wantRefused := func(height uint64, code ledger.Code) {
		t.Helper()
		if q := r.app.ProveQuery("/params", height); q.Code != uint32(code) || q.Log == "" {
			t.Errorf("height %d: %+v, want %s", height, q, code)
		}
	}
	wantRefused(0, ledger.CodeUnavailable)
	if h := r.app.ProvableHeight(); h != 0 {
		t.Errorf("a ledger without a block proves height %d", h)
	}
	path := "/accounts/" + account(0).String() + "/balances/usd"
	const blocks = 40
	for n := range blocks {
		r.submit(transfer(0, n))
		r.decide(r.prepare())
	}
	if h := r.app.ProvableHeight(); h != blocks-1 {
		t.Errorf("newest provable height %d, want %d", h, blocks-1)
	}
	first := uint64(blocks - 32 + 1)
	for height := first; height < blocks; height++ {
		want := ledger.Amount{Lo: 100_000 - height}.Format(2) + " usd"
		if q := r.proves(path, height); q.Height != height || q.Log != want {
			t.Errorf("height %d: %+v, want %s", height, q, want)
		}
	}
	wantRefused(first-1, ledger.CodePruned)
	wantRefused(1, ledger.CodePruned)
	wantRefused(blocks, ledger.CodeFuture)
	wantRefused(blocks+1, ledger.CodeFuture)
	_, err := r.app.OpenProver(first - 1)
	if !errors.Is(err, store.ErrPruned{First: first}) {
		t.Errorf("below the window: %v", err)
	}
}

// TestProveRecords: at every height of the window the record of a transaction is there from its block on, while
// its bucket fills, when it has ended, and when it has moved to disk.
func TestProveRecords(t *testing.T) {
	r := newReplica(t)
	const blocks, ends = 12, 15_000 // the bucket ends at 20 s, height 20
	var ids []ledger.TxID
	for n := range blocks {
		tx := sign(txSpec{key: key(0), to: account(1), amount: 1, nonce: uint64(n), until: testBegin + ends})
		ids = append(ids, idOf(tx))
		r.submit(tx)
		r.decide(r.prepare())
	}
	check := func(newest uint64) {
		t.Helper()
		for height := uint64(1); height <= newest; height++ {
			for n, id := range ids {
				q := r.proves(fmt.Sprint("/transactions/", id, "/", testBegin+ends), height)
				if (q.Value != nil) != (height > uint64(n)) {
					t.Fatalf("transaction of block %d at height %d: %+v", n+1, height, q)
				}
			}
		}
	}
	check(blocks - 1)
	r.empty(11)
	check(blocks + 10)
	if r.store.Stats().BucketsKept != 0 {
		t.Fatal("the bucket is on disk already")
	}
	if err := r.store.FoldOnce(); err != nil {
		t.Fatal(err)
	}
	if r.store.Stats().BucketsKept != 1 {
		t.Fatal("the bucket is not on disk")
	}
	check(blocks + 10)
	if n := len(r.app.rebuilt.trees); n == 0 || n > rebuiltTreesMax || r.app.rebuilt.queue != 0 {
		t.Errorf("%d rebuilt trees, %d callers left", n, r.app.rebuilt.queue)
	}
	r.app.rebuilt.queue = rebuiltQueueMax
	q := r.app.ProveQuery(fmt.Sprint("/transactions/", ids[0], "/", testBegin+ends), 0)
	if q.Code != uint32(ledger.CodeRateLimited) {
		t.Errorf("too many callers: %+v", q)
	}
	for root := range 2 {
		r.app.rebuilt.drop(r.app.rebuilt.trees[0].root)
		if n := len(r.app.rebuilt.trees); n != 1-root {
			t.Errorf("%d rebuilt trees are left", n)
		}
	}
}

// BenchmarkProve makes one proof of a leaf, or of its absence, each time of another.
func BenchmarkProve(b *testing.B) {
	for _, accounts := range []int{100_000, 1_000_000} {
		if testing.Short() && accounts > 100_000 {
			continue
		}
		r := newReplica(b)
		keys := r.fill(accounts)
		p, err := r.app.OpenProver(0)
		if err != nil {
			b.Fatal(err)
		}
		for name, suffix := range map[string][]byte{"present": nil, "absent": {1}} {
			b.Run(fmt.Sprintf("%s/%d", name, accounts), func(b *testing.B) {
				b.ReportAllocs()
				size := 0
				for i := 0; b.Loop(); i++ {
					proof, err := p.Prove(append(keys[i%accounts][:33:33], suffix...))
					if err != nil {
						b.Fatal(err)
					}
					size = len(proof)
				}
				b.ReportMetric(float64(size), "proof-bytes")
			})
		}
		p.Close()
	}
}

// fill commits so many accounts, and a block after them, and returns the accounts' keys in no order.
func (r *replica) fill(accounts int) [][]byte {
	r.t.Helper()
	changes := make([]ledger.Change, accounts)
	keys := make([][]byte, accounts)
	for i := range changes {
		id := crypto.Sum(binary.BigEndian.AppendUint64(nil, uint64(i)))
		leaf := ledger.Account{Balances: []ledger.Balance{{Asset: usd(), Amount: ledger.Amount{Lo: uint64(i)}}}}
		keys[i] = ledger.KeyAccount(crypto.Address(id))
		changes[i] = ledger.Change{Key: keys[i], Value: leaf.Append(nil)}
	}
	sortChanges(changes)
	height := r.height()
	for _, part := range [][]ledger.Change{changes, nil} {
		height++
		pending, err := r.store.Stage(store.Record{Height: height, TimeMS: at(height), Changes: part})
		if err == nil {
			err = r.store.Commit(pending)
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	return keys
}

// BenchmarkRebuild rebuilds the tree of a bucket that is as full as it can be.
func BenchmarkRebuild(b *testing.B) {
	r := newReplica(b)
	const records, bucket = 300_000, testBegin / 10_000
	changes := make([]ledger.Change, records)
	for i := range changes {
		id := crypto.Sum(binary.BigEndian.AppendUint64(nil, uint64(i)))
		record := ledger.Record{Height: 1, Index: uint32(i)}
		changes[i] = ledger.Change{Key: ledger.KeyRecord(bucket, id), Value: record.Append(nil)}
	}
	sortChanges(changes)
	pending, err := r.store.Stage(store.Record{Height: 1, TimeMS: at(1), Changes: changes})
	if err == nil {
		err = r.store.Commit(pending)
	}
	if err != nil {
		b.Fatal(err)
	}
	view := r.app.View()
	defer view.Close()
	encoded, err := view.Get(ledger.KeyBucket(bucket))
	if err != nil {
		b.Fatal(err)
	}
	leaf, err := ledger.DecodeBucket(encoded)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		tree, err := view.RebuildReplayTree(bucket, leaf)
		if err != nil {
			b.Fatal(err)
		}
		tree.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*records), "ns/record")
}

func sortChanges(changes []ledger.Change) {
	slices.SortFunc(changes, func(a, b ledger.Change) int { return bytes.Compare(a.Key, b.Key) })
}

// TestProveBesideCommits: readers prove while blocks are committed; every proof holds under the root of the
// height that its answer names.
func TestProveBesideCommits(t *testing.T) {
	r := newReplica(t, func(o *Options) { o.NoSpeculation = true })
	const blocks = 60
	tx := transfer(0, 0)
	r.submit(tx)
	r.decide(r.prepare())
	r.empty(1)
	var roots [blocks + 3]atomic.Pointer[crypto.Hash]
	publish := func() {
		view := r.app.View()
		defer view.Close()
		root := view.Root()
		roots[view.Height()].Store(&root)
	}
	publish()
	var readers sync.WaitGroup
	var stop atomic.Bool
	paths := []string{
		"/accounts/" + account(0).String(), "/assets/none", "/transactions/" + idOf(tx).String(),
		fmt.Sprint("/transactions/", crypto.Sum([]byte("none")), "/", until(tx)),
	}
	checked := make([]int, len(paths))
	for i, path := range paths {
		readers.Go(func() {
			for !stop.Load() {
				q := r.app.ProveQuery(path, 0)
				if q.Code != 0 {
					t.Errorf("%s: %+v", path, q)
					return
				}
				root := roots[q.Height].Load()
				if root == nil {
					continue // the test has not said yet what it should be
				}
				last := q.Proofs[len(q.Proofs)-1]
				var p ics23.CommitmentProof
				if err := p.Unmarshal(last.ICS23); err != nil {
					t.Error(err)
					return
				}
				if exist := p.GetExist(); exist != nil && !ics23.VerifyMembership(ics23.SmtSpec, root[:], &p, last.Key, exist.Value) ||
					exist == nil && !ics23.VerifyNonMembership(ics23.SmtSpec, root[:], &p, last.Key) {
					t.Errorf("%s at %d: the proof does not hold", path, q.Height)
					return
				}
				checked[i]++
			}
		})
	}
	for n := range blocks {
		r.submit(transfer(0, n+1))
		r.decide(r.prepare())
		publish()
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	readers.Wait()
	for i, path := range paths {
		if checked[i] == 0 {
			t.Errorf("%s: nothing was checked", path)
		}
	}
}
