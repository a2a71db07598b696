package rpc

import (
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// PathNodes is where validators' nodes are read.
const PathNodes = "/v1/nodes"

// Node is what a validator's operator registered of its node, and who agrees with where it stands.
type Node struct {
	Validator     string   `json:"validator" doc:"The validator's id, tetval1..."`
	ServiceKey    string   `json:"service_key" doc:"The key for what the node signs outside consensus, as type:hex"`
	Region        string   `json:"region,omitempty" doc:"Where it stands, by the word of validators with more than two thirds of the power"`
	RegionClaimed string   `json:"region_claimed,omitempty" doc:"Where its operator says it stands"`
	Approvals     []string `json:"approvals,omitempty" doc:"The validators that agree with the claim"`
	URLs          []string `json:"urls,omitempty" doc:"Where its HTTP API answers"`
	Plane         string   `json:"plane,omitempty" doc:"Multiaddr of its app plane"`
	Height        uint64   `json:"height"`
	Verified      bool     `json:"verified"`
	Provable
}

type nodeInput struct {
	Validator string `path:"validator" doc:"A validator's id (tetval1...)"`
	Freshness
}

func readNode(snap Snapshot, in *nodeInput) (Node, error) {
	id, err := crypto.ParseValidatorID(in.Validator)
	if err != nil {
		return Node{}, badRequest("path validator: %v.", err)
	}
	n, found, err := get(snap, ledger.KeyNode(id), ledger.DecodeNode)
	if err == nil && !found {
		err = NewError(ledger.CodeNodeNotFound, "Validator %s has registered no node.", id)
	}
	if err != nil {
		return Node{}, err
	}
	out := DescribeNode(id, &n)
	out.Height = snap.Height()
	return out, nil
}

// DescribeNode says what a node's leaf says.
func DescribeNode(id crypto.ValidatorID, n *ledger.Node) Node {
	out := Node{
		Validator: id.String(), ServiceKey: serviceKey(n), Region: n.Region(), RegionClaimed: n.Claimed, URLs: n.URLs, Plane: n.Plane,
	}
	for _, one := range n.Approvals {
		out.Approvals = append(out.Approvals, one.String())
	}
	return out
}

// DescribeValidator says what the leaves of a validator and of its node say; the node is nil if there is none.
func DescribeValidator(id crypto.ValidatorID, v *ledger.Validator, n *ledger.Node) Validator {
	out := Validator{
		ID: id.String(), Name: v.Name, Key: crypto.PublicKey{Type: v.KeyType, Bytes: v.PublicKey}.String(),
		Power: v.Power, Faults: v.Faults, LastFaultHeight: v.LastFaultHeight,
	}
	if !v.Operator.IsZero() {
		out.Operator = v.Operator.String()
	}
	if n != nil {
		out.ServiceKey, out.Region, out.RegionClaimed, out.URLs, out.Plane = serviceKey(n), n.Region(), n.Claimed, n.URLs, n.Plane
	}
	return out
}

func serviceKey(n *ledger.Node) string {
	return crypto.PublicKey{Type: crypto.KeyEd25519, Bytes: n.ServiceKey}.String()
}
