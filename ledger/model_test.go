package ledger

import (
	"bytes"
	"math/big"
	"slices"

	"github.com/tetradledger/tetrad/crypto"
)

// model is the ledger again, written as plainly as possible and sharing nothing with the real one but the
// decoded messages: maps, big integers, and a deep copy of everything before each transaction.
type model struct {
	params   Params
	height   uint64
	timeMS   uint64
	revision uint64
	tag      Tag // of the operation being executed
	accounts map[crypto.Address]*modelAccount
	assets   map[crypto.Hash]*modelAsset
	entries  map[crypto.Address]map[string]Entry
	merging  map[entryID]modelMerging
	seen     map[TxID]Code
	buckets  map[uint64]uint64
}

type modelAccount struct {
	key      []byte // nil: the key the address is derived from
	balances map[crypto.Hash]*big.Int
	lanes    map[uint64]uint64
	logHead  crypto.Hash
	logCount uint64
	proofs   Equivocation
}

type modelAsset struct {
	scale       uint32
	issuer      crypto.Address
	max, supply *big.Int
}

func newModel(p Params) *model {
	return &model{
		params: p, accounts: map[crypto.Address]*modelAccount{}, assets: map[crypto.Hash]*modelAsset{},
		entries: map[crypto.Address]map[string]Entry{}, merging: map[entryID]modelMerging{}, seen: map[TxID]Code{}, buckets: map[uint64]uint64{},
	}
}

// copy shares what transactions do not take back: the records.
func (m *model) copy() *model {
	c := *m
	c.accounts = map[crypto.Address]*modelAccount{}
	for id, a := range m.accounts {
		b := *a
		b.balances = map[crypto.Hash]*big.Int{}
		for asset, n := range a.balances {
			b.balances[asset] = new(big.Int).Set(n)
		}
		b.lanes = map[uint64]uint64{}
		for lane, seq := range a.lanes {
			b.lanes[lane] = seq
		}
		c.accounts[id] = &b
	}
	c.assets = map[crypto.Hash]*modelAsset{}
	for id, a := range m.assets {
		c.assets[id] = &modelAsset{scale: a.scale, issuer: a.issuer, max: new(big.Int).Set(a.max), supply: new(big.Int).Set(a.supply)}
	}
	c.entries = map[crypto.Address]map[string]Entry{}
	for id, entries := range m.entries {
		c.entries[id] = map[string]Entry{}
		for path, e := range entries {
			c.entries[id][path] = e
		}
	}
	c.merging = map[entryID]modelMerging{}
	for id, e := range m.merging {
		c.merging[id] = e.copy()
	}
	return &c
}

func (m *model) account(id crypto.Address) *modelAccount {
	if m.accounts[id] == nil {
		m.accounts[id] = &modelAccount{balances: map[crypto.Hash]*big.Int{}, lanes: map[uint64]uint64{}}
	}
	return m.accounts[id]
}

// block executes transactions and returns the state after it and a receipt for each.
func (m *model) block(b Block) (*model, []Receipt) {
	m.height, m.timeMS = b.Height, b.TimeMS
	receipts := make([]Receipt, len(b.Txs))
	for i, t := range b.Txs {
		receipts[i] = Receipt{Txid: bytes.Clone(t.ID[:]), Height: b.Height, Index: uint32(i)}
		m = m.transaction(t, &receipts[i])
	}
	return m, receipts
}

// transaction returns the state after it: a changed copy, or the old state and what replay protection needs.
func (m *model) transaction(t *Transaction, r *Receipt) *model {
	if r.Code = uint32(m.admit(t)); r.Code != 0 {
		return m
	}
	if lane := t.Body.Lane; lane != nil {
		m = m.copy()
		m.account(crypto.Address(t.Body.Actor)).lanes[lane.Id] = lane.Seq
	}
	after := m.copy()
	touched := map[crypto.Address]bool{t.Actor(): true}
	for i := range t.Body.Ops {
		after.tag = Tag{TxID: t.ID, Op: uint8(i)}
		if code := after.op(&t.Body.Ops[i], t.Actor(), touched); code != 0 {
			r.Code, r.Op = uint32(code), uint32(i+1)
			after = m
			touched = nil
			break
		}
	}
	for id := range touched {
		a := after.account(id)
		a.logHead = LogHead(a.logHead, t.ID, m.height)
		a.logCount++
	}
	if t.Body.Lane == nil {
		after.seen[t.ID] = Code(r.Code)
		after.buckets[t.Body.ValidUntilMs/m.params.ReplayBucketMS]++
	}
	return after
}

