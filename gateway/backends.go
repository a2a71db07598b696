package gateway

import (
	"net/http"
	"time"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// Backends is what a gateway knows of its nodes.
type Backends struct {
	Policy       balance.Policy `json:"policy"`
	Region       string         `json:"region,omitempty"`
	StrictRegion bool           `json:"strict_region,omitempty"`
	Faults       int            `json:"faults"` // how many nodes may lie, and are ejected at most
	Backends     []Backend      `json:"backends"`
}

// Backend is one node as a gateway sees it.
type Backend struct {
	Node         string  `json:"node"`
	Region       string  `json:"region,omitempty"`
	Fit          bool    `json:"fit"`           // for reads of the newest state
	Why          string  `json:"why,omitempty"` // it is not
	Height       uint64  `json:"height"`        // as it last said
	Lag          uint64  `json:"lag"`           // behind a height that an honest node has
	InFlight     int     `json:"in_flight"`
	LatencyMS    float64 `json:"latency_ms"` // of requests; 0: none seen
	TripMS       float64 `json:"trip_ms"`    // of checks; 0: none seen
	Failures     int     `json:"failures"`   // in a row
	Ejections    int     `json:"ejections"`
	EjectedUntil string  `json:"ejected_until,omitempty"` // RFC 3339; two good checks are needed after that
	Lies         int     `json:"lies"`
}

func (g *Gateway) listBackends(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		fail(w, http.StatusMethodNotAllowed, rpc.NewError(ledger.CodeBadRequest, "%.20s is not possible here.", r.Method))
		return
	}
	writeJSON(w, http.StatusOK, g.Backends())
}

// Backends lists the nodes as they were given.
func (g *Gateway) Backends() Backends {
	out := Backends{Policy: g.o.Policy, Region: g.o.Region, StrictRegion: g.o.StrictRegion, Faults: g.balancer.Faults(), Backends: []Backend{}}
	if out.Policy == "" {
		out.Policy = balance.EWMA
	}
	for _, b := range g.balancer.Backends() {
		one := Backend{
			Node: b.Node, Region: b.Region, Fit: b.Fit, Why: b.Why, Height: b.Height, Lag: b.Lag, InFlight: b.InFlight,
			LatencyMS: milliseconds(b.Latency), TripMS: milliseconds(b.Trip), Failures: b.Failures, Ejections: b.Ejected, Lies: b.Lies,
		}
		if !b.Until.IsZero() {
			one.EjectedUntil = b.Until.UTC().Format(time.RFC3339)
		}
		out.Backends = append(out.Backends, one)
	}
	return out
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
