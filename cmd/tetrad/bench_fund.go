package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
)

// fundBench gives money to those accounts that have too little.
func (c *cli) fundBench(ctx context.Context, l *link, f benchFlags, bar *benchProgress) error {
	info, err := l.Asset(ctx, f.asset, client.ReadOptions{})
	if err != nil {
		return err
	}
	each, err := ledger.ParseAmount(f.amount, info.Scale)
	if err != nil || each.IsZero() {
		return badAmount("--amount %q is not an amount of %s", f.amount, f.asset)
	}
	enough, ok := timesTenThousand(each)
	if !ok {
		return badAmount("--amount %q is too large for a load", f.amount)
	}
	poor, err := accountsBelow(ctx, l, info.Asset, info.Scale, enough, min(f.accounts, benchFundMax))
	if err != nil || len(poor) == 0 {
		return err
	}
	if f.accounts > benchFundMax {
		return usagef("%d of the first %d accounts lack money, and more than %d are not funded one by one", len(poor), benchFundMax, benchFundMax).
			next("make a network with them: tetrad testnet --bench-accounts %d", f.accounts)
	}
	payer, err := c.benchPayer(f, info.Issuer)
	if err != nil {
		return err
	}
	for done := 0; done < len(poor); done += ledger.OpsMax {
		bar.show(client.BenchProgress{Phase: "funding", Done: float64(done) / float64(len(poor))})
		draft := client.NewTx(l.chain.id, l.chain.genesis, payer.Public().Address()).Memo("bench")
		for _, to := range poor[done:min(done+ledger.OpsMax, len(poor))] {
			draft.Transfer(to, f.asset, enough)
		}
		if err := c.fundOnce(ctx, l, draft, payer); err != nil {
			return err
		}
	}
	return nil
}

// timesTenThousand is how often an account can pay before it needs somebody to pay it.
func timesTenThousand(a ledger.Amount) (ledger.Amount, bool) {
	ok := true
	for range 4 {
		sum, fits := a, true
		for range 9 {
			if sum, fits = sum.Add(a); !fits {
				ok = false
			}
		}
		a = sum
	}
	return a, ok
}

func (c *cli) fundOnce(ctx context.Context, l *link, draft *client.Draft, payer crypto.PrivateKey) error {
	signed, err := draft.Sign(payer)
	if err != nil {
		return err
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	status, err := c.submitAndWait(ctx, l, signed, waitCommitted)
	if err != nil {
		return fmt.Errorf("fund the accounts: %w", err)
	}
	if status.Status != "committed" {
		f := failureOfCode(ledger.Code(status.Code), "cannot fund the accounts: "+ledger.Code(status.Code).Info().Message)
		f.exit = exitFailed
		return f
	}
	return nil
}

// benchPayer is the asset's issuer if its key is here, which makes money out of nothing, or else --from.
func (c *cli) benchPayer(f benchFlags, issuer string) (crypto.PrivateKey, error) {
	ring, err := c.keyring()
	if err != nil {
		return crypto.PrivateKey{}, err
	}
	name := f.from
	if name == "" {
		list, _ := ring.List()
		for _, info := range list {
			if info.Address.String() == issuer {
				name = info.Name
			}
		}
	}
	if name == "" {
		name = c.client.settings.DefaultKey
	}
	if name == "" {
		return crypto.PrivateKey{}, usagef("the accounts lack money, and there is no key to fund them with").next("name one with --from")
	}
	return c.unlock(ring, name)
}

// benchFundMax is how many accounts are looked at and funded before a run. More come with the genesis, all
// alike, and are not looked at.
const benchFundMax = 10_000

// accountsBelow reads the balances of the first accounts, some at a time.
func accountsBelow(ctx context.Context, l *link, asset string, scale uint8, enough ledger.Amount, accounts int) ([]crypto.Address, error) {
	const readers = 16
	poor := make([]crypto.Address, accounts)
	faults := make([]error, readers)
	var done sync.WaitGroup
	for reader := range readers {
		done.Go(func() {
			for i := reader; i < accounts && faults[reader] == nil; i += readers {
				address := genesis.BenchKey(benchSeed, i).Public().Address()
				b, err := l.Balance(ctx, address.String(), asset, client.ReadOptions{})
				if err != nil {
					faults[reader] = err
					return
				}
				has, err := ledger.ParseAmount(b.Available, scale)
				faults[reader] = err
				if err == nil && has.Cmp(enough) < 0 {
					poor[i] = address
				}
			}
		})
	}
	done.Wait()
	poor = slices.DeleteFunc(poor, crypto.Address.IsZero)
	return poor, errors.Join(faults...)
}
