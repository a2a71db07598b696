package sim

import (
	"math/big"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// op does one operation to the model, which the caller throws away if the code is not zero.
func (m *model) op(op *ledger.Op, actor crypto.Address, touched map[crypto.Address]bool) ledger.Code {
	if len(op.Actor) > 0 {
		actor = crypto.Address(op.Actor)
	}
	touched[actor] = true
	switch kind := op.Kind.(type) {
	case *ledger.Op_Transfer:
		return m.transfer(kind.Transfer, actor, touched)
	case *ledger.Op_SetAccount:
		return m.setAccount(kind.SetAccount, actor, touched)
	case *ledger.Op_SetAsset:
		return m.setAsset(kind.SetAsset, actor)
	case *ledger.Op_Put:
		return m.put(kind.Put, actor)
	case *ledger.Op_Assert:
		return m.assert(kind.Assert)
	case *ledger.Op_ProveEquivocation:
		return m.prove(kind.ProveEquivocation, touched)
	case *ledger.Op_SetNode:
		return m.setNode(kind.SetNode, actor)
	case *ledger.Op_ApproveRegion:
		return m.approveRegion(kind.ApproveRegion, actor)
	}
	return m.merge(op, actor)
}

func (m *model) transfer(x *ledger.Transfer, from crypto.Address, touched map[crypto.Address]bool) ledger.Code {
	id, to := crypto.Hash(x.Asset), crypto.Address(x.To)
	a := m.assets[id]
	if a == nil {
		return ledger.CodeAssetNotFound
	}
	n, there := new(big.Int).SetBytes(x.Amount), m.balance(from, id)
	if a.issuer == from {
		there = new(big.Int).Sub(a.max, a.supply)
	}
	if x.UpTo && there.Cmp(n) < 0 {
		n = there
	}
	switch {
	case n.Sign() == 0:
		return 0
	case there.Cmp(n) < 0 && a.issuer == from:
		return ledger.CodeSupplyExceeded
	case there.Cmp(n) < 0:
		return ledger.CodeInsufficientFunds
	}
	touched[to] = true
	m.account(to)
	if a.issuer == from {
		a.supply = new(big.Int).Add(a.supply, n)
	} else {
		m.add(from, id, new(big.Int).Neg(n))
	}
	if a.issuer == to {
		a.supply = new(big.Int).Sub(a.supply, n)
	} else {
		m.add(to, id, n)
	}
	return 0
}

func (m *model) setAccount(x *ledger.SetAccount, actor crypto.Address, touched map[crypto.Address]bool) ledger.Code {
	id := actor
	if len(x.Salt) > 0 {
		id = ledger.CreatedAddress(actor, x.Salt, x.Policy)
		if m.accounts[id] != nil && m.accounts[id].key != nil {
			return ledger.CodeAccountExists
		}
	}
	touched[id] = true
	m.setKey(id, x.Policy.Members[0].PublicKey)
	return 0
}

// supplyMax is 2^96-1.
var supplyMax = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 96), big.NewInt(1))

func (m *model) setAsset(x *ledger.SetAsset, actor crypto.Address) ledger.Code {
	limit := supplyMax
	if len(x.MaxSupply) > 0 {
		limit = new(big.Int).SetBytes(x.MaxSupply)
	}
	id := crypto.SumTagged(crypto.TagAsset, []byte(x.Code))
	a := m.assets[id]
	switch {
	case a == nil:
		m.assets[id] = &asset{code: x.Code, scale: x.Scale, issuer: actor, max: limit, supply: new(big.Int)}
		return 0
	case a.issuer != actor:
		return ledger.CodeAssetExists
	case a.scale != x.Scale:
		return ledger.CodeScaleFixed
	case limit.Cmp(a.max) > 0:
		return ledger.CodeMaxSupplyRaised
	case limit.Cmp(a.supply) < 0:
		return ledger.CodeSupplyAboveMax
	}
	a.max = limit
	return 0
}

func (m *model) put(x *ledger.Put, actor crypto.Address) ledger.Code {
	name := entryName{actor, x.Path}
	if m.merging[name].there() {
		if len(x.Value) > 0 || x.IfVersion != nil {
			return ledger.CodeKindMismatch
		}
		delete(m.merging, name)
		return 0
	}
	if x.IfVersion != nil && x.IfVersion.Version != m.entries[name].version {
		return ledger.CodeVersionConflict
	}
	if len(x.Value) == 0 {
		delete(m.entries, name)
		return 0
	}
	m.revision++
	m.entries[name] = entry{version: m.revision, height: m.height, value: x.Value}
	return 0
}

func (m *model) assert(x *ledger.Assert) ledger.Code {
	holds := true
	switch that := x.That.(type) {
	case *ledger.Assert_Balance:
		b := that.Balance
		if m.assets[crypto.Hash(b.Asset)] == nil {
			return ledger.CodeAssetNotFound
		}
		have := m.balance(crypto.Address(b.Account), crypto.Hash(b.Asset))
		holds = have.Cmp(new(big.Int).SetBytes(b.Min)) >= 0 && (len(b.Max) == 0 || have.Cmp(new(big.Int).SetBytes(b.Max)) <= 0)
	case *ledger.Assert_Entry:
		name := entryName{crypto.Address(that.Entry.Namespace), that.Entry.Path}
		holds = m.entries[name].version == that.Entry.Version && !m.merging[name].there()
	case *ledger.Assert_Height:
		holds = within(m.height, that.Height.Min, that.Height.Max)
	case *ledger.Assert_Time:
		holds = within(m.timeMS, that.Time.MinMs, that.Time.MaxMs)
	}
	if !holds {
		return ledger.CodeAssertFailed
	}
	return 0
}

func within(value, low, high uint64) bool { return value >= low && (high == 0 || value <= high) }
