package ledger

import "github.com/tetradledger/tetrad/crypto"

// GovAddress is the network's own account. No key answers for it; genesis speaks for it so far.
var GovAddress = crypto.SystemAddress("@gov")

// systemAddresses hold no balances. The names other than @gov are set aside for what is to come.
var systemAddresses = [...]crypto.Address{
	GovAddress, crypto.SystemAddress("@sys"), crypto.SystemAddress("@guard"),
}

// IsSystem reports whether the account belongs to the network itself.
func IsSystem(a crypto.Address) bool {
	for _, system := range systemAddresses {
		if a == system {
			return true
		}
	}
	return false
}

// operation is what each kind of operation knows of itself.
type operation interface {
	// validate checks the shape alone, whatever the state. The actor is zero where it is not known yet.
	validate(actor crypto.Address) *Reject
	// apply does the operation for an actor whose authority was checked. After an error, the state is
	// restored to what it was before the transaction.
	apply(s *state, actor crypto.Address) error
	// show is the JSON form of what a valid operation says.
	show(n Names) any
}

// opKind is one line of the registry of operations.
type opKind struct {
	name   string
	number int                           // in the oneof of Op
	system bool                          // valid only under the network's own authority
	of     func(op *Op) operation        // nil if the operation is of another kind
	parse  func(o *jsonObject) isOp_Kind // reads the JSON form
}

// opKinds is the registry. A new operation is a file with its methods and a line here.
var opKinds = [...]opKind{
	{"transfer", 2, false, func(op *Op) operation { return orNil(op.GetTransfer()) }, parseTransfer},
	{"set_account", 3, false, func(op *Op) operation { return orNil(op.GetSetAccount()) }, parseSetAccount},
	{"set_asset", 4, false, func(op *Op) operation { return orNil(op.GetSetAsset()) }, parseSetAsset},
	{"put", 5, false, func(op *Op) operation { return orNil(op.GetPut()) }, parsePut},
	{"assert", 6, false, func(op *Op) operation { return orNil(op.GetAssert()) }, parseAssert},
	{"add", 16, false, func(op *Op) operation { return orNil(op.GetAdd()) }, parseAdd},
	{"set_add", 17, false, func(op *Op) operation { return orNil(op.GetSetAdd()) }, parseSetAdd},
	{"set_remove", 18, false, func(op *Op) operation { return orNil(op.GetSetRemove()) }, parseSetRemove},
	{"write_last", 19, false, func(op *Op) operation { return orNil(op.GetWriteLast()) }, parseWriteLast},
	{"write_multi", 20, false, func(op *Op) operation { return orNil(op.GetWriteMulti()) }, parseWriteMulti},
	{"set_node", 21, false, func(op *Op) operation { return orNil(op.GetSetNode()) }, parseSetNode},
	{"approve_region", 22, false, func(op *Op) operation { return orNil(op.GetApproveRegion()) }, parseApproveRegion},
	{"prove_equivocation", 23, false, func(op *Op) operation { return orNil(op.GetProveEquivocation()) }, parseProveEquivocation},
	{"set_validator", 7, true, func(op *Op) operation { return orNil(op.GetSetValidator()) }, parseSetValidator},
}

// orNil keeps a nil pointer from becoming an interface that is not nil.
func orNil[P interface {
	*T
	operation
}, T any](p P) operation {
	if p == nil {
		return nil
	}
	return p
}

// kind finds an operation and its line in the registry.
func (m *Op) kind() (operation, *opKind) {
	for i := range opKinds {
		if o := opKinds[i].of(m); o != nil {
			return o, &opKinds[i]
		}
	}
	return nil, nil
}

// Name is the name of the operation's kind, empty if it has none.
func (m *Op) Name() string {
	if _, kind := m.kind(); kind != nil {
		return kind.name
	}
	return ""
}

// ActorOr is the account that acts: the operation's own, or else the body's.
func (m *Op) ActorOr(body crypto.Address) crypto.Address {
	if len(m.Actor) == 0 {
		return body
	}
	return addressOf(m.Actor)
}

// validate checks an operation of a signed transaction.
func (m *Op) validate(actor crypto.Address) *Reject {
	kind, r := m.check(actor)
	if r != nil {
		return r
	}
	if kind.system {
		return reject(CodeSystemOnly, "%s", kind.name)
	}
	return nil
}

// check checks an operation's shape, whoever submits it; actor acts if the operation names nobody.
func (m *Op) check(actor crypto.Address) (*opKind, *Reject) {
	o, kind := m.kind()
	if kind == nil {
		return nil, reject(CodeUnknownOp, "")
	}
	if len(m.Actor) > 0 {
		if r := checkID("actor", m.Actor); r != nil {
			return nil, r
		}
	}
	if r := o.validate(m.ActorOr(actor)); r != nil {
		return nil, r.in(kind.name)
	}
	return kind, nil
}
