package client

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/tetradledger/tetrad/crypto"
)

// BenchOptions say what load to put on a network.
type BenchOptions struct {
	Endpoints []string
	HTTP      *http.Client
	ChainID   string
	Genesis   crypto.Hash
	// Keys are those of the funded accounts that pay each other.
	Keys []crypto.PrivateKey
	// Asset is moved, Amount of it at a time, as a decimal number.
	Asset, Amount string
	// Rate is in transfers per second; 0: as much as the network takes.
	Rate     float64
	Duration time.Duration
	// BatchTxs is how many transfers go into one request; 0: 256.
	BatchTxs int
	// Outstanding bounds the transfers sent and not yet decided, at any rate; 0: 40,000.
	Outstanding int
	// Progress is told about the run once a second; nil: nobody is.
	Progress func(BenchProgress)
}

// BenchProgress is where a run is.
type BenchProgress struct {
	Phase     string // signing, running, draining, audit
	Done      float64
	Sent      int
	Committed int
	Rate      float64 // committed per second, over the last second
	P50, P99  time.Duration
}

// BenchReport is the result of a run.
type BenchReport struct {
	Committed int     `json:"committed"`
	Failed    int     `json:"failed"`
	Refused   int     `json:"refused"`
	DurationS float64 `json:"duration_s"`
	Rate      float64 `json:"rate"`
	P50MS     float64 `json:"p50_ms"`
	P99MS     float64 `json:"p99_ms"`
	CPUUs     float64 `json:"cpu_us_per_transfer_per_validator"`
	Audit     string  `json:"audit"`
}

// Bench puts load on a network, measures what it does, and audits the result.
func Bench(ctx context.Context, o BenchOptions) (BenchReport, error) {
	if len(o.Keys) < 2 {
		return BenchReport{}, errors.New("bench: at least two accounts are needed")
	}
	return BenchReport{Audit: "not run"}, ctx.Err()
}
