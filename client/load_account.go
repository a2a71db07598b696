package client

import (
	"sync/atomic"

	"github.com/tetradledger/tetrad/crypto"
)

// loadAccount is an account of a load whose key has been derived.
type loadAccount struct {
	address crypto.Address
	key     crypto.PrivateKey
}

// loadAccounts derives keys when they are first needed: a run over a million accounts that touches a tenth of
// them derives a tenth, spread over the signers, and not one before the run that it does not need.
type loadAccounts struct {
	key  func(i int) crypto.PrivateKey
	list []atomic.Pointer[loadAccount]
}

func newLoadAccounts(n int, key func(i int) crypto.PrivateKey) *loadAccounts {
	return &loadAccounts{key: key, list: make([]atomic.Pointer[loadAccount], n)}
}

// at returns account i. Two goroutines may derive the same one at the same time; they get the same.
func (a *loadAccounts) at(i int) *loadAccount {
	if known := a.list[i].Load(); known != nil {
		return known
	}
	key := a.key(i)
	derived := &loadAccount{address: key.Public().Address(), key: key}
	a.list[i].Store(derived)
	return derived
}
