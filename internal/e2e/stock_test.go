package e2e

import (
	"context"
	"testing"

	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	cmtclient "github.com/cometbft/cometbft/rpc/client"
	cmthttp "github.com/cometbft/cometbft/rpc/client/http"
	cmtcoretypes "github.com/cometbft/cometbft/rpc/core/types"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/ledger"
)

// TestStockTools uses CometBFT's own client, unchanged, on its own RPC port: what people have for CometBFT
// works with Tetrad.
func TestStockTools(t *testing.T) {
	n := newNetwork(t, 4, nil)
	n.start()
	n.untilHeight(2)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := cmthttp.New(n.rpcURL(0), "/websocket")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatalf("open the websocket: %v", err)
	}
	defer func() { _ = c.Stop() }()

	status, err := c.Status(ctx)
	if err != nil || status.NodeInfo.Network != n.chainID {
		t.Fatalf("status: %+v %v", status, err)
	}
	blocks, err := c.Subscribe(ctx, "e2e", "tm.event='NewBlock'", 16)
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}

	signed := n.transfer("alice", "bob", 1250)
	sent, err := c.BroadcastTxSync(ctx, signed.Raw)
	if err != nil || sent.Code != 0 {
		t.Fatalf("broadcast_tx_sync: %+v %v", sent, err)
	}
	tx := stockTx(ctx, n, c, sent.Hash)
	if tx.TxResult.Code != 0 {
		t.Errorf("tx: code %d, %s", tx.TxResult.Code, tx.TxResult.Log)
	}
	var receipt ledger.Receipt
	if err := receipt.Unmarshal(tx.TxResult.Data); err != nil || string(receipt.Txid) != string(signed.TxID[:]) {
		t.Errorf("the result's data is not the receipt of %s: %v", signed.TxID, err)
	}
	block, err := c.Block(ctx, &tx.Height)
	if err != nil || len(block.Block.Txs) == 0 {
		t.Errorf("block %d: %v", tx.Height, err)
	}
	event := <-blocks
	if b := event.Data.(cmttypes.EventDataNewBlock); b.Block.ChainID != n.chainID {
		t.Errorf("subscribe: a block of chain %s", b.Block.ChainID)
	}
	vals, err := c.Validators(ctx, nil, nil, nil)
	if err != nil || vals.Total != 4 {
		t.Errorf("validators: %+v %v", vals, err)
	}

	answer, err := c.ABCIQuery(ctx, "/accounts/"+address("bob").String(), nil)
	if err != nil || answer.Response.Code != 0 {
		t.Fatalf("abci_query: %+v %v", answer, err)
	}
	account, err := ledger.DecodeAccount(answer.Response.Value)
	if err != nil || account.LogCount == 0 {
		t.Errorf("abci_query: %v, log count %d", err, account.LogCount)
	}
	stockRefusals(ctx, t, n, c)
}

// stockTx finds a transaction by hash once it is in a block.
func stockTx(ctx context.Context, n *network, c cmtclient.SignClient, hash cmtbytes.HexBytes) (found *cmtcoretypes.ResultTx) {
	n.t.Helper()
	n.until("tx finds the transaction", func() bool {
		res, err := c.Tx(ctx, hash, false)
		found = res
		return err == nil
	})
	return found
}

// stockRefusals: what is wrong is refused with the ledger's own codes.
func stockRefusals(ctx context.Context, t *testing.T, n *network, c *cmthttp.HTTP) {
	t.Helper()
	for name, raw := range map[string][]byte{
		"garbage":        []byte("this is not a transaction"),
		"truncated":      n.transfer("alice", "bob", 1).Raw[:40],
		"another chain":  otherChain(n),
		"empty frame":    {0, 1},
		"bytes too many": append(n.transfer("alice", "bob", 1).Raw, 0),
	} {
		res, err := c.BroadcastTxSync(ctx, raw)
		if err == nil && res.Code == 0 {
			t.Errorf("%s: accepted", name)
		}
	}
}

func otherChain(n *network) []byte {
	other := *n
	other.chainID = "another-chain"
	return other.transfer("alice", "bob", 1).Raw
}
