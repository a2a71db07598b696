package rpc

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// PathTopology is where a node says how far the others are from it.
const PathTopology = "/v1/topology"

// topologyNote stands in every topology, since the figures look like facts.
const topologyNote = "Unproven: round trips are what nodes say they measured. A node can answer late and so look further away than it is, " +
	"and it can say of others what it likes. Regions are what the ledger records."

// Topologist is the part of a Backend that knows the ways between nodes.
type Topologist interface {
	// Topology says how long the ways to other validators' nodes take; with own, only those from this node.
	Topology(ctx context.Context, own bool) (Topology, error)
}

// Topology is what a node says of the ways between validators' nodes.
type Topology struct {
	Node      string     `json:"node" doc:"The moniker of the node that says so"`
	Validator string     `json:"validator" doc:"Its validator's id"`
	Silent    string     `json:"not_measuring,omitempty" doc:"Why it measures nothing"`
	Places    []Place    `json:"validators" doc:"The validators with power, as the ledger records them"`
	Rows      []TripsRow `json:"rows" doc:"The node's own row first, and then those that other nodes told it when it measured the way to them"`
	Height    uint64     `json:"height" doc:"Where the validators were read"`
	Verified  bool       `json:"verified" doc:"Always false: nobody can prove how long a way is"`
	Note      string     `json:"note"`
}

// Place is where a validator's node stands, and by whose word.
type Place struct {
	Validator     string `json:"validator"`
	Name          string `json:"name"`
	Region        string `json:"region,omitempty" doc:"By the word of validators with more than two thirds of the power"`
	RegionClaimed string `json:"region_claimed,omitempty" doc:"By its operator's word"`
}

// TripsRow is what one validator's node measured.
type TripsRow struct {
	From  string `json:"from" doc:"The id of the validator whose node measured"`
	Told  bool   `json:"told" doc:"It is not this node's own, but what that node told it"`
	AgeMS int64  `json:"age_ms" doc:"How long ago it was told; 0 in the own row"`
	Trips []Trip `json:"trips"`
}

// Trip is how long the way to a validator's node and back takes.
type Trip struct {
	To      string  `json:"to" doc:"The validator's id"`
	RTTMS   float64 `json:"rtt_ms" doc:"Smoothed: an eighth of each new measurement counts"`
	LeastMS float64 `json:"least_ms" doc:"The least of the last sixteen measurements, which says most about distance"`
	AgeMS   int64   `json:"age_ms" doc:"How long ago the last measurement was"`
	Stale   bool    `json:"stale" doc:"That is several times as long as it should be"`
}

type topologyInput struct {
	Own bool `query:"own" doc:"Only the node's own row"`
}

type topologyOutput struct{ Body Topology }

// registerTopology makes the route of the ways between nodes.
func (s *server) registerTopology(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "topology", Method: http.MethodGet, Path: PathTopology, Tags: []string{tagNode},
		Summary: "How long the ways between validators' nodes take",
		Description: "Nodes measure the round trip to each other over the app plane, every 15 seconds or so. What a node answers here is its word, " +
			"and what other nodes told it is theirs: a topology proves nothing.",
	}, s.topology)
}

func (s *server) topology(ctx context.Context, in *topologyInput) (*topologyOutput, error) {
	if !enter(s.listing) { // all rows of a network of the largest size take megabytes
		return nil, busy(cap(s.listing))
	}
	defer leave(s.listing)
	out, err := s.backend.Topology(ctx, in.Own)
	if err != nil {
		return nil, s.asError(err, "read the topology")
	}
	out.Verified, out.Note = false, topologyNote
	return &topologyOutput{Body: out}, nil
}
