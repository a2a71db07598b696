//go:build unix

package merkle

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

// benchKey is shaped like an account's state key: a kind byte and 32 bytes without structure.
func benchKey(i int) []byte {
	seed := [32]byte{1}
	binary.LittleEndian.PutUint64(seed[1:], uint64(i))
	path := pathOf(seed[:])
	return append([]byte{0x01}, path[:]...)
}

// benchValues are as long as account leaves: 60 to 300 bytes.
func benchValue(r *rand.Rand) []byte {
	value := make([]byte, 60+r.IntN(241))
	for i := 0; i+8 <= len(value); i += 8 {
		binary.LittleEndian.PutUint64(value[i:], r.Uint64())
	}
	value[len(value)-1] = 1
	return value
}

// benchMap holds n keys, built in batches and then churned a while, so that freed slots are used
// again in the scattered order of a map that has lived.
func benchMap(tb testing.TB, n int) *Map {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	m := New()
	version := uint64(0)
	for from := 0; from < n; from += 1 << 14 {
		var changes []Change
		for i := from; i < min(n, from+1<<14); i++ {
			changes = append(changes, Change{benchKey(i), benchValue(r)})
		}
		version++
		m.Commit(m.Stage(version, changes))
	}
	for range 4 * n / (1 << 14) {
		version++
		m.Commit(m.Stage(version, benchBatch(r, n, 1<<14)))
	}
	return m
}

// benchBatch changes count different keys of n.
func benchBatch(r *rand.Rand, n, count int) []Change {
	count = min(count, n)
	seen := make(map[int]bool, count)
	keys := make([]int, 0, count)
	for len(keys) < count {
		if i := r.IntN(n); !seen[i] {
			seen[i] = true
			keys = append(keys, i)
		}
	}
	changes := make([]Change, count)
	for j, i := range keys {
		changes[j] = Change{benchKey(i), benchValue(r)}
	}
	return changes
}

func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1e4, 1e5, 1e6} {
		m := benchMap(b, n)
		for _, count := range []int{1 << 10, 1 << 14} {
			b.Run(fmt.Sprintf("keys=%d/batch=%d", n, count), func(b *testing.B) {
				benchCommit(b, m, n, count)
			})
		}
	}
}

func benchCommit(b *testing.B, m *Map, n, count int) {
	r := rand.New(rand.NewPCG(2, uint64(n)))
	version := m.current().number
	var cpu time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		b.StopTimer() // what is staged comes fresh from the executor, so it is not part of the cost
		changes := benchBatch(r, n, count)
		before := cpuTime(b)
		b.StartTimer()
		version++
		m.Commit(m.Stage(version, changes))
		cpu += cpuTime(b) - before
	}
	b.StopTimer()
	stats := m.Stats()
	keys := float64(b.N * min(n, count))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1e3/keys, "us/key")
	b.ReportMetric(float64(cpu.Nanoseconds())/1e3/keys, "cpu-us/key")
	b.ReportMetric(float64(stats.ArenaBytes)/float64(stats.Leaves), "B/leaf")
}

// cpuTime is what the process has used: on a machine shared with others it says more than the clock.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func BenchmarkGet(b *testing.B) {
	for _, n := range []int{1e4, 1e6} {
		m := benchMap(b, n)
		view := m.Current()
		var keys [1 << 14][]byte
		for i, c := range benchBatch(rand.New(rand.NewPCG(3, 3)), n, len(keys)) {
			keys[i] = c.Key
		}
		const block = 1 << 10 // keys that a block reads
		for _, prefetch := range []bool{false, true} {
			b.Run(fmt.Sprintf("keys=%d/prefetch=%t", n, prefetch), func(b *testing.B) {
				b.ReportAllocs()
				for i := range b.N {
					i %= min(n, len(keys)) / block * block
					if prefetch && i%block == 0 {
						view.Prefetch(keys[i : i+block])
					}
					if _, ok := view.Get(keys[i]); !ok {
						b.Fatal("a key is missing")
					}
				}
			})
		}
		view.Close()
	}
}

func BenchmarkProve(b *testing.B) {
	const n = 1e6
	m := benchMap(b, n)
	view := m.Current()
	defer view.Close()
	keys := benchBatch(rand.New(rand.NewPCG(4, 4)), n, 1<<14)
	b.Run("prove", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if _, err := view.Prove(keys[i%len(keys)].Key); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		proof, err := view.Prove(keys[0].Key)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(proof.Marshal())-len(proof.Value)), "B/proof")
		b.ReportAllocs()
		for range b.N {
			if _, ok, err := proof.Verify(view.Root(), keys[0].Key); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
}

func BenchmarkHash(b *testing.B) {
	left, right := pathOf([]byte("l")), pathOf([]byte("r"))
	b.ReportAllocs()
	for range b.N {
		left = innerHash(&left, &right)
	}
}

// BenchmarkRange cuts a map into ranges, verifies them one after the other, and builds the map again.
func BenchmarkRange(b *testing.B) {
	const keys, rangeBytes = 100_000, 4 << 20
	v := benchMap(b, keys).Current()
	defer v.Close()
	each := func(fn func(r *Range)) {
		var from [32]byte
		for more := true; more; {
			var r *Range
			r, from, more = v.ProveRange(from, rangeBytes)
			fn(r)
		}
	}
	perKey := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*keys), "ns/key")
	}
	b.Run("prove", func(b *testing.B) {
		for b.Loop() {
			each(func(r *Range) { r.Append(make([]byte, 0, rangeBytes+RangeOverheadMax)) })
		}
		perKey(b)
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			seq := NewSequence(v.Root())
			each(func(r *Range) {
				if err := seq.Take(r); err != nil {
					b.Fatal(err)
				}
			})
		}
		perKey(b)
	})
	b.Run("build", func(b *testing.B) {
		for b.Loop() {
			m, number := New(), uint64(0)
			m.Keep(1)
			each(func(r *Range) {
				number++
				m.Commit(m.Stage(number, r.changes()))
			})
		}
		perKey(b)
	})
}
