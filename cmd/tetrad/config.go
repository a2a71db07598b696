package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/node"
)

// setting is one configuration key as config show prints it.
type setting struct {
	File   string `json:"file"`
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

func newConfig(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Look at a home's settings"}
	cmd.AddCommand(newConfigShow(c))
	return cmd
}

func newConfigShow(c *cli) *cobra.Command {
	var origin bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print every setting of a node's or client's home, and where each comes from",
		Args:  names(),
		RunE: func(*cobra.Command, []string) error {
			home, settings, err := c.settings()
			if err != nil {
				return err
			}
			document := struct {
				Home     string    `json:"home"`
				Settings []setting `json:"settings"`
			}{home, settings}
			return c.show(document, func(w io.Writer) {
				// Values come last: one that is a long list would push the other columns off the screen.
				g := newGrid("key", "file", "value")
				if origin {
					g = newGrid("key", "origin", "file", "value")
				}
				for _, s := range settings {
					if origin {
						g.add(s.Key, s.Origin, s.File, s.Value)
					} else {
						g.add(s.Key, s.File, s.Value)
					}
				}
				g.write(w)
			})
		},
	}
	cmd.Flags().BoolVar(&origin, "origin", false, "say where each value comes from (always in JSON)")
	return cmd
}

// settings are those of the node whose home this is, or else of the client home that commands here use.
func (c *cli) settings() (home string, settings []setting, err error) {
	isNode, err := fileExists(filepath.Join(c.home, "config", node.AppFile))
	if err != nil {
		return "", nil, err
	}
	if !isNode {
		return c.clientOrigins()
	}
	config, err := node.Load(c.home, c.logOverrides())
	if err != nil {
		return "", nil, badConfig(err)
	}
	for _, s := range config.Origins() {
		settings = append(settings, setting{s.File, s.Key, s.Value, s.Origin})
	}
	return c.home, settings, nil
}

// clientOrigins lists client.toml's keys with what flags and environment make of them.
func (c *cli) clientOrigins() (string, []setting, error) {
	h, err := c.loadClientHome()
	if err != nil {
		return "", nil, err
	}
	endpoints, err := c.endpoints()
	if err != nil {
		return "", nil, err
	}
	s, kind := h.settings, h.settings.Keyring
	if kind == "" {
		kind = "age"
	}
	r, err := c.routing()
	if err != nil {
		return "", nil, err
	}
	rows := []setting{
		{Key: "chain_id", Value: s.ChainID, Origin: inFile(s.ChainID != "")},
		{Key: "default_key", Value: s.DefaultKey, Origin: inFile(s.DefaultKey != "")},
		{Key: "endpoints", Value: strings.Join(endpoints, ","), Origin: c.origin("node", len(s.Endpoints) > 0)},
		{Key: "genesis_hash", Value: s.GenesisHash, Origin: inFile(s.GenesisHash != "")},
		{Key: "keyring", Value: kind, Origin: inFile(s.Keyring != "")},
		{Key: "output", Value: c.output, Origin: c.origin("output", s.Output != "")},
		{Key: "policy", Value: string(cmp.Or(r.policy, balance.EWMA)), Origin: c.origin("policy", s.Policy != "")},
		{Key: "region", Value: r.region, Origin: c.origin("region", s.Region != "")},
		{Key: "region_strict", Value: strconv.FormatBool(r.strict), Origin: c.origin("region-strict", s.RegionStrict)},
	}
	for i := range rows {
		rows[i].File = "client.toml"
	}
	return h.dir, rows, nil
}

// origin says which source won for a global flag that client.toml can also set.
func (c *cli) origin(flag string, file bool) string {
	if c.command.Flags().Changed(flag) {
		return "flag"
	}
	name := "TETRAD_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
	if os.Getenv(name) != "" {
		return "env " + name
	}
	return inFile(file)
}

func inFile(there bool) string {
	if there {
		return "file"
	}
	return "default"
}

// logOverrides passes the global log flags on to a node's configuration, if they were given. The
// environment and the file are the node's own business.
func (c *cli) logOverrides() node.Overrides {
	overrides := node.Overrides{}
	for flag, key := range map[string]string{"log-level": "log.level", "log-format": "log.format"} {
		if c.command.Flags().Changed(flag) {
			overrides[key] = c.command.Flags().Lookup(flag).Value.String()
		}
	}
	return overrides
}

// badConfig is a failure of a home's configuration files: like a wrong flag, nothing was tried.
func badConfig(err error) *failure {
	f := usagef("%s", strings.ReplaceAll(fmt.Sprint(err), "\n", "\n  "))
	f.slug = "bad_config"
	return f
}
