package node

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cmtabcicli "github.com/cometbft/cometbft/abci/client"
	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmtproxy "github.com/cometbft/cometbft/proxy"
)

// failing is an application whose disk breaks.
type failing struct {
	cmtabcicli.Client
	broken *atomic.Bool
}

func (f failing) Commit(ctx context.Context, req *abcitypes.RequestCommit) (*abcitypes.ResponseCommit, error) {
	if f.broken.Load() {
		return nil, errors.New("the disk is on fire")
	}
	return f.Client.Commit(ctx, req)
}

type failingCreator struct {
	cmtproxy.ClientCreator
	broken *atomic.Bool
}

func (c failingCreator) NewABCIClient() (cmtabcicli.Client, error) {
	client, err := c.ClientCreator.NewABCIClient()
	return failing{client, c.broken}, err
}

// TestDeadConsensusEndsTheNode: CometBFT survives the failure of its consensus and would go on answering; the
// node ends with the cause instead. After a restart it executes the block again and goes on.
func TestDeadConsensusEndsTheNode(t *testing.T) {
	n := newNetwork(t, 4, false)
	n.committed(n.submit(0))
	n.stop(3)
	var broken atomic.Bool
	n.start(3, nil, WithParts(Parts{Creator: func(c cmtproxy.ClientCreator) cmtproxy.ClientCreator { return failingCreator{c, &broken} }}))
	n.until("node 3 takes part", func() bool { return !n.nodes[3].catchingUp() })
	broken.Store(true)
	select {
	case <-n.nodes[3].Done():
	case <-time.After(soon):
		t.Fatal("the node lives on with a dead consensus")
	}
	if err := n.nodes[3].Err(); !errors.Is(err, ErrConsensusDead) || !strings.Contains(err.Error(), "on fire") {
		t.Errorf("the node ended with %v", err)
	}
	n.stop(3)
	n.committed(n.submit(1)) // the others have gone on
	n.start(3, nil)
	n.committed(n.submit(2))
	n.agree()
}

type ended chan struct{}

func (e ended) Wait() { <-e }

// TestWatchdog: either sign of a dead consensus is enough, the first cause is kept, and an orderly end is none.
func TestWatchdog(t *testing.T) {
	dog := newWatchdog()
	dog.hear("something else", []any{"err", "no matter"})
	select {
	case err := <-dog.failed:
		t.Fatalf("barked at nothing: %v", err)
	default:
	}
	dog.hear(failureMessage, []any{"err", "broken invariant", "stack", "..."})
	goroutine := make(ended)
	close(goroutine)
	dog.watch(goroutine)
	if err := <-dog.failed; !errors.Is(err, ErrConsensusDead) || !strings.Contains(err.Error(), "broken invariant") {
		t.Errorf("barked %v", err)
	}

	silent := newWatchdog()
	silent.watch(goroutine)
	if err := <-silent.failed; !errors.Is(err, ErrConsensusDead) {
		t.Errorf("the end of the goroutine barked %v", err)
	}

	resting := newWatchdog()
	resting.rest()
	resting.watch(goroutine)
	resting.hear(failureMessage, nil)
	select {
	case err := <-resting.failed:
		t.Errorf("barked while the node stops: %v", err)
	default:
	}
}
