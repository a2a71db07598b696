package ledger

import (
	"slices"

	"github.com/tetradledger/tetrad/crypto"
)

// checkTime accepts a transaction whose validity has not ended and, unless a lane guards it, ends no
// further ahead than replay records are kept for.
func (s *state) checkTime(t *Transaction) error {
	until := t.Body.ValidUntilMs
	if t.Body.Lane != nil && until == 0 {
		return nil
	}
	if s.timeMS >= until {
		return reject(CodeExpired, "valid until %d, block time is %d", until, s.timeMS)
	}
	if t.Body.Lane == nil && until-s.timeMS > s.params.ValidForMaxMS {
		return reject(CodeTooFarAhead, "valid until %d, at most %d ms after block time %d allowed", until, s.params.ValidForMaxMS, s.timeMS)
	}
	return nil
}

// checkNonce accepts a transaction that was in no block yet, if there is room to record it.
func (s *state) checkNonce(t *Transaction) error {
	if _, ok := s.records[t.ID]; ok {
		return &Reject{Code: CodeDuplicate}
	}
	bucket := s.params.Bucket(t.Body.ValidUntilMs)
	s.recordKey = s.bytes.keep(appendRecordKey(s.bytes.room(), bucket, t.ID))
	record, err := s.reader.Get(s.recordKey)
	if err != nil {
		return err
	}
	if record != nil {
		return &Reject{Code: CodeDuplicate}
	}
	count, err := s.recordCount(bucket)
	if err != nil {
		return err
	}
	if count >= s.params.ReplayBucketMax {
		return reject(CodeBucketFull, "%d transactions", count)
	}
	return nil
}

// recordCount is the number of records in the bucket, those of this block included.
func (s *state) recordCount(bucket uint64) (uint64, error) {
	if n, ok := s.counts[bucket]; ok {
		return n, nil
	}
	leaf, err := s.reader.Get(KeyBucket(bucket))
	if err != nil {
		return 0, err
	}
	var b Bucket
	if leaf != nil {
		if b, err = DecodeBucket(leaf); err != nil {
			return 0, err
		}
	}
	s.counts[bucket] = b.Count
	return b.Count, nil
}

// checkLane accepts exactly the next sequence number.
func (s *state) checkLane(actor crypto.Address, lane *Lane) error {
	c, err := s.accounts.get(s, actor)
	if err != nil {
		return err
	}
	at, found := slices.BinarySearchFunc(c.value.Lanes, lane.Id, compareLane)
	var last uint64
	if found {
		last = c.value.Lanes[at].Seq
	}
	switch {
	case lane.Seq <= last:
		return reject(CodeLanePast, "lane %d is at %d", lane.Id, last)
	case lane.Seq != last+1:
		return reject(CodeLaneGap, "lane %d is at %d, next is %d", lane.Id, last, last+1)
	case !found && len(c.value.Lanes) == LanesMax:
		return reject(CodeLanesFull, "%d lanes", LanesMax)
	}
	return nil
}

func compareLane(l LaneState, id uint64) int {
	switch {
	case l.ID < id:
		return -1
	case l.ID > id:
		return 1
	}
	return 0
}

// consume uses up the transaction's place in its lane, whatever becomes of its operations. Transactions
// with a nonce are consumed by their record, which keeps the outcome; see record.
func (s *state) consume(t *Transaction) error {
	lane := t.Body.Lane
	if lane == nil {
		return nil
	}
	c, err := s.accounts.get(s, t.Actor())
	if err != nil {
		return err
	}
	s.touch(c)
	at, found := slices.BinarySearchFunc(c.value.Lanes, lane.Id, compareLane)
	if !found {
		c.value.Lanes = slices.Insert(c.value.Lanes, at, LaneState{ID: lane.Id})
	}
	c.value.Lanes[at].Seq = lane.Seq
	s.keep()
	return nil
}

// record writes the replay record of an executed transaction.
func (s *state) record(t *Transaction, receipt *Receipt) {
	if t.Body.Lane != nil {
		return
	}
	bucket := s.params.Bucket(t.Body.ValidUntilMs)
	record := Record{Code: Code(receipt.Code), Height: receipt.Height, Index: receipt.Index, Op: receipt.Op}
	s.changes = append(s.changes, Change{Key: s.recordKey, Value: s.bytes.keep(record.Append(s.bytes.room()))})
	s.records[t.ID] = struct{}{}
	s.counts[bucket]++
	s.chain.noteBucket(bucket)
	s.before = s.chain
}

// dropBuckets deletes the leaves of buckets whose records are needed neither against replay nor for proofs.
func (s *state) dropBuckets() error {
	for range bucketsDroppedMax {
		bucket := s.chain.BucketsFrom
		if bucket == s.chain.BucketsTo || s.timeMS < s.params.BucketDropMS(bucket) {
			break
		}
		key := KeyBucket(bucket)
		leaf, err := s.reader.Get(key)
		if err != nil {
			return err
		}
		if leaf != nil {
			s.changes = append(s.changes, Change{Key: key})
		}
		s.chain.BucketsFrom++
	}
	s.before = s.chain
	return nil
}
