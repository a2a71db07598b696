package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

func newTxStatus(c *cli) *cobra.Command {
	wait := waitNone
	cmd := &cobra.Command{
		Use:   "status TXID",
		Short: "Say what became of a transaction",
		Long: `Say what became of a transaction: unknown, pending, queued (a node that is cut off keeps it), committed, failed,
or never_will. The exit code says whether a node answered; with --wait committed it is that of the outcome, as for the
command that sent it.`,
		Args: names("TXID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if wait != waitNone && wait != waitCommitted {
				if err := checkWait(wait); err != nil {
					return err
				}
				return usagef("--wait must be none or committed here, not %q", wait)
			}
			return c.txStatus(cmd.Context(), args[0], wait)
		},
	}
	cmd.Flags().StringVar(&wait, "wait", waitNone, "none: say what is known now; committed: wait until it is decided")
	return cmd
}

func (c *cli) txStatus(ctx context.Context, text, wait string) error {
	id, err := parseTxID(text)
	if err != nil {
		return err
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	l, err := c.connect(ctx, "")
	if err != nil {
		return err
	}
	defer l.close()
	if wait == waitCommitted {
		status, err := l.WaitCommitted(ctx, client.Signed{TxID: id})
		d := documentOfStatus(status)
		d.TxID = id.String()
		if c.output != "json" {
			txLine(c.out, "txid", d.TxID)
		}
		if err != nil {
			return c.failWith(d, err)
		}
		return c.finish(d)
	}
	status, err := l.Seek(ctx, id, 0)
	if err != nil {
		return err
	}
	d := documentOfStatus(status)
	return c.show(d, func(w io.Writer) {
		txLine(w, "txid", d.TxID)
		d.write(w)
		if d.Error != nil {
			txLine(w, "reason", d.Error.Message)
		}
	})
}

func parseTxID(text string) (crypto.Hash, error) {
	id, err := crypto.ParseHash(text)
	if err != nil {
		f := usagef("%q is not a transaction id: %v", text, err)
		f.slug = "bad_txid"
		return id, f.next("it is 64 hex digits, the first thing that sending prints")
	}
	return id, nil
}

// receiptDocument is what a block says about one transaction.
type receiptDocument struct {
	TxID     string `json:"txid"`
	Height   uint64 `json:"height"`
	Index    uint32 `json:"index"`
	Code     uint32 `json:"code"`
	Slug     string `json:"slug"`
	Op       uint32 `json:"op"`
	Verified bool   `json:"verified"`
}

func newTxReceipt(c *cli) *cobra.Command {
	var out, file string
	cmd := &cobra.Command{
		Use:   "receipt TXID [--out FILE]",
		Short: "Show the receipt of a transaction, or write a file that proves its outcome to anybody",
		Long: `Show the receipt of a transaction that is in a block. With --out, write a file that proves what became of the
transaction to anybody who knows the genesis hash, without asking any node: 'tetrad verify receipt' checks it. That a
transaction never will be in a block can be proven only with the transaction itself: --tx FILE, as 'tx sign' and
--offline print it.`,
		Args: names("TXID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" && file == "" {
				return c.txReceipt(cmd.Context(), args[0])
			}
			return c.txProof(cmd.Context(), args[0], out, file)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "write a receipt that can be verified offline to this `FILE`")
	cmd.Flags().StringVar(&file, "tx", "", "the signed transaction, to have it in the receipt, from this `FILE`")
	return cmd
}

// txProof writes a receipt that proves the outcome.
func (c *cli) txProof(ctx context.Context, text, out, file string) error {
	if out == "" {
		return usagef("--tx is about a receipt in a file").next("say where it goes with --out FILE")
	}
	id, err := parseTxID(text)
	if err != nil {
		return err
	}
	tx := client.Signed{TxID: id}
	if file != "" {
		input, err := c.readInput(file)
		if err != nil {
			return err
		}
		raw, isTx, err := transactionIn(file, input)
		if err != nil {
			return err
		}
		if !isTx {
			return usagef("%s holds no signed transaction", file)
		}
		tx.Raw = raw
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	l, err := c.connect(ctx, "")
	if err != nil {
		return err
	}
	if err := l.believeNobody(c, "", ""); err != nil {
		return err
	}
	defer l.close()
	return c.proveReceipt(ctx, l, tx, out)
}

func (c *cli) txReceipt(ctx context.Context, text string) error {
	id, err := parseTxID(text)
	if err != nil {
		return err
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	l, err := c.connect(ctx, "")
	if err != nil {
		return err
	}
	defer l.close()
	status, err := l.Tx(ctx, id, 0)
	if err != nil {
		return err
	}
	if status.Status != rpc.StatusCommitted && status.Status != rpc.StatusFailed {
		return &failure{
			exit: exitUnknown, slug: "no_receipt", class: "node", retryable: status.Status != rpc.StatusNeverWill, txid: id.String(),
			message: fmt.Sprintf("there is no receipt: the transaction is %s, not in a block", status.Status),
			hint:    "wait for it with 'tetrad tx status --wait committed " + id.String() + "'",
		}
	}
	d := receiptDocument{id.String(), status.Height, status.Index, status.Code, ledger.Code(status.Code).String(), status.Op, false}
	return c.show(d, func(w io.Writer) {
		result := "committed"
		if d.Code != 0 {
			result = fmt.Sprintf("failed: %s", ledger.Code(d.Code).Info().Message)
		}
		fields(w, "txid", d.TxID, "height", fmt.Sprint(d.Height), "index", fmt.Sprint(d.Index),
			"result", result, "code", fmt.Sprintf("%d (%s)", d.Code, d.Slug))
	})
}
