package ledger

import (
	"slices"

	"github.com/tetradledger/tetrad/crypto"
)

func (m *ApproveRegion) validate(crypto.Address) *Reject {
	if r := checkID("validator", m.Validator); r != nil {
		return r
	}
	if m.Region == "" {
		return reject(CodeBadField, "region is missing")
	}
	return CheckRegion(m.Region)
}

// apply counts every validator that the actor operates among those that agree, each once. It names the region, so
// that nobody agrees with a claim that was changed meanwhile. Saying it again counts the power of now.
func (m *ApproveRegion) apply(s *state, actor crypto.Address) error {
	id := crypto.ValidatorID(m.Validator)
	n, err := s.nodes.get(s, id)
	switch {
	case err != nil:
		return err
	case !n.exists:
		return reject(CodeNodeNotFound, "validator %s", id)
	case n.value.Claimed != m.Region:
		return reject(CodeRegionMismatch, "it claims %q", n.value.Claimed)
	}
	ids, err := s.ids.get(s, struct{}{})
	if err != nil {
		return err
	}
	operates := false
	approvals := slices.Clone(n.value.Approvals)
	for _, one := range ids.value {
		v, err := s.validators.get(s, one)
		if err != nil {
			return err
		}
		if v.value.Operator != actor {
			continue
		}
		operates = true
		if at, counted := slices.BinarySearchFunc(approvals, one, compareIDs); !counted {
			approvals = slices.Insert(approvals, at, one)
		}
	}
	if !operates {
		return reject(CodeNotOperator, "account %s operates no validator", actor)
	}
	s.nodes.change(s, n)
	n.value.Approvals = approvals
	return s.approve(n)
}

// jsonApproveRegion is the JSON form of approve_region.
type jsonApproveRegion struct {
	Validator string `json:"validator"`
	Region    string `json:"region"`
}

func (m *ApproveRegion) show(Names) any {
	return jsonApproveRegion{showValidator(m.Validator), m.Region}
}

func parseApproveRegion(o *jsonObject) isOp_Kind {
	return &Op_ApproveRegion{ApproveRegion: &ApproveRegion{Validator: o.validator("validator"), Region: o.need("region")}}
}
