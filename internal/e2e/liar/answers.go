package main

import (
	"context"

	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// wrapAnswers makes an API that reads a state in which everybody is richer.
func wrapAnswers(honest rpc.Backend) rpc.Backend { return &flatterer{honest} }

type flatterer struct{ rpc.Backend }

// Read opens the state as it is not.
func (f *flatterer) Read(ctx context.Context, o rpc.ReadOptions) (rpc.Snapshot, error) {
	s, err := f.Backend.Read(ctx, o)
	if err != nil {
		return nil, err
	}
	return &rosy{s}, nil
}

type rosy struct{ rpc.Snapshot }

// Get adds to every balance it sees.
func (r *rosy) Get(key []byte) ([]byte, error) {
	leaf, err := r.Snapshot.Get(key)
	if err != nil || leaf == nil || key[0] != ledger.PrefixAccount {
		return leaf, err
	}
	account, err := ledger.DecodeAccount(leaf)
	if err != nil {
		return nil, err
	}
	for i := range account.Balances {
		if sum, ok := account.Balances[i].Amount.Add(ledger.Amount{Lo: 777}); ok {
			account.Balances[i].Amount = sum
		}
	}
	return account.Append(nil), nil
}
