package rpc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// sink takes everything in, so that only the way through the API is measured.
type sink struct{ rpc.Backend }

func (sink) Submit(_ context.Context, raws [][]byte) []rpc.SubmitResult {
	return make([]rpc.SubmitResult, len(raws))
}

func BenchmarkBatch(b *testing.B) {
	l := rpctest.NewLedger("tetrad-test", startMS)
	h := rpc.NewHandler(sink{l.Node("node0")}, rpc.Options{})
	server := httptest.NewServer(h)
	defer server.Close()
	const txs = 256
	var body []byte
	for i := range txs {
		body = ledger.AppendDelimited(body, transfer(b, l, i).Raw)
	}
	for name, prefer := range map[string]string{"full": "", "minimal": "return=minimal"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rec := ask(h, "POST", rpc.PathBatch, body, "Content-Type", "application/octet-stream", "Prefer", prefer)
				if rec.Code != http.StatusOK {
					b.Fatal(rec.Body)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/txs, "ns/tx")
		})
	}
}
