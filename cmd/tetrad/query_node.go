package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/rpc"
)

func newQueryNode(c *cli, q *queryFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "node VALIDATOR",
		Short: "What is registered of a validator's node: service key, region, addresses",
		Long:  "What is registered of a validator's node: service key, region, addresses. VALIDATOR is its id, or its name.",
		Args:  names("VALIDATOR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(cmd.Context(), c, q, func(ctx context.Context, l *link) (rpc.Node, error) {
				id, err := validatorNamed(ctx, l, q, args[0])
				if err != nil {
					return rpc.Node{}, err
				}
				return l.reads.Node(ctx, id, q.options())
			}, writeRegistered)
		},
	}
}

// validatorNamed finds the id of a validator by its name. The list of validators is read as the rest is: proven, where
// nobody is believed.
func validatorNamed(ctx context.Context, l *link, q *queryFlags, text string) (string, error) {
	if _, err := crypto.ParseValidatorID(text); err == nil {
		return text, nil
	}
	list, err := l.reads.Validators(ctx, client.ReadOptions{Height: q.height, Consistency: q.level.fresh, MaxAge: q.level.maxAge})
	if err != nil {
		return "", err
	}
	var known []string
	for _, v := range list.Validators {
		if v.Name == text {
			return v.ID, nil
		}
		known = append(known, v.Name)
	}
	return "", usagef("%q is neither a validator's id nor its name", text).next("validators: %s", strings.Join(known, ", "))
}

func writeRegistered(w io.Writer, n rpc.Node) {
	fields(w, "validator", n.Validator, "service key", n.ServiceKey, "region", n.Region, "claimed region", n.RegionClaimed,
		"approved by", plural(uint64(len(n.Approvals)), "validator"), "urls", strings.Join(n.URLs, ", "), "app plane", n.Plane,
		"height", fmt.Sprint(n.Height))
}

// regionText is a validator's region in a table: what is only claimed is marked as such.
func regionText(v rpc.Validator) string {
	if v.Region == "" && v.RegionClaimed != "" {
		return v.RegionClaimed + " (claimed)"
	}
	return v.Region
}
