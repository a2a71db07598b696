package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/node"
)

func newTxSetNode(c *cli) *cobra.Command {
	var t txFlags
	var service, nodeHome string
	var set ledger.SetNode
	cmd := &cobra.Command{
		Use:   "set-node VALIDATOR --from OPERATOR",
		Short: "Register a validator's node: its service key, where it stands and where it is reached",
		Long: `Register a validator's node: its service key, where it stands and where it is reached. What was registered before
is replaced, all of it. The validator's operator signs. VALIDATOR is an id, tetval1... ('tetrad query validators').

The service key is that of a node's home (--node-home), or any public key, ed25519:HEX. To rotate it, make a new one
with 'tetrad keys service --new', register it with this command, and start the node again.

A changed --region is a claim until validators with more than two thirds of the power agree: 'tetrad tx approve-region'.`,
		Example: "  tetrad tx set-node tetval1... --node-home ~/.tetrad --region eu/de --url https://node.example:26658 --from operator0",
		Args:    names("VALIDATOR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseValidator(args[0])
			if err != nil {
				return err
			}
			key, err := serviceKey(service, nodeHome)
			if err != nil {
				return err
			}
			set.Validator, set.ServiceKey = id[:], key.Bytes
			if err := set.Check(); err != nil {
				return usagef("%v", err)
			}
			return c.transact(cmd.Context(), &t, func(*builder) (func(*client.Draft), error) {
				return func(d *client.Draft) { d.SetNode(set) }, nil
			})
		},
	}
	t.add(cmd)
	f := cmd.Flags()
	f.StringVar(&service, "service-key", "", "the node's service key, ed25519:HEX")
	f.StringVar(&nodeHome, "node-home", "", "the node's home, which holds the service key")
	f.StringVar(&set.Region, "region", "", "where the node stands, such as eu/de/fra1; without it, nowhere in particular")
	f.StringSliceVar(&set.Urls, "url", nil, "where others reach the node's HTTP API; may be repeated")
	f.StringVar(&set.Plane, "plane", "", "where others reach its app plane, such as /ip4/192.0.2.1/tcp/26659")
	return cmd
}

func newTxApproveRegion(c *cli) *cobra.Command {
	var t txFlags
	cmd := &cobra.Command{
		Use:   "approve-region VALIDATOR REGION --from OPERATOR",
		Short: "Agree that a validator's node stands where it claims to",
		Long: `Agree that a validator's node stands where it claims to, for every validator that the acting account operates. With
more than two thirds of the power the claim becomes the node's region. No protocol proves where a machine is: agree to
what you know.`,
		Example: "  tetrad tx approve-region tetval1... eu/de --from operator1",
		Args:    names("VALIDATOR", "REGION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseValidator(args[0])
			if err != nil {
				return err
			}
			if r := ledger.CheckRegion(args[1]); r != nil || args[1] == "" {
				return usagef("region %q: one to three levels of lower-case letters, digits and -, such as eu/de/fra1", args[1])
			}
			return c.transact(cmd.Context(), &t, func(*builder) (func(*client.Draft), error) {
				return func(d *client.Draft) { d.ApproveRegion(id, args[1]) }, nil
			})
		},
	}
	t.add(cmd)
	return cmd
}

// parseValidator reads a validator's id. A name would have to be looked up, and who signs should not rely on that.
func parseValidator(text string) (crypto.ValidatorID, error) {
	id, err := crypto.ParseValidatorID(text)
	if err != nil {
		return id, usagef("%v", err).next("'tetrad query validators' lists their ids")
	}
	return id, nil
}

// serviceKey is the key that the flags name.
func serviceKey(text, home string) (crypto.PublicKey, error) {
	switch {
	case (text == "") == (home == ""):
		return crypto.PublicKey{}, usagef("one of --service-key and --node-home is needed")
	case text != "":
		key, err := crypto.ParsePublicKey(text)
		if err != nil {
			return key, usagef("--service-key: %v", err)
		}
		return key, nil
	}
	key, err := node.ReadServiceKey(home)
	if err != nil {
		return key, usagef("--node-home: %v", err).next("make one with %s", quote("tetrad keys service --new --home "+home))
	}
	return key, nil
}

func newKeysService(c *cli) *cobra.Command {
	var fresh bool
	cmd := &cobra.Command{
		Use:   "service",
		Short: "Show the public half of a node's service key, or make a new key",
		Long: `Show the public half of the service key of the node in --home: the key for what the node signs outside consensus.
With --new a new one is made and the old one kept beside it. The node uses it when it is started again; until the
ledger knows it ('tetrad tx set-node'), others do not believe what it signs.`,
		Args: names(),
		RunE: func(*cobra.Command, []string) error {
			read := node.ReadServiceKey
			if fresh {
				read = node.NewServiceKey
			}
			key, err := read(c.home)
			if err != nil {
				return usagef("%v", err)
			}
			document := struct {
				ServiceKey string `json:"service_key"`
			}{key.String()}
			return c.show(document, func(w io.Writer) { fmt.Fprintln(w, document.ServiceKey) })
		},
	}
	cmd.Flags().BoolVar(&fresh, "new", false, "make a new key first")
	return cmd
}
