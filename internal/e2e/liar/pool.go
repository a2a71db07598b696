package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	cmtmempool "github.com/cometbft/cometbft/mempool"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	cmtmemproto "github.com/cometbft/cometbft/proto/tendermint/mempool"

	"github.com/tetradledger/tetrad/ledger"
)

// floodPools sends all peers transactions that are worth nothing: noise, broken frames, frames of forgeries.
func floodPools(ctx context.Context, s cmtp2p.Switcher, log *slog.Logger) {
	log.Info("lie: flooding pools with garbage")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		noise := make([]byte, 1+rand.IntN(2000))
		for i := range noise {
			noise[i] = byte(rand.Uint32())
		}
		frame := ledger.EncodeFrame([][]byte{forged(), noise})
		s.BroadcastAsync(cmtp2p.Envelope{
			ChannelID: cmtmempool.MempoolChannel,
			Message:   &cmtmemproto.Txs{Txs: [][]byte{noise, frame, append([]byte{0x00, 0x01}, noise...), forged()}},
		})
	}
}
