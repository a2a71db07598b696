package abci

import (
	"errors"
	"fmt"
	"runtime"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmtmempool "github.com/cometbft/cometbft/mempool"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/ledger"
)

// Pool is CometBFT's pool as its RPC sees it, with the way in replaced. CometBFT starts a goroutine for each
// transaction that comes in by broadcast_tx_*, answers broadcast_tx_async before anybody has looked at it, and
// says nothing when there was no room. A flood then has the processors to itself, and consensus starves.
//
// Here the caller's own goroutine does the work, no more of them at a time than there are processors. The others
// wait for their turn without taking processor time, and are as many as the server has connections. Whoever is
// told that his transaction was taken in can rely on that.
type Pool struct {
	cmtmempool.Mempool
	application *Application
	turns       chan struct{}
}

// NewPool wraps the pool of CometBFT's RPC environment.
func NewPool(pool cmtmempool.Mempool, a *Application) *Pool {
	return &Pool{Mempool: pool, application: a, turns: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// errRefused is how broadcast_tx_async, which gives no result, learns that a transaction was not taken in.
var errRefused = errors.New("the transaction was not taken in")

// CheckTx takes in a transaction and hands the result to the callback. Without one, a refusal is an error.
func (p *Pool) CheckTx(tx cmttypes.Tx, callback func(*abcitypes.ResponseCheckTx), _ cmtmempool.TxInfo) error {
	admission := p.admit(tx)
	if callback != nil {
		callback(toCheckTx(admission))
		return nil
	}
	if admission.Code != ledger.CodeOK && !admission.Known {
		return fmt.Errorf("%w: %s (code %d)", errRefused, admission.Code.Info().Message, engineCode(admission.Code))
	}
	return nil
}

func (p *Pool) admit(tx []byte) app.Admission {
	p.turns <- struct{}{}
	defer func() { <-p.turns }()
	return p.application.app.CheckTx(tx)
}

// Size is how many transactions wait for a block.
func (p *Pool) Size() int { return p.application.app.PoolStats().Txs }

// SizeBytes is how many bytes they have.
func (p *Pool) SizeBytes() int64 { return int64(p.application.app.PoolStats().Bytes) }
