package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	cmtmath "github.com/cometbft/cometbft/libs/math"
	cmtlight "github.com/cometbft/cometbft/light"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
)

const (
	// trustingPeriodDefault is half of the 48 hours for which misbehaviour is punished: whoever signs two
	// blocks is caught before a client could still be made to believe the second one.
	trustingPeriodDefault = 24 * time.Hour
	// clockDriftMax is how far a block's time may lie ahead of this machine's clock.
	clockDriftMax = 10 * time.Second
	// climbFetchMax bounds the headers fetched to reach one: the logarithm of the distance for each complete
	// change of the validators on the way.
	climbFetchMax = 256
	// descendMax bounds the headers walked back one by one below the first trusted one.
	descendMax = 2000
)

// twoThirds is how much of the last known validators must have signed where no clock helps: at the genesis
// document and in receipts.
var twoThirds = cmtmath.Fraction{Numerator: 2, Denominator: 3}

// lightClient knows which headers the network's validators signed. The checks are CometBFT's (package light);
// the walk is ours, so that a header is asked of the very node whose answer it is for, a lie is blamed on who
// told it, and the headers on the way can go into a receipt.
type lightClient struct {
	client      *Client
	chainID     string
	genesisHash crypto.Hash
	period      time.Duration
	now         func() time.Time
	trustHeight uint64
	trustHash   crypto.Hash

	given   atomic.Bool // the trusted header is in the store
	mu      sync.Mutex  // one walk at a time; guards genesis
	genesis *genesisTrust
	store   *lightStore
	caught  *evidenceStore
}

// header gives the header of a height once it is known to be the network's. It is asked of the node, and the
// other nodes are asked whether they have the same.
func (l *lightClient) header(ctx context.Context, node string, height uint64) (*cmttypes.LightBlock, error) {
	return l.reach(ctx, node, height, walk{})
}

// walk is what may differ in how a header is reached.
type walk struct {
	shown     *cmttypes.LightBlock // the header, where the node has shown it already
	witnessed bool                 // another node has named the same header already
}

