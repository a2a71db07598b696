package sim

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
)

// generators make one operation of each kind. internal/tidy demands one for every operation of the ledger.
// They look at the auditor's model, so that most operations nearly fit: exact balances, current versions.
var generators = []struct {
	name   string
	weight int
	make   func(*workload, crypto.Address) ledger.Op
}{
	{"transfer", 12, (*workload).transfer},
	{"set_account", 2, (*workload).setAccount},
	{"set_asset", 2, (*workload).setAsset},
	{"put", 5, (*workload).put},
	{"assert", 3, (*workload).assert},
	{"add", 3, (*workload).add},
	{"set_add", 3, (*workload).setAdd},
	{"set_remove", 2, (*workload).setRemove},
	{"write_last", 2, (*workload).writeLast},
	{"write_multi", 2, (*workload).writeMulti},
	{"set_node", 2, (*workload).setNode},
	{"approve_region", 2, (*workload).approveRegion},
	{"prove_equivocation", 1, (*workload).proveEquivocation},
	{"set_validator", 1, (*workload).setValidator},
}

// tx is a transaction that was made, good or bad.
type tx struct {
	id      ledger.TxID
	raw     []byte
	body    ledger.Body
	signers [][]byte // public keys
	// fault is what a block that holds it says whatever the state; anyFault: some code, and under another id.
	fault    ledger.Code
	anyFault bool
}

// actors are the accounts that act in it.
func (t *tx) actors() []crypto.Address {
	out := []crypto.Address{crypto.Address(t.body.Actor)}
	for i := range t.body.Ops {
		if len(t.body.Ops[i].Actor) > 0 {
			out = append(out, crypto.Address(t.body.Ops[i].Actor))
		}
	}
	return out
}

// workload makes transactions.
type workload struct {
	rng     *rand.Rand
	audit   *auditor
	chainID string
	genesis crypto.Hash
	timeMS  uint64

	accounts []crypto.Address
	keys     map[string]crypto.PrivateKey // by public key
	codes    []string                     // of assets that may exist
	lanes    map[laneName]uint64          // the last number given out
	made     []*tx                        // the last ones
	counter  uint64
}

type laneName struct {
	account crypto.Address
	id      uint64
}

// madeMax bounds what replays and alterations choose from.
const madeMax = 500

// people are the accounts with a name in the genesis document.
var people = []string{"alice", "bob", "carol", "dave", "erin", "frank"}

func newWorkload(rng *rand.Rand, audit *auditor, doc *genesis.Doc) *workload {
	w := &workload{
		rng: rng, audit: audit, chainID: doc.ChainID, genesis: doc.Hash(),
		keys: map[string]crypto.PrivateKey{}, codes: []string{genesis.DevAsset}, lanes: map[laneName]uint64{},
	}
	for _, name := range append([]string{genesis.DevIssuer}, people...) {
		key := crypto.DevKey(name)
		w.keys[string(key.Public().Bytes)] = key
		w.accounts = append(w.accounts, key.Public().Address())
	}
	w.keys[string(nobody.Public().Bytes)] = nobody
	return w
}

// next makes a transaction: mostly one that should do something, now and then something wrong.
func (w *workload) next() *tx {
	switch n := w.rng.IntN(100); {
	case n < 82 || len(w.made) == 0:
		return w.sensible()
	case n < 87:
		return pick(w.rng, w.made) // the same again
	case n < 91:
		return w.altered()
	case n < 94:
		return w.garbage()
	case n < 96:
		return w.signed(w.body(), ledger.CodeWrongChain, func(b *ledger.Body) { b.ChainId = "elsewhere" })
	case n < 98:
		return w.signed(w.body(), 0, func(b *ledger.Body) { b.ValidUntilMs = w.timeMS - w.rng.Uint64N(1000) })
	default:
		return w.signed(w.body(), 0, func(b *ledger.Body) {
			b.ValidUntilMs = w.timeMS + w.audit.params.ValidForMaxMS + w.rng.Uint64N(5000)
		})
	}
}

func (w *workload) sensible() *tx { return w.signed(w.body(), 0, func(*ledger.Body) {}) }

