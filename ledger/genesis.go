package ledger

import (
	"encoding/binary"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
)

// RulesVersion counts the changes of what a block does to the state. It stands in the genesis document and in
// every block header: replicas that execute blocks differently must not share a chain.
const RulesVersion = 3 // 1: before namespaces counted their entries; 2: before validators had operators and nodes

// GenesisOp is an operation of the genesis document. No signature is asked for: the document is what all
// replicas have agreed to begin with. Operations reserved to governance take GovAddress as their actor.
type GenesisOp struct {
	Actor crypto.Address
	Op    Op
}

// ExecuteGenesis makes the first state. Any operation that is refused makes the whole genesis invalid; the
// error names its position. Log chains begin empty: they hold transactions, and these are none.
func ExecuteGenesis(p Params, ops []GenesisOp, timeMS uint64) (Outcome, error) {
	if err := p.Validate(); err != nil {
		return Outcome{}, fmt.Errorf("parameters: %w", err)
	}
	s := emptyState(nothing{}, 0, timeMS, len(ops))
	s.params = p
	for i := range ops {
		binary.BigEndian.PutUint64(s.tag.TxID[:], uint64(i)+1) // no transaction's id
		if err := s.applyGenesis(&ops[i]); err != nil {
			return Outcome{}, fmt.Errorf("operation %d: %w", i, err)
		}
		s.keep()
	}
	s.changes = append(s.changes, Change{Key: KeyParams(), Value: p.Append(nil)})
	if s.chain == (Chain{}) {
		s.changes = append(s.changes, Change{Key: KeyChain(), Value: s.chain.Append(nil)})
	}
	var out Outcome
	out.Changes, out.Validators = s.finish()
	return out, nil
}

func (s *state) applyGenesis(g *GenesisOp) error {
	kind, r := g.Op.check(g.Actor)
	if r != nil {
		return r
	}
	actor := g.Op.ActorOr(g.Actor)
	if kind.system && actor != GovAddress {
		return reject(CodeSystemOnly, "%s", kind.name)
	}
	operation, _ := g.Op.kind()
	return operation.apply(s, actor)
}

// nothing is the state before genesis.
type nothing struct{}

func (nothing) Get([]byte) ([]byte, error) { return nil, nil }
