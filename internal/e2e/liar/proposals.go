package main

import (
	"bytes"
	"context"
	"log/slog"
	"sync/atomic"

	cmtabcicli "github.com/cometbft/cometbft/abci/client"
	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmtproxy "github.com/cometbft/cometbft/proxy"

	"github.com/tetradledger/tetrad/ledger"
)

// wrapProposals makes an application whose proposals are wrong, each time in another way, and that finds its
// own proposals perfect.
func wrapProposals(log *slog.Logger) func(cmtproxy.ClientCreator) cmtproxy.ClientCreator {
	return func(honest cmtproxy.ClientCreator) cmtproxy.ClientCreator {
		return &badProposer{honest, log, &atomic.Int64{}}
	}
}

type badProposer struct {
	honest cmtproxy.ClientCreator
	log    *slog.Logger
	turn   *atomic.Int64
}

// NewABCIClient wraps an honest connection.
func (b *badProposer) NewABCIClient() (cmtabcicli.Client, error) {
	c, err := b.honest.NewABCIClient()
	return &badClient{c, b}, err
}

type badClient struct {
	cmtabcicli.Client
	*badProposer
}

// PrepareProposal spoils every second proposal.
func (c *badClient) PrepareProposal(ctx context.Context, r *abcitypes.RequestPrepareProposal) (*abcitypes.ResponsePrepareProposal, error) {
	answer, err := c.Client.PrepareProposal(ctx, r)
	if err != nil {
		return nil, err
	}
	turn := c.turn.Add(1)
	if turn%2 == 0 {
		return answer, nil
	}
	name, txs := spoil(int(turn/2), answer.Txs)
	c.log.Info("lie: a bad proposal", "height", r.Height, "kind", name)
	return &abcitypes.ResponsePrepareProposal{Txs: txs}, nil
}

// ProcessProposal accepts everything: a liar votes for its own blocks.
func (c *badClient) ProcessProposal(ctx context.Context, r *abcitypes.RequestProcessProposal) (*abcitypes.ResponseProcessProposal, error) {
	if _, err := c.Client.ProcessProposal(ctx, r); err != nil {
		return nil, err
	}
	return &abcitypes.ResponseProcessProposal{Status: abcitypes.ResponseProcessProposal_ACCEPT}, nil
}

// spoil makes one of several wrong blocks out of a right one.
func spoil(kind int, txs [][]byte) (name string, bad [][]byte) {
	bad = append(bad, txs...)
	switch kind % 6 {
	case 0:
		return "garbage", append(bad, []byte("this is not a transaction"))
	case 1:
		return "broken frame", append(bad, []byte{0x00, 0x01, 0xff, 0xff, 0x03, 0x01})
	case 2:
		return "oversize", append(bad, bytes.Repeat([]byte{0x0a}, ledger.FrameBytesMax+1))
	case 3:
		return "empty transaction", append(bad, []byte{})
	case 4:
		if len(txs) > 0 {
			return "duplicate", append(bad, txs[0])
		}
		return "empty frame", append(bad, []byte{0x00, 0x01})
	}
	return "bad signature", append(bad, forged())
}

// forged is a well-formed transaction that nobody signed.
func forged() []byte {
	account := bytes.Repeat([]byte{7}, 32)
	body := ledger.Body{
		Version: 1, ChainId: "e2e-dev", Actor: account, Nonce: bytes.Repeat([]byte{9}, ledger.NonceLen), ValidUntilMs: 1 << 42,
		Ops: []ledger.Op{{Kind: &ledger.Op_Put{Put: &ledger.Put{Path: "a", Value: []byte("b")}}}},
	}
	encoded, err := body.Marshal()
	if err != nil {
		panic(err)
	}
	tx := ledger.Tx{Body: encoded, Sigs: []ledger.Sig{{
		KeyType: 1, PublicKey: bytes.Repeat([]byte{3}, 32), Signature: bytes.Repeat([]byte{5}, 64),
	}}}
	raw, err := tx.Marshal()
	if err != nil {
		panic(err)
	}
	return raw
}
