package ledger

import (
	"bytes"
	"maps"
	"math/big"
	"slices"
	"testing"

	"github.com/tetradledger/tetrad/crypto"
)

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

var _ tester = (*testing.T)(nil)

// checkChanges demands ascending unique keys and no change that changes nothing.
func checkChanges(t tester, before memory, changes []Change) {
	t.Helper()
	for i, c := range changes {
		if i > 0 && bytes.Compare(changes[i-1].Key, c.Key) >= 0 {
			t.Fatalf("changes %x and %x are not ascending", changes[i-1].Key, c.Key)
		}
		old, existed := before[string(c.Key)]
		if c.Value == nil && !existed {
			t.Fatalf("change deletes %x, which is not there", c.Key)
		}
		if c.Value != nil && bytes.Equal(old, c.Value) {
			t.Fatalf("change of %x changes nothing", c.Key)
		}
	}
}

// audit re-reads the whole state: every leaf decodes and encodes back, supplies are the sums of balances,
// issuers hold nothing of their own, pages are dense, and the list of validators is complete.
func audit(t tester, state memory) {
	t.Helper()
	sums := map[crypto.Hash]*big.Int{}
	supplies := map[crypto.Hash]*Asset{}
	pages, validators := 0, 0
	services := map[string]bool{}
	entries, counted := map[crypto.Address]uint64{}, map[crypto.Address]uint64{}
	for key, leaf := range state {
		k := []byte(key)
		if err := CheckLeaf(k, leaf); err != nil {
			t.Fatalf("%v", err)
		}
		switch k[0] {
		case PrefixAccount:
			a, _ := DecodeAccount(leaf)
			addBalances(t, sums, a.Balances)
			pages -= int(a.Pages)
			for page := range a.Pages {
				more, err := DecodePage(state[string(KeyPage(crypto.Address(k[1:]), page))])
				if err != nil || page+1 < a.Pages && len(more) != BalancesPerPage {
					t.Fatalf("page %d of %x holds %d balances: %v", page, k[1:], len(more), err)
				}
			}
		case PrefixPage:
			more, _ := DecodePage(leaf)
			addBalances(t, sums, more)
			pages++
		case PrefixAsset:
			a, _ := DecodeAsset(leaf)
			supplies[crypto.Hash(k[1:])] = &a
		case PrefixEntry:
			entries[crypto.Address(k[1:33])]++
		case PrefixNamespace:
			n, _ := DecodeNamespace(leaf)
			counted[crypto.Address(k[1:])] = n.Entries
		case PrefixValidator:
			validators++
		case PrefixNode:
			auditNode(t, state, crypto.ValidatorID(k[1:]), leaf, services)
		}
	}
	if !maps.Equal(entries, counted) {
		t.Fatalf("namespaces hold %v entries, their leaves say %v", entries, counted)
	}
	if pages != 0 {
		t.Fatalf("%d pages belong to no account", pages)
	}
	if ids, _ := DecodeValidators(state[string(KeyValidators())]); len(ids) != validators {
		t.Fatalf("%d validators, %d in the list", validators, len(ids))
	}
	checkSupplies(t, state, sums, supplies)
}

// auditNode: a node is a validator's, all who approved are validators, and no key serves two.
func auditNode(t tester, state memory, id crypto.ValidatorID, leaf []byte, services map[string]bool) {
	n, _ := DecodeNode(leaf)
	for _, one := range append([]crypto.ValidatorID{id}, n.Approvals...) {
		if state[string(KeyValidator(one))] == nil {
			t.Fatalf("node %s names %s, which is no validator", id, one)
		}
	}
	if n.Claimed != "" && !slices.Contains(n.Approvals, id) {
		t.Fatalf("node %s does not approve of its own claim", id)
	}
	if services[string(n.ServiceKey)] {
		t.Fatalf("node %s has the service key of another", id)
	}
	services[string(n.ServiceKey)] = true
}

func addBalances(t tester, sums map[crypto.Hash]*big.Int, balances []Balance) {
	for _, b := range balances {
		if b.Amount.IsZero() {
			t.Fatalf("a balance of %s is zero", b.Asset)
		}
		if sums[b.Asset] == nil {
			sums[b.Asset] = new(big.Int)
		}
		sums[b.Asset].Add(sums[b.Asset], toBig(b.Amount))
	}
}

func checkSupplies(t tester, state memory, sums map[crypto.Hash]*big.Int, supplies map[crypto.Hash]*Asset) {
	for id := range sums {
		if supplies[id] == nil {
			t.Fatalf("balances of an asset that does not exist: %s", id)
		}
	}
	for id, a := range supplies {
		if AssetIDOf(a.Code) != id {
			t.Fatalf("asset %s lies at %s", a.Code, id)
		}
		sum := sums[id]
		if sum == nil {
			sum = new(big.Int)
		}
		if sum.Cmp(toBig(a.Supply)) != 0 {
			t.Fatalf("supply of %s is %s, balances sum to %s", a.Code, a.Supply, sum)
		}
		if leaf := state[string(KeyAccount(a.Issuer))]; leaf != nil {
			issuer, _ := DecodeAccount(leaf)
			if indexOf(issuer.Balances, id) >= 0 {
				t.Fatalf("the issuer of %s holds some of it", a.Code)
			}
		}
	}
}

func toBig(a Amount) *big.Int {
	n := new(big.Int).SetUint64(a.Hi)
	n.Lsh(n, 64)
	return n.Add(n, new(big.Int).SetUint64(a.Lo))
}
