package store

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
)

const (
	fsckChain  = "fsck-test"
	fsckBegin  = 1_800_000_000_000
	fsckHeight = 60
)

// ledgerChain is a chain of real blocks: checks of a store judge leaves by the ledger's rules.
type ledgerChain struct {
	t     *testing.T
	doc   *genesis.Doc
	store *Store
	nonce uint64
	txs   []*ledger.Transaction // all so far
}

func newLedgerChain(t *testing.T, o Options) *ledgerChain {
	t.Helper()
	var validators []genesis.Validator
	for i := range 4 {
		name := fmt.Sprintf("node%d", i)
		validators = append(validators, genesis.Validator{Name: name, Key: crypto.DevKey(name).Public(), Power: 10})
	}
	spec := genesis.DevSpec(fsckChain, time.UnixMilli(fsckBegin), validators, "alice", "bob")
	for i := range 60 { // enough for pages of balances
		spec.Assets = append(spec.Assets, genesis.Asset{Code: fmt.Sprintf("coin%d", i), Scale: 2, Issuer: "treasury"})
	}
	params := ledger.DefaultParams()
	params.ReplayBucketMS, params.ReplayGraceMS, params.ValidForMaxMS = 5000, 10_000, 20_000
	spec.Params = &params
	data, err := genesis.Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := genesis.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	out, err := doc.Outcome()
	if err != nil {
		t.Fatal(err)
	}
	o.Genesis = doc.Hash()
	c := &ledgerChain{t: t, doc: doc, store: openStore(t, o)}
	if _, err := c.store.Init(doc.Hash(), out, doc.TimeMS); err != nil {
		t.Fatal(err)
	}
	return c
}

// tx makes a transaction that is valid for some blocks.
func (c *ledgerChain) tx(from string, height uint64, op ledger.Op) *ledger.Transaction {
	c.t.Helper()
	c.nonce++
	key := crypto.DevKey(from)
	actor := key.Public().Address()
	body := ledger.Body{
		Version: 1, ChainId: fsckChain, Actor: actor[:], Ops: []ledger.Op{op},
		Nonce:        binary.BigEndian.AppendUint64(make([]byte, 8), c.nonce),
		ValidUntilMs: fsckBegin + height*1000 + 1000 + c.nonce*977%19_000,
	}
	raw, err := body.Marshal()
	if err != nil {
		c.t.Fatal(err)
	}
	message := crypto.SignBytes(crypto.TagTx, c.doc.Hash(), crypto.Sum(raw))
	encoded := ledger.Tx{Body: raw, Sigs: []ledger.Sig{{KeyType: 1, PublicKey: key.Public().Bytes, Signature: key.Sign(message[:])}}}
	bytes, err := encoded.Marshal()
	if err != nil {
		c.t.Fatal(err)
	}
	tx, err := ledger.DecodeTransaction(bytes)
	if err != nil {
		c.t.Fatal(err)
	}
	return tx
}

func transferOp(to, asset string, amount uint64) ledger.Op {
	address, id := crypto.DevKey(to).Public().Address(), ledger.AssetIDOf(asset)
	return ledger.Op{Kind: &ledger.Op_Transfer{Transfer: &ledger.Transfer{To: address[:], Asset: id[:], Amount: ledger.Amount{Lo: amount}.Bytes()}}}
}

// block makes and commits the next block: payments of all kinds, an entry, a bad signature, a transaction
// that fails, and one that comes again.
func (c *ledgerChain) block() {
	c.t.Helper()
	view := c.store.View()
	height := view.Height() + 1
	put := ledger.Op{Kind: &ledger.Op_Put{Put: &ledger.Put{Path: fmt.Sprintf("path/%d", height%7), Value: fmt.Appendf(nil, "value %d", height)}}}
	txs := []*ledger.Transaction{
		c.tx("alice", height, transferOp("bob", "usd", 1)),
		c.tx("treasury", height, transferOp("bob", fmt.Sprintf("coin%d", height%60), height)),
		c.tx("bob", height, transferOp("carol", "usd", 5)),
		c.tx("alice", height, put),
		c.tx("carol", height, transferOp("alice", "usd", 1_000_000)),
		c.tx("alice", height, transferOp("bob", "usd", 3)),
	}
	txs[5].Fault = ledger.CodeBadSignature
	if len(c.txs) > 3 {
		txs = append(txs, c.txs[len(c.txs)-2])
	}
	c.txs = append(c.txs, txs[:5]...)
	timeMS := uint64(fsckBegin) + height*1000
	out, err := ledger.Execute(view, ledger.Block{Height: height, TimeMS: timeMS, Txs: txs})
	if err != nil {
		c.t.Fatal(err)
	}
	view.Close()
	commitRecord(c.t, c.store, Record{Height: height, TimeMS: timeMS, Changes: out.Changes, Receipts: out.Receipts, Touched: out.Touched})
}

// fsckOptions keeps a part of the heights, so that there are flat keys, buckets on disk and dropped records.
func fsckOptions(dir string) Options {
	o := testOptions(dir)
	o.KeepHeights = 30
	return o
}

// build writes the chain the tests look at and closes its store.
func build(t *testing.T) (dir string, c *ledgerChain) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "ledger")
	c = newLedgerChain(t, fsckOptions(dir))
	for h := 1; h <= fsckHeight; h++ {
		c.block()
		if h%9 == 0 {
			if err := c.store.FoldOnce(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.store.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, c
}
