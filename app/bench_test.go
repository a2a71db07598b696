package app

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/ledger"
)

// The hot path, stage by stage, per transaction. Signatures are made outside the clock.

const benchBatch = 4096

func benchTxs(b *testing.B, round int) [][]byte {
	b.Helper()
	raws := make([][]byte, benchBatch)
	for i := range raws {
		raws[i] = transfer(i%testBench, round*benchBatch+i)
	}
	return raws
}

// frames packs transactions as a validator would.
func frames(raws [][]byte) (txs [][]byte) {
	for from := 0; from < len(raws); from += ledger.FrameTxsMax {
		txs = append(txs, frame(raws[from:min(from+ledger.FrameTxsMax, len(raws))]...))
	}
	return txs
}

// perTx runs work once per iteration and reports the processor's time per transaction: unlike the clock's, it
// is the same on a busy machine.
func perTx(b *testing.B, prepare func(n int) func()) {
	b.ReportAllocs()
	b.ResetTimer()
	var spent time.Duration
	for n := 0; n < b.N; n++ {
		b.StopTimer()
		work := prepare(n)
		before := processorTime()
		b.StartTimer()
		work()
		b.StopTimer()
		spent += processorTime() - before
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N*benchBatch), "cpu-ns/tx")
}

func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func BenchmarkSubmit(b *testing.B) {
	r := newReplica(b, func(o *Options) { o.Pool = PoolOptions{TxsMax: 1 << 20, LocalTxsMax: 1 << 20, BytesMax: 1 << 30} })
	perTx(b, func(n int) func() {
		raws := benchTxs(b, n)
		return func() {
			for from := 0; from < len(raws); from += 512 {
				r.app.Submit(context.Background(), raws[from:from+512])
			}
		}
	})
}

// BenchmarkBlock takes pooled transactions through Prepare, Process, Finalize and Commit.
func BenchmarkBlock(b *testing.B) {
	r := newReplica(b, func(o *Options) {
		o.Pool = PoolOptions{TxsMax: 1 << 20, LocalTxsMax: 1 << 20, BytesMax: 1 << 30}
		o.NoSpeculation = true
	})
	perTx(b, func(n int) func() {
		r.submit(benchTxs(b, n)...)
		r.app.pace.perTx = 0
		return func() { r.decide(r.prepare()) }
	})
}

// BenchmarkProcessKnown judges a foreign proposal whose transactions are all in the pool.
func BenchmarkProcessKnown(b *testing.B) {
	r := newReplica(b, func(o *Options) { o.NoSpeculation = true })
	raws := benchTxs(b, 0)
	r.submit(raws...)
	block := r.blockOf(frames(raws))
	perTx(b, func(int) func() {
		return func() {
			if ok, reason := r.process(block); !ok {
				b.Fatal(reason)
			}
		}
	})
}

// BenchmarkProcessUnknown judges one of which nothing was seen before.
func BenchmarkProcessUnknown(b *testing.B) {
	r := newReplica(b, func(o *Options) { o.NoSpeculation = true })
	perTx(b, func(n int) func() {
		block := r.blockOf(frames(benchTxs(b, n)))
		return func() {
			if ok, reason := r.process(block); !ok {
				b.Fatal(reason)
			}
		}
	})
}