// body makes what is to be signed, of one to four operations by one or more actors.
func (w *workload) body() ledger.Body {
	actor := pick(w.rng, w.accounts)
	b := ledger.Body{Version: 1, ChainId: w.chainID, Actor: actor[:]}
	w.guard(&b)
	for range 1 + w.rng.IntN(4)*w.rng.IntN(2) {
		acting := actor
		if w.rng.IntN(8) == 0 {
			acting = pick(w.rng, w.accounts)
		}
		op := w.operation(acting)
		if acting != actor {
			op.Actor = append([]byte(nil), acting[:]...)
		}
		b.Ops = append(b.Ops, op)
	}
	if w.rng.IntN(4) == 0 {
		b.Memo = fmt.Sprintf("memo %d", w.rng.IntN(1000))
	}
	return b
}

// guard protects against replay, by a nonce or in a lane.
func (w *workload) guard(b *ledger.Body) {
	b.ValidUntilMs = w.timeMS + 3000 + w.rng.Uint64N(w.audit.params.ValidForMaxMS-3000)
	if w.rng.IntN(5) > 0 {
		w.counter++
		b.Nonce = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, w.rng.Uint64()), w.counter)
		if w.rng.IntN(3) == 0 { // many at one time, to fill its bucket
			b.ValidUntilMs = w.timeMS/20_000*20_000 + 40_000
		}
		return
	}
	name := laneName{crypto.Address(b.Actor), 1 + w.rng.Uint64N(3)}
	last := w.lanes[name]
	if account := w.audit.model.accounts[name.account]; account != nil && w.rng.IntN(4) == 0 {
		last = account.lanes[name.id] // what was on its way is lost, or will be refused
	}
	seq := last + 1
	if w.rng.IntN(10) == 0 {
		seq += w.rng.Uint64N(3)
	}
	w.lanes[name] = seq
	b.Lane = &ledger.Lane{Id: name.id, Seq: seq}
	if w.rng.IntN(3) == 0 {
		b.ValidUntilMs = 0
	}
}

func (w *workload) operation(actor crypto.Address) ledger.Op {
	total := 0
	for _, g := range generators {
		total += g.weight
	}
	n := w.rng.IntN(total)
	for _, g := range generators {
		if n -= g.weight; n < 0 {
			return g.make(w, actor)
		}
	}
	panic("unreachable")
}

// signed signs a changed body with the keys of those who act, or sometimes with others.
func (w *workload) signed(b ledger.Body, fault ledger.Code, change func(*ledger.Body)) *tx {
	change(&b)
	t := &tx{body: b, fault: fault}
	for i := range b.Ops {
		if b.Ops[i].GetSetValidator() != nil {
			t.anyFault, t.fault = true, 0 // reserved: it does not even decode
		}
	}
	if w.overproves(&b) {
		t.anyFault, t.fault = true, 0
	}
	chosen := map[string]bool{}
	for _, actor := range t.actors() {
		key := w.keyOf(actor)
		if w.rng.IntN(40) == 0 {
			key = w.keyOf(pick(w.rng, w.accounts))
		}
		if public := key.Public().Bytes; !chosen[string(public)] {
			chosen[string(public)] = true
			t.signers = append(t.signers, public)
		}
	}
	encoded, err := b.Marshal()
	if err != nil {
		panic(err)
	}
	message := crypto.SignBytes(crypto.TagTx, w.genesis, crypto.Sum(encoded))
	wire := ledger.Tx{Body: encoded}
	for _, public := range t.signers {
		wire.Sigs = append(wire.Sigs, ledger.Sig{
			KeyType: uint32(crypto.KeyEd25519), PublicKey: public, Signature: w.keys[string(public)].Sign(message[:]),
		})
	}
	if t.raw, err = wire.Marshal(); err != nil {
		panic(err)
	}
	t.id = crypto.SumTagged(crypto.TagTxID, encoded)
	return w.register(t)
}

// keyOf is the key that speaks for an account now.
func (w *workload) keyOf(id crypto.Address) crypto.PrivateKey {
	if a := w.audit.model.accounts[id]; a != nil && a.key != nil {
		return w.keys[string(a.key)]
	}
	for _, name := range append([]string{genesis.DevIssuer}, people...) {
		if key := crypto.DevKey(name); key.Public().Address() == id {
			return key
		}
	}
	return nobody
}

