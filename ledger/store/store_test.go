package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
)

// wantError fails unless err says what it should.
func wantError(t *testing.T, err error, sentence string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), sentence) {
		t.Errorf("got error %v, want one with %q", err, sentence)
	}
}

// wantPanic fails unless fn panics with the words.
func wantPanic(t *testing.T, words string, fn func()) {
	t.Helper()
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), words) {
			t.Errorf("got panic %v, want one with %q", r, words)
		}
	}()
	fn()
}

func TestOptions(t *testing.T) {
	_, err := Open(Options{KeepVersions: 1, DiskFreeMin: 1, DiskStopMin: 2, MemTableBytes: memTableBytesMin - 1})
	for _, sentence := range []string{"directory", "keep versions is 1", "free disk", "memtable"} {
		wantError(t, err, sentence)
	}
	_, err = Open(Options{Dir: t.TempDir(), InMemory: true})
	wantError(t, err, "either a directory or is in memory")
	if err := (Options{InMemory: true, KeepVersions: 2, MemTableBytes: memTableBytesMin}).validate(); err != nil {
		t.Errorf("the smallest options: %v", err)
	}
}

func TestEmptyStore(t *testing.T) {
	s := openStore(t, Options{InMemory: true})
	if head, ok := s.Head(); ok {
		t.Errorf("an empty store has head %v", head)
	}
	v := s.View()
	defer v.Close()
	if value, err := v.Get([]byte("a")); value != nil || err != nil || v.Height() != 0 || !v.Root().IsZero() {
		t.Errorf("an empty store has a: %x (%v) at %d", value, err, v.Height())
	}
	if _, err := s.ViewAt(1); !errors.Is(err, ErrFuture{Head: 0}) {
		t.Errorf("view at 1 of an empty store: %v", err)
	}
	if _, err := s.Receipts(1); !errors.Is(err, ErrFuture{Head: 0}) {
		t.Errorf("receipts at 1 of an empty store: %v", err)
	}
	if receipts, err := s.Receipts(0); len(receipts) > 0 || err != nil {
		t.Errorf("receipts of an empty store: %v (%v)", receipts, err)
	}
	if s.DiskLow() {
		t.Error("memory has a low disk")
	}
	if err := s.FoldOnce(); err != nil {
		t.Errorf("background work in an empty store: %v", err)
	}
	wantPanic(t, "before Init", func() { _, _ = s.Stage(Record{Height: 1}) })
}

// TestInit: genesis can be set again and again until the first commit, leaves nothing behind before it, and
// never after it.
func TestInit(t *testing.T) {
	m := newModel(9, 3, 0)
	o := testOptions(t.TempDir())
	s := openStore(t, o)
	other := ledger.Outcome{Changes: []ledger.Change{{Key: []byte("a"), Value: []byte("b")}}}
	if _, err := s.Init(modelGenesis, other, 1); err != nil {
		t.Fatal(err)
	}
	stale, err := s.Stage(Record{Height: 1, TimeMS: 2})
	if err != nil {
		t.Fatal(err)
	}
	m.initStore(t, s)
	m.initStore(t, s)
	wantPanic(t, "staged on another state", func() { _ = s.Commit(stale) })
	s.Discard(stale)
	_, err = s.Init(crypto.Hash{1}, other, 1)
	wantError(t, err, "opened for genesis")
	v := s.View()
	if v.Height() != 0 || v.Root() != m.roots[0] || v.TimeMS() != m.records[0].TimeMS {
		t.Errorf("the genesis state is at %d with root %s", v.Height(), v.Root())
	}
	v.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = openStore(t, o)
	if head, ok := s.Head(); ok {
		t.Fatalf("genesis alone left head %v", head)
	}
	m.initStore(t, s)
	commitRecord(t, s, m.records[1])
	_, err = s.Init(modelGenesis, m.genesis, 1)
	wantError(t, err, "holds height 1 already")
	m.check(t, s, 1, nil)

	replay := ledger.Outcome{Changes: []ledger.Change{{Key: ledger.KeyRecord(1, crypto.Hash{1}), Value: []byte{1}}}}
	_, err = openStore(t, Options{InMemory: true}).Init(modelGenesis, replay, 1)
	wantError(t, err, "no replay records")
	params := ledger.Outcome{Changes: []ledger.Change{{Key: ledger.KeyParams(), Value: []byte{1, 2}}}}
	_, err = openStore(t, Options{InMemory: true}).Init(modelGenesis, params, 1)
	wantError(t, err, "params")
}

