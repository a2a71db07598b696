package node

import (
	"context"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// signed makes a transaction of alice that counts a visit or, with cents, pays bob.
func (n *network) signed(edit func(*ledger.Body), cents uint64) []byte {
	n.nonce++
	alice := crypto.DevKey("alice")
	from, to, asset := alice.Public().Address(), crypto.DevKey("bob").Public().Address(), ledger.AssetIDOf("usd")
	op := ledger.Op{Kind: &ledger.Op_Add{Add: &ledger.Add{Path: "visits", Delta: 1}}}
	if cents > 0 {
		op = ledger.Op{Kind: &ledger.Op_Transfer{Transfer: &ledger.Transfer{To: to[:], Asset: asset[:], Amount: ledger.Amount{Lo: cents}.Bytes()}}}
	}
	nonce := make([]byte, ledger.NonceLen)
	nonce[0], nonce[1], nonce[2] = byte(n.nonce>>8), byte(n.nonce), 'q'
	body := ledger.Body{
		Version: 1, ChainId: n.layout.ChainID, Actor: from[:], Nonce: nonce, Ops: []ledger.Op{op},
		ValidUntilMs: uint64(time.Now().Add(9 * time.Minute).UnixMilli()),
	}
	edit(&body)
	raw, err := body.Marshal()
	n.must(err)
	message := crypto.SignBytes(crypto.TagTx, n.layout.GenesisHash, crypto.Sum(raw))
	tx := ledger.Tx{Body: raw, Sigs: []ledger.Sig{{
		KeyType: uint32(crypto.KeyEd25519), PublicKey: alice.Public().Bytes, Signature: alice.Sign(message[:]),
	}}}
	out, err := tx.Marshal()
	n.must(err)
	return out
}

// TestQueueWhileCut: a validator that has never reached another queues what is to be queued and refuses the rest, keeps it
// over a restart in the middle of block sync, and passes it on when the others are there.
func TestQueueWhileCut(t *testing.T) {
	n := newNetwork(t, 4, false, 0)
	n.until("node 0 says that it is cut off", func() bool { return n.nodes[0].reach.partition() == rpc.PartitionMinority })
	plain := func(*ledger.Body) {}
	ctx := func(how string) context.Context { return rpc.WithOnPartition(context.Background(), how) }
	visit, payment := n.signed(plain, 0), n.signed(plain, 1)
	broken := n.signed(plain, 0)
	broken[len(broken)-1] ^= 1 // the last byte of the signature
	for _, c := range []struct {
		what   string
		raw    []byte
		how    string
		code   ledger.Code
		queued bool
	}{
		{"a payment", n.signed(plain, 2), rpc.OnPartitionDefault, ledger.CodeNoQuorum, false},
		{"a payment that is to fail", n.signed(plain, 3), rpc.OnPartitionFail, ledger.CodeNoQuorum, false},
		{"a payment that may wait", payment, rpc.OnPartitionQueue, ledger.CodeOK, true},
		{"a visit", visit, rpc.OnPartitionDefault, ledger.CodeOK, true},
		{"a visit again", visit, rpc.OnPartitionFail, ledger.CodeOK, true},
		{"a visit that is to fail", n.signed(plain, 0), rpc.OnPartitionFail, ledger.CodeNoQuorum, false},
		{"a visit in a lane", n.signed(func(b *ledger.Body) { b.Nonce, b.Lane = nil, &ledger.Lane{Id: 1, Seq: 1} }, 0), rpc.OnPartitionQueue, ledger.CodeNoQuorum, false},
		{"a visit that has expired", n.signed(func(b *ledger.Body) { b.ValidUntilMs = 1 }, 0), rpc.OnPartitionDefault, ledger.CodeExpired, false},
		{"a visit too far ahead", n.signed(func(b *ledger.Body) { b.ValidUntilMs += 3_600_000 }, 0), rpc.OnPartitionDefault, ledger.CodeTooFarAhead, false},
		{"a visit of another chain", n.signed(func(b *ledger.Body) { b.ChainId = "elsewhere" }, 0), rpc.OnPartitionDefault, ledger.CodeWrongChain, false},
		{"a visit that nobody signed", broken, rpc.OnPartitionDefault, ledger.CodeBadSignature, false},
		{"no transaction", []byte("nothing"), rpc.OnPartitionDefault, ledger.CodeBadEncoding, false},
		{"too much", make([]byte, ledger.TxBytesMax+1), rpc.OnPartitionDefault, ledger.CodeTooLarge, false},
	} {
		got := backend{n.nodes[0]}.Submit(ctx(c.how), [][]byte{c.raw})[0]
		if got.Code != c.code || (got.Queued != nil) != c.queued {
			t.Errorf("%s: %s %s, queued %v; want %s, %v", c.what, got.Code, got.Detail, got.Queued != nil, c.code, c.queued)
		}
	}
	var ids []crypto.Hash
	for _, raw := range [][]byte{visit, payment} {
		tx, err := ledger.DecodeTransaction(raw)
		n.must(err)
		ids = append(ids, tx.ID)
	}
	n.stop(0)
	n.start(0, nil)
	for _, id := range ids {
		if s, err := (backend{n.nodes[0]}).Outcome(context.Background(), id, false); err != nil || s.Status != rpc.StatusQueued || s.ExpiresAt == "" {
			t.Errorf("after the restart %s is %+v, %v", id, s, err)
		}
	}
	for i := 1; i < 4; i++ {
		n.start(i, nil)
	}
	for _, id := range ids {
		n.committed(id)
	}
	n.until("the outbox is empty", func() bool { return n.nodes[0].outbox.Stats().Txs == 0 })
	n.agree()
}
