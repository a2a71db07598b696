package store

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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
	return benchStoreWith(b, accounts, Options{Dir: b.TempDir(), FoldInterval: -1})
}

func benchStoreWith(b *testing.B, accounts int, o Options) (*Store, Options) {
	b.Helper()
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

// cpu is the processor time this process has used, with that of Badger's goroutines: on a machine shared by
// four validators it says more than the time on the clock.
func cpu() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchCommits commits n blocks and returns the processor time of that alone.
func benchCommits(b *testing.B, s *Store, rng *rand.Rand, n, transfers, accounts int) (spent time.Duration, records []Record) {
	b.Helper()
	for range n {
		head, _ := s.Head()
		r := benchBlock(rng, head.Height+1, transfers, accounts)
		before := cpu()
		commitRecord(b, s, r)
		spent += cpu() - before
		records = append(records, r)
	}
	return spent, records
}

func BenchmarkCommit(b *testing.B) {
	for _, accounts := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("transfers=4000/accounts=%d", accounts), func(b *testing.B) {
			s, _ := benchStore(b, accounts)
			defer s.Close()
			rng := rand.New(rand.NewPCG(2, 2))
			const transfers = 4000
			var size uint64
			var spent time.Duration
			for b.Loop() {
				b.StopTimer()
				head, _ := s.Head()
				r := benchBlock(rng, head.Height+1, transfers, accounts)
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

// BenchmarkTidy is the background work for 100 blocks of 4000 transfers.
func BenchmarkTidy(b *testing.B) {
	for _, accounts := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("accounts=%d", accounts), func(b *testing.B) {
			s, _ := benchStore(b, accounts)
			defer s.Close()
			rng := rand.New(rand.NewPCG(2, 2))
			if err := s.FoldOnce(); err != nil {
				b.Fatal(err)
			}
			const blocks, transfers = 100, 4000
			var keys int
			var index, fold time.Duration
			for b.Loop() {
				b.StopTimer()
				_, records := benchCommits(b, s, rng, blocks, transfers, accounts)
				unique := make(map[string]bool)
				for _, r := range records {
					for _, c := range r.Changes {
						if c.Key[0] != ledger.PrefixRecord {
							unique[string(c.Key)] = true
						}
					}
				}
				keys += len(unique)
				b.StartTimer()
				start := cpu()
				if err := s.indexBlocks(); err != nil {
					b.Fatal(err)
				}
				indexed := cpu()
				if err := s.foldAll(); err != nil {
					b.Fatal(err)
				}
				index += indexed - start
				fold += cpu() - indexed
			}
			b.ReportMetric(float64(index.Microseconds())/float64(b.N*blocks*transfers), "cpu-us/receipt")
			b.ReportMetric(float64(fold.Microseconds())/float64(keys), "cpu-us/folded-key")
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
