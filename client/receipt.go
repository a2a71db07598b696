package client

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

const (
	receiptFormat = 1
	// ReceiptBytesMax bounds the file: a genesis document of the largest size served, and the headers of many
	// complete changes of validators.
	ReceiptBytesMax = 64 << 20
	// receiptSource names the file in errors.
	receiptSource = "the receipt"
	// anyAge makes CometBFT's check of a header's age pass. Receipts are for archives: no clock says how old the
	// keys of former validators may be. Each step needs more than two thirds of the validators before it instead.
	anyAge = 100 * 365 * 24 * time.Hour
)

// Receipt proves to anybody who knows the genesis hash what became of a transaction. It holds all that is
// needed: the genesis document, the headers from there to the proof, and the proof.
type Receipt struct {
	Format      int             `json:"format"`
	ChainID     string          `json:"chain_id"`
	GenesisHash crypto.Hash     `json:"genesis_hash"`
	TxID        crypto.Hash     `json:"txid"`
	Status      string          `json:"status"` // committed, failed or never_will
	Code        uint32          `json:"code"`
	Body        []byte          `json:"body,omitempty"` // the transaction's; never_will needs it, for the end of its validity
	Height      uint64          `json:"height"`         // of the state that the proof is about
	Proof       []rpc.ProofItem `json:"proof"`
	LightBlocks [][]byte        `json:"light_blocks"` // CometBFT's LightBlock; the last is of Height+1
	Genesis     []byte          `json:"genesis_gzip"`
}

// Encode is the file's content.
func (r *Receipt) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode the receipt: %w", err)
	}
	return append(data, '\n'), nil
}

// Verdict is what a receipt proves.
type Verdict struct {
	rpc.TxStatus
	ChainID      string
	ProvenHeight uint64       // of the state that shows it
	BlockTime    time.Time    // of the block after that, whose header holds the state's root
	Body         *ledger.Body // nil if the receipt does not hold it
}

// VerifyReceipt checks a receipt with nothing but the genesis hash and the time. An error that is an ErrLie
// means that it proves nothing; what it says is then false or damaged.
func VerifyReceipt(data []byte, genesis crypto.Hash, now time.Time) (Verdict, error) {
	verdict, err := verifyReceipt(data, genesis, now)
	if err != nil {
		return Verdict{}, from(receiptSource, 0, err)
	}
	return verdict, nil
}

func verifyReceipt(data []byte, genesis crypto.Hash, now time.Time) (Verdict, error) {
	r, err := readReceipt(data)
	if err != nil {
		return Verdict{}, err
	}
	root, err := r.genesisTrust(genesis)
	if err != nil {
		return Verdict{}, err
	}
	verdict := Verdict{ChainID: r.ChainID, ProvenHeight: r.Height}
	validUntilMS, err := verdict.readBody(r)
	if err != nil {
		return Verdict{}, err
	}
	p, at, err := r.walk(root, now)
	if err != nil {
		return Verdict{}, err
	}
	verdict.BlockTime = at
	if verdict.TxStatus, err = judge(p, r.TxID, validUntilMS); err != nil {
		if errors.Is(err, ErrUndecided) {
			err = lie(LieVerdict, "it proves no outcome: %v", err)
		}
		return Verdict{}, err
	}
	if verdict.Status != r.Status || verdict.Code != r.Code {
		return Verdict{}, lie(LieVerdict, "it says %s (code %d) and proves %s (code %d)", cut(r.Status), r.Code, verdict.Status, verdict.Code)
	}
	return verdict, nil
}

func readReceipt(data []byte) (*Receipt, error) {
	if len(data) > ReceiptBytesMax {
		return nil, fmt.Errorf("%d bytes, a receipt has at most %d", len(data), ReceiptBytesMax)
	}
	var r Receipt
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return nil, lie(LieShape, "it does not decode: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, lie(LieShape, "something stands behind it")
	}
	switch {
	case r.Format != receiptFormat:
		return nil, fmt.Errorf("a receipt of format %d cannot be read by this version", r.Format)
	case r.Height >= math.MaxInt64/2:
		return nil, lie(LieShape, "there is no height %d", r.Height)
	case len(r.LightBlocks) == 0 || len(r.LightBlocks) > climbFetchMax+1:
		return nil, lie(LieShape, "%d headers", len(r.LightBlocks))
	}
	return &r, nil
}

// genesisTrust unpacks the genesis document and checks its hash.
func (r *Receipt) genesisTrust(hash crypto.Hash) (*genesisTrust, error) {
	if r.GenesisHash != hash {
		return nil, lie(LieGenesis, "it is of the network with the genesis hash %s, asked about %s", r.GenesisHash, hash)
	}
	z, err := gzip.NewReader(bytes.NewReader(r.Genesis))
	if err != nil {
		return nil, lie(LieGenesis, "the document does not unpack: %v", err)
	}
	document, err := readBounded(z, answerBytesMax)
	if err != nil {
		return nil, lie(LieGenesis, "the document does not unpack: %v", err)
	}
	return readGenesis(document, hash, r.ChainID)
}

// readBody takes the end of validity from the transaction's body, if that is there: the id is its hash.
func (v *Verdict) readBody(r *Receipt) (validUntilMS uint64, err error) {
	if len(r.Body) == 0 {
		return 0, nil
	}
	if len(r.Body) > ledger.TxBytesMax || crypto.SumTagged(crypto.TagTxID, r.Body) != r.TxID {
		return 0, lie(LieVerdict, "the body is not that of the transaction %s", r.TxID)
	}
	var body ledger.Body
	if err := body.Unmarshal(r.Body); err != nil || !bytes.Equal(body.Encode(), r.Body) {
		return 0, lie(LieShape, "the transaction's body does not decode")
	}
	if body.ChainId != r.ChainID {
		return 0, lie(LieVerdict, "the transaction is of the chain %q, the receipt of %q", cut(body.ChainId), r.ChainID)
	}
	v.Body = &body
	if body.Lane != nil {
		return 0, nil // it leaves no record, so none that is missing shows anything
	}
	return body.ValidUntilMs, nil
}

// walk checks the headers, each against the one before, and returns the state that the last one vouches for.
func (r *Receipt) walk(root *genesisTrust, now time.Time) (*proven, time.Time, error) {
	base := anchor{genesis: root}
	rules := stepRules{chainID: r.ChainID, period: anyAge, level: twoThirds, now: now}
	for _, encoded := range r.LightBlocks {
		block, err := decodeBlock(encoded, r.ChainID)
		if err != nil {
			return nil, time.Time{}, err
		}
		if err := rules.step(base, block); err != nil {
			return nil, time.Time{}, lie(LieHeader, "header %d: %v", block.Height, err)
		}
		base = anchor{block: block}
	}
	last := base.block
	if uint64(last.Height) != r.Height+1 {
		return nil, time.Time{}, lie(LieHeight, "its last header is %d, its proof of %d", last.Height, r.Height)
	}
	proof := &rpc.Proof{Height: r.Height, Items: r.Proof}
	p, err := newProven(proof, crypto.Hash(last.AppHash), uint64(max(0, last.Time.UnixMilli())))
	return p, last.Time, err
}
