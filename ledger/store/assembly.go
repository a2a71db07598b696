package store

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
)

// assembly verifies the chunks of a snapshot, one after the other: that the state tree comes first and whole,
// and after it every replay bucket that has a leaf, by number and whole. It writes nothing and believes nothing
// but the root.
type assembly struct {
	state   *merkle.Sequence
	params  *ledger.Params           // once its leaf has come
	leaves  map[uint64]ledger.Bucket // of buckets, as far as the state has come
	buckets []uint64                 // that are still to come, ascending; known once the state is done
	bucket  *merkle.Sequence         // of the first of them
	records uint64                   // replay records of the buckets that are done
}

func newAssembly(root crypto.Hash) *assembly {
	return &assembly{state: merkle.NewSequence(root), leaves: make(map[uint64]ledger.Bucket)}
}

// take verifies the next chunk and calls verified for each of its parts; last says that the part's tree is whole
// now. ErrBadSnapshot says that the chunk is not of the root; other errors are those of verified. After any error
// the assembly is of no use any more.
func (a *assembly) take(chunk []byte, verified func(p part, last bool) error) error {
	parts, err := decodeChunk(chunk)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadSnapshot, err)
	}
	for _, p := range parts {
		last, err := a.verify(p)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBadSnapshot, err)
		}
		if err := verified(p, last); err != nil {
			return err
		}
	}
	return nil
}

// verify takes a part; last says that its tree is whole now.
func (a *assembly) verify(p part) (last bool, err error) {
	if !a.state.Done() {
		if p.kind != partState {
			return false, fmt.Errorf("replay bucket %d comes before the end of the state", p.bucket)
		}
		return a.verifyState(p.leaves)
	}
	switch {
	case p.kind == partState:
		return false, errors.New("more of the state comes after its last leaf")
	case len(a.buckets) == 0:
		return false, errors.New("more comes after everything")
	case p.bucket != a.buckets[0]:
		return false, fmt.Errorf("replay bucket %d comes in place of bucket %d", p.bucket, a.buckets[0])
	}
	if err := a.bucket.Take(p.leaves); err != nil {
		return false, fmt.Errorf("replay bucket %d: %w", p.bucket, err)
	}
	if !a.bucket.Done() {
		return false, nil
	}
	if n, want := a.bucket.Leaves(), a.leaves[p.bucket].Count; n != want {
		return false, fmt.Errorf("replay bucket %d has %d records, its leaf says %d", p.bucket, n, want)
	}
	a.records += a.bucket.Leaves()
	a.buckets = a.buckets[1:]
	a.nextBucket()
	return true, nil
}

// verifyState takes leaves of the state and notes those that say what else there is.
func (a *assembly) verifyState(leaves *merkle.Range) (last bool, err error) {
	if err := a.state.Take(leaves); err != nil {
		return false, fmt.Errorf("the state: %w", err)
	}
	for _, l := range leaves.Leaves {
		switch {
		case l.Key[0] == ledger.PrefixBucket && len(l.Key) == bucketLeafLen:
			leaf, err := ledger.DecodeBucket(l.Value)
			if err != nil {
				return false, fmt.Errorf("replay bucket %d: %w", numberOf(l.Key), err)
			}
			a.leaves[numberOf(l.Key)] = leaf
		case l.Key[0] == ledger.PrefixParams && len(l.Key) == 1:
			params, err := ledger.DecodeParams(l.Value)
			if err != nil {
				return false, err
			}
			a.params = &params
		}
	}
	if !a.state.Done() {
		return false, nil
	}
	a.buckets = slices.Sorted(maps.Keys(a.leaves))
	a.nextBucket()
	return true, nil
}

// nextBucket prepares for the next bucket. One without records would have no parts.
func (a *assembly) nextBucket() {
	for len(a.buckets) > 0 {
		a.bucket = merkle.NewSequence(a.leaves[a.buckets[0]].Root)
		if !a.bucket.Done() {
			return
		}
		a.buckets = a.buckets[1:]
	}
}

// complete reports whether everything was there that the root stands for, and as much as the manifest says.
func (a *assembly) complete(m Manifest) error {
	switch {
	case !a.state.Done():
		return fmt.Errorf("%w: the state is not whole after %d leaves", ErrBadSnapshot, a.state.Leaves())
	case len(a.buckets) > 0:
		return fmt.Errorf("%w: replay bucket %d is missing", ErrBadSnapshot, a.buckets[0])
	case a.state.Leaves() != m.Leaves || a.records != m.Records:
		return fmt.Errorf("%w: it has %d leaves and %d replay records, its manifest says %d and %d",
			ErrBadSnapshot, a.state.Leaves(), a.records, m.Leaves, m.Records)
	}
	return nil
}

// over reports whether the time of a bucket is over, so that no record will be added to it. The time of the
// state may not be known (0): then the newest bucket tells how early it can be at most, since no transaction is
// valid for longer than the parameters allow. To think a bucket open that is over costs memory for a while; the
// opposite would be fatal.
func (a *assembly) over(bucket, timeMS uint64) bool {
	if a.params == nil {
		return false
	}
	if timeMS == 0 {
		newest := uint64(0)
		for number := range a.leaves {
			newest = max(newest, number)
		}
		timeMS = max(newest*a.params.ReplayBucketMS, a.params.ValidForMaxMS) - a.params.ValidForMaxMS
	}
	return a.params.BucketEndMS(bucket) <= timeMS
}
