package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Params are the bounds and times that a network chooses for itself in its genesis. All replicas must agree
// on them, so they are a leaf of the state.
type Params struct {
	// ValidForMaxMS is how far ahead of block time a transaction's validity may end. It bounds how long a
	// replay record must be looked up.
	ValidForMaxMS uint64 `json:"valid_for_max_ms"`
	// ReplayBucketMS is the span of expiry times whose replay records share a subtree.
	ReplayBucketMS uint64 `json:"replay_bucket_ms"`
	// ReplayGraceMS is how long a bucket's root stays after its last record expired, so that absence can be proven.
	ReplayGraceMS uint64 `json:"replay_grace_ms"`
	// ReplayBucketMax bounds the records of one bucket, and so the memory that replay protection takes.
	ReplayBucketMax uint64 `json:"replay_bucket_max"`
	// ValidatorsMin is the number of validators with power that misbehaviour never goes below: a smaller
	// network could not tolerate a further fault at all.
	ValidatorsMin uint32 `json:"validators_min"`
	// ValidatorsMax bounds the validators the network may have.
	ValidatorsMax uint32 `json:"validators_max"`
}

// DefaultParams are the parameters of a network that chooses none.
func DefaultParams() Params {
	return Params{
		ValidForMaxMS:   10 * 60 * 1000,
		ReplayBucketMS:  10 * 1000,
		ReplayGraceMS:   60 * 60 * 1000,
		ReplayBucketMax: 300_000, // 20,000 transactions a second fill two thirds of a bucket of 10 s
		ValidatorsMin:   4,
		ValidatorsMax:   100,
	}
}

// Bounds of what a network may choose.
const (
	paramValidForMin = 1_000
	paramValidForMax = 24 * 60 * 60 * 1000
	paramBucketMin   = 1_000
	paramBucketMax   = 60 * 60 * 1000
	paramGraceMax    = 7 * 24 * 60 * 60 * 1000
	paramBucketsMax  = 4096 // buckets alive at once: each is a leaf and a subtree
	paramBucketCap   = 10_000_000
)

// Validate lists every fault.
func (p Params) Validate() error {
	var faults []error
	between := func(name string, value, min, max uint64) {
		if value < min || value > max {
			faults = append(faults, fmt.Errorf("%s is %d, must be between %d and %d", name, value, min, max))
		}
	}
	between("valid_for_max_ms", p.ValidForMaxMS, paramValidForMin, paramValidForMax)
	between("replay_bucket_ms", p.ReplayBucketMS, paramBucketMin, paramBucketMax)
	between("replay_grace_ms", p.ReplayGraceMS, 0, paramGraceMax)
	between("replay_bucket_max", p.ReplayBucketMax, 1, paramBucketCap)
	between("validators_min", uint64(p.ValidatorsMin), 1, ValidatorsLimit)
	between("validators_max", uint64(p.ValidatorsMax), 1, ValidatorsLimit)
	if p.ValidatorsMin > p.ValidatorsMax {
		faults = append(faults, fmt.Errorf("validators_min %d is larger than validators_max %d", p.ValidatorsMin, p.ValidatorsMax))
	}
	if len(faults) == 0 && (p.ValidForMaxMS+p.ReplayGraceMS)/p.ReplayBucketMS > paramBucketsMax {
		faults = append(faults, fmt.Errorf("valid_for_max_ms and replay_grace_ms span more than %d buckets of replay_bucket_ms", paramBucketsMax))
	}
	return errors.Join(faults...)
}

// Bucket is the replay bucket of a transaction that is valid until then.
func (p Params) Bucket(validUntilMS uint64) uint64 { return validUntilMS / p.ReplayBucketMS }

// BucketEndMS is the first block time at which every transaction of the bucket has expired.
func (p Params) BucketEndMS(bucket uint64) uint64 { return (bucket + 1) * p.ReplayBucketMS }

// BucketDropMS is the first block time at which the bucket's leaf is dropped.
func (p Params) BucketDropMS(bucket uint64) uint64 { return p.BucketEndMS(bucket) + p.ReplayGraceMS }

// Append appends the leaf's encoding.
func (p Params) Append(b []byte) []byte {
	b = append(b, leafVersion)
	for _, v := range []uint64{p.ValidForMaxMS, p.ReplayBucketMS, p.ReplayGraceMS, p.ReplayBucketMax} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	b = binary.BigEndian.AppendUint32(b, p.ValidatorsMin)
	return binary.BigEndian.AppendUint32(b, p.ValidatorsMax)
}

// DecodeParams reads the parameters' leaf.
func DecodeParams(b []byte) (Params, error) {
	r := readLeaf(b)
	p := Params{ValidForMaxMS: r.u64(), ReplayBucketMS: r.u64(), ReplayGraceMS: r.u64(), ReplayBucketMax: r.u64()}
	p.ValidatorsMin = r.u32()
	p.ValidatorsMax = r.u32()
	if err := r.end("params"); err != nil {
		return p, err
	}
	if err := p.Validate(); err != nil {
		return p, &LeafError{Kind: "params", Reason: err.Error()}
	}
	return p, nil
}
