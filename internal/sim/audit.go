package sim

import (
	"bytes"
	"fmt"
	"math/big"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
)

// newAuditor begins with what the genesis document says, read by people's rules and not by the ledger's.
func newAuditor(doc *genesis.Doc) *auditor {
	m := &model{
		accounts: map[crypto.Address]*account{}, assets: map[crypto.Hash]*asset{},
		entries: map[entryName]entry{}, merging: map[entryName]merging{}, validForMaxMS: doc.Params.ValidForMaxMS, validators: map[crypto.ValidatorID]validator{},
		nodes: map[crypto.ValidatorID]registered{},
	}
	for _, v := range doc.Validators {
		m.validators[crypto.ValidatorIDOf(v.Key.Type, v.Key.Bytes)] = validator{power: v.Power, operator: v.Operator, key: v.Key.Bytes}
		m.begin(v)
	}
	for _, a := range doc.Assets {
		issuer, _ := doc.Account(a.Issuer)
		m.assets[assetID(a.Code)] = &asset{code: a.Code, scale: a.Scale, issuer: issuer.Address, max: supplyMax, supply: new(big.Int)}
	}
	for _, account := range doc.Accounts {
		for _, b := range account.Balances {
			amount, err := ledger.ParseAmount(b.Amount, uint8(m.assets[assetID(b.Asset)].scale))
			if err != nil {
				panic(err) // the document was validated
			}
			n := new(big.Int).SetBytes(amount.Bytes())
			m.add(account.Address, assetID(b.Asset), n)
			a := m.assets[assetID(b.Asset)]
			a.supply = new(big.Int).Add(a.supply, n)
		}
	}
	return &auditor{
		params: doc.Params, model: m, known: map[crypto.Hash]*tx{},
		decided: map[ledger.TxID]verdict{}, buckets: map[uint64]uint64{},
	}
}

func assetID(code string) crypto.Hash { return crypto.SumTagged(crypto.TagAsset, []byte(code)) }

// compareReceipts demands that the block did what the model says.
func compareReceipts(want []verdict, got []ledger.Receipt) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d receipts, should be %d", len(got), len(want))
	}
	for i, w := range want {
		g := &got[i]
		same := g.Height == w.height && g.Index == w.index
		if w.anyFault {
			same = same && g.Code != 0 && g.Op == 0
		} else {
			same = same && g.ID() == w.id && ledger.Code(g.Code) == w.code && g.Op == w.op
		}
		if !same {
			return fmt.Errorf("receipt %d of transaction %s: %s at operation %d (%+v), should be %+v", i, w.id, ledger.Code(g.Code), g.Op, g, w)
		}
	}
	return nil
}

// compareState demands that a node's newest state is the model's, and that supplies are the sum of what the
// node itself says accounts hold.
func (a *auditor) compareState(node *app.App) error {
	view := node.View()
	defer view.Close()
	held := map[crypto.Hash]*big.Int{}
	for id, want := range a.model.accounts {
		if err := compareAccount(view, id, want, held); err != nil {
			return err
		}
	}
	for id, want := range a.model.assets {
		leaf, err := view.Get(ledger.KeyAsset(id))
		if err != nil {
			return err
		}
		got, err := ledger.DecodeAsset(leaf)
		if err != nil {
			return fmt.Errorf("asset %s: %w", want.code, err)
		}
		if got.Code != want.code || uint32(got.Scale) != want.scale || got.Issuer != want.issuer ||
			number(got.MaxSupply).Cmp(want.max) != 0 || number(got.Supply).Cmp(want.supply) != 0 {
			return fmt.Errorf("asset %s is %+v, should be %+v", want.code, got, want)
		}
		if sum := held[id]; sum != nil && sum.Cmp(want.supply) != 0 || sum == nil && want.supply.Sign() != 0 {
			return fmt.Errorf("asset %s: accounts hold %s, the supply is %s", want.code, sum, want.supply)
		}
	}
	counts := map[crypto.Address]uint64{}
	for name, want := range a.model.entries {
		counts[name.namespace]++
		leaf, err := view.Get(ledger.KeyEntry(name.namespace, name.path))
		if err != nil {
			return err
		}
		got, err := ledger.DecodeEntry(leaf)
		if err != nil || got.Version != want.version || got.ModifiedHeight != want.height || !bytes.Equal(got.Value, want.value) {
			return fmt.Errorf("entry %s is %+v, should be %+v (%v)", name.path, got, want, err)
		}
	}
	if err := a.model.compareMerging(view, counts); err != nil {
		return err
	}
	if err := a.compareNamespaces(view, counts); err != nil {
		return err
	}
	if err := a.compareNodes(view); err != nil {
		return err
	}
	return a.compareValidators(view)
}

