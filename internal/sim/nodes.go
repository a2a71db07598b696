package sim

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
)

// registered is a validator's node in the model.
type registered struct {
	key       []byte
	region    string
	approved  bool
	approvals map[crypto.ValidatorID]bool
	urls      []string
	plane     string
}

// begin takes a node over from the genesis document, which approves of its region.
func (m *model) begin(v genesis.Validator) {
	if len(v.Node.ServiceKey) == 0 {
		return
	}
	id, claims := crypto.ValidatorIDOf(v.Key.Type, v.Key.Bytes), v.Node.Region != ""
	m.nodes[id] = registered{key: v.Node.ServiceKey, region: v.Node.Region, approved: claims, approvals: map[crypto.ValidatorID]bool{id: claims}}
}

func (m *model) setNode(x *ledger.SetNode, actor crypto.Address) ledger.Code {
	id := crypto.ValidatorID(x.Validator)
	v, ok := m.validators[id]
	if !ok {
		return ledger.CodeValidatorNotFound
	}
	if v.operator != actor {
		return ledger.CodeNotOperator
	}
	for _, other := range m.validators {
		if bytes.Equal(other.key, x.ServiceKey) {
			return ledger.CodeServiceKeyTaken
		}
	}
	for other, n := range m.nodes {
		if other != id && bytes.Equal(n.key, x.ServiceKey) {
			return ledger.CodeServiceKeyTaken
		}
	}
	n := m.nodes[id]
	n.key, n.urls, n.plane = x.ServiceKey, x.Urls, x.Plane
	if n.region != x.Region {
		n.region, n.approved, n.approvals = x.Region, false, map[crypto.ValidatorID]bool{id: x.Region != ""}
	}
	m.nodes[id] = n
	m.count(id)
	return 0
}

func (m *model) approveRegion(x *ledger.ApproveRegion, actor crypto.Address) ledger.Code {
	id := crypto.ValidatorID(x.Validator)
	n, ok := m.nodes[id]
	switch {
	case !ok:
		return ledger.CodeNodeNotFound
	case n.region != x.Region:
		return ledger.CodeRegionMismatch
	}
	operates := false
	for one, v := range m.validators {
		if v.operator == actor {
			operates, n.approvals[one] = true, true
		}
	}
	if !operates {
		return ledger.CodeNotOperator
	}
	m.count(id)
	return 0
}

// count approves a node's region if more than two thirds of the power agree.
func (m *model) count(id crypto.ValidatorID) {
	n := m.nodes[id]
	var agree, rest uint64
	for one, v := range m.validators {
		if n.approvals[one] {
			agree += v.power
		} else {
			rest += v.power
		}
	}
	if n.region != "" && agree > 2*rest {
		n.approved = true
	}
	m.nodes[id] = n
}

// compareNodes demands that every validator's node is the model's.
func (a *auditor) compareNodes(view ledger.Reader) error {
	for id := range a.model.validators {
		leaf, err := view.Get(ledger.KeyNode(id))
		if err != nil {
			return err
		}
		want, ok := a.model.nodes[id]
		if !ok && leaf == nil {
			continue
		}
		got, err := ledger.DecodeNode(leaf)
		agree := 0
		for _, yes := range want.approvals {
			if yes {
				agree++
			}
		}
		same := ok && err == nil && bytes.Equal(got.ServiceKey, want.key) && got.Claimed == want.region && got.Approved == want.approved &&
			len(got.Approvals) == agree && slices.Equal(got.URLs, want.urls) && got.Plane == want.plane
		for _, one := range got.Approvals {
			same = same && want.approvals[one]
		}
		if !same {
			return fmt.Errorf("the node of %s is %+v, should be %+v (%v)", id, got, want, err)
		}
	}
	return nil
}

// validator is the id of one of genesis, or rarely of none; mostly one that the account operates.
func (w *workload) validator(actor crypto.Address) crypto.ValidatorID {
	var own, all []crypto.ValidatorID
	for i := range 7 { // the document has six
		id := crypto.ValidatorIDOf(crypto.KeyEd25519, crypto.DevKey(fmt.Sprintf("sim/validator/%d", i)).Public().Bytes)
		all = append(all, id)
		if w.audit.model.validators[id].operator == actor {
			own = append(own, id)
		}
	}
	if len(own) > 0 && w.rng.IntN(6) > 0 {
		return pick(w.rng, own)
	}
	return pick(w.rng, all)
}

var simRegions = []string{"", "eu", "eu/de", "us"}

func (w *workload) setNode(actor crypto.Address) ledger.Op {
	id := w.validator(actor)
	set := &ledger.SetNode{Validator: id[:], ServiceKey: w.newKey().Public().Bytes, Region: pick(w.rng, simRegions)}
	if w.rng.IntN(2) == 0 {
		set.Region = w.audit.model.nodes[id].region
	}
	switch w.rng.IntN(12) {
	case 0:
		set.ServiceKey = crypto.DevKey("sim/validator/1").Public().Bytes
	case 1:
		set.Urls, set.Plane = []string{"http://127.0.0.1:1"}, "/ip4/127.0.0.1/tcp/2"
	}
	return ledger.Op{Kind: &ledger.Op_SetNode{SetNode: set}}
}

func (w *workload) approveRegion(actor crypto.Address) ledger.Op {
	id := w.validator(actor)
	for range 4 { // mostly one that claims something
		if w.audit.model.nodes[id].region != "" {
			break
		}
		id = w.validator(crypto.Address{})
	}
	region := w.audit.model.nodes[id].region
	if region == "" || w.rng.IntN(8) == 0 {
		region = pick(w.rng, simRegions[1:])
	}
	return ledger.Op{Kind: &ledger.Op_ApproveRegion{ApproveRegion: &ledger.ApproveRegion{Validator: id[:], Region: region}}}
}
