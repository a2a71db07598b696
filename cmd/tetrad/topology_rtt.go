package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
)

func newTopologyRTT(c *cli) *cobra.Command {
	var bound time.Duration
	cmd := &cobra.Command{
		Use:   "rtt",
		Short: "How long the ways between validators' nodes take, and which regions that contradicts",
		Long: `How long the ways between validators' nodes take, as the nodes of client.toml or --node measured them: each row is what
one node says of the others. It is smoothed over some minutes; one marked with * is old.

Nothing is faster than light, which goes 150 km and back in a millisecond. So two nodes that answer each other in less
than --suspect-below and whose operators claim different regions of the first level (eu, us) cannot both be where they
are said to be: both claims are marked SUSPECT. A long way proves nothing, since a node can answer late; no mark proves
nothing either.`,
		Example: "  tetrad topology rtt\n  tetrad topology rtt --suspect-below 5ms -o json",
		Args:    names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if bound <= 0 {
				return usagef("--suspect-below must be more than 0s")
			}
			q := &queryFlags{consistency: consistencyDefault}
			return ask(cmd.Context(), c, q, func(ctx context.Context, l *link) (client.Matrix, error) {
				list, err := l.reads.Validators(ctx, q.options())
				if err != nil {
					return client.Matrix{}, err
				}
				return client.NewMatrix(list.Validators, l.TopologyAll(ctx), bound), nil
			}, writeMatrix)
		},
	}
	cmd.Flags().DurationVar(&bound, "suspect-below", client.SuspectBelow, "the round trip below which two regions cannot be different ones")
	return cmd
}

func writeMatrix(w io.Writer, m client.Matrix) {
	header, numbers := []string{"from"}, []int{}
	for i, v := range m.Validators {
		header, numbers = append(header, v.Name), append(numbers, i+1)
	}
	g := newGrid(append(header, "region", "claim")...).right(numbers...)
	g.exact = len(m.Validators)
	old := false
	for _, from := range m.Validators {
		row := []string{from.Name}
		for _, to := range m.Validators {
			trip, found := m.Trip(from.Validator, to.Validator)
			row, old = append(row, rttText(trip, found)), old || trip.Stale
		}
		g.add(append(row, claimText(from)...)...)
	}
	g.write(w)
	fmt.Fprintln(w)
	for _, c := range m.Contradictions {
		fmt.Fprintf(w, "SUSPECT: %s claims %s and %s claims %s, but they are %s apart, by the word of %s.\n",
			c.Names[0], c.Regions[0], c.Names[1], c.Regions[1], msText(c.LeastMS), c.SaidBy)
	}
	for _, s := range m.Silent {
		fmt.Fprintf(w, "no row from %s: %s\n", s.Endpoint, s.Error)
	}
	if old {
		fmt.Fprintln(w, "* was measured a while ago and not since.")
	}
	fmt.Fprintln(w, "Round trips are what nodes say, and not proven.")
}

// rttText is one cell: what was measured, marked if it is old.
func rttText(t client.MatrixTrip, found bool) string {
	switch {
	case !found:
		return "-"
	case t.Stale:
		return "* " + msText(t.RTTMS)
	}
	return msText(t.RTTMS)
}

// msText says milliseconds with as many digits as mean something.
func msText(ms float64) string {
	if ms >= 100 {
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.2f ms", ms)
}

// claimText is the end of a row: the region that an operator claims, and what speaks against it.
func claimText(v client.MatrixPlace) []string {
	switch {
	case v.Region == "":
		return []string{"(no claim)", "-"}
	case v.Suspect:
		return []string{v.Region, "SUSPECT"}
	}
	return []string{v.Region, "not contradicted"}
}
