package ledger

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
)

// benchAccounts is a state of funded accounts, with a key and an address for each.
type benchAccounts struct {
	state memory
	keys  [][]byte
	ids   []crypto.Address
}

func newBenchAccounts(tb testing.TB, n int) *benchAccounts {
	tb.Helper()
	b := &benchAccounts{state: memory{}}
	treasury := testKey("treasury")
	ops := []GenesisOp{{Actor: treasury.address, Op: opSetAsset("usd", 2)}}
	for i := range n {
		key := make([]byte, crypto.PublicKeySize)
		binary.BigEndian.PutUint64(key, uint64(i))
		id := crypto.KeyAddress(crypto.KeyEd25519, key)
		b.keys, b.ids = append(b.keys, key), append(b.ids, id)
		ops = append(ops, GenesisOp{Actor: treasury.address, Op: opTransfer(id, "usd", 1_000_000)})
	}
	out, err := ExecuteGenesis(DefaultParams(), ops, testTimeMS)
	if err != nil {
		tb.Fatal(err)
	}
	b.state.apply(out.Changes)
	return b
}

// transfers are signed in shape only: the ledger does not look at signatures.
func (b *benchAccounts) transfers(tb testing.TB, n int) (raws [][]byte) {
	tb.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		from, to := rng.IntN(len(b.ids)), rng.IntN(len(b.ids)-1)
		if to >= from {
			to++
		}
		body := Body{
			Version: 1, ChainId: "bench-1", Actor: b.ids[from][:], Nonce: make([]byte, NonceLen),
			ValidUntilMs: testTimeMS + 60_000, Ops: []Op{opTransfer(b.ids[to], "usd", uint64(1+rng.IntN(100)))},
		}
		binary.BigEndian.PutUint64(body.Nonce, uint64(i))
		tx := Tx{Body: body.Encode(), Sigs: []Sig{{KeyType: 1, PublicKey: b.keys[from], Signature: make([]byte, crypto.SignatureSize)}}}
		raw, err := tx.Marshal()
		if err != nil {
			tb.Fatal(err)
		}
		raws = append(raws, raw)
	}
	return raws
}

func BenchmarkDecodeTransaction(b *testing.B) {
	raws := newBenchAccounts(b, 100).transfers(b, 100)
	b.ReportAllocs()
	b.SetBytes(int64(len(raws[0])))
	for i := 0; b.Loop(); i++ {
		if _, err := DecodeTransaction(raws[i%len(raws)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExecuteTransfers(b *testing.B) {
	const txs = 4000
	accounts := newBenchAccounts(b, 100_000)
	block := Block{Height: 1, TimeMS: testTimeMS + 1000}
	for _, raw := range accounts.transfers(b, txs) {
		t, err := DecodeTransaction(raw)
		if err != nil {
			b.Fatal(err)
		}
		block.Txs = append(block.Txs, t)
	}
	b.ReportAllocs()
	for b.Loop() {
		out, err := Execute(accounts.state, block)
		if err != nil {
			b.Fatal(err)
		}
		if out.Receipts[txs-1].Code != 0 {
			b.Fatal(out.Receipts[txs-1])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*txs), "ns/tx")
}
