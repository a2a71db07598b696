package store

import (
	"encoding/binary"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
)

// stateCheck compares what the leaves of the newest state say of each other.
type stateCheck struct {
	f          *fsck
	view       *merkle.View
	chain      ledger.Chain
	assets     map[crypto.Hash]*assetCheck
	validators map[crypto.ValidatorID]bool   // that the list names
	found      int                           // validators that have a leaf and are listed
	services   map[string]crypto.ValidatorID // nodes by service key
	entries    map[crypto.Address]uint64     // by namespace
	counted    map[crypto.Address]uint64     // what the namespaces' leaves say of that
}

// assetCheck adds up what accounts hold of an asset.
type assetCheck struct {
	ledger.Asset
	known bool // it has a leaf that decodes
	held  ledger.Amount
}

// checkState checks the newest state: every leaf is where it belongs, balances add up to supplies, pages are
// dense, and lists name what is there.
func (f *fsck) checkState() error {
	view := f.tree.Current()
	defer view.Close()
	if len(f.heads) == 0 || view.Len() == 0 {
		return nil
	}
	s := &stateCheck{
		f: f, view: view, assets: make(map[crypto.Hash]*assetCheck), validators: make(map[crypto.ValidatorID]bool),
		services: make(map[string]crypto.ValidatorID),
		entries:  make(map[crypto.Address]uint64), counted: make(map[crypto.Address]uint64),
	}
	s.readLists()
	var err error
	view.Range([32]byte{}, func(key, value []byte) bool {
		s.leaf(key, value)
		if f.Counts.Leaves++; f.Counts.Leaves%stepEvery == 0 {
			err = f.step("state", f.Counts.Leaves, view.Len())
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	s.compareSupplies()
	s.compareNamespaces()
	if s.found != len(s.validators) {
		f.fault("the list of validators", "it names %d validators, of which %d have a leaf", len(s.validators), s.found)
	}
	return f.step("state", view.Len(), view.Len())
}

// readLists reads the leaves that speak of many others.
func (s *stateCheck) readLists() {
	if _, ok := s.view.Get(ledger.KeyParams()); !ok {
		s.f.fault("the parameters", "they are missing")
	}
	if value, ok := s.view.Get(ledger.KeyChain()); ok { // there is none before anything was counted
		if chain, err := ledger.DecodeChain(value); err == nil {
			s.chain = chain
		}
	}
	value, ok := s.view.Get(ledger.KeyValidators())
	if !ok {
		s.f.fault("the list of validators", "it is missing")
		return
	}
	ids, err := ledger.DecodeValidators(value)
	if err != nil {
		return // said already
	}
	for _, id := range ids {
		s.validators[id] = true
	}
}

// leaf checks one leaf. Those that do not decode were named already.
func (s *stateCheck) leaf(key, value []byte) {
	if ledger.CheckLeaf(key, value) != nil {
		return
	}
	switch key[0] {
	case ledger.PrefixAccount:
		s.account(crypto.Address(key[1:]), value)
	case ledger.PrefixPage:
		s.page(key)
	case ledger.PrefixAsset:
		a := s.asset(crypto.Hash(key[1:]))
		if id := ledger.AssetIDOf(a.Code); id != crypto.Hash(key[1:]) {
			s.f.fault(leafName(key), "it is the leaf of asset %s, whose id is %s", a.Code, id)
		}
	case ledger.PrefixNamespace:
		n, _ := ledger.DecodeNamespace(value)
		s.counted[crypto.Address(key[1:])] = n.Entries
	case ledger.PrefixEntry:
		s.entries[crypto.Address(key[1:1+32])]++
		e, _ := ledger.DecodeEntry(value)
		if e.Version > s.chain.Revision || e.ModifiedHeight > s.f.Head.Height {
			s.f.fault(leafName(key), "it has version %d of height %d; the newest version is %d, the newest height %d",
				e.Version, e.ModifiedHeight, s.chain.Revision, s.f.Head.Height)
		}
	case ledger.PrefixValidator:
		v, _ := ledger.DecodeValidator(value)
		id := crypto.ValidatorID(key[1:])
		if v.ID() != id {
			s.f.fault(leafName(key), "it holds the key of validator %s", v.ID())
		}
		if s.validators[id] {
			s.found++
		} else {
			s.f.fault(leafName(key), "the list of validators does not name it")
		}
	case ledger.PrefixNode:
		s.node(crypto.ValidatorID(key[1:]), value)
	case ledger.PrefixBucket:
		if number := numberOf(key); number < s.chain.BucketsFrom || number >= s.chain.BucketsTo {
			s.f.fault(leafName(key), "the chain's counters say that buckets from %d to below %d have leaves", s.chain.BucketsFrom, s.chain.BucketsTo)
		}
	}
}

// leafName names a leaf by what it belongs to, and by its key.
func leafName(key []byte) string {
	switch key[0] {
	case ledger.PrefixAccount:
		return fmt.Sprintf("account %s (key %x)", crypto.Address(key[1:]), key)
	case ledger.PrefixPage:
		return fmt.Sprintf("page %d of account %s (key %x)", binary.BigEndian.Uint32(key[1+32:]), crypto.Address(key[1:1+32]), key)
	case ledger.PrefixAsset:
		return fmt.Sprintf("asset %s (key %x)", crypto.Hash(key[1:]), key)
	case ledger.PrefixEntry:
		return fmt.Sprintf("entry %q of account %s (key %x)", key[1+32:], crypto.Address(key[1:1+32]), key)
	case ledger.PrefixNamespace:
		return fmt.Sprintf("namespace of account %s (key %x)", crypto.Address(key[1:]), key)
	case ledger.PrefixNode:
		return fmt.Sprintf("node of validator %s (key %x)", crypto.ValidatorID(key[1:]), key)
	case ledger.PrefixValidator:
		return fmt.Sprintf("validator %s (key %x)", crypto.ValidatorID(key[1:]), key)
	}
	return fmt.Sprintf("key %x", key)
}

// node checks that a node and all who approve of its region are validators, and that it shares its key with none.
func (s *stateCheck) node(id crypto.ValidatorID, value []byte) {
	n, _ := ledger.DecodeNode(value)
	where := leafName(ledger.KeyNode(id))
	if !s.validators[id] {
		s.f.fault(where, "there is no such validator")
	}
	for _, one := range n.Approvals {
		if !s.validators[one] {
			s.f.fault(where, "its region is approved by %s, which is no validator", one)
		}
	}
	if other, taken := s.services[string(n.ServiceKey)]; taken {
		s.f.fault(where, "it has the service key of the node of %s", other)
	}
	s.services[string(n.ServiceKey)] = id
}

// account checks an account and all its pages, and adds up its balances.
func (s *stateCheck) account(id crypto.Address, value []byte) {
	a, _ := ledger.DecodeAccount(value)
	where := leafName(ledger.KeyAccount(id))
	if (a.LogCount == 0) != a.LogHead.IsZero() {
		s.f.fault(where, "its log has %d transactions and head %s", a.LogCount, a.LogHead)
	}
	seen := make(map[crypto.Hash]bool)
	s.balances(where, id, a.Balances, seen)
	for page := range a.Pages {
		key := ledger.KeyPage(id, page)
		where := leafName(key)
		value, ok := s.view.Get(key)
		if !ok {
			s.f.fault(where, "it is missing; the account says it has %d pages", a.Pages)
			continue
		}
		balances, err := ledger.DecodePage(value)
		if err != nil {
			continue // said already
		}
		if page+1 < a.Pages && len(balances) < ledger.BalancesPerPage {
			s.f.fault(where, "it holds %d balances, and is full unless it is the last of %d", len(balances), a.Pages)
		}
		s.balances(where, id, balances, seen)
	}
}

// balances adds up a list of balances.
func (s *stateCheck) balances(where string, id crypto.Address, list []ledger.Balance, seen map[crypto.Hash]bool) {
	for _, b := range list {
		a := s.asset(b.Asset)
		switch {
		case !a.known:
			s.f.fault(where, "it holds %s of asset %s, which does not exist", b.Amount, b.Asset)
		case a.Issuer == id:
			s.f.fault(where, "it holds %s of asset %s, which it issues", b.Amount, a.Code)
		}
		if seen[b.Asset] {
			s.f.fault(where, "it has two balances of asset %s", b.Asset)
		}
		seen[b.Asset] = true
		sum, ok := a.held.Add(b.Amount)
		if !ok {
			s.f.fault(where, "all balances of asset %s exceed every amount", b.Asset)
			continue
		}
		a.held = sum
	}
}

// page checks that an account knows of a page.
func (s *stateCheck) page(key []byte) {
	id, page := crypto.Address(key[1:1+32]), binary.BigEndian.Uint32(key[1+32:])
	value, ok := s.view.Get(ledger.KeyAccount(id))
	if !ok {
		s.f.fault(leafName(key), "there is no such account")
		return
	}
	if a, err := ledger.DecodeAccount(value); err == nil && page >= a.Pages {
		s.f.fault(leafName(key), "the account says it has %d pages", a.Pages)
	}
}

// asset finds the sum of an asset.
func (s *stateCheck) asset(id crypto.Hash) *assetCheck {
	if a := s.assets[id]; a != nil {
		return a
	}
	a := &assetCheck{}
	if value, ok := s.view.Get(ledger.KeyAsset(id)); ok {
		if asset, err := ledger.DecodeAsset(value); err == nil {
			a.Asset, a.known = asset, true
		}
	}
	s.assets[id] = a
	return a
}

// compareSupplies compares the sums with the supplies.
func (s *stateCheck) compareSupplies() {
	for id, a := range s.assets {
		if a.known && a.held != a.Supply {
			s.f.fault(leafName(ledger.KeyAsset(id)), "the supply of %s is %s, accounts hold %s", a.Code, a.Supply, a.held)
		}
	}
}

// compareNamespaces compares how many entries there are with what the namespaces' leaves say.
func (s *stateCheck) compareNamespaces() {
	for id, n := range s.entries {
		if counted := s.counted[id]; counted != n {
			s.f.fault(leafName(ledger.KeyNamespace(id)), "it counts %d entries, there are %d", counted, n)
		}
	}
	for id, counted := range s.counted {
		if s.entries[id] == 0 {
			s.f.fault(leafName(ledger.KeyNamespace(id)), "it counts %d entries, there are none", counted)
		}
	}
}