// TestInMemory runs the life of a store without a disk.
func TestInMemory(t *testing.T) {
	m := newModel(10, 80, 40)
	o := testOptions("")
	o.InMemory = true
	s := openStore(t, o)
	if err := runChain(m, s, func(uint64, bool) {}); err != nil {
		t.Fatal(err)
	}
	m.check(t, s, m.height(), rand.New(rand.NewPCG(1, 1)))
}

func TestKeepAll(t *testing.T) {
	m := newModel(11, 60, 0)
	o := testOptions(t.TempDir())
	o.KeepHeights = KeepAll
	s := openStore(t, o)
	if err := runChain(m, s, func(uint64, bool) {}); err != nil {
		t.Fatal(err)
	}
	if first := s.Stats().First; first != 0 {
		t.Errorf("the first readable height is %d", first)
	}
	m.check(t, s, m.height(), nil)
}

// TestFirstHeight: a chain may begin at any height.
func TestFirstHeight(t *testing.T) {
	o := testOptions(t.TempDir())
	s := openStore(t, o)
	out := ledger.Outcome{Changes: []ledger.Change{{Key: []byte("a"), Value: []byte("genesis")}}}
	if _, err := s.Init(modelGenesis, out, 1); err != nil {
		t.Fatal(err)
	}
	for h := uint64(1000); h < 1080; h++ {
		value := fmt.Append(nil, h)
		commitRecord(t, s, Record{Height: h, TimeMS: h, Changes: []ledger.Change{{Key: []byte("b"), Value: value}}})
		if h%20 == 0 {
			if err := s.FoldOnce(); err != nil {
				t.Fatal(err)
			}
		}
		if h%7 == 0 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openStore(t, o)
		}
		for _, at := range []uint64{h, h - min(h-1000, 9)} {
			v, err := s.ViewAt(at)
			if err != nil {
				t.Fatalf("view at %d of %d: %v", at, h, err)
			}
			a, errA := v.Get([]byte("a"))
			b, errB := v.Get([]byte("b"))
			if string(a) != "genesis" || string(b) != fmt.Sprint(at) || errA != nil || errB != nil {
				t.Fatalf("at %d of %d: %q %v, %q %v", at, h, a, errA, b, errB)
			}
			v.Close()
		}
	}
	if s.Stats().First == 0 {
		t.Error("genesis is still readable")
	}
}

// TestRefusals: a directory that is in use, of another chain or of another format is not touched.
func TestRefusals(t *testing.T) {
	m := newModel(12, 3, 0)
	o := testOptions(t.TempDir())
	s := openStore(t, o)
	if err := runChain(m, s, func(uint64, bool) {}); err != nil {
		t.Fatal(err)
	}
	_, err := Open(o)
	wantError(t, err, "in use by another process")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	other := o
	other.Genesis = crypto.Hash{8}
	_, err = Open(other)
	wantError(t, err, "belongs to the chain of genesis "+modelGenesis.String())
	m.check(t, openStore(t, o), 3, nil)
}

// TestEmptyLogs: a process killed while Badger makes a log leaves one without a byte.
func TestEmptyLogs(t *testing.T) {
	m := newModel(12, 6, 0)
	o := testOptions(t.TempDir())
	for h := uint64(1); h <= m.height(); h++ {
		s := openStore(t, o)
		if h == 1 {
			m.initStore(t, s)
		}
		commitRecord(t, s, m.records[h])
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"00099.mem", "000099.vlog"} {
			if err := os.WriteFile(filepath.Join(o.Dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	m.check(t, openStore(t, o), m.height(), nil)
}

// TestDamagedState changes what is on disk behind the store's back.
func TestDamagedState(t *testing.T) {
	for _, c := range []struct {
		name     string
		sentence string
		damage   func(t *testing.T, s *Store, m *model)
	}{
		{"format", "it has format 9, this program knows formats up to 2", func(t *testing.T, s *Store, m *model) {
			e := headEntry{Head: Head{Height: 4, Format: 9}}
			put(t, s, headKey(4), e.encode())
		}},
		{"root", "the state at height 4 has root " + crypto.Hash{}.String(), nil},
		{"gap", "head 4 is missing, although there is a head 5", func(t *testing.T, s *Store, m *model) {
			put(t, s, headKey(5), headEntry{Head: Head{Height: 5, Format: Format}}.encode())
		}},
		{"short head", "a head of 3 bytes", func(t *testing.T, s *Store, m *model) { put(t, s, headKey(4), []byte{1, 2, 3}) }},
		{"record", "read change record 3", func(t *testing.T, s *Store, m *model) {
			if err := s.dropAll("test", dropTime, [][]byte{recordKey(3, m.roots[3], sectionState, 0)}); err != nil {
				t.Fatal(err)
			}
		}},
		{"mark", "no fold mark", func(t *testing.T, s *Store, m *model) {
			if err := s.dropAll("test", dropTime, [][]byte{markKey(0)}); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newModel(12, 3, 0)
			o := testOptions(t.TempDir())
			s := openStore(t, o)
			if err := runChain(m, s, func(uint64, bool) {}); err != nil {
				t.Fatal(err)
			}
			if c.damage != nil {
				c.damage(t, s, m)
			} else { // a head with a root that its empty record does not lead to
				e := headEntry{Head: Head{Height: 4, Format: Format, Genesis: modelGenesis, Root: crypto.Hash{1}}}
				put(t, s, headKey(4), e.encode())
				c.sentence = fmt.Sprintf("has root %s, its head says %s", m.roots[3], e.Root)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			_, err := Open(o)
			wantError(t, err, c.sentence)
		})
	}
}

func put(t *testing.T, s *Store, key, value []byte) {
	t.Helper()
	if err := s.commitOne("test", putTime, []*badger.Entry{badger.NewEntry(key, value)}); err != nil {
		t.Fatal(err)
	}
}

// TestMisuse: what no correct caller does ends the process rather than give this replica a state of its own.
func TestMisuse(t *testing.T) {
	m := newModel(13, 8, 0)
	s := openStore(t, Options{InMemory: true, FoldInterval: -1})
	m.initStore(t, s)
	commitRecord(t, s, m.records[1])
	change := func(key string, value []byte) ledger.Change { return ledger.Change{Key: []byte(key), Value: value} }
	at := func(height uint64, changes ...ledger.Change) Record {
		return Record{Height: height, TimeMS: modelStart + 5000, Changes: changes}
	}
	id := crypto.Hash{1}
	record := ledger.Record{Height: 2}.Append(nil)
	for _, c := range []struct {
		words string
		r     Record
	}{
		{"stage height 1 on height 1", at(1)},
		{"stage height 3 on height 1", at(3)},
		{"not in key order", at(2, change("b", []byte{1}), change("a", []byte{1}))},
		{"not in key order", at(2, change("a", []byte{1}), change("a", []byte{2}))},
		{"empty key or value", at(2, change("", []byte{1}))},
		{"empty key or value", at(2, change("a", []byte{}))},
		{"value of 524289 bytes", at(2, change("a", make([]byte, valueBytesMax+1)))},
		{"key of 1025", at(2, change(strings.Repeat("a", merkle.KeyBytesMax+1), []byte{1}))},
		{"only the store writes them", at(2, ledger.Change{Key: ledger.KeyBucket(1), Value: []byte{1}})},
		{"replay record", at(2, ledger.Change{Key: ledger.KeyRecord(1<<60, id)})},
		{"whose time is over", at(2, ledger.Change{Key: ledger.KeyRecord(1, id), Value: record})},
		{"names no transaction", Record{Height: 2, Receipts: []ledger.Receipt{{Txid: []byte{1}}}}},
	} {
		wantPanic(t, c.words, func() { _, _ = s.Stage(c.r) })
	}
	bucket := m.params.Bucket(modelStart + 60_000)
	commitRecord(t, s, at(2, ledger.Change{Key: ledger.KeyRecord(bucket, id), Value: record}))
	wantPanic(t, "a second time", func() {
		_, _ = s.Stage(at(3, ledger.Change{Key: ledger.KeyRecord(bucket, id), Value: record}))
	})
	wantPanic(t, "written and deleted", func() {
		_, _ = s.Stage(at(3, ledger.Change{Key: ledger.KeyRecord(bucket, crypto.Hash{2}), Value: record}, ledger.Change{Key: ledger.KeyBucket(bucket)}))
	})
	p, err := s.Stage(at(3, change("a", make([]byte, valueBytesMax)), change(strings.Repeat("b", merkle.KeyBytesMax), []byte{1})))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(p); err != nil {
		t.Fatal(err)
	}
	wantPanic(t, "which ended", func() { _ = s.Commit(p) })
	wantPanic(t, "which ended", func() { s.Discard(p) })
}

// TestWindow: large blocks leave fewer versions in memory, never fewer than two.
func TestWindow(t *testing.T) {
	o := testOptions(t.TempDir())
	o.KeepVersions, o.KeepBytes = 8, 10_000
	s := openStore(t, o)
	if _, err := s.Init(modelGenesis, ledger.Outcome{}, 1); err != nil {
		t.Fatal(err)
	}
	want := []int{2, 3, 4, 5, 6, 7, 8, 8, 8} // genesis counts
	for h := range uint64(9) {
		commitRecord(t, s, Record{Height: h + 1, TimeMS: h, Changes: []ledger.Change{{Key: []byte("a"), Value: make([]byte, 1000)}}})
		if got := s.Stats().Versions; got != want[h] {
			t.Errorf("after height %d there are %d versions, want %d", h+1, got, want[h])
		}
	}
	commitRecord(t, s, Record{Height: 10, TimeMS: 10, Changes: []ledger.Change{{Key: []byte("a"), Value: make([]byte, 100_000)}}})
	if got := s.Stats().Versions; got != 2 {
		t.Errorf("after a large block there are %d versions, want 2", got)
	}
	if got := s.main.Stats().Versions; got != 2 {
		t.Errorf("after a large block the tree has %d versions, want 2", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := openStore(t, o).Stats().Versions; got != 2 {
		t.Errorf("after a restart there are %d versions, want 2", got)
	}
}

// TestReadersAndWriter lets readers of all kinds run beside commits and background work; the race detector
// and the root comparison are the judges.
func TestReadersAndWriter(t *testing.T) {
	m := newModel(14, 150, 0)
	o := testOptions(t.TempDir())
	o.FoldInterval = time.Nanosecond // each tick folds
	s := openStore(t, o)
	m.initStore(t, s)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for i := range 4 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			rng := rand.New(rand.NewPCG(14, uint64(i)))
			for {
				select {
				case <-stop:
					return
				default:
					readSomething(t, s, m, rng)
				}
			}
		}()
	}
	for h := uint64(1); h <= m.height(); h++ {
		commitRecord(t, s, m.records[h])
		if h%10 == 0 {
			if err := s.FoldOnce(); err != nil {
				t.Error(err)
			}
		}
	}
	close(stop)
	readers.Wait()
	m.check(t, s, m.height(), rand.New(rand.NewPCG(14, 14)))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if _, err := s.Stage(Record{Height: m.height() + 1}); !errors.Is(err, errClosed) {
		t.Errorf("staging after Close: %v", err)
	}
	if _, err := s.ViewAt(m.height() - 10); !errors.Is(err, errClosed) {
		t.Errorf("reading from disk after Close: %v", err)
	}
}

// readSomething reads a random height as it may be at any moment.
func readSomething(t *testing.T, s *Store, m *model, rng *rand.Rand) {
	v := s.View()
	if rng.IntN(2) == 0 {
		older, err := s.ViewAt(v.Height() - min(v.Height(), uint64(rng.IntN(30))))
		v.Close()
		var pruned ErrPruned
		if errors.As(err, &pruned) {
			return
		}
		if err != nil {
			t.Errorf("view: %v", err)
			return
		}
		v = older
	}
	defer v.Close()
	for range 20 {
		key := m.keys[rng.IntN(len(m.keys))]
		got, err := v.Get([]byte(key))
		var pruned ErrPruned
		if errors.As(err, &pruned) && v.Tree() == nil {
			return
		}
		if err != nil || !bytes.Equal(got, m.states[v.Height()][key]) {
			t.Errorf("key %q at %d is %x (%v)", key, v.Height(), got, err)
		}
	}
	_ = s.Stats()
	for id, want := range m.settled {
		got, ok, err := s.Receipt(id)
		if err != nil || ok != (want.Height <= s.mustHead()) && want.Height < v.Height() || ok && got.Height != want.Height && got.Outcome() == ledger.CodeOK {
			t.Errorf("receipt of %s: %v (%v, %v), want %v", id, got, ok, err, want)
		}
		break
	}
}

func (s *Store) mustHead() uint64 {
	head, _ := s.Head()
	return head.Height
}
