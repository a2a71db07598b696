package main

import (
	"context"
	"errors"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// fenceValidFor is how long a transaction that finds the newest state may wait for a block. Nobody waits longer for it.
const fenceValidFor = 10 * time.Second

// askValidators makes the link's reader one whose answers are the newest there are.
func (l *link) askValidators(c *cli, q *queryFlags) error {
	o, err := l.verifiedOptions(c, q.level.fresh, q.trust)
	if err != nil {
		return err
	}
	fence, err := l.fence(c, q.from)
	if err != nil {
		return err
	}
	if l.strong, err = client.NewStrong(client.StrongOptions{VerifiedOptions: o, Proven: q.level.verified, Fence: fence}); err != nil {
		return err
	}
	l.verified, l.reads = l.strong.Verified(), l.strong
	return nil
}

// fence makes what signs a transaction of the reader's own, or nothing. A key that is named is unlocked now, since there
// is no time for a passphrase later; the default key is used where it needs none.
func (l *link) fence(c *cli, from string) (func(context.Context) (client.Signed, error), error) {
	b := &builder{cli: c, flags: &txFlags{from: from}, link: l, chain: l.chain}
	if from == "" {
		home, err := c.loadClientHome()
		if err != nil || home.settings.DefaultKey == "" || home.settings.Keyring != crypto.KindTest {
			return nil, err
		}
	}
	if err := b.setActor(); err != nil {
		return nil, err
	}
	keys, err := b.keys()
	if err != nil {
		return nil, err
	}
	return func(context.Context) (client.Signed, error) {
		return client.NewTx(l.chain.id, l.chain.genesis, b.actor).Fence().ValidFor(fenceValidFor).Sign(keys...)
	}, nil
}

// exitOfNoQuorum is the row of strong reads that nobody can answer now.
func exitOfNoQuorum(err error) *failure {
	if !errors.Is(err, client.ErrNoQuorum) {
		return nil
	}
	f := failureOfCode(ledger.CodeNoQuorum, err.Error())
	if errors.Is(err, client.ErrNoNode) {
		f.exit = exitUnreachable
	}
	f.hint = "strong answers need validators with more than two thirds of the voting power; 'tetrad status --all' shows who can be reached, and --consistency session asks for less"
	return f
}
