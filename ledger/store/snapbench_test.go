package store

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

var liveFlag = flag.Bool("store.live", false, "collect garbage before a benchmark looks at memory, which then takes longer")

// peak keeps the most that a heap held while something was done: what is alive with -store.live, else with garbage.
type peak struct{ before, most uint64 }

func newPeak() *peak {
	runtime.GC()
	before := heapBytes()
	return &peak{before, before}
}

func (p *peak) look() {
	if *liveFlag {
		runtime.GC()
	}
	p.most = max(p.most, heapBytes())
}

func (p *peak) report(b *testing.B) { b.ReportMetric(float64(p.most-p.before)/(1<<20), "heap-MiB") }

// BenchmarkExport exports a state while blocks are committed as fast as they can be, and says how long the export
// took, and the longest commit beside it.
func BenchmarkExport(b *testing.B) {
	for _, accounts := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("accounts=%d", accounts), func(b *testing.B) {
			s, _ := benchStore(b, accounts)
			defer s.Close()
			rng := rand.New(rand.NewPCG(3, 3))
			alone := longestCommit(b, s, rng, accounts, time.After(3*time.Second))
			for b.Loop() {
				p := newPeak()
				done := make(chan time.Time)
				var m Manifest
				var err error
				began := cpu()
				start := time.Now()
				var spent time.Duration
				go func() {
					m, err = s.Export(b.Context(), 0, b.TempDir(), func(_, _ uint64) { p.look() })
					spent = time.Since(start)
					close(done)
				}()
				beside := longestCommit(b, s, rng, accounts, done)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(spent.Seconds(), "export-s")
				b.ReportMetric((cpu() - began).Seconds(), "cpu-s-with-commits")
				b.ReportMetric(float64(m.Bytes())/(1<<20), "MiB")
				b.ReportMetric(float64(len(m.Chunks)), "chunks")
				b.ReportMetric(float64(beside.Milliseconds()), "longest-commit-ms")
				b.ReportMetric(float64(alone.Milliseconds()), "longest-commit-alone-ms")
				p.report(b)
			}
		})
	}
}

// longestCommit commits blocks of 400 transfers until something else is done, one at least.
func longestCommit(b *testing.B, s *Store, rng *rand.Rand, accounts int, done <-chan time.Time) (longest time.Duration) {
	b.Helper()
	for {
		head, _ := s.Head()
		r := benchBlock(rng, head.Height+1, 400, accounts)
		start := time.Now()
		commitRecord(b, s, r)
		longest = max(longest, time.Since(start))
		select {
		case <-done:
			return longest
		case <-time.After(50 * time.Millisecond): // blocks do not come back to back
		}
	}
}

// BenchmarkRestore restores a state from a directory and opens it.
func BenchmarkRestore(b *testing.B) {
	for _, accounts := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("accounts=%d", accounts), func(b *testing.B) {
			dir := b.TempDir()
			m, trust := benchSnapshot(b, accounts, dir)
			for b.Loop() {
				o := Options{Dir: filepath.Join(b.TempDir(), "store"), FoldInterval: -1}
				p, began, start := newPeak(), cpu(), time.Now()
				r, err := NewRestore(o, m, trust)
				if err != nil {
					b.Fatal(err)
				}
				for i := range m.Chunks {
					chunk, err := LoadChunk(dir, m.Height, i)
					if err != nil {
						b.Fatal(err)
					}
					if err := r.Apply(i, chunk); err != nil {
						b.Fatal(err)
					}
					p.look()
				}
				applied := time.Since(start)
				p.report(b)
				if _, err := r.Finish(); err != nil {
					b.Fatal(err)
				}
				finished := time.Since(start)
				b.ReportMetric(applied.Seconds(), "apply-s")
				b.ReportMetric((finished - applied).Seconds(), "finish-s")
				b.ReportMetric((cpu() - began).Seconds(), "cpu-s")
				opening := time.Now()
				s, err := Open(o)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(time.Since(opening).Seconds(), "open-s")
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(dirBytes(b, o.Dir))/(1<<20), "store-MiB")
			}
		})
	}
}

// benchSnapshot exports a state and closes its store, so that the memory measured is that of the restore alone.
func benchSnapshot(b *testing.B, accounts int, dir string) (Manifest, Trust) {
	b.Helper()
	s, _ := benchStore(b, accounts)
	m, err := s.Export(b.Context(), 0, dir, nil)
	if err != nil {
		b.Fatal(err)
	}
	head, _ := s.Head()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return m, Trust{Root: head.Root, TimeMS: head.TimeMS}
}

// dirBytes is the size of a store that was closed in order.
func dirBytes(b *testing.B, dir string) (n int64) {
	b.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			b.Fatal(err)
		}
		n += info.Size()
	}
	return n
}
