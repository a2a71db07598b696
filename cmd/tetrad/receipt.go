package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// verdictDocument is what a receipt proves.
type verdictDocument struct {
	TxID         string `json:"txid"`
	Status       string `json:"status"`
	Code         uint32 `json:"code"`
	Slug         string `json:"slug"`
	Height       uint64 `json:"height,omitempty"`
	Index        uint32 `json:"index,omitempty"`
	Op           uint32 `json:"op,omitempty"`
	ChainID      string `json:"chain_id"`
	GenesisHash  string `json:"genesis_hash"`
	ProvenHeight uint64 `json:"proven_height"`
	BlockTime    string `json:"block_time"`
	Verified     bool   `json:"verified"`
	File         string `json:"file,omitempty"`
}

// verdict checks a receipt and makes the document of what it proves.
func verdict(data []byte, genesis crypto.Hash) (verdictDocument, error) {
	v, err := client.VerifyReceipt(data, genesis, time.Now())
	if err != nil {
		return verdictDocument{}, err
	}
	return verdictDocument{
		TxID: v.TxID.String(), Status: v.Status, Code: v.Code, Slug: ledger.Code(v.Code).String(), Height: v.Height, Index: v.Index, Op: v.Op,
		ChainID: v.ChainID, GenesisHash: genesis.String(), ProvenHeight: v.ProvenHeight,
		BlockTime: v.BlockTime.UTC().Format(time.RFC3339Nano), Verified: true,
	}, nil
}

func (d verdictDocument) write(w io.Writer) {
	result := d.Status
	height := ""
	switch d.Status {
	case rpc.StatusFailed:
		result = "failed: " + ledger.Code(d.Code).Info().Message
	case rpc.StatusNeverWill:
		result = "never will: its time is over and no block holds it"
	}
	if d.Height > 0 {
		height = fmt.Sprint(d.Height)
	}
	fields(w, "txid", d.TxID, "result", result, "height", height, "chain", d.ChainID, "genesis", d.GenesisHash,
		"proven at", fmt.Sprintf("height %d, before %s", d.ProvenHeight, d.BlockTime), "file", d.File)
}

// proveReceipt makes the receipt of a transaction, checks it as a stranger would, and writes it to a file.
func (c *cli) proveReceipt(ctx context.Context, l *link, tx client.Signed, out string) error {
	r, err := l.verified.Receipt(ctx, tx)
	if err != nil {
		return err
	}
	data, err := r.Encode()
	if err != nil {
		return err
	}
	d, err := verdict(data, l.chain.genesis)
	if err != nil {
		return err
	}
	if err := createFile(out, data, 0o644); err != nil {
		return err
	}
	d.File = out
	return c.show(d, d.write)
}

func newVerify(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "verify", Short: "Check what was proven, without asking anybody"}
	cmd.AddCommand(newVerifyReceipt(c), newVerifyProof(c))
	return cmd
}

func newVerifyReceipt(c *cli) *cobra.Command {
	var genesisHash string
	cmd := &cobra.Command{
		Use:   "receipt FILE",
		Short: "Check a receipt offline",
		Long: `Check a receipt offline, with nothing but the genesis hash: that the validators of the genesis document, or
those who followed them, signed a block whose state shows what became of the transaction. Exit code 9 means that the
receipt proves nothing.`,
		Example: "  tetrad verify receipt payment.json --genesis-hash 3b1f...",
		Args:    names("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			genesis, err := c.genesisHash(genesisHash)
			if err != nil {
				return err
			}
			data, err := c.readUpTo(args[0], client.ReceiptBytesMax)
			if err != nil {
				return err
			}
			d, err := verdict(data, genesis)
			if err != nil {
				return err
			}
			return c.show(d, d.write)
		},
	}
	cmd.Flags().StringVar(&genesisHash, "genesis-hash", "", "the network's genesis hash (default this home's)")
	return cmd
}

// genesisHash is the hash given, or else this home's.
func (c *cli) genesisHash(given string) (crypto.Hash, error) {
	if given != "" {
		hash, err := crypto.ParseHash(given)
		if err != nil {
			return hash, usagef("--genesis-hash: %v", err)
		}
		return hash, nil
	}
	known, err := c.savedIdentity()
	if err == nil && known.genesis.IsZero() {
		err = usagef("the genesis hash is not known here").next("give it with --genesis-hash, or as genesis_hash in client.toml")
	}
	return known.genesis, err
}
