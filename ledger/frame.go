package ledger

import (
	"encoding/binary"
)

// A frame carries signed transactions that one validator verified and packed, so that the engine moves
// and counts hundreds of them as one. It is not signed and gives no authority; each transaction inside
// keeps its own id, receipt and place. Its two-byte head can begin no single transaction.
const (
	frameHead0 = 0x00
	frameHead1 = 0x01
	frameHead  = 2
)

// EncodeFrame packs transactions. The caller keeps the bounds FrameTxsMax and FrameBytesMax.
func EncodeFrame(txs [][]byte) []byte {
	n := frameHead
	for _, tx := range txs {
		n += DelimitedSize(len(tx))
	}
	frame := append(make([]byte, 0, n), frameHead0, frameHead1)
	for _, tx := range txs {
		frame = AppendDelimited(frame, tx)
	}
	return frame
}

// IsFrame reports whether the bytes claim to be a frame and not a single transaction.
func IsFrame(raw []byte) bool { return len(raw) > 0 && raw[0] == frameHead0 }

// DecodeFrame unpacks a frame. The transactions alias it and are not decoded themselves.
func DecodeFrame(raw []byte) ([][]byte, error) {
	switch {
	case len(raw) > FrameBytesMax:
		return nil, reject(CodeTooLarge, "frame of %d bytes, at most %d allowed", len(raw), FrameBytesMax)
	case len(raw) < frameHead || raw[0] != frameHead0:
		return nil, reject(CodeBadFrame, "no frame head")
	case raw[1] != frameHead1:
		return nil, reject(CodeBadFrame, "frame version %d is not known", raw[1])
	}
	return SplitDelimited(raw[frameHead:], FrameTxsMax)
}

// AppendDelimited appends a transaction and, before it, its length: the body of a frame and of a batch.
func AppendDelimited(dst, tx []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(tx)))
	return append(dst, tx...)
}

// DelimitedSize is how many bytes AppendDelimited adds for a transaction of n bytes.
func DelimitedSize(n int) int {
	size := n + 1
	for rest := n >> 7; rest > 0; rest >>= 7 {
		size++
	}
	return size
}

// SplitDelimited undoes AppendDelimited for 1 to txsMax transactions. They alias b.
func SplitDelimited(b []byte, txsMax int) ([][]byte, error) {
	var txs [][]byte
	for len(b) > 0 {
		if len(txs) == txsMax {
			return nil, reject(CodeTooMany, "more than %d transactions", txsMax)
		}
		size, rest, fault := minimalUvarint(b)
		switch {
		case fault != "":
			return nil, reject(CodeBadFrame, "length of transaction %d: %s", len(txs), fault)
		case size == 0:
			return nil, reject(CodeBadFrame, "transaction %d is empty", len(txs))
		case size > TxBytesMax:
			return nil, reject(CodeTooLarge, "transaction %d has %d bytes, at most %d allowed", len(txs), size, TxBytesMax)
		case size > uint64(len(rest)):
			return nil, reject(CodeBadFrame, "transaction %d ends early", len(txs))
		}
		txs = append(txs, rest[:size:size])
		b = rest[size:]
	}
	if len(txs) == 0 {
		return nil, reject(CodeBadFrame, "no transaction")
	}
	return txs, nil
}
