package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// stockServer answers as CometBFT's RPC does, in front of a node of the network.
func stockServer(t *testing.T, s *server, asked *atomic.Int64) *httptest.Server {
	t.Helper()
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		var call struct {
			Method string `json:"method"`
			Params struct {
				Tx []byte `json:"tx"`
			} `json:"params"`
		}
		if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
			t.Error(err)
		}
		result := s.node.Submit(r.Context(), [][]byte{call.Params.Tx})[0]
		code := result.Code
		if call.Method == "broadcast_tx_async" {
			code = 0 // it never says
		}
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":{"code":%d,"data":"","log":"","codespace":"","hash":"%s"}}`, code, result.TxID)
	}))
	t.Cleanup(h.Close)
	return h
}

// TestBenchPaths sends a little over every way in, to one node of three, and with several transfers in each
// transaction: everything that is accepted is audited as ever.
func TestBenchPaths(t *testing.T) {
	for _, path := range []string{PathBatch, PathSingle, PathStock, PathStockSync} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t, 3)
			n.ticking(t)
			o := n.load(600)
			o.Path, o.TransfersPerTx, o.Arrivals, o.Skew, o.Warmup = path, 3, ArrivalsPoisson, 0.9, 50*time.Millisecond
			o.Targets = o.Endpoints[1:2]
			var asked atomic.Int64
			if isStock(path) {
				o.Targets = []string{stockServer(t, n.servers[1], &asked).URL}
			}
			r, err := Bench(within(t, time.Minute), o)
			if err != nil || r.Audit != "ok" || r.Failed+r.Lost+r.Refused != 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			if r.Transfers != 3*r.Committed || r.Committed == 0 || r.Committed != r.Sent || r.Load.Path != path {
				t.Errorf("%+v", r)
			}
			if wantUnsure := path == PathStock; (r.Unsure > 0) != wantUnsure {
				t.Errorf("%d are unsure", r.Unsure)
			}
			if isStock(path) && int(asked.Load()) != r.Sent {
				t.Errorf("%d sent, %d came over CometBFT's RPC", r.Sent, asked.Load())
			}
		})
	}
}

// TestBenchOverloads: a pool of one takes no batch of five whole, however fast blocks come. What is refused is
// counted by its reason, and nothing that was accepted is lost.
func TestBenchOverloads(t *testing.T) {
	n := newNetwork(t, 2)
	n.ticking(t)
	for _, s := range n.servers {
		s.node.PoolMax(1)
	}
	var seen []float64
	r, err := BenchOverload(within(t, time.Minute), n.load(0), OverloadOptions{
		Base: 100, Factors: []float64{4, 2}, Step: func(s OverloadStep) { seen = append(seen, s.Factor) },
	})
	if err != nil || r.Audit != "ok" || r.Kind != ReportOverload || !slices.Equal(seen, []float64{2, 4}) {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, s := range r.Steps {
		run := s.Report
		if run.Lost != 0 || run.Refused == 0 || run.Refusals.BySlug["pool_full"] != run.Refused || run.TargetRate != 100*s.Factor {
			t.Errorf("%gx: %+v", s.Factor, run)
		}
		if run.Accepted+run.Refused+run.Unsent+run.Unsure != int(50*s.Factor) {
			t.Errorf("%gx: the counts do not add up: %+v", s.Factor, run)
		}
	}
}

// TestBenchLadders: a ladder ends, whatever this machine makes of the rates, and each step is a whole run.
func TestBenchLadders(t *testing.T) {
	n := newNetwork(t, 2)
	n.ticking(t)
	o := n.load(0)
	steps := 0
	r, err := BenchLadder(within(t, time.Minute), o, LadderOptions{
		Start: 50, Factor: 2, Steps: 2, P99Max: time.Hour, Step: func(LadderStep) { steps++ },
	})
	if err != nil || r.Audit != "ok" || r.Kind != ReportLadder || len(r.Steps) != 2 || steps != 2 || r.Probe != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	best := 0.0
	for _, s := range r.Steps {
		if s.Report.Audit != "ok" || s.Report.TargetRate != s.Rate || s.Sustained == (s.Why != "") {
			t.Errorf("%+v", s)
		}
		if s.Sustained {
			best = s.Rate
		}
	}
	if r.Sustainable != best {
		t.Errorf("sustainable %g, the best step is %g", r.Sustainable, best)
	}
}

func TestReadStock(t *testing.T) {
	for body, want := range map[string]string{
		`{"jsonrpc":"2.0","id":1,"result":{"code":0}}`:                                                         "",
		fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"result":{"code":%d,"log":"full"}}`, ledger.CodePoolFull):         "pool_full",
		`{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"Internal error","data":"mempool is full"}}`: "rpc_error",
		`<html>`: "without JSON-RPC",
		``:       "without JSON-RPC",
		`{"result":{"code":0},"pad":"` + strings.Repeat("x", stockAnswerMax) + `"}`: "without JSON-RPC",
	} {
		answer, err := readStock(&http.Response{Status: "200 OK", Body: http.NoBody})
		if err == nil || len(answer.Results) != 0 {
			t.Fatal("nothing was taken for an answer")
		}
		recorder := httptest.NewRecorder()
		recorder.WriteString(body)
		answer, err = readStock(recorder.Result())
		got := ""
		if err != nil {
			got = err.Error()
		} else if len(answer.Results) > 0 {
			got = answer.Results[0].Error.Slug
			if answer.Results[0].Status != rpc.StatusRefused {
				t.Errorf("%+v", answer)
			}
		}
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%.80s: %q, want %q", body, got, want)
		}
	}
}
