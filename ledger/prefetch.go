package ledger

// prefetchTxs is how many transactions are announced together: enough for the Reader to wait for many pieces of
// memory at once, and few enough for what it brought to be there still when it is read.
const prefetchTxs = 128

// prefetch announces what transactions will read: accounts that the block has not read before, and replay records.
// What else an operation reads, many of a block's transactions share.
func (s *state) prefetch(txs []*Transaction) {
	to, able := s.reader.(Prefetcher)
	if !able {
		return
	}
	s.ahead = s.ahead[:0]
	for _, t := range txs {
		if t.Fault != CodeOK {
			continue
		}
		for _, id := range t.Parties() {
			if s.accounts.cells[id] == nil {
				s.ahead = append(s.ahead, s.bytes.keep(accountLayout.appendKey(s.bytes.room(), id)))
			}
		}
		if t.Body.Lane == nil {
			bucket := s.params.Bucket(t.Body.ValidUntilMs)
			s.ahead = append(s.ahead, s.bytes.keep(appendRecordKey(s.bytes.room(), bucket, t.ID)))
		}
	}
	to.Prefetch(s.ahead)
}
