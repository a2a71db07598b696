package genesis

import (
	"encoding/hex"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// Node is what a validator registers of its node; see ledger.Node. Without a service key nothing is registered.
type Node struct {
	ServiceKey []byte // ed25519
	Region     string // such as eu/de/fra1; the document approves of it
	URLs       []string
	Plane      string // multiaddr
}

func (n *Node) empty() bool {
	return len(n.ServiceKey) == 0 && n.Region == "" && len(n.URLs) == 0 && n.Plane == ""
}

// registered is what the document says of a validator besides what CometBFT reads: its operator and its node.
type registered struct {
	Name       string         `json:"name"`
	Operator   crypto.Address `json:"operator,omitzero"`
	ServiceKey string         `json:"service_key,omitempty"` // hexadecimal
	Region     string         `json:"region,omitempty"`
	URLs       []string       `json:"urls,omitempty"`
	Plane      string         `json:"plane,omitempty"`
}

// registration is what there is to write of a validator; false if there is nothing.
func (v *Validator) registration() (registered, bool) {
	n := &v.Node
	if v.Operator.IsZero() && n.empty() {
		return registered{}, false
	}
	return registered{v.Name, v.Operator, hex.EncodeToString(n.ServiceKey), n.Region, n.URLs, n.Plane}, true
}

// register puts what was read in its place.
func (d *Doc) register(list []registered) error {
	seen := map[string]bool{}
	for i, r := range list {
		at := fmt.Sprintf("app_state.validators[%d]", i)
		if seen[r.Name] {
			return fmt.Errorf("%s.name: %q is there already", at, r.Name)
		}
		seen[r.Name] = true
		key, err := hex.DecodeString(r.ServiceKey)
		if err != nil {
			return fmt.Errorf("%s.service_key: %q is not hexadecimal", at, r.ServiceKey)
		}
		if len(key) == 0 {
			key = nil
		}
		found := false
		for k := range d.Validators {
			if v := &d.Validators[k]; v.Name == r.Name && !found {
				v.Operator, v.Node, found = r.Operator, Node{key, r.Region, r.URLs, r.Plane}, true
			}
		}
		if !found {
			return fmt.Errorf("%s.name: %q is no validator of this document", at, r.Name)
		}
	}
	return nil
}

// checkNode says what is wrong with a validator's operator and node.
func (v *Validator) checkNode(f *Faults, at string) {
	if ledger.IsSystem(v.Operator) {
		f.addf(at+".operator", "nobody signs for the network's own accounts")
	}
	if v.Node.empty() {
		return
	}
	if err := v.setNode().Check(); err != nil {
		f.addf(at+".node", "%v", err)
	}
}

// setNode is the operation that registers the node.
func (v *Validator) setNode() *ledger.SetNode {
	id := crypto.ValidatorIDOf(v.Key.Type, v.Key.Bytes)
	return &ledger.SetNode{
		Validator: id[:], ServiceKey: v.Node.ServiceKey, Region: v.Node.Region, Urls: v.Node.URLs, Plane: v.Node.Plane,
	}
}

// validators are the operations that set validators and register their nodes.
func (d *Doc) validators() (ops []ledger.GenesisOp) {
	for _, v := range d.Validators {
		set := &ledger.SetValidator{KeyType: uint32(v.Key.Type), PublicKey: v.Key.Bytes, Power: v.Power, Name: v.Name}
		if !v.Operator.IsZero() {
			set.Operator = v.Operator[:]
		}
		ops = append(ops, ledger.GenesisOp{Actor: ledger.GovAddress, Op: ledger.Op{Kind: &ledger.Op_SetValidator{SetValidator: set}}})
	}
	for i := range d.Validators {
		if v := &d.Validators[i]; len(v.Node.ServiceKey) > 0 {
			ops = append(ops, ledger.GenesisOp{Actor: ledger.GovAddress, Op: ledger.Op{Kind: &ledger.Op_SetNode{SetNode: v.setNode()}}})
		}
	}
	return ops
}