// reach is header with its ways.
func (l *lightClient) reach(ctx context.Context, node string, height uint64, w walk) (*cmttypes.LightBlock, error) {
	if height == 0 || height > math.MaxInt64/2 {
		return nil, from(node, height, lie(LieHeader, "there is no such height"))
	}
	if known := l.known(height); known != nil {
		return known, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.trustGiven(ctx, node); err != nil {
		return nil, err
	}
	l.given.Store(true)
	exact, before, after := l.store.around(height)
	if exact != nil {
		return exact, nil
	}
	base, err := l.base(ctx, node, before, after)
	if err != nil {
		return nil, err
	}
	target := w.shown
	if target == nil {
		if target, err = l.client.fetchBlock(ctx, node, l.chainID, height); err != nil {
			return nil, err
		}
	}
	var trace []*cmttypes.LightBlock
	if base.fits() {
		trace, err = l.climb(ctx, node, base, target)
	} else {
		err = l.descend(ctx, node, after, target)
		trace = []*cmttypes.LightBlock{target}
	}
	if err != nil {
		return nil, err
	}
	if !w.witnessed {
		if err := l.witness(ctx, node, base, target); err != nil {
			return nil, err
		}
	}
	l.store.add(trace...)
	return target, nil
}

// known gives a header that is trusted already, or nil.
func (l *lightClient) known(height uint64) *cmttypes.LightBlock {
	exact, _, _ := l.store.around(height)
	if exact == nil || l.trustHeight > 0 && !l.given.Load() {
		return nil
	}
	return exact
}

// anchor is what a walk begins with: a trusted header, or else the genesis document.
type anchor struct {
	block   *cmttypes.LightBlock
	genesis *genesisTrust
}

func (a anchor) fits() bool { return a.block != nil || a.genesis != nil }

func (a anchor) height() int64 {
	if a.block == nil {
		return 0
	}
	return a.block.Height
}

// base chooses the newest header below that is still worth something, or else the genesis document. Where
// neither is, a trusted header above will do, from which one can walk back; base then returns nothing.
func (l *lightClient) base(ctx context.Context, node string, before, after *cmttypes.LightBlock) (anchor, error) {
	now := l.now()
	if before != nil && !cmtlight.HeaderExpired(before.SignedHeader, l.period, now) {
		return anchor{block: before}, nil
	}
	if l.trustHeight == 0 {
		if err := l.loadGenesis(ctx, node); err != nil {
			return anchor{}, err
		}
		if l.genesis.time.Add(l.period).After(now) {
			return anchor{genesis: l.genesis}, nil
		}
	}
	switch {
	case after != nil:
		return anchor{}, nil
	case before != nil:
		return anchor{}, &TrustExpiredError{Height: uint64(before.Height), Time: before.Time, Period: l.period}
	default:
		return anchor{}, &TrustExpiredError{Time: l.genesis.time, Period: l.period}
	}
}

// loadGenesis gets the genesis document, unless it is there already.
func (l *lightClient) loadGenesis(ctx context.Context, node string) error {
	if l.genesis != nil {
		return nil
	}
	genesis, err := l.client.fetchGenesis(ctx, node, l.genesisHash, l.chainID)
	if err == nil {
		l.genesis = genesis
	}
	return err
}

// climb walks from the base up to the target, over as few headers between as the changes of validators allow.
func (l *lightClient) climb(ctx context.Context, node string, base anchor, target *cmttypes.LightBlock) ([]*cmttypes.LightBlock, error) {
	rules := stepRules{chainID: l.chainID, period: l.period, level: cmtlight.DefaultTrustLevel, now: l.now()}
	return climb(rules, base, target, func(height int64) (*cmttypes.LightBlock, error) {
		return l.client.fetchBlock(ctx, node, l.chainID, uint64(height))
	}, node)
}

// errTooFar says that the validators changed too often between two headers.
var errTooFar = errors.New("a newer header must be trusted")

// climb is the walk, with the steps' rules and the source of headers left open.
func climb(rules stepRules, base anchor, target *cmttypes.LightBlock,
	fetch func(height int64) (*cmttypes.LightBlock, error), source string,
) ([]*cmttypes.LightBlock, error) {
	var trace []*cmttypes.LightBlock
	pending := []*cmttypes.LightBlock{target}
	fetched := 0
	for len(pending) > 0 {
		next := pending[len(pending)-1]
		err := rules.step(base, next)
		if err == nil {
			base = anchor{block: next}
			trace = append(trace, next)
			pending = pending[:len(pending)-1]
			continue
		}
		if !errors.As(err, new(cmtlight.ErrNewValSetCantBeTrusted)) || next.Height <= base.height()+1 {
			return nil, from(source, uint64(next.Height), lie(LieHeader, "%v", err))
		}
		if fetched++; fetched > climbFetchMax {
			return nil, fmt.Errorf("%w: more than %d headers lie between %d and %d", errTooFar, climbFetchMax, base.height(), target.Height)
		}
		between, err := fetch(base.height() + (next.Height-base.height())/2)
		if err != nil {
			return nil, err
		}
		pending = append(pending, between)
	}
	return trace, nil
}

// stepRules say when one header vouches for a later one.
type stepRules struct {
	chainID string
	period  time.Duration
	level   cmtmath.Fraction
	now     time.Time
}

// step checks that next follows from the base.
func (r stepRules) step(base anchor, next *cmttypes.LightBlock) error {
	if base.block != nil {
		b := base.block
		return cmtlight.Verify(b.SignedHeader, b.ValidatorSet, next.SignedHeader, next.ValidatorSet, r.period, r.now, clockDriftMax, r.level)
	}
	if !next.Time.Before(r.now.Add(clockDriftMax)) {
		return fmt.Errorf("the header is of %s, which is in the future", next.Time)
	}
	if next.Height == 1 && !bytes.Equal(next.ValidatorsHash, base.genesis.validators.Hash()) {
		return errors.New("the first header has other validators than the genesis document")
	}
	err := base.genesis.validators.VerifyCommitLightTrusting(r.chainID, next.Commit, twoThirds)
	if few, ok := err.(cmttypes.ErrNotEnoughVotingPowerSigned); ok {
		return cmtlight.ErrNewValSetCantBeTrusted{Reason: few}
	}
	if err != nil {
		return err
	}
	return signedByOwn(r.chainID, next)
}

// signedByOwn checks that more than two thirds of a header's own validators signed it.
func signedByOwn(chainID string, block *cmttypes.LightBlock) error {
	if err := block.ValidatorSet.VerifyCommitLight(chainID, block.Commit.BlockID, block.Height, block.Commit); err != nil {
		return lie(LieHeader, "%v", err)
	}
	return nil
}

// descend walks from a trusted header back to an older one; each names the hash of the one before it.
func (l *lightClient) descend(ctx context.Context, node string, after, target *cmttypes.LightBlock) error {
	if after.Height-target.Height > descendMax {
		return fmt.Errorf("header %d lies %d below the first trusted one, at most %d can be walked", target.Height, after.Height-target.Height, descendMax)
	}
	upper := after
	for upper.Height > target.Height {
		lower := target
		if upper.Height-1 > target.Height {
			var err error
			if lower, err = l.client.fetchBlock(ctx, node, l.chainID, uint64(upper.Height-1)); err != nil {
				return err
			}
		}
		if err := cmtlight.VerifyBackwards(lower.Header, upper.Header); err != nil {
			return from(node, uint64(lower.Height), lie(LieHeader, "%v", err))
		}
		upper = lower
	}
	return nil
}
