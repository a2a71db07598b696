package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

func newTopology(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "topology",
		Short: "Where validators stand, and what their places are worth",
	}
	cmd.AddCommand(newTopologyCheck(c), newTopologyRTT(c))
	return cmd
}

func newTopologyCheck(c *cli) *cobra.Command {
	var regions []string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Which regions the validators can lose and still make blocks",
		Long: `Which regions the validators can lose and still make blocks, and what to move or add where they cannot. More than two
thirds of the power must be left, so no region may hold a third; three regions never suffice. Regions are those that
validators approved of. With --regions no node is asked: it judges validators of equal power, one for each region named.`,
		Example: "  tetrad topology check --regions eu/de,eu/fr,us,asia",
		Args:    names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(regions) > 0 {
				return c.checkPlaces(regions)
			}
			q := &queryFlags{consistency: consistencyDefault}
			return ask(cmd.Context(), c, q, func(ctx context.Context, l *link) (client.Placement, error) {
				list, err := l.reads.Validators(ctx, q.options())
				return client.CheckPlacement(placesOf(list)), err
			}, writePlacement)
		},
	}
	cmd.Flags().StringSliceVar(&regions, "regions", nil, "judge these instead of the network's, one for each validator")
	return cmd
}

func (c *cli) checkPlaces(regions []string) error {
	var list []client.Placed
	for i, region := range regions {
		if r := ledger.CheckRegion(region); r != nil {
			return usagef("--regions: %s", r.Detail)
		}
		list = append(list, client.Placed{Name: fmt.Sprintf("node%d", i), Region: region, Power: 1})
	}
	if len(list) > ledger.ValidatorsLimit {
		return usagef("--regions: %d validators, a network has at most %d", len(list), ledger.ValidatorsLimit)
	}
	p := client.CheckPlacement(list)
	return c.show(p, func(w io.Writer) { writePlacement(w, p) })
}

func placesOf(list rpc.Validators) (out []client.Placed) {
	for _, v := range list.Validators {
		out = append(out, client.Placed{Name: v.Name, Region: v.Region, Power: v.Power})
	}
	return out
}

func writePlacement(w io.Writer, p client.Placement) {
	g := newGrid("level", "region", "power", "left", "without it", "validators").right(0, 2, 3)
	for _, level := range p.Levels {
		for _, loss := range level.Losses {
			verdict := "no blocks"
			if loss.Survives {
				verdict = "goes on"
			}
			region := loss.Region
			if region == "" {
				region = "(not known)"
			}
			g.add(fmt.Sprint(level.Level), region, fmt.Sprint(loss.Power), fmt.Sprintf("%d of %d", loss.Left, p.TotalPower),
				verdict, strings.Join(loss.Validators, ", "))
		}
	}
	g.write(w)
	fmt.Fprintln(w)
	for _, line := range p.Advice {
		fmt.Fprintln(w, line)
	}
}
