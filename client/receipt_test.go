package client

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// blockTimeMS is the time of the newest block.
func (p *proving) blockTimeMS(t testing.TB) uint64 {
	t.Helper()
	snap, err := p.servers[0].node.Read(within(t, time.Minute), rpc.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	return snap.TimeMS()
}

// transfer makes alice pay bob, valid for two minutes of block time.
func (p *proving) transfer(t testing.TB, cents uint64) Signed {
	t.Helper()
	tx, err := NewTx(p.ChainID, p.Genesis, rpctest.Address("alice")).ValidUntilMS(p.blockTimeMS(t)+120_000).
		Transfer(rpctest.Address("bob"), "usd", ledger.Amount{Lo: cents}).Sign(crypto.DevKey("alice"))
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// receipts makes one receipt of each outcome.
func receipts(t testing.TB, p *proving, v *Verified) map[string]*Receipt {
	t.Helper()
	ctx := within(t, time.Minute)
	paid, failed, never := p.transfer(t, 1), p.transfer(t, 1_000_000_000), p.transfer(t, 2)
	neighbour, err := NewTx(p.ChainID, p.Genesis, rpctest.Address("alice")).ValidUntilMS(never.ValidUntilMS).
		Transfer(rpctest.Address("bob"), "usd", ledger.Amount{Lo: 3}).Sign(crypto.DevKey("alice"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tx := range []Signed{paid, failed, neighbour} {
		p.submit(t, tx)
	}
	if _, err := v.Receipt(ctx, never); !errors.Is(err, ErrUndecided) {
		t.Fatalf("a transaction that may still come: %v", err)
	}
	p.SealAfter(180_000)
	p.Seal()
	out := map[string]*Receipt{}
	for want, tx := range map[string]Signed{rpc.StatusCommitted: paid, rpc.StatusFailed: failed, rpc.StatusNeverWill: never} {
		r, err := v.WaitReceipt(ctx, tx)
		if err != nil || r.Status != want {
			t.Fatalf("want %s: %+v, %v", want, r, err)
		}
		out[want] = r
	}
	if out["by id"], err = v.Receipt(ctx, Signed{TxID: paid.TxID}); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Receipt(ctx, Signed{TxID: never.TxID, ValidUntilMS: never.ValidUntilMS}); !errors.Is(err, ErrUndecided) {
		t.Fatalf("never_will without the transaction's body: %v", err)
	}
	return out
}

// TestReceipts: a receipt holds all that its verification needs, and the genesis hash is all that must be known.
func TestReceipts(t *testing.T) {
	p := newProving(t, 2, fourValidators)
	v := p.verified(t, VerifiedOptions{})
	for name, r := range receipts(t, p, v) {
		data, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := VerifyReceipt(data, p.Genesis, time.Now())
		if err != nil || got.Status != r.Status || got.TxID != r.TxID || got.ChainID != p.ChainID || got.ProvenHeight != r.Height {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if name == rpc.StatusFailed && ledger.Code(got.Code) != ledger.CodeInsufficientFunds {
			t.Errorf("failed with code %d", got.Code)
		}
		var lie *LieError
		if _, err := VerifyReceipt(data, crypto.Sum([]byte("other")), time.Now()); !errors.As(err, &lie) || lie.Kind != LieGenesis {
			t.Errorf("%s: under another genesis hash: %v", name, err)
		}
		if _, err := VerifyReceipt(data, p.Genesis, time.Now().Add(-2*time.Hour)); !errors.As(err, &lie) || lie.Kind != LieHeader {
			t.Errorf("%s: from the future: %v", name, err)
		}
	}
}

// TestReceiptOfALane: no record, so nothing can be proven.
func TestReceiptOfALane(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	v := p.verified(t, VerifiedOptions{})
	tx, err := NewTx(p.ChainID, p.Genesis, rpctest.Address("alice")).Lane(1, 1).ValidUntilMS(p.blockTimeMS(t)+5000).
		Put("a", []byte("b")).Sign(crypto.DevKey("alice"))
	if err != nil {
		t.Fatal(err)
	}
	p.SealAfter(60_000)
	p.Seal()
	if r, err := v.Receipt(within(t, time.Minute), tx); err == nil {
		t.Fatalf("a receipt of a transaction that leaves no record: %+v", r)
	}
}

// TestReceiptMutations changes receipts in thousands of ways; none may prove anything else.
func TestReceiptMutations(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	v := p.verified(t, VerifiedOptions{})
	made := receipts(t, p, v)
	const seed = 1123
	rnd := rand.New(rand.NewPCG(seed, seed))
	kinds := map[LieKind]int{}
	for _, name := range []string{rpc.StatusCommitted, rpc.StatusFailed, rpc.StatusNeverWill} {
		r, other := made[name], made[rpc.StatusCommitted]
		if name == rpc.StatusCommitted {
			other = made[rpc.StatusNeverWill]
		}
		for i := range 1000 {
			changed := mutateReceipt(rnd, r, other)
			data, err := changed.Encode()
			if err != nil {
				t.Fatal(err)
			}
			got, err := VerifyReceipt(data, p.Genesis, time.Now())
			if err == nil && (got.Status != r.Status || got.TxID != r.TxID || got.Code != r.Code || got.Height == 0 && r.Status != rpc.StatusNeverWill) {
				t.Fatalf("seed %d, %s %d: proves %+v", seed, name, i, got)
			}
			var lie *LieError
			if errors.As(err, &lie) {
				kinds[lie.Kind]++
			}
		}
	}
	for _, kind := range []LieKind{LieValue, LieKey, LieHeight, LieHeader, LieProof, LieVerdict, LieGenesis, LieShape} {
		if kinds[kind] == 0 {
			t.Errorf("no mutation was found to be a lie of the kind %s: %v", kind, kinds)
		}
	}
	t.Logf("%v", kinds)
}

// mutateReceipt changes one thing in a copy.
func mutateReceipt(rnd *rand.Rand, r, other *Receipt) *Receipt {
	var c Receipt
	text, _ := json.Marshal(r)
	if err := json.Unmarshal(text, &c); err != nil {
		panic(err)
	}
	flip := func(b []byte) {
		if len(b) > 0 {
			b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
		}
	}
	item := &c.Proof[rnd.IntN(len(c.Proof))]
	switch rnd.IntN(12) {
	case 0:
		c.Status = []string{rpc.StatusCommitted, rpc.StatusFailed, rpc.StatusNeverWill, rpc.StatusUnknown}[rnd.IntN(4)]
	case 1:
		c.Code ^= 1 << rnd.IntN(10)
	case 2:
		flip(c.TxID[:])
	case 3:
		flip(c.Body)
	case 4:
		flip(item.Key)
	case 5:
		flip(item.Value)
	case 6:
		flip(item.ICS23)
	case 7:
		flip(c.LightBlocks[rnd.IntN(len(c.LightBlocks))])
	case 8:
		flip(c.Genesis)
	case 9:
		c.Height += uint64(rnd.IntN(3)) - 1
	case 10:
		*item = other.Proof[rnd.IntN(len(other.Proof))]
	default:
		i := rnd.IntN(len(c.Proof))
		c.Proof = slices.Delete(c.Proof, i, i+1)
	}
	return &c
}
