package client

import (
	"encoding/base64"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// fill makes a block of some payments, of which every third fails, and one on top, so that it can be proven. All
// but the last payment are in a frame.
func (p *proving) fill(t testing.TB, payments int) (height uint64) {
	t.Helper()
	for i := range payments {
		cents := uint64(i + 1)
		if i%3 == 2 {
			cents = 1_000_000_000
		}
		got := p.servers[0].node.Submit(within(t, time.Minute), [][]byte{p.transfer(t, cents).Raw})
		if got[0].Code != ledger.CodeOK {
			t.Fatalf("%+v", got)
		}
	}
	height = p.Seal()
	p.Seal()
	return height
}

// TestVerifiedBlocks: what is computed from a block's parts is what an honest node says of it.
func TestVerifiedBlocks(t *testing.T) {
	p := newProving(t, 3, fourValidators)
	full := p.fill(t, 7)
	p.seal(2)
	v := p.verified(t, VerifiedOptions{})
	plain := p.client(t, Options{})
	for _, height := range []uint64{1, full, full + 1} {
		for _, receipts := range []string{ReceiptsNone, ReceiptsList, ReceiptsPacked} {
			want, err := plain.Block(within(t, time.Minute), height, receipts)
			if err != nil {
				t.Fatal(err)
			}
			got, err := v.ReadBlock(within(t, time.Minute), receipts, ReadOptions{Height: height})
			if err != nil || !got.Verified || sameFields(want, got) != nil || receipts == ReceiptsList && len(got.Receipts) != want.TxCount {
				t.Errorf("block %d with %s: %+v, %v; want %+v", height, receipts, got, err, want)
			}
		}
	}
	newest, err := v.ReadBlock(within(t, time.Minute), "", ReadOptions{})
	if err != nil || newest.Height != p.Height()-1 || v.Client().Token() != newest.Height {
		t.Errorf("the newest that can be proven: %+v, %v, token %d", newest, err, v.Client().Token())
	}
}

// TestNewestBlockIsAwaited: a block that a session has seen is proven as soon as the next one is there, and so is the
// state after it.
func TestNewestBlockIsAwaited(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	p.seal(3)
	v := p.verified(t, VerifiedOptions{Options: Options{MinHeight: 3}})
	asked := p.servers[0].asked.Load()
	done := make(chan error, 1)
	go func() {
		b, err := v.ReadBlock(within(t, time.Minute), "", ReadOptions{})
		if err == nil && b.Height != 3 {
			err = errors.New("another block")
		}
		done <- err
	}()
	for p.servers[0].asked.Load() == asked {
		time.Sleep(time.Millisecond)
	}
	p.Seal()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := v.Params(within(t, time.Minute), ReadOptions{Height: 4})
		done <- err
	}()
	for len(done) == 0 {
		time.Sleep(time.Millisecond)
		p.Seal()
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestYoungNetworksBlock: a network without a second block can prove none yet; the reader waits for that block.
func TestYoungNetworksBlock(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	refused := make(chan bool, 1000)
	p.lies(0, func(_ string, body []byte) []byte {
		if strings.Contains(string(body), "nothing before the next block") {
			refused <- true
			p.seal(2)
		}
		return body
	})
	v := p.verified(t, VerifiedOptions{})
	v.wait = time.Minute
	if b, err := v.ReadBlock(within(t, time.Minute), "", ReadOptions{}); err != nil || b.Height != 1 || len(refused) == 0 {
		t.Fatalf("%+v, %v, refused %d times", b, err, len(refused))
	}
}

// blockLies change one thing in the answer about a block, each found by its own check.
var blockLies = map[string]struct {
	kind LieKind
	tell func(o object)
}{
	"a transaction left out": {LieTxs, func(o object) { proof := o["proof"].(object); proof["txs"] = proof["txs"].([]any)[1:] }},
	"a transaction added": {LieTxs, func(o object) {
		txs := o["proof"].(object)["txs"].([]any)
		o["proof"].(object)["txs"] = append(txs, txs[0])
	}},
	"transactions in another order": {LieTxs, func(o object) { slices.Reverse(o["proof"].(object)["txs"].([]any)) }},
	"a failure kept secret":         {LieResults, func(o object) { proof := o["proof"].(object); proof["failed"] = proof["failed"].([]any)[1:] }},
	"another code":                  {LieResults, func(o object) { o["proof"].(object)["failed"].([]any)[0].(object)["code"] = 301 }},
	"another operation":             {LieResults, func(o object) { o["proof"].(object)["failed"].([]any)[0].(object)["op"] = 2 }},
	"failures in another order":     {LieResults, func(o object) { slices.Reverse(o["proof"].(object)["failed"].([]any)) }},
	"a failure of no transaction":   {LieResults, func(o object) { o["proof"].(object)["failed"].([]any)[1].(object)["index"] = 70 }},
	"a receipt left out":            {LieValue, func(o object) { o["receipts"] = o["receipts"].([]any)[1:] }},
	"a receipt changed":             {LieValue, func(o object) { o["receipts"].([]any)[2].(object)["code"] = 0 }},
	"another count":                 {LieValue, func(o object) { o["tx_count"] = 6 }},
	"another proposer":              {LieValue, func(o object) { o["proposer"] = "00" }},
	"another app hash":              {LieValue, func(o object) { o["app_hash"] = crypto.Sum(nil).String() }},
	"another hash":                  {LieValue, func(o object) { o["hash"] = crypto.Sum(nil).String() }},
	"another height":                {LieHeight, func(o object) { o["height"] = 2 }},
	"no proof":                      {LieUnproven, func(o object) { delete(o, "proof") }},
	"more than a block holds": {LieShape, func(o object) {
		whole := base64.StdEncoding.EncodeToString(make([]byte, blockTxsBytesMax+1))
		o["proof"].(object)["txs"] = []any{whole}
	}},
}

// TestLiesAboutBlocks: nothing can be left out of a block or changed in it.
func TestLiesAboutBlocks(t *testing.T) {
	p := newProving(t, 2, fourValidators)
	height := p.fill(t, 7)
	for name, l := range blockLies {
		t.Run(name, func(t *testing.T) {
			v := p.verified(t, VerifiedOptions{Options: Options{MinHeight: height}})
			p.lies(0, func(path string, body []byte) []byte {
				if isTrust(path) {
					return body
				}
				return edit(body, l.tell)
			})
			var lie *LieError
			_, err := readAt(t, v, p.servers[0].URL, height)
			if !errors.As(err, &lie) || lie.Kind != l.kind || lie.Source != p.servers[0].URL {
				t.Fatalf("want a lie of the kind %s, got %v", l.kind, err)
			}
		})
	}
	p.lies(0, func(path string, body []byte) []byte {
		if path == "/v1/light/"+decimalOf(height) {
			return p.get("/v1/light/" + decimalOf(height+1))
		}
		return body
	})
	var lie *LieError
	if _, err := readAt(t, p.verified(t, VerifiedOptions{}), p.servers[0].URL, height); !errors.As(err, &lie) || lie.Kind != LieHeader {
		t.Errorf("another block's header: %v", err)
	}
}

// readAt reads a block with its receipts at one node.
func readAt(t testing.TB, v *Verified, node string, height uint64) (rpc.Block, error) {
	b, _, err := v.blockAt(within(t, time.Minute), node, ReceiptsList, ReadOptions{Height: height})
	return b, err
}

// TestBlockBounds: the largest block that a genesis document allows is looked at, and nothing larger.
func TestBlockBounds(t *testing.T) {
	if blockTxsBytesMax != genesis.BlockBytesMax {
		t.Errorf("blocks of %d bytes are verified, and of %d are allowed", blockTxsBytesMax, genesis.BlockBytesMax)
	}
	p := newProving(t, 1, fourValidators)
	p.seal(2)
	below, next := p.chain.block(rpctest.Header{Height: 1, TimeMS: 1000}).Header, p.chain.block(rpctest.Header{Height: 2, TimeMS: 2000}).Header
	header, err := below.ToProto().Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for over, want := range map[int]LieKind{0: LieTxs, 1: LieShape} {
		parts := &BlockParts{Header: header, Txs: [][]byte{make([]byte, blockTxsBytesMax), make([]byte, over)}}
		var lie *LieError
		if _, err := parts.build(p.ChainID, 1, next); !errors.As(err, &lie) || lie.Kind != want {
			t.Errorf("%d bytes too many: %v", over, err)
		}
	}
	for size, want := range map[int]string{headerBytesMax: "does not decode", headerBytesMax + 1: "at most"} {
		parts := &BlockParts{Header: make([]byte, size)}
		var lie *LieError
		if _, err := parts.build(p.ChainID, 1, next); !errors.As(err, &lie) || lie.Kind != LieHeader || !strings.Contains(lie.Detail, want) {
			t.Errorf("a header of %d bytes: %v", size, err)
		}
	}
	for height, ok := range map[uint64]bool{math.MaxInt64/2 - 1: true, math.MaxInt64 / 2: false} {
		if err := checkHeight(height); (err == nil) != ok {
			t.Errorf("height %d: %v", height, err)
		}
	}
}

// TestResultsAreCometBFTs: the encoding that is hashed is the one that CometBFT makes, and bytes that are no
// transaction or no frame are results, too.
func TestResultsAreCometBFTs(t *testing.T) {
	single := newProving(t, 1, fourValidators).transfer(t, 1).Raw
	broken := []byte{0, 9, 9}
	noise := []byte("noise")
	parts := &BlockParts{Txs: [][]byte{single, broken, noise}, Failed: []rpc.FailedReceipt{{Index: 1, Code: 17}}}
	receipts, results, err := parts.receipts(5)
	if err != nil || len(receipts) != 2 || len(results) != 3 {
		t.Fatalf("%+v, %d results, %v", receipts, len(results), err)
	}
	tx, _ := ledger.DecodeTransaction(single)
	first := ledger.Receipt{Txid: tx.ID[:], Height: 5}
	other := ledger.UndecodableTransaction(noise, ledger.CodeBadEncoding)
	second := ledger.Receipt{Txid: other.ID[:], Height: 5, Index: 1, Code: 17}
	_, frameErr := ledger.DecodeFrame(broken)
	want := []rpctest.Result{{Data: first.Encode()}, {Code: uint32(codeOf(frameErr))}, {Code: 17, Data: second.Encode()}}
	if got, want := merkle.ListRoot(results), resultsHash(want); got != crypto.Hash(want) {
		t.Errorf("hash %s, CometBFT's is %x", got, want)
	}
}
