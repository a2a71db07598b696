package ledger

import "github.com/tetradledger/tetrad/crypto"

// ID is the transaction the receipt is for.
func (r *Receipt) ID() TxID {
	if len(r.Txid) != crypto.HashSize {
		return TxID{}
	}
	return TxID(r.Txid)
}

// Outcome is the receipt's code as a Code.
func (r *Receipt) Outcome() Code { return Code(r.Code) }

// Encode is the encoding that is hashed into the block's results.
func (r *Receipt) Encode() []byte {
	b, err := r.Marshal()
	if err != nil {
		panic("ledger: encoding a receipt failed: " + err.Error())
	}
	return b
}

// DecodeReceipt reads a receipt in its canonical encoding.
func DecodeReceipt(b []byte) (Receipt, error) {
	var r Receipt
	if fault := decodeCanonical(b, &r, "receipt"); fault != nil {
		return Receipt{}, fault
	}
	if len(r.Txid) != crypto.HashSize {
		return Receipt{}, reject(CodeBadField, "receipt.txid has %d bytes, must have %d", len(r.Txid), crypto.HashSize)
	}
	return r, nil
}
