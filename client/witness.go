package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	cmtlight "github.com/cometbft/cometbft/light"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

const (
	// witnessWait is how long other nodes may take to show their header of a height.
	witnessWait = time.Second
	// witnessGrace is how long the slower ones are waited for once one has shown the same header.
	witnessGrace = 50 * time.Millisecond
	// witnessPause is between two questions to a node that does not have the height yet.
	witnessPause = 20 * time.Millisecond
	// witnessesMax bounds how many are asked for each header: more than can lie in any network of 100.
	witnessesMax = 34
)

// testimony is what another node has at a height.
type testimony struct {
	node  string
	block *cmttypes.LightBlock
	err   error
	said  *transcript // how it was said
}

// witness asks the other nodes for their header of the same height. One that shows another header with enough
// signatures is evidence of a fork, and nothing of that height is believed. One that shows a header nobody
// signed lies, which takes nothing away from a header that was signed; it is left alone for a while. Nodes that
// do not answer say nothing: the signatures of two thirds stand without them.
func (l *lightClient) witness(ctx context.Context, node string, base anchor, target *cmttypes.LightBlock) error {
	ctx, cancel := context.WithTimeout(ctx, witnessWait)
	defer cancel()
	nodes := l.client.endpoints.fit()
	heard := make(chan testimony, witnessesMax)
	asked := 0
	for _, other := range nodes {
		if other != node && asked < witnessesMax {
			asked++
			go func() {
				ctx, said := listen(ctx)
				block, err := l.testify(ctx, other, uint64(target.Height))
				heard <- testimony{other, block, err, said}
			}()
		}
	}
	var late <-chan time.Time
	for range asked {
		select {
		case t := <-heard:
			same, err := l.compare(node, base, target, t)
			if err != nil {
				return err
			}
			if same && late == nil {
				late = time.After(witnessGrace)
			}
		case <-late:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// testify asks one node, again while it does not have the height yet.
func (l *lightClient) testify(ctx context.Context, node string, height uint64) (*cmttypes.LightBlock, error) {
	for {
		block, err := l.client.fetchBlock(ctx, node, l.chainID, height)
		if !errors.Is(err, errFuture) && !errors.Is(err, errBehind) {
			return block, err
		}
		l.client.endpoints.answered(node) // being a block behind is no fault
		if !pause(ctx, witnessPause) {
			return nil, err
		}
	}
}

// errFuture is what a node says that was asked for a height it does not have.
var errFuture = rpc.NewError(ledger.CodeFuture, "")

// compare judges what another node showed.
func (l *lightClient) compare(node string, base anchor, target *cmttypes.LightBlock, t testimony) (same bool, err error) {
	if errors.Is(t.err, ErrLie) {
		l.client.endpoints.lied(t.node)
		l.caught.keep(t.err, t.said)
	}
	if t.err != nil {
		return false, nil
	}
	if bytes.Equal(t.block.Hash(), target.Hash()) {
		return true, nil
	}
	err = signedByOwn(l.chainID, t.block)
	if err == nil && !l.mayFollow(base, t.block) {
		err = lie(LieHeader, "none of the validators known signed it")
	}
	if err != nil {
		l.client.endpoints.lied(t.node)
		l.caught.keep(from(t.node, uint64(target.Height), err), t.said)
		return false, nil
	}
	return false, conflict(node, base, target, t)
}

// mayFollow tells whether a header could have been believed, had it been shown first: whether enough of the
// validators that the base knows signed it. Where the walk goes backwards
// there is no base, and its own signatures count.
func (l *lightClient) mayFollow(base anchor, block *cmttypes.LightBlock) bool {
	set := block.ValidatorSet
	switch {
	case base.block != nil:
		set = base.block.ValidatorSet
	case base.genesis != nil:
		set = base.genesis.validators
	}
	return set.VerifyCommitLightTrusting(l.chainID, block.Commit, cmtlight.DefaultTrustLevel) == nil
}

// conflict collects the evidence.
func conflict(node string, base anchor, target *cmttypes.LightBlock, t testimony) error {
	e := &ConflictError{Height: uint64(target.Height)}
	for _, c := range []testimony{{node: node, block: target}, t} {
		encoded, err := encodeBlock(c.block)
		if err != nil {
			return err
		}
		e.Headers = append(e.Headers, SignedClaim{Endpoint: c.node, Hash: c.block.Hash().String(), LightBlock: encoded})
	}
	first := map[string]bool{}
	for _, s := range target.Commit.Signatures {
		first[s.ValidatorAddress.String()] = s.BlockIDFlag == cmttypes.BlockIDFlagCommit
	}
	for _, s := range t.block.Commit.Signatures {
		if s.BlockIDFlag == cmttypes.BlockIDFlagCommit && first[s.ValidatorAddress.String()] {
			e.Equivocators = append(e.Equivocators, s.ValidatorAddress.String())
		}
	}
	for _, pair := range [][2]*cmttypes.LightBlock{{target, t.block}, {t.block, target}} {
		attack, err := attackOn(base, pair[0], pair[1])
		if err != nil {
			return err
		}
		e.Attacks = append(e.Attacks, attack)
	}
	return e
}

// Attack is CometBFT's evidence against those who signed a header that is not the network's.
type Attack struct {
	Network  string `json:"network"`  // hash of the header that is the network's
	False    string `json:"false"`    // hash of the one that is not
	Evidence []byte `json:"evidence"` // CometBFT's Evidence with LightClientAttackEvidence, marshalled
}

// attackOn makes the evidence against a false header, the other one being the network's. Where the header could not
// have followed from the chain, those are guilty who stood for the last header in common, which is the base.
func attackOn(base anchor, network, forged *cmttypes.LightBlock) (Attack, error) {
	ev := &cmttypes.LightClientAttackEvidence{ConflictingBlock: forged, CommonHeight: network.Height, Timestamp: network.Time}
	set := network.ValidatorSet
	if ev.ConflictingHeaderIsInvalid(network.Header) {
		switch {
		case base.block != nil:
			set, ev.CommonHeight, ev.Timestamp = base.block.ValidatorSet, base.block.Height, base.block.Time
		case base.genesis != nil:
			set, ev.CommonHeight, ev.Timestamp = base.genesis.validators, 1, base.genesis.time
		}
	}
	ev.TotalVotingPower = set.TotalVotingPower()
	ev.ByzantineValidators = ev.GetByzantineValidators(set, network.SignedHeader)
	message, err := cmttypes.EvidenceToProto(ev)
	if err != nil {
		return Attack{}, fmt.Errorf("encode evidence: %w", err)
	}
	encoded, err := message.Marshal()
	return Attack{Network: network.Hash().String(), False: forged.Hash().String(), Evidence: encoded}, err
}