func (m *model) admit(t *Transaction) Code {
	until := t.Body.ValidUntilMs
	if t.Fault != 0 {
		return t.Fault
	}
	_, seen := m.seen[t.ID]
	lane := t.Body.Lane
	switch {
	case (lane == nil || until != 0) && until <= m.timeMS:
		return CodeExpired
	case lane == nil && until > m.timeMS+m.params.ValidForMaxMS:
		return CodeTooFarAhead
	case lane == nil && seen:
		return CodeDuplicate
	case lane == nil && m.buckets[until/m.params.ReplayBucketMS] >= m.params.ReplayBucketMax:
		return CodeBucketFull
	}
	if code := m.authorised(t); code != 0 || lane == nil {
		return code
	}
	var lanes map[uint64]uint64
	if a := m.accounts[crypto.Address(t.Body.Actor)]; a != nil {
		lanes = a.lanes
	}
	switch {
	case lane.Seq <= lanes[lane.Id]:
		return CodeLanePast
	case lane.Seq > lanes[lane.Id]+1:
		return CodeLaneGap
	case lane.Seq == 1 && len(lanes) >= LanesMax:
		return CodeLanesFull
	}
	return 0
}

// authorised collects the keys that are needed and demands exactly those.
func (m *model) authorised(t *Transaction) Code {
	actors := []crypto.Address{t.Actor()}
	for i := range t.Body.Ops {
		if len(t.Body.Ops[i].Actor) > 0 {
			actors = append(actors, crypto.Address(t.Body.Ops[i].Actor))
		}
	}
	needed := map[string]bool{}
	for _, actor := range actors {
		found := false
		for _, s := range t.Tx.Sigs {
			var good bool
			if a := m.accounts[actor]; a != nil && a.key != nil {
				good = bytes.Equal(a.key, s.PublicKey)
			} else {
				good = crypto.KeyAddress(crypto.KeyEd25519, s.PublicKey) == actor
			}
			if good {
				found = true
				needed[string(s.PublicKey)] = true
			}
		}
		if !found {
			return CodeNotAuthorised
		}
	}
	if len(needed) != len(t.Tx.Sigs) {
		return CodeUnusedSignature
	}
	return 0
}

func (m *model) op(op *Op, actor crypto.Address, touched map[crypto.Address]bool) Code {
	if len(op.Actor) > 0 {
		actor = crypto.Address(op.Actor)
	}
	touched[actor] = true
	switch kind := op.Kind.(type) {
	case *Op_Transfer:
		return m.transfer(kind.Transfer, actor, touched)
	case *Op_SetAccount:
		id := actor
		if len(kind.SetAccount.Salt) > 0 {
			id = CreatedAddress(actor, kind.SetAccount.Salt, kind.SetAccount.Policy)
			if m.account(id).key != nil {
				return CodeAccountExists
			}
		}
		m.setKey(id, kind.SetAccount.Policy.Members[0].PublicKey)
		touched[id] = true
	case *Op_SetAsset:
		return m.setAsset(kind.SetAsset, actor)
	case *Op_Put:
		return m.put(kind.Put, actor)
	case *Op_Assert:
		return m.assert(kind.Assert)
	case *Op_ProveEquivocation:
		return m.prove(kind.ProveEquivocation, touched)
	default:
		if a := m.accounts[actor]; a != nil && a.proofs.Barred {
			return CodeAuthorBarred
		}
		return m.merge(op, actor)
	}
	return 0
}

func (m *model) balance(id crypto.Address, asset crypto.Hash) *big.Int {
	if a := m.accounts[id]; a != nil && a.balances[asset] != nil {
		return a.balances[asset]
	}
	return new(big.Int)
}

