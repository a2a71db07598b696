package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/rpc"
)

// historyFlags choose a part of a history.
type historyFlags struct {
	limit      int
	all        bool
	before     uint64
	from, to   uint64
	proveTimes bool
}

func newQueryHistory(c *cli, q *queryFlags) *cobra.Command {
	var h historyFlags
	cmd := &cobra.Command{
		Use:   "history ACCOUNT",
		Short: "The transactions of an account, newest first",
		Long: `The committed transactions that changed an account, or that it acted in, newest first. What failed is not among
them: it changed nothing.

Verified, nothing can be left out between any two of them: every transaction leads to the head of the hash chain before
it, and the newest head stands in the account's own leaf. The chain holds numbers, heights and transactions; the times of
blocks are compared with their headers only with --prove-times.`,
		Example: "  tetrad query history alice --limit 10\n  tetrad query history alice --from-height 1000 --to-height 2000 --all -o json",
		Args:    names("ACCOUNT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := h.check(cmd, q); err != nil {
				return err
			}
			address, err := c.address(args[0])
			if err != nil {
				return err
			}
			return ask(cmd.Context(), c, q, func(ctx context.Context, l *link) (rpc.History, error) {
				out, err := l.reads.History(ctx, address.String(), h.options(q))
				out.Account = args[0]
				return out, err
			}, func(w io.Writer, out rpc.History) { c.writeHistory(w, out) })
		},
	}
	f := cmd.Flags()
	f.IntVar(&h.limit, "limit", rpc.HistoryLimitDefault, "at most so many transactions")
	f.BoolVar(&h.all, "all", false, "all transactions there are, instead of a limit")
	f.Uint64Var(&h.before, "before", 0, "only transactions of the account before this `NUMBER`")
	f.Uint64Var(&h.from, "from-height", 0, "only transactions of this block and later ones")
	f.Uint64Var(&h.to, "to-height", 0, "only transactions of this block and earlier ones")
	f.BoolVar(&h.proveTimes, "prove-times", false, "compare the times with block headers, too; only with verification")
	return cmd
}

// check refuses what contradicts itself.
func (h *historyFlags) check(cmd *cobra.Command, q *queryFlags) error {
	switch {
	case q.prove:
		return usagef("--proof is not for histories: what shows that one is whole are its own entries, and the account's leaf").
			next("'tetrad query account ACCOUNT --proof' proves log_count and log_head; -o json has what leads to them")
	case h.all && cmd.Flags().Changed("limit"):
		return usagef("--all and --limit exclude each other")
	case h.limit < 1 || h.limit > client.HistoryEntriesMax:
		return usagef("--limit %d is not between 1 and %d", h.limit, client.HistoryEntriesMax)
	case h.to > 0 && h.from > h.to:
		return usagef("--from-height %d is above --to-height %d", h.from, h.to)
	}
	return nil
}

func (h *historyFlags) options(q *queryFlags) client.HistoryOptions {
	o := client.HistoryOptions{
		ReadOptions: q.options(), Before: h.before, Limit: h.limit, FromHeight: h.from, ToHeight: h.to, ProveTimes: h.proveTimes,
	}
	if h.all {
		o.Limit = -1
	}
	return o
}

// writeHistory prints the table. What is not in it is said beside it.
func (c *cli) writeHistory(w io.Writer, out rpc.History) {
	if len(out.Entries) == 0 {
		fmt.Fprintln(w, "no transactions")
	} else {
		g := newGrid("seq", "height", "time", "result", "txid").right(0, 1)
		for _, e := range out.Entries {
			g.add(fmt.Sprint(e.Seq), fmt.Sprint(e.Height), e.Time, codeText(e.Code), e.TxID.String())
		}
		g.write(w)
	}
	switch {
	case out.NextBefore > 0:
		c.note("%d of %d transactions; older ones: --before %d", len(out.Entries), out.LogCount, out.NextBefore)
	case out.FirstSeq > 1:
		c.note("the nodes keep none before number %d, which is of height %d", out.FirstSeq, out.FirstHeight)
	}
}
