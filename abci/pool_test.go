package abci

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmtmempool "github.com/cometbft/cometbft/mempool"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/ledger"
)

// floodChain takes in at most so many transactions of its own clients.
func floodChain(t *testing.T, local int) (*chain, *Pool) {
	c := newChainOf(t, Options{}, app.PoolOptions{TxsMax: 4 * local, LocalTxsMax: local})
	c.init()
	return c, NewPool(nil, c.application)
}

// TestPoolTellsTheTruth: the stock way in takes no more than there is room for, says so to everybody else, and
// whatever it took in comes into blocks.
func TestPoolTellsTheTruth(t *testing.T) {
	const local, offered = 40, 200
	c, pool := floodChain(t, local)
	var mu sync.Mutex
	taken := map[ledger.TxID]bool{}
	refused := 0
	var callers sync.WaitGroup
	for caller := range 8 {
		callers.Go(func() {
			for n := caller; n < offered; n += 8 {
				raw := c.transfer(byte(n))
				tx, err := ledger.DecodeTransaction(raw)
				if err != nil {
					t.Error(err)
					return
				}
				ok := false
				if n%2 == 0 { // broadcast_tx_async
					err := pool.CheckTx(raw, nil, cmtmempool.TxInfo{})
					if err != nil && !errors.Is(err, errRefused) {
						t.Error(err)
					}
					ok = err == nil
				} else { // broadcast_tx_sync
					err := pool.CheckTx(raw, func(r *abcitypes.ResponseCheckTx) {
						ok = r.Code == 0
						if !ok && r.Code < abcitypes.CodeTypeRetry {
							t.Errorf("refused for ever: %d %s", r.Code, r.Log)
						}
					}, cmtmempool.TxInfo{})
					if err != nil {
						t.Error(err)
					}
				}
				mu.Lock()
				if ok {
					taken[tx.ID] = true
				} else {
					refused++
				}
				mu.Unlock()
			}
		})
	}
	callers.Wait()
	if len(taken) == 0 || len(taken) > local || refused == 0 {
		t.Fatalf("%d taken in and %d refused, with room for %d", len(taken), refused, local)
	}
	if stats := c.app.PoolStats(); stats.Txs+stats.Queued > local {
		t.Errorf("the pool holds %+v", stats)
	}
	for id := range taken {
		c.commitUntil(id)
	}
	if pool.Size() != 0 || pool.SizeBytes() != 0 {
		t.Errorf("%d transactions of %d bytes are left", pool.Size(), pool.SizeBytes())
	}
}

// TestPoolTurns: no more callers work at once than the pool has turns, and the others wait. A caller that does not
// wait is caught by chance, but nearly always; one that waits is never blamed.
func TestPoolTurns(t *testing.T) {
	c, pool := floodChain(t, 100)
	for range cap(pool.turns) {
		pool.turns <- struct{}{}
	}
	const callers = 20
	done := make(chan error, callers)
	for n := range callers {
		go func() { done <- pool.CheckTx(c.transfer(byte(n)), nil, cmtmempool.TxInfo{}) }()
	}
	for range 10_000 {
		runtime.Gosched()
	}
	if stats := c.app.PoolStats(); stats.Txs+stats.Queued > 0 || len(done) > 0 {
		t.Fatalf("%d callers did not wait for their turn: %+v", len(done), stats)
	}
	for range cap(pool.turns) {
		<-pool.turns
	}
	for range callers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// commitUntil makes blocks of what is pooled until a transaction is committed. Blocks take a second of its
// validity, so none is made of nothing.
func (c *chain) commitUntil(id ledger.TxID) {
	c.t.Helper()
	for {
		outcome, err := c.app.Outcome(id)
		if err != nil {
			c.t.Fatal(err)
		}
		switch {
		case outcome.Status == app.StatusCommitted:
			return
		case outcome.Status.Decided() || outcome.Status == app.StatusUnknown && c.app.PoolStats() == (app.PoolStats{}):
			c.t.Fatalf("%s was taken in and is %s", id, outcome.Status)
		}
		made, err := c.application.PrepareProposal(context.Background(), &abcitypes.RequestPrepareProposal{
			Height: c.height + 1, Time: begin.Add(time.Duration(c.height+1) * time.Second), MaxTxBytes: 1 << 20,
		})
		if err != nil {
			c.t.Fatal(err)
		}
		if len(made.Txs) > 0 {
			c.block(nil, made.Txs...)
		} else {
			runtime.Gosched() // it is being verified
		}
	}
}