// nobody is a key that speaks for no account: it signs for those that are not created yet.
var nobody = crypto.DevKey("nobody")

func (w *workload) register(t *tx) *tx {
	w.audit.known[crypto.Sum(t.raw)] = t
	if w.made = append(w.made, t); len(w.made) > madeMax {
		w.made = w.made[len(w.made)-madeMax:]
	}
	return t
}

// altered is a transaction with a signature that does not verify.
func (w *workload) altered() *tx {
	of := pick(w.rng, w.made)
	if of.anyFault || len(of.signers) == 0 {
		return w.sensible()
	}
	t := *of
	t.raw = append([]byte(nil), of.raw...)
	t.raw[len(t.raw)-1-w.rng.IntN(32)] ^= 1 << w.rng.IntN(8)
	if known := w.audit.known[crypto.Sum(t.raw)]; known != nil {
		return known
	}
	if t.fault == 0 { // the chain is looked at first
		t.fault = ledger.CodeBadSignature
	}
	return w.register(&t)
}

// garbage is bytes that are no transaction.
func (w *workload) garbage() *tx {
	raw := make([]byte, 1+w.rng.IntN(200))
	for i := range raw {
		raw[i] = byte(w.rng.Uint32())
	}
	raw[0] |= 0x80 // no frame, and no field of a transaction
	return w.register(&tx{raw: raw, anyFault: true})
}

func (w *workload) transfer(actor crypto.Address) ledger.Op {
	to := pick(w.rng, w.accounts)
	if to == actor {
		to = ledger.CreatedAddress(actor, make([]byte, ledger.SaltLen), ledger.SingleKey(w.newKey().Public()))
	}
	id := w.assetOf(actor)
	have := w.audit.model.balance(actor, id)
	amount := new(big.Int).SetUint64(1 + w.rng.Uint64N(500_00))
	if have.Sign() > 0 && w.rng.IntN(4) > 0 {
		amount.Mod(amount, have)
		amount.Add(amount, big.NewInt(1))
	}
	switch w.rng.IntN(10) {
	case 0:
		amount.Add(have, big.NewInt(1))
	case 1:
		amount.Set(have)
	case 2:
		amount.Lsh(big.NewInt(1), uint(w.rng.IntN(120)))
	}
	if amount.Sign() == 0 {
		amount.SetUint64(1)
	}
	return ledger.Op{Kind: &ledger.Op_Transfer{Transfer: &ledger.Transfer{
		To: append([]byte(nil), to[:]...), Asset: id[:], Amount: amount.Bytes(), UpTo: w.rng.IntN(6) == 0,
	}}}
}

// asset is one that mostly exists.
func (w *workload) asset() crypto.Hash {
	id := assetID(pick(w.rng, w.codes))
	if w.audit.model.assets[id] == nil && w.rng.IntN(10) > 0 {
		return assetID(genesis.DevAsset)
	}
	return id
}

// assetOf is one that an account mostly has, or issues.
func (w *workload) assetOf(id crypto.Address) crypto.Hash {
	var has []crypto.Hash
	for _, code := range w.codes {
		a := w.audit.model.assets[assetID(code)]
		if a != nil && (a.issuer == id || w.audit.model.balance(id, assetID(code)).Sign() > 0) {
			has = append(has, assetID(code))
		}
	}
	if len(has) == 0 || w.rng.IntN(12) == 0 {
		return w.asset()
	}
	return pick(w.rng, has)
}

// newKey is a key that the workload can sign with later.
func (w *workload) newKey() crypto.PrivateKey {
	key := crypto.DevKey(fmt.Sprintf("sim/%d", w.rng.IntN(200)))
	w.keys[string(key.Public().Bytes)] = key
	return key
}

// setAccount rotates the actor's key, or creates an account, which takes part from then on.
func (w *workload) setAccount(actor crypto.Address) ledger.Op {
	set := &ledger.SetAccount{Policy: ledger.SingleKey(w.newKey().Public())}
	if w.rng.IntN(2) == 0 {
		set.Salt = binary.BigEndian.AppendUint64(make([]byte, 8), w.rng.Uint64N(20))
		if created := ledger.CreatedAddress(actor, set.Salt, set.Policy); len(w.accounts) < 40 {
			w.accounts = append(w.accounts, created)
		}
	}
	return ledger.Op{Kind: &ledger.Op_SetAccount{SetAccount: set}}
}

