package outbox

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

var (
	chain = crypto.Sum([]byte("a network"))
	alice = crypto.DevKey("alice").Public().Address()
	bob   = crypto.DevKey("bob").Public().Address()
)

// counted makes the i-th transaction of an account. Nobody verifies its signature here, so one is enough for all.
func counted(t testing.TB, from crypto.Address, i int) *ledger.Transaction {
	t.Helper()
	nonce := binary.BigEndian.AppendUint64(make([]byte, 8), uint64(i))
	body := ledger.Body{
		Version: 1, ChainId: "a-chain", Actor: from[:], ValidUntilMs: 1_000_000 + uint64(i), Nonce: nonce,
		Ops: []ledger.Op{{Kind: &ledger.Op_Add{Add: &ledger.Add{Path: "visits", Delta: 1}}}},
	}
	encoded, err := body.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	tx := ledger.Tx{Body: encoded, Sigs: []ledger.Sig{{KeyType: 1, PublicKey: make([]byte, 32), Signature: make([]byte, 64)}}}
	raw, err := tx.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	out, err := ledger.DecodeTransaction(raw)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func open(t testing.TB, o Options) *Outbox {
	t.Helper()
	if o.Genesis.IsZero() {
		o.Genesis = chain
	}
	o.InMemory = o.Dir == ""
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// put puts one transaction and returns the verdict.
func put(t testing.TB, b *Outbox, nowMS uint64, tx *ledger.Transaction) ledger.Code {
	t.Helper()
	codes, err := b.Put(nowMS, tx)
	if err != nil || len(codes) != 1 {
		t.Fatalf("%v, %v", codes, err)
	}
	return codes[0]
}

func dueIDs(t testing.TB, b *Outbox, nowMS uint64) (ids []ledger.TxID) {
	t.Helper()
	items, err := b.Due(nowMS, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		if tx, err := ledger.DecodeTransaction(i.Raw); err != nil || tx.ID != i.ID || tx.ValidUntilMS() != i.ValidUntilMS {
			t.Fatalf("%s has other bytes: %v", i.ID, err)
		}
		ids = append(ids, i.ID)
	}
	return ids
}

func same(t *testing.T, what string, got []ledger.TxID, want ...*ledger.Transaction) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d transactions, want %d", what, len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i].ID {
			t.Fatalf("%s: transaction %d is %s, want %s", what, i, got[i], want[i].ID)
		}
	}
}

// TestSurvivesClosing: what waits and how others ended is there again after a restart, in the order of acceptance.
func TestSurvivesClosing(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir})
	one, two, three := counted(t, alice, 1), counted(t, bob, 2), counted(t, alice, 3)
	for i, tx := range []*ledger.Transaction{two, one, three} {
		if code := put(t, b, uint64(100+i), tx); code != ledger.CodeOK {
			t.Fatal(code)
		}
	}
	ended := Final{ID: one.ID, Status: Failed, Height: 7, Index: 3, Code: 300, Op: 1}
	if err := b.Settle(500, ended); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		same(t, "due", dueIDs(t, b, 200), two, three)
		if s := b.Stats(); s != (Stats{Txs: 2, Bytes: len(two.Raw) + len(three.Raw), Finals: 1}) {
			t.Fatalf("%+v", s)
		}
		ended.AtMS = 500
		if _, final, ok := b.Find(one.ID); !ok || final != ended {
			t.Fatalf("%+v, %v", final, ok)
		}
		if item, final, ok := b.Find(three.ID); !ok || final.Status != Waiting || item.ReceivedMS != 102 || item.ValidUntilMS != three.ValidUntilMS() {
			t.Fatalf("%+v, %+v, %v", item, final, ok)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = open(t, Options{Dir: dir})
	}
}

// TestBounds: each bound at n and n+1, alone and within one Put; what ends makes room.
func TestBounds(t *testing.T) {
	size := len(counted(t, alice, 0).Raw)
	for _, c := range []struct {
		name string
		o    Options
		full ledger.Code
		from func(i int) crypto.Address
	}{
		{"transactions", Options{TxsMax: 3}, ledger.CodeOutboxFull, func(int) crypto.Address { return alice }},
		{"bytes", Options{BytesMax: 4*size - 1}, ledger.CodeOutboxFull, func(int) crypto.Address { return alice }},
		{"account", Options{AccountTxsMax: 3}, ledger.CodeAccountQuota, func(int) crypto.Address { return alice }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, c.o)
			var all []*ledger.Transaction
			for i := range 4 {
				all = append(all, counted(t, c.from(i), i))
			}
			for i, tx := range all {
				want := ledger.CodeOK
				if i == 3 {
					want = c.full
				}
				if code := put(t, b, 1, tx); code != want {
					t.Fatalf("transaction %d: %s, want %s", i, code, want)
				}
			}
			if code := put(t, b, 1, all[0]); code != ledger.CodeOK {
				t.Errorf("one that waits already: %s", code)
			}
			if err := b.Settle(2, Final{ID: all[1].ID, Status: NeverWill}); err != nil {
				t.Fatal(err)
			}
			if code := put(t, b, 3, all[3]); code != ledger.CodeOK {
				t.Errorf("with room again: %s", code)
			}
			at := open(t, c.o)
			codes, err := at.Put(1, append(all, all[0], all[3])...)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range []ledger.Code{0, 0, 0, c.full, 0, c.full} {
				if codes[i] != want {
					t.Errorf("within one Put, transaction %d: %s, want %s", i, codes[i], want)
				}
			}
			if at.Stats().Txs != 3 {
				t.Errorf("%+v", at.Stats())
			}
		})
	}
}