// compareNamespaces demands that every account's namespace counts its entries.
func (a *auditor) compareNamespaces(view ledger.Reader, counts map[crypto.Address]uint64) error {
	for id := range a.model.accounts {
		leaf, err := view.Get(ledger.KeyNamespace(id))
		if err != nil {
			return err
		}
		var got ledger.Namespace
		if leaf != nil {
			if got, err = ledger.DecodeNamespace(leaf); err != nil {
				return fmt.Errorf("namespace of %s: %w", id, err)
			}
		}
		if got.Entries != counts[id] {
			return fmt.Errorf("the namespace of %s counts %d entries, should count %d", id, got.Entries, counts[id])
		}
	}
	return nil
}

func (a *auditor) compareValidators(view ledger.Reader) error {
	for id, want := range a.model.validators {
		leaf, err := view.Get(ledger.KeyValidator(id))
		if err != nil {
			return err
		}
		got, err := ledger.DecodeValidator(leaf)
		if err != nil || got.Power != want.power || got.Faults != want.faults || got.LastFaultHeight != want.lastFault {
			return fmt.Errorf("validator %s is %+v, should be %+v (%v)", id, got, want, err)
		}
	}
	return nil
}

// compareAccount compares an account and adds what it holds, as the node says, to held.
func compareAccount(view ledger.Reader, id crypto.Address, want *account, held map[crypto.Hash]*big.Int) error {
	leaf, err := view.Get(ledger.KeyAccount(id))
	if err != nil {
		return err
	}
	var got ledger.Account
	if leaf != nil {
		if got, err = ledger.DecodeAccount(leaf); err != nil {
			return fmt.Errorf("account %s: %w", id, err)
		}
	}
	balances := got.Balances
	for page := range got.Pages {
		if leaf, err = view.Get(ledger.KeyPage(id, page)); err != nil {
			return err
		}
		more, err := ledger.DecodePage(leaf)
		if err != nil {
			return fmt.Errorf("page %d of account %s: %w", page, id, err)
		}
		balances = append(balances, more...)
	}
	var key []byte
	if !got.Policy.IsDefault() {
		key = got.Policy.Members[0].PublicKey
	}
	if len(balances) != len(want.balances) || len(got.Lanes) != len(want.lanes) || got.LogCount != want.logCount ||
		got.LogHead != want.logHead || got.Equivocation != want.proofs || !bytes.Equal(key, want.key) {
		return fmt.Errorf("account %s is %+v, should be %+v", id, got, want)
	}
	for _, b := range balances {
		if n := want.balances[b.Asset]; n == nil || n.Cmp(number(b.Amount)) != 0 {
			return fmt.Errorf("account %s holds %s of %s, should hold %s", id, b.Amount, b.Asset, n)
		}
		if held[b.Asset] == nil {
			held[b.Asset] = new(big.Int)
		}
		held[b.Asset].Add(held[b.Asset], number(b.Amount))
	}
	for _, lane := range got.Lanes {
		if want.lanes[lane.ID] != lane.Seq {
			return fmt.Errorf("lane %d of account %s is at %d, should be at %d", lane.ID, id, lane.Seq, want.lanes[lane.ID])
		}
	}
	return nil
}

func number(a ledger.Amount) *big.Int { return new(big.Int).SetBytes(a.Bytes()) }