func (w *workload) setAsset(crypto.Address) ledger.Op {
	code := pick(w.rng, w.codes)
	if w.rng.IntN(2) == 0 {
		code = fmt.Sprintf("coin%d", w.rng.IntN(20))
		if !slices.Contains(w.codes, code) {
			w.codes = append(w.codes, code)
		}
	}
	set := &ledger.SetAsset{Code: code, Scale: uint32(w.rng.IntN(3))}
	if a := w.audit.model.assets[assetID(code)]; a != nil {
		set.Scale = a.scale
		switch w.rng.IntN(4) {
		case 0:
			set.Scale++
		case 1:
			set.MaxSupply = new(big.Int).Add(a.supply, big.NewInt(w.rng.Int64N(3)-1)).Bytes()
		case 2:
			set.MaxSupply = a.max.Bytes()
		}
	} else if w.rng.IntN(3) == 0 {
		set.MaxSupply = big.NewInt(1 + w.rng.Int64N(1_000_000)).Bytes()
	}
	if a := new(big.Int).SetBytes(set.MaxSupply); a.Cmp(supplyMax) > 0 {
		set.MaxSupply = nil
	}
	return ledger.Op{Kind: &ledger.Op_SetAsset{SetAsset: set}}
}

func (w *workload) put(actor crypto.Address) ledger.Op {
	put := &ledger.Put{Path: fmt.Sprintf("notes/%d", w.rng.IntN(6))}
	if w.rng.IntN(5) > 0 {
		put.Value = fmt.Appendf(nil, "value %d", w.rng.IntN(1_000_000))
	}
	if w.rng.IntN(2) == 0 {
		put.IfVersion = &ledger.IfVersion{Version: w.audit.model.entries[entryName{actor, put.Path}].version}
		if w.rng.IntN(4) == 0 {
			put.IfVersion.Version++
		}
	}
	return ledger.Op{Kind: &ledger.Op_Put{Put: put}}
}

func (w *workload) assert(actor crypto.Address) ledger.Op {
	m := w.audit.model
	that := &ledger.Assert{}
	switch w.rng.IntN(4) {
	case 0:
		id := w.asset()
		have := m.balance(actor, id)
		b := &ledger.AssertBalance{Account: append([]byte(nil), actor[:]...), Asset: id[:], Min: have.Bytes()}
		if w.rng.IntN(3) == 0 {
			b.Min = new(big.Int).Add(have, big.NewInt(1)).Bytes()
		} else if w.rng.IntN(2) == 0 || len(b.Min) == 0 {
			b.Max = new(big.Int).Add(have, big.NewInt(1+w.rng.Int64N(100))).Bytes()
		}
		that.That = &ledger.Assert_Balance{Balance: b}
	case 1:
		path := fmt.Sprintf("notes/%d", w.rng.IntN(6))
		version := m.entries[entryName{actor, path}].version
		if w.rng.IntN(4) == 0 {
			version++
		}
		that.That = &ledger.Assert_Entry{Entry: &ledger.AssertEntry{Namespace: append([]byte(nil), actor[:]...), Path: path, Version: version}}
	case 2:
		that.That = &ledger.Assert_Height{Height: &ledger.AssertHeight{Min: 1, Max: m.height + 1 + w.rng.Uint64N(4)}}
	default:
		that.That = &ledger.Assert_Time{Time: &ledger.AssertTime{MinMs: w.timeMS - w.rng.Uint64N(1000) + w.rng.Uint64N(1000)}}
	}
	return ledger.Op{Kind: &ledger.Op_Assert{Assert: that}}
}

// setValidator is reserved to the network's governance: no signed transaction may hold one.
func (w *workload) setValidator(crypto.Address) ledger.Op {
	return ledger.Op{Kind: &ledger.Op_SetValidator{SetValidator: &ledger.SetValidator{
		KeyType: uint32(crypto.KeyEd25519), PublicKey: w.newKey().Public().Bytes, Power: 100, Name: "mallory",
	}}}
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }
