package client

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

const (
	receiptFormat = 1
	// receiptSource names the file in errors.
	receiptSource = "the receipt"
)

// Receipt proves to anybody who knows the genesis hash what became of a transaction. It holds all that is
// needed: the genesis document, the headers from there to the one after Height, and the proof.
type Receipt struct {
	Format int             `json:"format"`
	TxID   crypto.Hash     `json:"txid"`
	Status string          `json:"status"` // committed, failed or never_will
	Code   uint32          `json:"code"`
	Body   []byte          `json:"body,omitempty"` // the transaction's; never_will needs it, for the end of its validity
	Height uint64          `json:"height"`         // of the state that the proof is about
	Proof  []rpc.ProofItem `json:"proof"`
	Lineage
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
	last, err := r.walk(root, r.Height+1, now)
	if err != nil {
		return Verdict{}, err
	}
	p, err := newProven(&rpc.Proof{Height: r.Height, Items: r.Proof}, last.Header)
	if err != nil {
		return Verdict{}, err
	}
	verdict.BlockTime = last.Time
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
	var r Receipt
	if err := decodeFile(data, &r); err != nil {
		return nil, err
	}
	if r.Format != receiptFormat {
		return nil, fmt.Errorf("a receipt of format %d cannot be read by this version", r.Format)
	}
	return &r, cmp.Or(checkHeight(r.Height), r.check())
}

// decodeFile reads a receipt or a proof document: one JSON document of a bounded size without unknown fields.
func decodeFile(data []byte, into any) error {
	if len(data) > ReceiptBytesMax {
		return fmt.Errorf("%d bytes, such a file has at most %d", len(data), ReceiptBytesMax)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return lie(LieShape, "it does not decode: %v", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return lie(LieShape, "something stands behind it")
	}
	return nil
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
