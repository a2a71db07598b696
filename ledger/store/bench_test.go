package store

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// accountLeafBytes is about what an account with one balance takes.
const accountLeafBytes = 96

// benchAccount is the key of account i.
func benchAccount(i int) []byte {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(i))
	return ledger.KeyAccount(crypto.Address(crypto.Sum(n[:])))
}

// benchBlock is what a block of transfers between random accounts does.
func benchBlock(rng *rand.Rand, height uint64, transfers, accounts int) Record {
	params := ledger.DefaultParams()
	r := Record{Height: height, TimeMS: benchTime(height)}
	touched := make(map[int]bool, 2*transfers)
	for len(touched) < 2*transfers {
		touched[rng.IntN(accounts)] = true
	}
	for i := range touched {
		r.Changes = append(r.Changes, ledger.Change{Key: benchAccount(i), Value: randomBytes(rng, accountLeafBytes)})
	}
	for i := range transfers {
		id := crypto.Hash(randomBytes(rng, 32))
		bucket := params.Bucket(r.TimeMS + 60_000)
		outcome := ledger.Record{Height: height, Index: uint32(i)}
		r.Changes = append(r.Changes, ledger.Change{Key: ledger.KeyRecord(bucket, id), Value: outcome.Append(nil)})
		r.Receipts = append(r.Receipts, outcome.Receipt(id))
	}
	sortChanges(r.Changes)
	return r
}

// benchTime gives blocks 200 ms each.
func benchTime(height uint64) uint64 { return 1_800_000_000_000 + 200*height }

func benchGenesis(accounts int) ledger.Outcome {
	rng := rand.New(rand.NewPCG(1, 1))
	var out ledger.Outcome
	out.Changes = append(out.Changes, ledger.Change{Key: ledger.KeyParams(), Value: ledger.DefaultParams().Append(nil)})
	for i := range accounts {
		out.Changes = append(out.Changes, ledger.Change{Key: benchAccount(i), Value: randomBytes(rng, accountLeafBytes)})
	}
	sortChanges(out.Changes)
	return out
}

// benchStore is a store on disk with that many accounts and one block.
func benchStore(b *testing.B, accounts int) (*Store, Options) {
	b.Helper()
	o := Options{Dir: b.TempDir(), FoldInterval: -1}
	s, err := Open(o)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.Init(crypto.Hash{1}, benchGenesis(accounts), benchTime(0)); err != nil {
		b.Fatal(err)
	}
	commitRecord(b, s, benchBlock(rand.New(rand.NewPCG(1, 2)), 1, 10, accounts))
	runtime.GC()
	return s, o
}

func BenchmarkCommit(b *testing.B) {
	for _, accounts := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("transfers=4000/accounts=%d", accounts), func(b *testing.B) {
			s, _ := benchStore(b, accounts)
			defer s.Close()
			rng := rand.New(rand.NewPCG(2, 2))
			const transfers = 4000
			var size uint64
			for b.Loop() {
				b.StopTimer()
				head, _ := s.Head()
				r := benchBlock(rng, head.Height+1, transfers, accounts)
				b.StartTimer()
				commitRecord(b, s, r)
				size += s.recent[len(s.recent)-1].bytes
			}
			perTransfer := float64(b.N * transfers)
			b.ReportMetric(float64(b.Elapsed().Microseconds())/perTransfer, "us/transfer")
			b.ReportMetric(float64(size)/perTransfer, "B/transfer")
		})
	}
}

// BenchmarkWrite is the part of a commit that waits for the disk.
func BenchmarkWrite(b *testing.B) {
	for _, transfers := range []int{1, 4000, 20000} {
		b.Run(fmt.Sprintf("transfers=%d", transfers), func(b *testing.B) {
			s, _ := benchStore(b, 100_000)
			defer s.Close()
			rng := rand.New(rand.NewPCG(2, 2))
			for b.Loop() {
				b.StopTimer()
				head, _ := s.Head()
				p, err := s.Stage(benchBlock(rng, head.Height+1, transfers, 100_000))
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				if err := s.Commit(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFold(b *testing.B) {
	for _, accounts := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("accounts=%d", accounts), func(b *testing.B) {
			s, _ := benchStore(b, accounts)
			defer s.Close()
			rng := rand.New(rand.NewPCG(2, 2))
			if err := s.FoldOnce(); err != nil {
				b.Fatal(err)
			}
			var keys, receipts int
			for b.Loop() {
				b.StopTimer()
				unique := make(map[string]bool)
				const blocks, transfers = 100, 4000
				for range blocks {
					head, _ := s.Head()
					r := benchBlock(rng, head.Height+1, transfers, accounts)
					for _, c := range r.Changes {
						if c.Key[0] != ledger.PrefixRecord {
							unique[string(c.Key)] = true
						}
					}
					commitRecord(b, s, r)
				}
				receipts += blocks * transfers
				keys += len(unique)
				b.StartTimer()
				if err := s.indexBlocks(); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				index := b.Elapsed()
				b.ReportMetric(float64(index.Microseconds())/float64(receipts), "us/total-receipt")
				b.StartTimer()
				if err := s.foldAll(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(keys+receipts), "us/key")
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, accounts := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("accounts=%d", accounts), func(b *testing.B) {
			s, o := benchStore(b, accounts)
			rng := rand.New(rand.NewPCG(2, 2))
			for h := range uint64(20) {
				commitRecord(b, s, benchBlock(rng, h+2, 400, accounts))
			}
			if err := s.FoldOnce(); err != nil {
				b.Fatal(err)
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			s = nil
			for b.Loop() {
				runtime.GC()
				before := heapBytes()
				again, err := Open(o)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				runtime.GC()
				b.ReportMetric(float64(heapBytes()-before)/float64(accounts), "heap-B/key")
				b.ReportMetric(float64(again.main.Stats().ArenaBytes)/float64(accounts), "arena-B/key")
				if err := again.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

func heapBytes() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
