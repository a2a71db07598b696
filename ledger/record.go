package ledger

import (
	"encoding/binary"

	"github.com/tetradledger/tetrad/crypto"
)

// Record is a replay record: that a transaction was in a block, and what became of it. It is kept until the
// transaction could not come again, and some time longer for proofs.
type Record struct {
	Code   Code
	Height uint64
	Index  uint32
	Op     uint32
}

// Append appends the record's encoding.
func (r Record) Append(b []byte) []byte {
	b = append(b, leafVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(r.Code))
	b = binary.BigEndian.AppendUint64(b, r.Height)
	b = binary.BigEndian.AppendUint32(b, r.Index)
	return binary.BigEndian.AppendUint32(b, r.Op)
}

// DecodeRecord reads a replay record.
func DecodeRecord(b []byte) (Record, error) {
	r := readLeaf(b)
	record := Record{Code: Code(r.u32()), Height: r.u64(), Index: r.u32(), Op: r.u32()}
	return record, r.end("record")
}

// Receipt is the receipt that the record stands for.
func (r Record) Receipt(id TxID) Receipt {
	return Receipt{Txid: id[:], Height: r.Height, Index: r.Index, Code: uint32(r.Code), Op: r.Op}
}

// Bucket is the leaf of a replay bucket: the root of its subtree of records and how many there are.
type Bucket struct {
	Root  crypto.Hash
	Count uint64
}

// Append appends the leaf's encoding.
func (b Bucket) Append(dst []byte) []byte {
	dst = append(append(dst, leafVersion), b.Root[:]...)
	return binary.BigEndian.AppendUint64(dst, b.Count)
}

// DecodeBucket reads a bucket's leaf.
func DecodeBucket(b []byte) (Bucket, error) {
	r := readLeaf(b)
	bucket := Bucket{Root: r.b32(), Count: r.u64()}
	return bucket, r.end("bucket")
}
