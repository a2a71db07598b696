package abci

import (
	"context"
	"math"

	abcitypes "github.com/cometbft/cometbft/abci/types"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/ledger"
)

// CheckTx takes in a transaction from CometBFT's RPC. With the application's pool it is also what inserts
// it, since CometBFT keeps no pool of its own.
func (a *Application) CheckTx(_ context.Context, req *abcitypes.RequestCheckTx) (*abcitypes.ResponseCheckTx, error) {
	return toCheckTx(a.app.CheckTx(req.Tx)), nil
}

func toCheckTx(admission app.Admission) *abcitypes.ResponseCheckTx {
	response := &abcitypes.ResponseCheckTx{Code: engineCode(admission.Code)}
	if admission.Code == ledger.CodeOK {
		response.Data = admission.ID[:]
	} else {
		response.Log = admission.Detail
		response.Codespace = codespace
		response.Info = admission.Code.Info().Slug
	}
	return response
}

// InsertTx takes in what a peer sends. CometBFT calls it in the routine that also receives votes, so it must
// not do more than look and enqueue.
func (a *Application) InsertTx(_ context.Context, req *abcitypes.RequestInsertTx) (*abcitypes.ResponseInsertTx, error) {
	return &abcitypes.ResponseInsertTx{Code: engineCode(a.app.Insert(req.Tx))}, nil
}

// ReapTxs gives CometBFT what to send to the peers. Whatever it returns is sent once and forgotten.
func (a *Application) ReapTxs(_ context.Context, req *abcitypes.RequestReapTxs) (*abcitypes.ResponseReapTxs, error) {
	maxBytes := math.MaxInt
	if req.MaxBytes > 0 && req.MaxBytes < math.MaxInt {
		maxBytes = int(req.MaxBytes)
	}
	return &abcitypes.ResponseReapTxs{Txs: a.app.Reap(maxBytes)}, nil
}