func (m *model) add(id crypto.Address, asset crypto.Hash, n *big.Int) {
	a := m.account(id)
	sum := new(big.Int).Add(m.balance(id, asset), n)
	if sum.Sign() == 0 {
		delete(a.balances, asset)
	} else {
		a.balances[asset] = sum
	}
}

func (m *model) transfer(x *Transfer, from crypto.Address, touched map[crypto.Address]bool) Code {
	id, to := crypto.Hash(x.Asset), crypto.Address(x.To)
	asset := m.assets[id]
	if asset == nil {
		return CodeAssetNotFound
	}
	n := new(big.Int).SetBytes(x.Amount)
	there := m.balance(from, id)
	if asset.issuer == from {
		there = new(big.Int).Sub(asset.max, asset.supply)
	}
	if x.UpTo && there.Cmp(n) < 0 {
		n = there
	}
	if n.Sign() == 0 {
		return 0
	}
	if there.Cmp(n) < 0 {
		if asset.issuer == from {
			return CodeSupplyExceeded
		}
		return CodeInsufficientFunds
	}
	touched[from], touched[to] = true, true
	minus := new(big.Int).Neg(n)
	if asset.issuer == from {
		asset.supply = new(big.Int).Add(asset.supply, n)
	} else {
		m.add(from, id, minus)
	}
	if asset.issuer == to {
		asset.supply = new(big.Int).Sub(asset.supply, n)
	} else {
		m.add(to, id, n)
	}
	return 0
}

func (m *model) setAsset(x *SetAsset, actor crypto.Address) Code {
	limit := toBig(SupplyMax)
	if len(x.MaxSupply) > 0 {
		limit = new(big.Int).SetBytes(x.MaxSupply)
	}
	id := AssetIDOf(x.Code)
	a := m.assets[id]
	if a == nil {
		m.assets[id] = &modelAsset{scale: x.Scale, issuer: actor, max: limit, supply: new(big.Int)}
		return 0
	}
	switch {
	case a.issuer != actor:
		return CodeAssetExists
	case a.scale != x.Scale:
		return CodeScaleFixed
	case limit.Cmp(a.max) > 0:
		return CodeMaxSupplyRaised
	case limit.Cmp(a.supply) < 0:
		return CodeSupplyAboveMax
	}
	a.max = limit
	return 0
}

func (m *model) put(x *Put, actor crypto.Address) Code {
	if m.entries[actor] == nil {
		m.entries[actor] = map[string]Entry{}
	}
	if id := (entryID{actor, x.Path}); m.merging[id].there() {
		if len(x.Value) > 0 || x.IfVersion != nil {
			return CodeKindMismatch
		}
		delete(m.merging, id)
		return 0
	}
	e, exists := m.entries[actor][x.Path]
	if x.IfVersion != nil && x.IfVersion.Version != e.Version {
		return CodeVersionConflict
	}
	if len(x.Value) == 0 {
		if exists {
			delete(m.entries[actor], x.Path)
		}
		return 0
	}
	m.revision++
	m.entries[actor][x.Path] = Entry{Version: m.revision, ModifiedHeight: m.height, Value: x.Value}
	return 0
}

func (m *model) assert(x *Assert) Code {
	inside := func(v, low, high uint64) Code {
		if v < low || high > 0 && v > high {
			return CodeAssertFailed
		}
		return 0
	}
	switch that := x.That.(type) {
	case *Assert_Balance:
		b := that.Balance
		if m.assets[crypto.Hash(b.Asset)] == nil {
			return CodeAssetNotFound
		}
		have := m.balance(crypto.Address(b.Account), crypto.Hash(b.Asset))
		if have.Cmp(new(big.Int).SetBytes(b.Min)) < 0 || len(b.Max) > 0 && have.Cmp(new(big.Int).SetBytes(b.Max)) > 0 {
			return CodeAssertFailed
		}
	case *Assert_Entry:
		if m.merging[entryID{crypto.Address(that.Entry.Namespace), that.Entry.Path}].there() {
			return CodeAssertFailed
		}
		if m.entries[crypto.Address(that.Entry.Namespace)][that.Entry.Path].Version != that.Entry.Version {
			return CodeAssertFailed
		}
	case *Assert_Height:
		return inside(m.height, that.Height.Min, that.Height.Max)
	case *Assert_Time:
		return inside(m.timeMS, that.Time.MinMs, that.Time.MaxMs)
	}
	return 0
}

