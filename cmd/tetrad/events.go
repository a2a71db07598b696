package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/rpc"
)

// eventsFlags choose a part of what happens.
type eventsFlags struct {
	from    uint64
	after   string
	account string
	asset   string
	blocks  bool
	count   int
}

func newEvents(c *cli) *cobra.Command {
	var e eventsFlags
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Follow what blocks decide, as it happens",
		Long: `Follow what blocks decide, until Ctrl-C: one line for each transaction of a block, in order, and one for the block
after them. It begins with the next block, or where --from-height or --after say. When a node goes away the next one is
asked; nothing is left out by that, and nothing comes twice. -o json prints one document per line.

Every event has an id, HEIGHT.INDEX or HEIGHT, which is the same at all nodes; --after goes on behind it. With --account
or --asset there are only transactions, unless --blocks is given, too.

What is printed is what a node says. 'tetrad tx receipt TXID' and 'tetrad query block HEIGHT' prove it.`,
		Example: "  tetrad events\n  tetrad events --from-height 1 --account alice -o json\n  tetrad events --after 120.4 --asset usd",
		Args:    names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			after, filter, err := e.settle(c, cmd)
			if err != nil {
				return err
			}
			cl, err := c.newClient(rpc.ConsistencyEventual, 0)
			if err != nil {
				return err
			}
			return c.printEvents(cmd.Context(), cl, after, filter, e.count)
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&e.from, "from-height", 0, "begin with this block instead of the next one")
	f.StringVar(&e.after, "after", "", "begin behind the event with this `ID`")
	f.StringVar(&e.account, "account", "", "only transactions of this account: it acts, receives or is made")
	f.StringVar(&e.asset, "asset", "", "only transactions of this asset")
	f.BoolVar(&e.blocks, "blocks", true, "print blocks, too (default false with --account or --asset)")
	f.IntVar(&e.count, "count", 0, "stop after so many events")
	addKeyringFlag(cmd)
	return cmd
}

// settle checks the flags.
func (e *eventsFlags) settle(c *cli, cmd *cobra.Command) (after rpc.EventID, f client.EventFilter, err error) {
	given := cmd.Flags().Changed
	switch {
	case given("from-height") && given("after"):
		return after, f, usagef("--from-height and --after exclude each other")
	case given("from-height") && e.from == 0:
		return after, f, usagef("--from-height counts from 1")
	case e.count < 0:
		return after, f, usagef("--count must be more than 0, not %d", e.count)
	case given("after"):
		if after, err = rpc.ParseEventID(e.after); err != nil {
			return after, f, usagef("--after %s: %v", quote(e.after), err)
		}
	default:
		after = rpc.BeforeHeight(e.from)
	}
	if e.account != "" {
		address, err := c.address(e.account)
		if err != nil {
			return after, f, err
		}
		f.Account = address.String()
		if strings.HasPrefix(e.account, "@") {
			f.Account = e.account
		}
	}
	f.Asset = e.asset
	if given("blocks") {
		f.Blocks = &e.blocks
	}
	return after, f, nil
}

// printEvents prints events until the user has enough.
func (c *cli) printEvents(ctx context.Context, cl *client.Client, after rpc.EventID, f client.EventFilter, count int) error {
	printed := 0
	for e, err := range cl.Events(ctx, after, f) {
		switch {
		case ctx.Err() != nil:
			return nil // stopping is how following ends
		case err != nil:
			return err
		}
		if err := c.printEvent(e); err != nil {
			return err
		}
		if printed++; printed == count {
			break
		}
	}
	return nil
}

func (c *cli) printEvent(e client.Event) error {
	if c.output == "json" {
		return c.writeLine(eventDocument{e})
	}
	var err error
	if b := e.Block; b != nil {
		_, err = fmt.Fprintf(c.out, "%-12s block       %s  %d transactions\n", e.ID, b.Time, b.TxCount)
		return err
	}
	result := e.Tx.Status
	if e.Tx.Slug != "" {
		result += ": " + e.Tx.Slug
	}
	_, err = fmt.Fprintf(c.out, "%-12s %-11s %s  %s\n", e.ID, result, e.Tx.TxID, strings.Join(e.Tx.Assets, ","))
	return err
}

// eventDocument is an event as programs read it: the API's document, with its id and type before it.
type eventDocument struct{ client.Event }

// MarshalJSON puts id and type before the API's fields.
func (d eventDocument) MarshalJSON() ([]byte, error) {
	kind, inner := rpc.EventTx, any(d.Tx)
	if d.Block != nil {
		kind, inner = rpc.EventBlock, d.Block
	}
	text, err := json.Marshal(inner)
	if err != nil {
		return nil, err
	}
	return append(fmt.Appendf(nil, `{"id":%q,"type":%q,`, d.ID, kind), text[1:]...), nil
}
