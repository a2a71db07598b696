package node

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	cmtabcicli "github.com/cometbft/cometbft/abci/client"
	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmtproxy "github.com/cometbft/cometbft/proxy"
)

// refusingCreator makes clients of an application that cannot judge proposals while it is broken.
type refusingCreator struct {
	cmtproxy.ClientCreator
	broken *atomic.Bool
}

func (c refusingCreator) NewABCIClient() (cmtabcicli.Client, error) {
	client, err := c.ClientCreator.NewABCIClient()
	return refusingClient{client, c.broken}, err
}

type refusingClient struct {
	cmtabcicli.Client
	broken *atomic.Bool
}

func (c refusingClient) ProcessProposal(ctx context.Context, req *abcitypes.RequestProcessProposal) (*abcitypes.ResponseProcessProposal, error) {
	if c.broken.Load() {
		return nil, errors.New("it is on fire")
	}
	return c.Client.ProcessProposal(ctx, req)
}

// TestPanicInStart: CometBFT panics while it starts where its log leads to what cannot be done. The node says so, and how
// far its databases are, and lets go of its home.
func TestPanicInStart(t *testing.T) {
	layout, err := Testnet(TestnetSpec{Dir: filepath.Join(keptDir(t), "net"), Validators: 1, BasePort: freePorts(t, 1), ChainID: "test"})
	if err != nil {
		t.Fatal(err)
	}
	n := &network{t: t, layout: layout, nodes: make([]*Node, 1)}
	t.Cleanup(func() { n.stop(0) })
	var broken atomic.Bool
	parts := WithParts(Parts{Creator: func(c cmtproxy.ClientCreator) cmtproxy.ClientCreator { return refusingCreator{c, &broken} }})
	n.start(0, nil, parts)
	n.committed(n.submit(0))
	broken.Store(true)
	<-n.nodes[0].Done() // the proposal it fails at is in its log
	n.stop(0)

	config, err := Load(layout.Nodes[0].Home, nil)
	n.must(err)
	config.Store.DiskFreeMin = diskFreeFloor
	node, err := New(config, n.testLogger(0), parts)
	n.must(err)
	if err = node.Start(); err == nil { // CometBFT takes its time on this machine
		<-node.Done()
		err = node.Err()
	}
	if err == nil || !strings.Contains(err.Error(), "on fire") || !strings.Contains(err.Error(), config.Engine.DBDir()) {
		t.Errorf("started: %v", err)
	}
	n.must(node.Stop())
	broken.Store(false)
	n.start(0, nil)
	n.committed(n.submit(0))
}
