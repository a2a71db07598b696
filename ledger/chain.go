package ledger

import "encoding/binary"

// Chain is the leaf of what belongs to no object.
type Chain struct {
	// Revision is the version that the latest write of any entry got.
	Revision uint64
	// Buckets from BucketsFrom up to, but not including, BucketsTo may have a leaf; equal when none has.
	BucketsFrom, BucketsTo uint64
}

// Append appends the leaf's encoding.
func (c Chain) Append(b []byte) []byte {
	b = append(b, leafVersion)
	b = binary.BigEndian.AppendUint64(b, c.Revision)
	b = binary.BigEndian.AppendUint64(b, c.BucketsFrom)
	return binary.BigEndian.AppendUint64(b, c.BucketsTo)
}

// DecodeChain reads the leaf.
func DecodeChain(b []byte) (Chain, error) {
	r := readLeaf(b)
	c := Chain{Revision: r.u64(), BucketsFrom: r.u64(), BucketsTo: r.u64()}
	if c.BucketsFrom > c.BucketsTo {
		r.fail("buckets end before they begin")
	}
	return c, r.end("chain")
}

// noteBucket widens the range of buckets that may have a leaf.
func (c *Chain) noteBucket(bucket uint64) {
	if c.BucketsFrom == c.BucketsTo {
		c.BucketsFrom, c.BucketsTo = bucket, bucket+1
		return
	}
	c.BucketsFrom = min(c.BucketsFrom, bucket)
	c.BucketsTo = max(c.BucketsTo, bucket+1)
}
