package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

const opsHelp = `FILE holds a list of operations that take effect together or not at all; - is standard input:

  [
    {"assert":   {"balance": {"account": "alice", "asset": "usd", "min": "100.00"}}},
    {"transfer": {"to": "bob", "asset": "usd", "amount": "12.50"}},
    {"put":      {"path": "orders/17", "value": "paid"}}
  ]

An operation may name an actor of its own, whose key then has to sign as well.`

func newTxSend(c *cli) *cobra.Command {
	var t txFlags
	cmd := &cobra.Command{
		Use:   "send FILE --from NAME",
		Short: "Sign and send any list of operations",
		Long:  "Sign and send any list of operations.\n\n" + opsHelp,
		Args:  names("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := c.readInput(args[0])
			if err != nil {
				return err
			}
			return c.transact(cmd.Context(), &t, func(b *builder) (func(*client.Draft), error) {
				return b.operations(args[0], text)
			})
		},
	}
	t.add(cmd)
	t.addScales(cmd)
	return cmd
}

// operations reads a list of operations. Names and the decimals of assets are looked up as they occur.
func (b *builder) operations(file string, text []byte) (func(*client.Draft), error) {
	codes := assetCodes(text)
	var lookup error
	ops, err := ledger.ParseOps(text, ledger.Names{
		Account: b.cli.address,
		Asset: func(id crypto.Hash) (string, uint8, bool) {
			code, named := codes[id]
			if !named {
				return "", 0, false
			}
			scale, err := b.scale(code)
			lookup = errors.Join(lookup, err)
			return code, scale, err == nil
		},
	})
	if lookup != nil {
		return nil, lookup // the cause of whatever ParseOps says about the amount
	}
	if err != nil {
		f := usagef("%s: %v", file, err)
		f.slug = "bad_operations"
		return nil, f.next("'tetrad tx send --help' shows the form")
	}
	return func(d *client.Draft) {
		for _, op := range ops {
			d.Op(op)
		}
	}, nil
}

// assetCodes finds the assets that a list of operations names, since operations know them by hash. What
// cannot be read has none; ParseOps says what is wrong with it.
func assetCodes(text []byte) map[crypto.Hash]string {
	codes := map[crypto.Hash]string{}
	var walk func(value any)
	walk = func(value any) {
		switch value := value.(type) {
		case []any:
			for _, item := range value {
				walk(item)
			}
		case map[string]any:
			for name, item := range value {
				if code, ok := item.(string); ok && name == "asset" {
					codes[ledger.AssetIDOf(code)] = code
				}
				walk(item)
			}
		}
	}
	var tree any
	if json.Unmarshal(text, &tree) == nil {
		walk(tree)
	}
	return codes
}

// signedDocument is a signed transaction to be carried somewhere else. 'tx sign' and --offline print it,
// 'tx sign' and 'tx broadcast' read it.
type signedDocument struct {
	TxID         string `json:"txid"`
	ChainID      string `json:"chain_id"`
	ValidUntilMS uint64 `json:"valid_until_ms"`
	Tx           []byte `json:"tx"`
}

func documentOfSigned(s client.Signed, chainID string) signedDocument {
	return signedDocument{s.TxID.String(), chainID, s.ValidUntilMS, s.Raw}
}

func newTxSign(c *cli) *cobra.Command {
	var t txFlags
	cmd := &cobra.Command{
		Use:   "sign FILE --from NAME",
		Short: "Sign a list of operations, or add a signature to a transaction, and print the result",
		Long: `Sign a list of operations, or add a signature to a transaction that others have signed, and print the
result, which 'tx sign' and 'tx broadcast' read. Nothing is sent.

` + opsHelp,
		Args: names("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := c.readInput(args[0])
			if err != nil {
				return err
			}
			raw, isTx, err := transactionIn(args[0], text)
			if err != nil {
				return err
			}
			if isTx {
				return c.countersign(cmd.Context(), &t, raw)
			}
			return c.signOps(cmd.Context(), &t, args[0], text)
		},
	}
	t.add(cmd)
	t.addScales(cmd)
	for _, flag := range []string{"wait", "dry-run", "idempotency-key"} {
		_ = cmd.Flags().MarkHidden(flag) // they are about sending
	}
	return cmd
}