// compare demands that the real state says what the model says, and nothing else.
func (m *model) compare(t tester, state memory) {
	t.Helper()
	left := map[string]bool{}
	for key := range state {
		left[key] = true
	}
	take := func(key []byte) []byte {
		delete(left, string(key))
		return state[string(key)]
	}
	for id, a := range m.accounts {
		m.compareAccount(t, id, a, take)
	}
	for id, a := range m.assets {
		got, err := DecodeAsset(take(KeyAsset(id)))
		if err != nil || uint32(got.Scale) != a.scale || got.Issuer != a.issuer || toBig(got.MaxSupply).Cmp(a.max) != 0 || toBig(got.Supply).Cmp(a.supply) != 0 {
			t.Fatalf("asset %s is %+v, should be %+v: %v", id, got, a, err)
		}
	}
	m.compareMerging(t, take)
	for namespace, entries := range m.entries {
		for path, e := range entries {
			got, err := DecodeEntry(take(KeyEntry(namespace, path)))
			if err != nil || got.Version != e.Version || got.ModifiedHeight != e.ModifiedHeight || !bytes.Equal(got.Value, e.Value) {
				t.Fatalf("entry %s is %+v, should be %+v: %v", path, got, e, err)
			}
		}
	}
	if c, err := DecodeChain(take(KeyChain())); err != nil || c.Revision != m.revision {
		t.Fatalf("revision is %d, should be %d: %v", c.Revision, m.revision, err)
	}
	take(KeyParams())
	for key := range left {
		if key[0] != PrefixRecord && key[0] != PrefixBucket {
			t.Fatalf("leaf %x should not be there", key)
		}
	}
}

func (m *model) compareAccount(t tester, id crypto.Address, a *modelAccount, take func([]byte) []byte) {
	t.Helper()
	leaf := take(KeyAccount(id))
	if leaf == nil && a.logCount == 0 && len(a.lanes) == 0 && len(a.balances) == 0 {
		return // the model makes room for accounts that were only looked at
	}
	got, err := DecodeAccount(leaf)
	if err != nil || got.LogCount != a.logCount || got.LogHead != a.logHead || got.Policy.IsDefault() != (a.key == nil) {
		t.Fatalf("account %s is %+v, should be %+v: %v", id, got, a, err)
	}
	if got.Equivocation != a.proofs {
		t.Fatalf("of account %s is proven %+v, should be %+v", id, got.Equivocation, a.proofs)
	}
	if a.key != nil && !bytes.Equal(got.Policy.Members[0].PublicKey, a.key) {
		t.Fatalf("account %s has another key", id)
	}
	balances := slices.Clone(got.Balances)
	for page := range got.Pages {
		more, err := DecodePage(take(KeyPage(id, page)))
		if err != nil {
			t.Fatalf("page %d of %s: %v", page, id, err)
		}
		balances = append(balances, more...)
	}
	if len(balances) != len(a.balances) || len(got.Lanes) != len(a.lanes) {
		t.Fatalf("account %s has %d balances and %d lanes, should have %d and %d", id, len(balances), len(got.Lanes), len(a.balances), len(a.lanes))
	}
	for _, b := range balances {
		if want := a.balances[b.Asset]; want == nil || want.Cmp(toBig(b.Amount)) != 0 {
			t.Fatalf("account %s has %s of %s, should have %s", id, b.Amount, b.Asset, want)
		}
	}
	for _, lane := range got.Lanes {
		if a.lanes[lane.ID] != lane.Seq {
			t.Fatalf("lane %d of %s is at %d, should be at %d", lane.ID, id, lane.Seq, a.lanes[lane.ID])
		}
	}
}