// TestAccountsApart: one account's bound is not another's.
func TestAccountsApart(t *testing.T) {
	b := open(t, Options{AccountTxsMax: 1})
	for i, c := range []struct {
		from crypto.Address
		want ledger.Code
	}{{alice, ledger.CodeOK}, {alice, ledger.CodeAccountQuota}, {bob, ledger.CodeOK}, {bob, ledger.CodeAccountQuota}} {
		if code := put(t, b, 1, counted(t, c.from, i)); code != c.want {
			t.Errorf("transaction %d: %s, want %s", i, code, c.want)
		}
	}
}

// TestPacing: what was passed on rests, what was refused rests longer each time, and a heal ends all rest.
func TestPacing(t *testing.T) {
	b := open(t, Options{})
	tx := counted(t, alice, 1)
	put(t, b, 0, tx)
	now := uint64(0)
	for _, step := range []struct {
		taken bool
		rests uint64
	}{{true, 2000}, {false, 2000}, {false, 4000}, {false, 8000}, {false, 16000}, {false, 32000}, {false, 32000}, {true, 2000}, {false, 2000}, {false, 4000}} {
		same(t, "due", dueIDs(t, b, now), tx)
		b.Tried(now, tx.ID, step.taken)
		same(t, "resting", dueIDs(t, b, now+step.rests-1))
		now += step.rests
	}
	for range 20 {
		b.Tried(now, tx.ID, false)
	}
	same(t, "resting long", dueIDs(t, b, now+retryMaxMS-1))
	b.Hurry()
	same(t, "in a hurry", dueIDs(t, b, 0), tx)
	b.Tried(0, counted(t, alice, 2).ID, true) // unknown: nothing happens
}

// TestFinalsAreForgotten after their time, and no sooner, also on disk.
func TestFinalsAreForgotten(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir})
	one, two := counted(t, alice, 1), counted(t, alice, 2)
	put(t, b, 1, one)
	put(t, b, 1, two)
	for i, tx := range []*ledger.Transaction{one, two} {
		if err := b.Settle(uint64(1000+i), Final{ID: tx.ID, Status: NeverWill}, Final{ID: tx.ID, Status: Failed}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Forget(1000 + FinalsKeptMS); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, ok := b.Find(one.ID); ok {
			t.Error("the older one is still known")
		}
		if _, final, ok := b.Find(two.ID); !ok || final.Status != NeverWill {
			t.Errorf("the younger one: %+v, %v", final, ok)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = open(t, Options{Dir: dir})
	}
}

// TestLargeTransactions: more than fits into one write of Badger goes into several.
func TestLargeTransactions(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir})
	var all []*ledger.Transaction
	for i := range 4000 {
		all = append(all, counted(t, crypto.Address(crypto.Sum(binary.BigEndian.AppendUint64(nil, uint64(i/1000)))), i))
	}
	codes, err := b.Put(1, all...)
	if err != nil {
		t.Fatal(err)
	}
	for i, code := range codes {
		if code != ledger.CodeOK {
			t.Fatalf("transaction %d: %s", i, code)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if b = open(t, Options{Dir: dir}); b.Stats().Txs != len(all) {
		t.Fatalf("%+v after the restart", b.Stats())
	}
}

// TestOtherChain: another network's outbox is refused, and a damaged one too.
func TestOtherChain(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Options{Dir: dir})
	put(t, b, 1, counted(t, alice, 1))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir, Genesis: crypto.Sum([]byte("another"))}); !errors.Is(err, ErrOtherChain) {
		t.Fatalf("%v, want ErrOtherChain", err)
	}
	open(t, Options{Dir: dir}) // the refusal left it as it was
}

// A child process is this test binary with childDir set. It puts transactions and tells of each that is accepted,
// until it is killed.
const childDir = "TETRAD_OUTBOX_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
	}
	os.Exit(m.Run())
}

// child kills itself between a Put and the answer to it, when it has put a few.
func child(dir string) {
	t := &testing.T{}
	b, err := Open(Options{Dir: dir, Genesis: chain})
	if err != nil {
		os.Exit(1)
	}
	for i := range 20 {
		if _, err := b.Put(uint64(i), counted(t, alice, i)); err != nil {
			os.Exit(1)
		}
		if i%3 == 0 {
			if err := b.Settle(uint64(i), Final{ID: counted(t, alice, i).ID, Status: Committed, Height: 1}); err != nil {
				os.Exit(1)
			}
		}
	}
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	select {}
}

// TestSurvivesKill: everything that was accepted when the process is killed is there afterwards.
func TestSurvivesKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "outbox")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	var ended *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &ended) || ended.ExitCode() != -1 {
		t.Fatalf("the child ended with %v, want a kill", err)
	}
	b := open(t, Options{Dir: dir})
	for i := range 20 {
		_, final, ok := b.Find(counted(t, alice, i).ID)
		want := Waiting
		if i%3 == 0 {
			want = Committed
		}
		if !ok || final.Status != want {
			t.Errorf("transaction %d: %+v, %v", i, final, ok)
		}
	}
	if got := len(dueIDs(t, b, 100)); got != 13 {
		t.Errorf("%d are due, want 13", got)
	}
}
