package crypto

import (
	"fmt"
	"testing"
)

// The sizes are those a node meets: the last checked alone and the first in a batch, a light block, a
// frame, a full frame, a full chunk.
var benchSizes = []int{aloneMax, aloneMax + 1, 64, 256, 512, 1024}

func BenchmarkVerifySingle(b *testing.B) {
	s := signedBy("alice", "benchmark")
	b.ReportAllocs()
	for b.Loop() {
		if !Verify(s.Type, s.Public, s.Message, s.Signature) {
			b.Fatal("a good signature was refused")
		}
	}
}

// BenchmarkVerifyBatch has one signer per signature, none of whose keys is cached.
func BenchmarkVerifyBatch(b *testing.B) { benchVerify(b, 0, func(n int) int { return n }) }

// BenchmarkVerifyBatchCached has one signer per signature, all of whose keys are cached.
func BenchmarkVerifyBatchCached(b *testing.B) { benchVerify(b, 4096, func(n int) int { return n }) }

func benchVerify(b *testing.B, cacheKeys int, signers func(n int) int) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			batch := benchBatch(n, signers(n))
			v := NewVerifier(cacheKeys)
			v.Verify(batch)
			v.Verify(batch)
			b.ReportAllocs()
			for b.Loop() {
				if bad := v.Verify(batch); bad != nil {
					b.Fatal("good signatures were refused")
				}
			}
			perSignature(b, n)
		})
	}
}

// BenchmarkVerifyBatchOneBad measures the search for one bad signature.
func BenchmarkVerifyBatchOneBad(b *testing.B) { benchBad(b, func(i int) bool { return i == 300 }) }

// BenchmarkVerifyBatchAllBad measures the most that a sender can make a verifier spend.
func BenchmarkVerifyBatchAllBad(b *testing.B) { benchBad(b, func(int) bool { return true }) }

func benchBad(b *testing.B, isBad func(i int) bool) {
	const n = 512
	batch := benchBatch(n, n)
	for i := range batch {
		if isBad(i) {
			batch[i].Message = []byte("never signed")
		}
	}
	v := NewVerifier(0)
	for b.Loop() {
		if v.Verify(batch) == nil {
			b.Fatal("bad signatures were accepted")
		}
	}
	perSignature(b, n)
}

func BenchmarkSign(b *testing.B) {
	key, message := DevKey("alice"), make([]byte, SignBytesSize)
	b.ReportAllocs()
	for b.Loop() {
		key.Sign(message)
	}
}

func BenchmarkSumTagged(b *testing.B) {
	body := make([]byte, 80)
	b.ReportAllocs()
	for b.Loop() {
		SumTagged(TagTxID, body)
	}
}

func BenchmarkAddressString(b *testing.B) {
	address := DevKey("alice").Public().Address()
	b.ReportAllocs()
	for b.Loop() {
		_ = address.String()
	}
}

func benchBatch(n, signers int) []Signed {
	batch := make([]Signed, n)
	for i := range batch {
		message := make([]byte, SignBytesSize)
		copy(message, fmt.Sprintf("message %d", i))
		batch[i] = signedBy(fmt.Sprintf("signer %d", i%signers), string(message))
	}
	return batch
}

func perSignature(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "us/sig")
}
