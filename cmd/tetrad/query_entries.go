package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

func newQueryEntry(c *cli, q *queryFlags) *cobra.Command {
	var pending bool
	cmd := &cobra.Command{
		Use:   "entry NAMESPACE PATH",
		Short: "An entry of an account's namespace",
		Long: `An entry of an account's namespace.

With --include-pending the answer is the entry as it is with the operations on it that wait for a block at the node
that is asked: those that never conflict ('tetrad tx add --help'). It is the node's word, and says so: "verified" and
"provable" are false, "pending" has the transactions. On one side of a partition all nodes come to the same answer
without any block.`,
		Example: "  tetrad query entry alice config/limit\n  tetrad query entry alice visits --include-pending",
		Args:    names("NAMESPACE", "PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if pending {
				if err := q.withPending(cmd); err != nil {
					return err
				}
			}
			address, err := c.address(args[0])
			if err != nil {
				return err
			}
			return ask(cmd.Context(), c, q, func(ctx context.Context, l *link) (rpc.Entry, error) {
				o := q.options()
				o.IncludePending = pending
				return l.reads.Entry(ctx, address.String(), args[1], o)
			}, writeEntry)
		},
	}
	cmd.Flags().BoolVar(&pending, "include-pending", false, "join the entry with operations that are in no block yet; not verified, not strong")
	return cmd
}

func writeEntry(w io.Writer, e rpc.Entry) {
	pairs := []string{"namespace", e.Namespace, "path", e.Path, "kind", e.Kind}
	switch e.Kind {
	case ledger.KindSet.String(), ledger.KindMulti.String():
		for i := range e.Values {
			name := "value"
			if e.Kind == ledger.KindSet.String() {
				name = "element"
			}
			pairs = append(pairs, name, bytesLine(e.Values[i].Value, e.Values[i].Text))
		}
	default:
		pairs = append(pairs, "value", valueText(&e.EntryData), "version", positive(e.Version), "depth", positive(e.Depth))
	}
	if e.ModifiedHeight > 0 {
		pairs = append(pairs, "written at", fmt.Sprintf("height %d", e.ModifiedHeight))
	}
	pairs = append(pairs, pendingPairs(&e)...)
	fields(w, append(pairs, "height", fmt.Sprint(e.Height))...)
}

func newQueryEntries(c *cli, q *queryFlags) *cobra.Command {
	var prefix string
	cmd := &cobra.Command{
		Use:   "entries NAMESPACE",
		Short: "All entries of an account's namespace",
		Long: `All entries of an account's namespace, in order of their paths. It is proven that none is left out: the ledger
counts the entries of each namespace, and as many are proven. With --prefix, too, all are read and proven, and those
that begin so are shown.`,
		Example: "  tetrad query entries alice\n  tetrad query entries alice --prefix config/",
		Args:    names("NAMESPACE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if q.prove {
				return usagef("--proof proves single entries, not lists of them yet").next("'tetrad query entry NAMESPACE PATH --proof' proves one")
			}
			address, err := c.address(args[0])
			if err != nil {
				return err
			}
			return ask(cmd.Context(), c, q, func(ctx context.Context, l *link) (rpc.Entries, error) {
				return l.reads.Entries(ctx, address.String(), prefix, q.options())
			}, writeEntries)
		},
	}
	cmd.Flags().StringVar(&prefix, "prefix", "", "only entries whose path begins so")
	return cmd
}

func writeEntries(w io.Writer, list rpc.Entries) {
	if len(list.Entries) > 0 {
		g := newGrid("path", "kind", "version", "written at", "value").right(2, 3)
		for i := range list.Entries {
			e := &list.Entries[i]
			g.add(e.Path, e.Kind, positive(e.Version), positive(e.ModifiedHeight), clipped(valueText(e)))
		}
		g.write(w)
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%d of %d entries at height %d\n", len(list.Entries), list.Count, list.Height)
}

// positive is a number that not every entry has.
func positive(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// valueText is what an entry holds, for people.
func valueText(e *rpc.EntryData) string {
	switch e.Kind {
	case ledger.KindCounter.String():
		if digits, negative := strings.CutPrefix(e.Sum, "-"); negative {
			return "-" + grouped(digits)
		}
		return grouped(e.Sum)
	case ledger.KindSet.String(), ledger.KindMulti.String():
		list := make([]string, len(e.Values))
		for i := range e.Values {
			list[i] = bytesLine(e.Values[i].Value, e.Values[i].Text)
		}
		return strings.Join(list, ", ")
	}
	return bytesLine(e.Value, e.Text)
}

func bytesLine(value []byte, text *string) string {
	if text != nil {
		return *text
	}
	return fmt.Sprintf("%d bytes of binary data (-o json has them)", len(value))
}

// clipped keeps a value on one line of a table; -o json has the whole of it.
func clipped(text string) string {
	const shown = 60
	line := []rune(text)
	for i, c := range line {
		if c == '\n' || c == '\t' {
			line[i] = ' '
		}
	}
	if len(line) > shown {
		return string(line[:shown]) + "…"
	}
	return string(line)
}
