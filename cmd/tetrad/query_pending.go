package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/rpc"
)

// withPending makes a query one of what is pending, too. Such an answer is a node's word, so that the default level
// gives way; a level that was asked for does not.
func (q *queryFlags) withPending(cmd *cobra.Command) error {
	if !cmd.Flags().Changed("consistency") {
		q.consistency = rpc.ConsistencySession
	}
	for part := range strings.SplitSeq(q.consistency, "+") {
		if part == consistencyVerified || part == "strong" {
			return usagef("--include-pending shows what no block holds, which cannot be %s", part).
				next("ask twice: with --consistency session --include-pending for what is known here, and without for what is settled")
		}
	}
	switch {
	case q.prove:
		return usagef("--include-pending shows what no block holds, which cannot be proven: choose it or --proof")
	case q.height > 0:
		return usagef("what is pending is not of any height: choose --include-pending or --height")
	}
	return nil
}

// pendingPairs says what an entry was joined with, and what it is without.
func pendingPairs(e *rpc.Entry) []string {
	p := e.Pending
	if p == nil {
		return nil
	}
	committed := "nothing"
	if p.Committed != nil {
		committed = clipped(valueText(p.Committed))
	}
	pairs := []string{"committed", committed, "pending", plural(uint64(len(p.TxIDs)), "transaction") + ", not proven"}
	for _, id := range p.TxIDs {
		if len(pairs) == 2*(2+pendingShown) {
			pairs = append(pairs, "", "and more (-o json has all)")
			break
		}
		pairs = append(pairs, "", id.String())
	}
	if len(p.LeftOut) > 0 {
		pairs = append(pairs, "left out", fmt.Sprintf("%d transactions (-o json says why)", len(p.LeftOut)))
	}
	if !p.Complete {
		pairs = append(pairs, "incomplete", "more is pending at this node than it looked at")
	}
	return pairs
}

// pendingShown bounds the ids in a table.
const pendingShown = 10
