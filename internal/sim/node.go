package sim

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
)

// node is one replica: a real app on a real store, which can be stopped and started again.
type node struct {
	name  string
	dir   string
	doc   *genesis.Doc
	clock *uint64 // ms, the cluster's

	store *store.Store
	app   *app.App // nil while it is down
	life  int      // grows with each start: what it held in memory is gone
	away  int      // blocks for which it stays down

	// crashIn counts the store's writes down to the one at which the node crashes; -1: it does not.
	crashIn int
}

var errCrash = errors.New("the simulated crash")

// decided is a block that the cluster agreed on, and what came of it on the first node that executed it.
type decided struct {
	block    app.Block
	result   *app.Result
	receipts []ledger.Receipt
}

// start opens the store, which may need to recover, and replays what was decided meanwhile.
func (n *node) start(order []*decided) error {
	st, err := store.Open(store.Options{
		Dir: filepath.Join(n.dir, n.name), Genesis: n.doc.Hash(), FoldInterval: -1, KeepVersions: 4,
		MemTableBytes: 8 << 20, DiskFreeMin: 1, DiskStopMin: 1, FailPoint: n.failPoint,
	})
	if err != nil {
		return fmt.Errorf("%s: open: %w", n.name, err)
	}
	n.store, n.crashIn = st, -1
	n.app, err = app.New(app.Options{
		Genesis: n.doc, Store: st, SelfAddress: []byte(n.name), Idle: -1, Verify: app.VerifyOptions{Gather: -1},
		Now: func() time.Time { return time.UnixMilli(int64(*n.clock)) },
	})
	if err != nil {
		return fmt.Errorf("%s: start: %w", n.name, err)
	}
	n.life++
	head, ok := n.app.Head()
	if !ok {
		if _, _, err := n.app.InitChain(); err != nil {
			return fmt.Errorf("%s: begin: %w", n.name, err)
		}
	}
	if head.Height > uint64(len(order)) {
		return fmt.Errorf("%s: came back at height %d, only %d are decided", n.name, head.Height, len(order))
	}
	for _, d := range order[head.Height:] {
		if err := n.apply(d); err != nil {
			return fmt.Errorf("replay: %w", err)
		}
	}
	return nil
}

// failPoint is called by the store before and after every write.
func (n *node) failPoint(string) error {
	if n.crashIn < 0 {
		return nil
	}
	if n.crashIn--; n.crashIn < 0 {
		return errCrash
	}
	return nil
}

// stop ends the node as it is: what was not committed is lost.
func (n *node) stop() error {
	n.app.Close()
	n.app = nil
	if err := n.store.Close(); err != nil {
		return fmt.Errorf("%s: close: %w", n.name, err)
	}
	return nil
}

// restart stops the node and starts it again.
func (n *node) restart(order []*decided) error {
	if err := n.stop(); err != nil {
		return err
	}
	return n.start(order)
}

// apply executes and commits a decided block, and compares what came of it with the other nodes.
func (n *node) apply(d *decided) error {
	if err := n.finalize(d); err != nil {
		return err
	}
	events, err := n.app.Subscribe()
	if err != nil {
		return err
	}
	defer events.Close()
	if _, err := n.app.Commit(); err != nil {
		return fmt.Errorf("%s: commit height %d: %w", n.name, d.block.Height, err)
	}
	committed := <-events.C
	if d.receipts == nil {
		d.receipts = committed.Receipts
	}
	head, _ := n.app.Head()
	if head.Root != d.result.Root || head.Height != d.block.Height || committed.Height != d.block.Height {
		return fmt.Errorf("%s: committed height %d with root %s, the others have %s", n.name, head.Height, head.Root, d.result.Root)
	}
	return nil
}

// finalize executes a decided block and compares what came of it.
func (n *node) finalize(d *decided) error {
	result, err := n.app.Finalize(context.Background(), d.block)
	if err != nil {
		return fmt.Errorf("%s: finalize height %d: %w", n.name, d.block.Height, err)
	}
	if d.result == nil {
		d.result = &result
	}
	if fmt.Sprint(result) != fmt.Sprint(*d.result) {
		return fmt.Errorf("%s: height %d: %v, the others have %v", n.name, d.block.Height, result, *d.result)
	}
	return nil
}

// settle waits until nothing is being verified, so that what happens next does not depend on when.
func (n *node) settle() {
	for n.app.PoolStats().Queued > 0 {
		runtime.Gosched()
		time.Sleep(10 * time.Microsecond)
	}
}
