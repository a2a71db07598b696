package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/ledger"
)

// routingFlagNames are the flags that say how nodes are chosen. A command may have a flag of such a name that means
// something else: `tx set-node --region`.
var routingFlagNames = []string{"policy", "region", "region-strict"}

// routingFlag marks those that mean it.
const routingFlag = "routing"

// flagSet is what addRoutingFlags needs of cobra's flags, whose package is a dependency of cobra's and not of ours.
type flagSet interface {
	String(name, value, usage string) *string
	Bool(name string, value bool, usage string) *bool
	SetAnnotation(name, key string, values []string) error
}

// addRoutingFlags gives a command, or all below it, the flags that say how nodes are chosen. What is not given comes
// from the environment or client.toml, also where a command has no such flags.
func addRoutingFlags(f flagSet) {
	f.String("policy", "", "how nodes are chosen: "+policyNames()+" (default "+string(balance.EWMA)+")")
	f.String("region", "", "prefer nodes of this region, such as eu or eu/de")
	f.Bool("region-strict", false, "send nothing that says what is read or written to nodes outside the region, and fail if none is in it")
	for _, name := range routingFlagNames {
		_ = f.SetAnnotation(name, routingFlag, []string{"true"})
	}
}

func policyNames() string {
	var list []string
	for _, p := range balance.Policies() {
		list = append(list, string(p))
	}
	return strings.Join(list, ", ")
}

// bindRouting lets the flags of a command win over the environment.
func (c *cli) bindRouting(cmd *cobra.Command) error {
	for _, name := range routingFlagNames {
		if f := cmd.Flags().Lookup(name); f != nil && f.Annotations[routingFlag] != nil {
			if err := c.v.BindPFlag(name, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// routing is how nodes are chosen.
type routing struct {
	policy balance.Policy
	region string
	strict bool
}

func (c *cli) routing() (routing, error) {
	h, err := c.loadClientHome()
	if err != nil {
		return routing{}, err
	}
	r := routing{policy: balance.Policy(h.settings.Policy), region: h.settings.Region, strict: h.settings.RegionStrict}
	if given := c.v.GetString("policy"); given != "" {
		r.policy = balance.Policy(given)
	}
	if given := c.v.GetString("region"); given != "" {
		r.region = given
	}
	if c.v.IsSet("region-strict") {
		r.strict = c.v.GetBool("region-strict")
	}
	if r.policy != "" && !slices.Contains(balance.Policies(), r.policy) {
		return r, usagef("there is no policy %q", r.policy).next("take one of: %s", policyNames())
	}
	if reject := ledger.CheckRegion(r.region); reject != nil {
		return r, usagef("region %q: %s", r.region, reject.Detail)
	}
	if r.strict && r.region == "" {
		return r, usagef("a strict region needs a region").next("give one with --region, or as region in client.toml")
	}
	return r, nil
}

// clientOptions are those of everything that talks to nodes.
func (c *cli) clientOptions(consistency string, minHeight uint64) (client.Options, error) {
	var o client.Options
	endpoints, err := c.endpoints()
	if err != nil {
		return o, err
	}
	r, err := c.routing()
	if err != nil {
		return o, err
	}
	http, err := c.httpClient()
	if err != nil {
		return o, fmt.Errorf("log requests: %w", err)
	}
	return client.Options{
		Endpoints: endpoints, Consistency: consistency, MinHeight: minHeight, HTTP: http, OnPartition: c.onPartition,
		Policy: r.policy, Region: r.region, RegionStrict: r.strict,
	}, nil
}
