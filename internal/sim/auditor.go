package sim

import (
	"bytes"
	"fmt"
	"maps"
	"math/big"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// auditor is the ledger again, as plainly as possible.
type auditor struct {
	params ledger.Params
	model  *model
	// known holds every transaction ever made, by its bytes; a block can hold nothing else.
	known map[crypto.Hash]*tx
	// decided is what each transaction with a nonce was decided to be, for ever.
	decided map[ledger.TxID]verdict
	buckets map[uint64]uint64 // records by replay bucket
}

// model is the state. It is copied before each transaction, so that nothing needs to be taken back.
type model struct {
	height, timeMS uint64
	revision       uint64
	accounts       map[crypto.Address]*account
	assets         map[crypto.Hash]*asset
	entries        map[entryName]entry
	merging        map[entryName]merging
	tag            ledger.Tag // of the operation that is being executed
	validForMaxMS  uint64
	validators     map[crypto.ValidatorID]validator
	nodes          map[crypto.ValidatorID]registered
}

type account struct {
	key      []byte // nil: the one the address is derived from
	lanes    map[uint64]uint64
	balances map[crypto.Hash]*big.Int
	logCount uint64
	logHead  crypto.Hash
	proofs   ledger.Equivocation
}

type asset struct {
	code        string
	scale       uint32
	issuer      crypto.Address
	max, supply *big.Int
}

type entryName struct {
	namespace crypto.Address
	path      string
}

type entry struct {
	version, height uint64
	value           []byte
}

type validator struct {
	power, faults, lastFault uint64
	operator                 crypto.Address
	key                      []byte
}

// verdict is what became of a transaction in a block.
type verdict struct {
	id     ledger.TxID
	code   ledger.Code
	op     uint32
	height uint64
	index  uint32
	// anyFault: the code must be some code other than zero, and the id is not known.
	anyFault bool
}

// final reports whether the verdict stands for ever: whether the transaction was executed.
func (v verdict) final() bool { return v.code == 0 || v.op > 0 }

func (m *model) copy() *model {
	c := *m
	c.accounts = make(map[crypto.Address]*account, len(m.accounts))
	for id, a := range m.accounts {
		b := *a
		b.lanes, b.balances = map[uint64]uint64{}, map[crypto.Hash]*big.Int{}
		for lane, seq := range a.lanes {
			b.lanes[lane] = seq
		}
		for id, n := range a.balances { // amounts are replaced, never changed
			b.balances[id] = n
		}
		c.accounts[id] = &b
	}
	c.assets = make(map[crypto.Hash]*asset, len(m.assets))
	for id, a := range m.assets {
		b := *a
		c.assets[id] = &b
	}
	c.entries = make(map[entryName]entry, len(m.entries))
	for name, e := range m.entries {
		c.entries[name] = e
	}
	c.merging = make(map[entryName]merging, len(m.merging))
	for name, e := range m.merging {
		c.merging[name] = e.copy()
	}
	c.nodes = make(map[crypto.ValidatorID]registered, len(m.nodes))
	for id, n := range m.nodes {
		n.approvals = maps.Clone(n.approvals)
		c.nodes[id] = n
	}
	return &c
}

func (m *model) account(id crypto.Address) *account {
	if m.accounts[id] == nil {
		m.accounts[id] = &account{lanes: map[uint64]uint64{}, balances: map[crypto.Hash]*big.Int{}}
	}
	return m.accounts[id]
}

func (m *model) balance(id crypto.Address, asset crypto.Hash) *big.Int {
	if a := m.accounts[id]; a != nil && a.balances[asset] != nil {
		return a.balances[asset]
	}
	return new(big.Int)
}

func (m *model) add(id crypto.Address, asset crypto.Hash, n *big.Int) {
	sum := new(big.Int).Add(m.balance(id, asset), n)
	if sum.Sign() == 0 {
		delete(m.account(id).balances, asset)
	} else {
		m.account(id).balances[asset] = sum
	}
}

// block says what a block does: a verdict for each transaction in it, frames taken apart.
func (a *auditor) block(b app.Block) ([]verdict, error) {
	m := a.model
	m.height, m.timeMS = b.Height, b.TimeMS
	for _, fault := range b.Misbehaviour {
		m.punish(fault, int(a.params.ValidatorsMin))
	}
	raws, err := split(b.Txs)
	if err != nil {
		return nil, err
	}
	var out []verdict
	for i, raw := range raws {
		t := a.known[crypto.Sum(raw)]
		if t == nil {
			return nil, fmt.Errorf("transaction %d of height %d was made by nobody: %x", i, b.Height, raw)
		}
		v := a.transaction(t)
		v.id, v.height, v.index = t.id, b.Height, uint32(i)
		if v.final() && !v.anyFault && t.body.Lane == nil {
			a.decided[t.id] = v
			a.buckets[t.body.ValidUntilMs/a.params.ReplayBucketMS]++
		}
		out = append(out, v)
	}
	return out, nil
}

// transaction executes one and keeps the state after it.
func (a *auditor) transaction(t *tx) verdict {
	if code := a.admit(t, a.model.timeMS); code != 0 || t.anyFault {
		return verdict{code: code, anyFault: t.anyFault}
	}
	actor := crypto.Address(t.body.Actor)
	if lane := t.body.Lane; lane != nil {
		a.model.account(actor).lanes[lane.Id] = lane.Seq
	}
	after := a.model.copy()
	touched := map[crypto.Address]bool{actor: true}
	for i := range t.body.Ops {
		after.tag = ledger.Tag{TxID: t.id, Op: uint8(i)}
		if code := after.op(&t.body.Ops[i], actor, touched); code != 0 {
			return verdict{code: code, op: uint32(i + 1)}
		}
	}
	for id := range touched {
		account := after.account(id)
		account.logHead = ledger.LogHead(account.logHead, t.id, after.height)
		account.logCount++
	}
	a.model = after
	return verdict{}
}

// admit says whether a transaction would be executed at a time, on the state as it is.
func (a *auditor) admit(t *tx, timeMS uint64) ledger.Code {
	until, lane := t.body.ValidUntilMs, t.body.Lane
	_, decided := a.decided[t.id]
	switch {
	case t.fault != 0 || t.anyFault:
		return t.fault
	case (lane == nil || until != 0) && until <= timeMS:
		return ledger.CodeExpired
	case lane == nil && until > timeMS+a.params.ValidForMaxMS:
		return ledger.CodeTooFarAhead
	case lane == nil && decided:
		return ledger.CodeDuplicate
	case lane == nil && a.buckets[until/a.params.ReplayBucketMS] >= a.params.ReplayBucketMax:
		return ledger.CodeBucketFull
	}
	if code := a.authorised(t); code != 0 || lane == nil {
		return code
	}
	last, used := uint64(0), 0
	if account := a.model.accounts[crypto.Address(t.body.Actor)]; account != nil {
		last, used = account.lanes[lane.Id], len(account.lanes)
	}
	switch {
	case lane.Seq <= last:
		return ledger.CodeLanePast
	case lane.Seq > last+1:
		return ledger.CodeLaneGap
	case last == 0 && used >= ledger.LanesMax:
		return ledger.CodeLanesFull
	}
	return 0
}

// authorised demands exactly the keys of those who act.
func (a *auditor) authorised(t *tx) ledger.Code {
	needed := map[string]bool{}
	for _, actor := range t.actors() {
		key := a.keyFor(actor, t.signers)
		if key == nil {
			return ledger.CodeNotAuthorised
		}
		needed[string(key)] = true
	}
	if len(needed) != len(t.signers) {
		return ledger.CodeUnusedSignature
	}
	return 0
}

// keyFor is the key among some that speaks for an account, if any does.
func (a *auditor) keyFor(id crypto.Address, keys [][]byte) []byte {
	account := a.model.accounts[id]
	for _, key := range keys {
		if account != nil && account.key != nil {
			if bytes.Equal(account.key, key) {
				return key
			}
		} else if crypto.KeyAddress(crypto.KeyEd25519, key) == id {
			return key
		}
	}
	return nil
}

// punish records a validator's fault and takes its power while more than the least number have some.
func (m *model) punish(fault ledger.Misbehaviour, least int) {
	v, ok := m.validators[fault.Validator]
	if !ok {
		return
	}
	v.faults++
	v.lastFault = max(v.lastFault, fault.Height)
	powered := 0
	for _, other := range m.validators {
		if other.power > 0 {
			powered++
		}
	}
	if powered > least {
		v.power = 0
	}
	m.validators[fault.Validator] = v
}

// split takes the engine's transactions apart without asking package ledger. A frame that is not well formed
// holds nothing.
func split(txs [][]byte) (raws [][]byte, err error) {
	for _, raw := range txs {
		if len(raw) == 0 || raw[0] != 0 {
			raws = append(raws, raw)
			continue
		}
		inner, err := splitFrame(raw)
		if err != nil {
			return nil, err
		}
		raws = append(raws, inner...)
	}
	return raws, nil
}

func splitFrame(raw []byte) (inner [][]byte, err error) {
	rest := raw[2:]
	for len(rest) > 0 {
		n, shift := 0, 0
		for {
			c := rest[0]
			rest = rest[1:]
			n |= int(c&0x7f) << shift
			if shift += 7; c < 0x80 {
				break
			}
			if len(rest) == 0 {
				return nil, fmt.Errorf("a frame is cut off: %x", raw)
			}
		}
		if n > len(rest) {
			return nil, fmt.Errorf("a frame is cut off: %x", raw)
		}
		inner, rest = append(inner, rest[:n]), rest[n:]
	}
	return inner, nil
}