// signOps builds a transaction as 'tx send' does and prints it. A node is asked only for what is not known
// here: the chain's identity, and the decimals of assets.
func (c *cli) signOps(ctx context.Context, t *txFlags, file string, text []byte) error {
	if err := t.check(); err != nil {
		return err
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	b, err := c.newBuilder(ctx, t)
	if err != nil {
		return err
	}
	if b.fill, err = b.operations(file, text); err != nil {
		return err
	}
	signed, err := b.sign()
	if err != nil {
		return err
	}
	return c.writeJSON(documentOfSigned(signed, b.chain.id))
}

// countersign adds signatures to a transaction.
func (c *cli) countersign(ctx context.Context, t *txFlags, raw []byte) error {
	before, err := ledger.DecodeTransaction(raw)
	if err != nil {
		return err
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	b, err := c.newBuilder(ctx, t)
	if err != nil {
		return err
	}
	if err := before.CheckChain(b.chain.id); err != nil {
		return err
	}
	keys, err := b.keys()
	if err != nil {
		return err
	}
	signed, err := client.Countersign(raw, b.chain.genesis, keys...)
	if err != nil {
		return err
	}
	return c.writeJSON(documentOfSigned(signed, b.chain.id))
}

func newTxBroadcast(c *cli) *cobra.Command {
	var t txFlags
	cmd := &cobra.Command{
		Use:   "broadcast FILE",
		Short: "Send a transaction that was signed before",
		Long:  "Send a transaction that was signed before: the output of 'tx sign' or --offline, or base64. - is standard input.",
		Args:  names("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkWait(t.wait); err != nil {
				return err
			}
			if err := checkOnPartition(t.onPartition); err != nil {
				return err
			}
			c.onPartition = t.onPartition
			signed, err := c.readSigned(args[0])
			if err != nil {
				return err
			}
			ctx, cancel := c.deadline(cmd.Context())
			defer cancel()
			l, err := c.connect(ctx, "")
			if err != nil {
				return err
			}
			defer l.close()
			c.announce(signed.TxID, false)
			return c.deliver(ctx, l, signed, t.wait, "")
		},
	}
	t.addWait(cmd)
	return cmd
}

func (c *cli) readSigned(file string) (client.Signed, error) {
	text, err := c.readInput(file)
	if err != nil {
		return client.Signed{}, err
	}
	raw, isTx, err := transactionIn(file, text)
	if err != nil {
		return client.Signed{}, err
	}
	if !isTx {
		return client.Signed{}, usagef("%s holds no signed transaction", file).
			next("'tetrad tx sign' makes one of a list of operations")
	}
	return client.Decode(raw)
}

// transactionIn finds the signed transaction in a file: in a document's field tx, or as base64. A JSON
// document without that field is something else, such as a list of operations.
func transactionIn(file string, text []byte) (raw []byte, isTx bool, err error) {
	trimmed := bytes.TrimSpace(text)
	if len(trimmed) == 0 {
		return nil, false, usagef("%s is empty", file)
	}
	if trimmed[0] != '{' && trimmed[0] != '[' {
		raw, err := base64.StdEncoding.DecodeString(string(trimmed))
		if err != nil {
			return nil, false, usagef("%s holds neither JSON nor base64: %v", file, err)
		}
		return raw, true, nil
	}
	if trimmed[0] == '[' {
		return nil, false, nil
	}
	var document struct {
		Tx *[]byte `json:"tx"`
	}
	decoder := json.NewDecoder(bytes.NewReader(trimmed))
	if err := decoder.Decode(&document); err != nil {
		return nil, false, badJSON(file, trimmed, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, false, usagef("%s holds more than one JSON document", file)
	}
	if document.Tx == nil {
		return nil, false, nil
	}
	return *document.Tx, true, nil
}

// badJSON says where a JSON file is wrong in a way that an editor can go to.
func badJSON(file string, text []byte, err error) *failure {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return usagef("%s is not valid JSON: %v", file, err)
	}
	before := text[:min(int(syntax.Offset), len(text))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n') - 1
	return usagef("%s:%d:%d: not valid JSON: %v", file, line, max(column, 1), err)
}
