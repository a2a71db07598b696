package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	cmtlight "github.com/cometbft/cometbft/light"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
)

// trustGiven begins with the header that the user got from somebody, if there is one and it is not known yet. It
// replaces what is too old to count, and must agree with what still counts: a header that contradicts trusted ones
// would turn honest nodes into liars from then on, so nothing of it is kept.
func (l *lightClient) trustGiven(ctx context.Context, node string) error {
	if l.trustHeight == 0 {
		return nil
	}
	exact, before, after := l.store.around(l.trustHeight)
	if exact != nil {
		if !bytes.Equal(exact.Hash(), l.trustHash[:]) {
			return &TrustConflictError{Height: l.trustHeight, Given: l.trustHash, File: l.store.path}
		}
		return nil
	}
	block, err := l.client.fetchBlock(ctx, node, l.chainID, l.trustHeight)
	if err != nil {
		return err
	}
	if !bytes.Equal(block.Hash(), l.trustHash[:]) {
		return from(node, l.trustHeight, lie(LieHeader, "its header %d is %s, given to trust was %s: if the given one is right, the node lies", l.trustHeight, block.Hash(), l.trustHash))
	}
	if err := signedByOwn(l.chainID, block); err != nil {
		return from(node, l.trustHeight, err)
	}
	if cmtlight.HeaderExpired(block.SignedHeader, l.period, l.now()) {
		return &TrustExpiredError{Height: l.trustHeight, Time: block.Time, Period: l.period}
	}
	for _, pair := range [][2]*cmttypes.LightBlock{{before, block}, {block, after}} {
		if err := l.leads(ctx, node, pair[0], pair[1]); err != nil {
			return err
		}
	}
	l.store.add(block)
	return nil
}

// leads checks that a trusted header and the given one are of one chain, where the older of the two still counts.
func (l *lightClient) leads(ctx context.Context, node string, older, newer *cmttypes.LightBlock) error {
	if older == nil || newer == nil || cmtlight.HeaderExpired(older.SignedHeader, l.period, l.now()) {
		return nil
	}
	_, err := l.climb(ctx, node, anchor{block: older}, newer)
	switch {
	case errors.Is(err, errTooFar):
		return nil // they cannot be compared, which is what a given header is for
	case errors.Is(err, ErrLie):
		return &TrustConflictError{Height: l.trustHeight, Given: l.trustHash, File: l.store.path, Cause: err}
	}
	return err
}

// TrustConflictError says that a header that the user was given does not agree with those trusted before.
type TrustConflictError struct {
	Height uint64
	Given  crypto.Hash
	File   string // what was trusted before; empty: it was not kept
	Cause  error
}

// Error says what to find out, and what to do then.
func (e *TrustConflictError) Error() string {
	text := fmt.Sprintf("the header %d:%s and the headers trusted before are not of one chain", e.Height, e.Given)
	if e.Cause != nil {
		text += fmt.Sprintf(" (%v)", e.Cause)
	}
	if e.File != "" {
		text += fmt.Sprintf("; if it is the given one that is the network's, remove %s", e.File)
	}
	return text
}

// TrustNodes puts a fresh header into o.Home for later runs to begin with, without any proof from the past: the
// endpoints are believed. It is for whoever runs them. All that answer must show the same header, it must be signed
// by more than two thirds of its validators, and be fresh. A file of trusted headers that was there is replaced.
// It returns the height.
func TrustNodes(ctx context.Context, o VerifiedOptions) (uint64, error) {
	home := o.Home
	o.Home = "" // what an earlier run trusted may be too old, or of a network that was thrown away
	v, err := NewVerified(o)
	if err != nil {
		return 0, err
	}
	status, err := v.client.Status(ctx)
	if err != nil {
		return 0, err
	}
	var agreed *cmttypes.LightBlock
	none := &NoNodeError{}
	for _, node := range v.client.Endpoints() {
		block, err := v.client.fetchBlock(ctx, node, o.ChainID, status.Height)
		var silent *NodeError
		switch {
		case err == nil && agreed != nil && !bytes.Equal(agreed.Hash(), block.Hash()):
			return 0, fmt.Errorf("%s shows another header of height %d than the node before it", node, status.Height)
		case err == nil:
			agreed = block
		case errors.As(err, &silent):
			none.Attempts = append(none.Attempts, silent)
		default:
			none.Attempts = append(none.Attempts, &NodeError{Endpoint: node, Err: err})
		}
	}
	if agreed == nil {
		return 0, none
	}
	if err := signedByOwn(o.ChainID, agreed); err != nil {
		return 0, from("the network", status.Height, err)
	}
	if cmtlight.HeaderExpired(agreed.SignedHeader, v.light.period, v.now()) {
		return 0, &TrustExpiredError{Height: status.Height, Time: agreed.Time, Period: v.light.period}
	}
	store := &lightStore{chainID: o.ChainID, genesis: o.GenesisHash}
	store.path = lightPath(home)
	store.add(agreed)
	return status.Height, store.save()
}

// TrustRenewAfter is how often whoever keeps running a network should call TrustNodes again: far more often than
// trust expires.
const TrustRenewAfter = time.Hour
