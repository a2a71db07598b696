package client

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// FuzzLightBlock: whatever decodes is the same block when it is encoded and decoded again, and nothing panics,
// not even the check of its signatures.
func FuzzLightBlock(f *testing.F) {
	p := newProving(f, 1, fourValidators)
	p.seal(1)
	whole := encoded(f, p.chain.block(rpctest.Header{Height: 1, TimeMS: 1}))
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := decodeBlock(data, p.ChainID)
		if err != nil {
			return
		}
		again, err := decodeBlock(encoded(t, b), p.ChainID)
		if err != nil || again.Hash().String() != b.Hash().String() {
			t.Fatalf("decoded again: %v", err)
		}
		_ = signedByOwn(p.ChainID, b)
	})
}

// FuzzProof: no bytes make a state out of a root that nothing hashes to.
func FuzzProof(f *testing.F) {
	p := newProving(f, 1, fourValidators)
	p.seal(2)
	for _, path := range []string{"/v1/params?proof=true", "/v1/entries/@gov/x?proof=true"} {
		var carrier struct {
			Proof rpc.Proof `json:"proof"`
		}
		if err := json.Unmarshal(p.get(path), &carrier); err != nil || len(carrier.Proof.Items) == 0 {
			f.Fatalf("%s: %v", path, err)
		}
		f.Add([]byte(carrier.Proof.Items[0].Key), carrier.Proof.Items[0].Value, carrier.Proof.Items[0].ICS23)
	}
	root := crypto.Sum([]byte("the root of nothing"))
	f.Fuzz(func(t *testing.T, key, value, proof []byte) {
		if checkProof(root, key, value, proof) == nil || checkProof(root, key, nil, proof) == nil {
			t.Fatal("a proof under a root that nothing hashes to")
		}
	})
}

// FuzzReceipt: nothing but a receipt is one, and nothing panics.
func FuzzReceipt(f *testing.F) {
	p := newProving(f, 1, fourValidators)
	v := p.verified(f, VerifiedOptions{})
	tx := p.transfer(f, 1)
	p.submit(f, tx)
	p.seal(2)
	r, err := v.Receipt(within(f, time.Minute), tx)
	if err != nil {
		f.Fatal(err)
	}
	data, err := r.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"format":1,"light_blocks":[""]}`))
	now := time.Now()
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := VerifyReceipt(data, p.Genesis, now)
		if err == nil && (got.TxID != tx.TxID || got.Status != rpc.StatusCommitted || ledger.Code(got.Code) != ledger.CodeOK) {
			t.Fatalf("proves %+v", got)
		}
	})
}

// FuzzProofFile: nothing but a proof is one, and nothing panics.
func FuzzProofFile(f *testing.F) {
	p := newProving(f, 1, fourValidators)
	p.fill(f, 4)
	p.seal(2)
	v := p.verified(f, VerifiedOptions{})
	truths := map[Question]ProvenAnswer{}
	now := time.Now()
	for _, q := range []Question{{What: AskParams}, {What: AskAsset, Asset: "eur"}, {What: AskBlock}} {
		data := proofFile(f, v, q, ReceiptsList)
		truth, err := VerifyProof(data, p.Genesis, now)
		if err != nil {
			f.Fatal(err)
		}
		truths[q] = truth
		f.Add(data)
	}
	f.Add([]byte(`{"proof":{"format":1,"question":{"what":"block"},"block":{},"light_blocks":[""]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := VerifyProof(data, p.Genesis, now)
		if err != nil {
			return
		}
		if truth, known := truths[got.Question]; known && got.Height == truth.Height && !reflect.DeepEqual(got, truth) {
			t.Fatalf("proves %+v", got)
		}
	})
}
