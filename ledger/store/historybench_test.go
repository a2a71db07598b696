package store

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// benchTransfers makes blocks of transfers between random accounts whose leaves and logs are real ones.
type benchTransfers struct {
	rng    *rand.Rand
	counts []uint64
}

// block is the next block. Without touched it is what it was before there were histories.
func (t *benchTransfers) block(height uint64, transfers int, touched bool) Record {
	params := ledger.DefaultParams()
	r := Record{Height: height, TimeMS: benchTime(height)}
	changed := make(map[int]bool, 2*transfers)
	for i := range transfers {
		from, to := t.rng.IntN(len(t.counts)), t.rng.IntN(len(t.counts))
		if from == to {
			to = (to + 1) % len(t.counts)
		}
		id := crypto.Hash(randomBytes(t.rng, 32))
		outcome := ledger.Record{Height: height, Index: uint32(i)}
		r.Changes = append(r.Changes, ledger.Change{Key: ledger.KeyRecord(params.Bucket(r.TimeMS+60_000), id), Value: outcome.Append(nil)})
		r.Receipts = append(r.Receipts, outcome.Receipt(id))
		var pair []crypto.Address
		for _, a := range []int{from, to} {
			t.counts[a]++
			changed[a] = true
			pair = append(pair, crypto.Address(benchAccount(a)[1:]))
		}
		if touched {
			r.Touched = append(r.Touched, pair)
		}
	}
	for a := range changed {
		var head crypto.Hash
		binary.BigEndian.PutUint64(head[:], t.rng.Uint64())
		leaf := ledger.Account{
			LogCount: t.counts[a], LogHead: head,
			Balances: []ledger.Balance{{Asset: crypto.Hash{1}, Amount: ledger.Amount{Lo: uint64(a) + 1}}},
		}
		r.Changes = append(r.Changes, ledger.Change{Key: benchAccount(a), Value: leaf.Append(nil)})
	}
	sortChanges(r.Changes)
	return r
}

// BenchmarkCommitTouched is a commit with the lists of touched accounts and without, one after the other on the
// same machine.
func BenchmarkCommitTouched(b *testing.B) {
	for _, touched := range []bool{false, true} {
		b.Run(fmt.Sprintf("touched=%v", touched), func(b *testing.B) {
			s, _ := benchStore(b, 100_000)
			defer s.Close()
			t := &benchTransfers{rng: rand.New(rand.NewPCG(2, 2)), counts: make([]uint64, 100_000)}
			const transfers = 4000
			var size uint64
			var spent time.Duration
			for b.Loop() {
				b.StopTimer()
				head, _ := s.Head()
				r := t.block(head.Height+1, transfers, touched)
				b.StartTimer()
				before := cpu()
				commitRecord(b, s, r)
				spent += cpu() - before
				size += s.recent[len(s.recent)-1].bytes
			}
			perTransfer := float64(b.N * transfers)
			b.ReportMetric(float64(spent.Microseconds())/perTransfer, "cpu-us/transfer")
			b.ReportMetric(float64(size)/perTransfer, "B/transfer")
		})
	}
}

// BenchmarkHistories is the background work for the histories of 60 blocks of 4000 transfers, Badger's goroutines
// included.
func BenchmarkHistories(b *testing.B) {
	for _, accounts := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("accounts=%d", accounts), func(b *testing.B) {
			s, _ := benchStore(b, accounts)
			defer s.Close()
			s.histories.from = 2 // the first block has no lists
			t := &benchTransfers{rng: rand.New(rand.NewPCG(2, 2)), counts: make([]uint64, accounts)}
			const blocks, transfers = 60, 4000
			var spent time.Duration
			for b.Loop() {
				b.StopTimer()
				for range blocks {
					head, _ := s.Head()
					commitRecord(b, s, t.block(head.Height+1, transfers, true))
				}
				b.StartTimer()
				before := cpu()
				if err := s.writeHistories(); err != nil {
					b.Fatal(err)
				}
				spent += cpu() - before
			}
			b.ReportMetric(float64(spent.Microseconds())/float64(b.N*blocks*transfers), "cpu-us/transfer")
		})
	}
}

// BenchmarkHistoryPage reads the newest page of an account, from the histories and from change records.
func BenchmarkHistoryPage(b *testing.B) {
	s, _ := benchStore(b, 10_000)
	defer s.Close()
	s.histories.from = 2
	t := &benchTransfers{rng: rand.New(rand.NewPCG(2, 2)), counts: make([]uint64, 10_000)}
	commit := func(n int) {
		for range n {
			head, _ := s.Head()
			commitRecord(b, s, t.block(head.Height+1, 1000, true))
		}
	}
	commit(200)
	if err := s.writeHistories(); err != nil {
		b.Fatal(err)
	}
	for _, recent := range []int{0, 40} {
		commit(recent)
		b.Run(fmt.Sprintf("unwritten=%d", recent), func(b *testing.B) {
			view := s.View()
			defer view.Close()
			for b.Loop() {
				account := crypto.Address(benchAccount(t.rng.IntN(10_000))[1:])
				if page, err := view.History(account, 0, 50); err != nil || len(page.Entries) == 0 {
					b.Fatal(len(page.Entries), err)
				}
			}
		})
	}
}
