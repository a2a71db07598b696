package store

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkSustained is all that the store does for transfers under full load, for so many of them that folds,
// histories and what Badger does in the background have their share: processor time, and bytes written to disk.
func BenchmarkSustained(b *testing.B) {
	for _, accounts := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("accounts=%d", accounts), func(b *testing.B) {
			const blocks, transfers = 250, 4000
			for b.Loop() {
				b.StopTimer()
				s, _ := benchStoreWith(b, accounts, Options{Dir: b.TempDir(), FoldInterval: time.Hour})
				s.histories.from = 2 // the first block has no lists
				t := &benchTransfers{rng: rand.New(rand.NewPCG(2, 2)), counts: make([]uint64, accounts)}
				b.StartTimer()
				sustain(b, s, t, blocks, transfers)
				b.StopTimer()
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// sustain commits blocks one after the other and reports what a transfer costs until all background work is
// done. Making the blocks is not counted.
func sustain(b *testing.B, s *Store, t *benchTransfers, blocks, transfers int) {
	b.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start, written := cpu(), bytesWritten(b)
	var making time.Duration
	var slowest time.Duration
	for range blocks {
		head, _ := s.Head()
		before := cpuOfThread()
		r := t.block(head.Height+1, transfers, true)
		making += cpuOfThread() - before
		began := time.Now()
		commitRecord(b, s, r)
		slowest = max(slowest, time.Since(began))
	}
	if err := s.FoldOnce(); err != nil {
		b.Fatal(err)
	}
	n := float64(blocks * transfers)
	b.ReportMetric(float64((cpu()-start-making).Microseconds())/n, "cpu-us/transfer")
	b.ReportMetric(float64(bytesWritten(b)-written)/n, "written-B/transfer")
	b.ReportMetric(float64(slowest.Milliseconds()), "slowest-ms")
}

// cpuOfThread is the processor time of the calling thread.
func cpuOfThread() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// bytesWritten is what this process had the kernel write to disks.
func bytesWritten(b *testing.B) (n uint64) {
	b.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		b.Skip("this system does not say what a process writes")
	}
	_, after, found := strings.Cut(string(text), "\nwrite_bytes:")
	if _, err := fmt.Sscan(after, &n); !found || err != nil {
		b.Fatalf("no write_bytes in %q: %v", text, err)
	}
	return n
}
