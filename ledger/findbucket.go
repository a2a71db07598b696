package ledger

// FindBucket looks for the bucket that holds a transaction's replay record. That is some hundred look-ups, most
// of them on disk: who knows the end of the transaction's validity asks Params.Bucket instead.
func FindBucket(r Reader, id TxID) (bucket uint64, found bool, err error) {
	leaf, err := r.Get(KeyChain())
	if err != nil || leaf == nil {
		return 0, false, err
	}
	chain, err := DecodeChain(leaf)
	if err != nil {
		return 0, false, err
	}
	for bucket := chain.BucketsFrom; bucket < chain.BucketsTo; bucket++ {
		record, err := r.Get(KeyRecord(bucket, id))
		if err != nil || record != nil {
			return bucket, record != nil, err
		}
	}
	return 0, false, nil
}
