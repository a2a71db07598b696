package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/tetradledger/tetrad/rpc"
)

// SuspectBelow is the round trip below which two nodes cannot stand in different regions: in a millisecond light goes
// 150 km and back, and in a cable 100.
const SuspectBelow = time.Millisecond

// NodeTopology is what one node says of the ways to the others, or why it says nothing.
type NodeTopology struct {
	Endpoint string
	Topology rpc.Topology
	Err      error
}

// TopologyAll asks all nodes at once for what they measured themselves, and returns what each said in the order in which
// the client was given them.
func (c *Client) TopologyAll(ctx context.Context) []NodeTopology {
	own := request{method: http.MethodGet, path: rpc.PathTopology, query: url.Values{"own": {"true"}}}
	return ofAll(c, func(node string) NodeTopology {
		said := NodeTopology{Endpoint: node}
		said.Err = c.ask(ctx, node, own, &said.Topology)
		return said
	})
}

// Matrix is how long the ways between validators' nodes take, as these say, and which claims of where they stand that
// contradicts.
type Matrix struct {
	Validators     []MatrixPlace   `json:"validators"`
	RTTs           []MatrixTrip    `json:"rtts"`
	BoundMS        float64         `json:"bound_ms"`
	Contradictions []Contradiction `json:"contradictions"`
	Silent         []MatrixSilence `json:"silent"`
	Verified       bool            `json:"verified"` // always false: round trips are what nodes say
}

// MatrixPlace is a validator, and where its operator says that its node stands.
type MatrixPlace struct {
	Validator string `json:"validator"`
	Name      string `json:"name"`
	Region    string `json:"region"` // claimed; empty: no claim
	Suspect   bool   `json:"suspect"`
}

// MatrixTrip is a way from one validator's node to another's and back, as the first one measured it.
type MatrixTrip struct {
	From    string  `json:"from"`
	To      string  `json:"to"`
	RTTMS   float64 `json:"rtt_ms"`
	LeastMS float64 `json:"least_ms"`
	AgeMS   int64   `json:"age_ms"`
	Stale   bool    `json:"stale"`
}

// Contradiction is two validators whose nodes are nearer to each other than the regions they claim can be. One claim at
// least is false, or the node that measured lies; which one, two nodes alone cannot show.
type Contradiction struct {
	Validators [2]string `json:"validators"`
	Names      [2]string `json:"names"`
	Regions    [2]string `json:"regions"`
	LeastMS    float64   `json:"least_ms"`
	SaidBy     string    `json:"said_by"` // the name of the one that measured it
}

// MatrixSilence is a node without a row.
type MatrixSilence struct {
	Endpoint string `json:"endpoint"`
	Error    string `json:"error"`
}

// NewMatrix puts together what nodes said. Validators are as the ledger records them; what nodes say of anybody else,
// of themselves, or in another's place is left out.
func NewMatrix(validators []rpc.Validator, said []NodeTopology, bound time.Duration) Matrix {
	m := Matrix{
		Validators: []MatrixPlace{}, RTTs: []MatrixTrip{}, BoundMS: ms(bound), Contradictions: []Contradiction{}, Silent: []MatrixSilence{},
	}
	at := map[string]int{}
	for _, v := range validators {
		if v.Power > 0 {
			at[v.ID] = len(m.Validators)
			m.Validators = append(m.Validators, MatrixPlace{Validator: v.ID, Name: v.Name, Region: v.RegionClaimed})
		}
	}
	heard := map[string]bool{}
	for _, one := range said {
		if err := m.add(one, at, heard); err != nil {
			m.Silent = append(m.Silent, MatrixSilence{Endpoint: one.Endpoint, Error: err.Error()})
		}
	}
	m.judge(at, bound)
	return m
}

// add takes one node's row in, or says why not.
func (m *Matrix) add(one NodeTopology, at map[string]int, heard map[string]bool) error {
	t := one.Topology
	_, known := at[t.Validator]
	i := slices.IndexFunc(t.Rows, func(r rpc.TripsRow) bool { return r.From == t.Validator && !r.Told })
	switch {
	case one.Err != nil:
		var silent *NodeError
		if errors.As(one.Err, &silent) { // its address stands beside it
			return silent.Err
		}
		return one.Err
	case t.Silent != "":
		return fmt.Errorf("it measures nothing: %s", t.Silent)
	case !known:
		return errors.New("it is the node of no validator with power")
	case heard[t.Validator]:
		return errors.New("it says that it is a validator's node which has answered already")
	case i < 0:
		return errors.New("it shows no row of its own")
	}
	heard[t.Validator] = true
	for _, trip := range t.Rows[i].Trips {
		_, known := at[trip.To]
		if known && trip.To != t.Validator && trip.LeastMS > 0 && trip.RTTMS > 0 && !math.IsInf(trip.RTTMS, 0) {
			m.RTTs = append(m.RTTs, MatrixTrip{From: t.Validator, To: trip.To, RTTMS: trip.RTTMS, LeastMS: trip.LeastMS, AgeMS: trip.AgeMS, Stale: trip.Stale})
		}
	}
	return nil
}

// judge finds the pairs whose claims contradict a fresh measurement of either.
func (m *Matrix) judge(at map[string]int, bound time.Duration) {
	pairs := map[[2]int]int{} // of places, the lower first, to the contradiction
	for _, trip := range m.RTTs {
		from := at[trip.From]
		a, b := min(from, at[trip.To]), max(from, at[trip.To])
		one, other := &m.Validators[a], &m.Validators[b]
		if trip.Stale || trip.LeastMS >= ms(bound) || one.Region == "" || other.Region == "" || regionAt(one.Region, 1) == regionAt(other.Region, 1) {
			continue
		}
		one.Suspect, other.Suspect = true, true
		i, found := pairs[[2]int{a, b}]
		if !found {
			i = len(m.Contradictions)
			pairs[[2]int{a, b}] = i
			m.Contradictions = append(m.Contradictions, Contradiction{
				Validators: [2]string{one.Validator, other.Validator}, Names: [2]string{one.Name, other.Name},
				Regions: [2]string{one.Region, other.Region}, LeastMS: math.Inf(1),
			})
		}
		if c := &m.Contradictions[i]; trip.LeastMS < c.LeastMS {
			c.LeastMS, c.SaidBy = trip.LeastMS, m.Validators[from].Name
		}
	}
}

// Trip finds a way, by the validators' ids.
func (m *Matrix) Trip(from, to string) (MatrixTrip, bool) {
	i := slices.IndexFunc(m.RTTs, func(t MatrixTrip) bool { return t.From == from && t.To == to })
	if i < 0 {
		return MatrixTrip{}, false
	}
	return m.RTTs[i], true
}
