package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/node"
)

func newGenesis(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "genesis",
		Short: "Write and check the document that all replicas start from",
	}
	cmd.PersistentFlags().String("genesis", "", "the document (default config/genesis.json of the home)")
	cmd.AddCommand(newGenesisAccount(c), newGenesisAsset(c), newGenesisValidator(c),
		newGenesisCollect(c), newGenesisValidate(c), newGenesisHash(c))
	return cmd
}

// genesisPath is the document that a genesis command reads or changes.
func (c *cli) genesisPath() string {
	if path, _ := c.command.Flags().GetString("genesis"); path != "" {
		return path
	}
	return filepath.Join(c.home, "config", "genesis.json")
}

// readGenesis reads the document and names its path when it cannot be read.
func (c *cli) readGenesis() ([]byte, error) {
	path := c.genesisPath()
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("cannot read %s: %v", path, plainCause(err)).
			next("make one with 'tetrad init MONIKER --chain-id ID', or name it with --genesis FILE")
	}
	return data, nil
}

// changeGenesis replaces the document with what change makes of it.
func (c *cli) changeGenesis(change func([]byte) ([]byte, error)) error {
	data, err := c.readGenesis()
	if err != nil {
		return err
	}
	data, err = change(data)
	if err != nil {
		return badGenesis(c.genesisPath(), err)
	}
	if err := replaceFile(c.genesisPath(), data, 0o644); err != nil {
		return err
	}
	return c.showGenesis(data)
}

func badGenesis(path string, err error) *failure {
	return &failure{
		exit: exitError, slug: "bad_genesis", class: "client",
		message: fmt.Sprintf("%s: %s", path, strings.ReplaceAll(err.Error(), "\n", "\n  ")),
	}
}

// genesisDocument is what the genesis commands print.
type genesisDocument struct {
	File        string `json:"file"`
	ChainID     string `json:"chain_id"`
	GenesisHash string `json:"genesis_hash"`
	Validators  int    `json:"validators"`
	Accounts    int    `json:"accounts"`
	Assets      int    `json:"assets"`
}

func (c *cli) showGenesis(data []byte) error {
	doc, err := genesis.Parse(data)
	if err != nil {
		return badGenesis(c.genesisPath(), err)
	}
	d := genesisDocument{
		c.genesisPath(), doc.ChainID, doc.Hash().String(),
		len(doc.Validators), len(doc.Accounts), len(doc.Assets),
	}
	return c.show(d, func(w io.Writer) {
		fields(w, "file", d.File, "chain id", d.ChainID, "genesis hash", d.GenesisHash,
			"validators", fmt.Sprint(d.Validators), "accounts", fmt.Sprint(d.Accounts), "assets", fmt.Sprint(d.Assets))
	})
}

func newGenesisAccount(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "add-account NAME ADDRESS [AMOUNT...]",
		Short: "Add an account, with what it begins with of each asset",
		Long: `Add an account, with what it begins with of each asset, such as 1000000.00usd. ADDRESS is an address or
the name of one of your keys. Assets come first: 'tetrad genesis add-asset'.`,
		Args: func(cmd *cobra.Command, args []string) error {
			return names("NAME", "ADDRESS")(cmd, args[:min(len(args), 2)])
		},
		RunE: func(_ *cobra.Command, args []string) error {
			account := genesis.Account{Name: args[0]}
			address, err := c.address(args[1])
			if err != nil {
				return err
			}
			account.Address = address
			for _, text := range args[2:] {
				amount, err := splitAmount(text)
				if err != nil {
					return err
				}
				account.Balances = append(account.Balances, genesis.Balance{Asset: amount.asset, Amount: amount.number})
			}
			return c.changeGenesis(func(data []byte) ([]byte, error) { return genesis.AddAccount(data, account) })
		},
	}
}

func newGenesisAsset(c *cli) *cobra.Command {
	var a genesis.Asset
	cmd := &cobra.Command{
		Use:   "add-asset CODE --issuer ACCOUNT",
		Short: "Add an asset and who issues it",
		Args:  names("CODE"),
		RunE: func(_ *cobra.Command, args []string) error {
			a.Code = args[0]
			if a.Issuer == "" {
				return usagef("missing --issuer").next("an account's name in the document, or an address")
			}
			return c.changeGenesis(func(data []byte) ([]byte, error) { return genesis.AddAsset(data, a) })
		},
	}
	f := cmd.Flags()
	f.Uint32Var(&a.Scale, "scale", 2, "digits after the point")
	f.StringVar(&a.Issuer, "issuer", "", "account's name in the document, or an address (required)")
	f.StringVar(&a.MaxSupply, "max-supply", "", "largest supply, a decimal (default as much as an asset can have)")
	return cmd
}

func newGenesisValidator(c *cli) *cobra.Command {
	var a addedValidator
	cmd := &cobra.Command{
		Use:   "add-validator",
		Short: "Add a validator: the node of this home, unless a key is given",
		Args:  names(),
		RunE: func(*cobra.Command, []string) error {
			v, err := c.validatorToAdd(a)
			if err != nil {
				return err
			}
			return c.changeGenesis(func(data []byte) ([]byte, error) { return genesis.AddValidator(data, v) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.name, "name", "", "the validator's name (default this node's moniker)")
	f.StringVar(&a.key, "key", "", "the validator's consensus key, ed25519:HEX (default this node's)")
	f.Uint64Var(&a.power, "power", 10, "voting power")
	f.StringVar(&a.operator, "operator", "", "who speaks for the validator's node: an address, or one of your keys")
	f.StringVar(&a.service, "service-key", "", "the node's service key, ed25519:HEX (default this node's)")
	f.StringVar(&a.region, "region", "", "where the node stands, such as eu/de/fra1")
	f.StringSliceVar(&a.urls, "url", nil, "where others reach the node's HTTP API")
	f.StringVar(&a.plane, "plane", "", "where others reach its app plane, such as /ip4/192.0.2.1/tcp/26659")
	return cmd
}

// addedValidator is what the flags of add-validator say.
type addedValidator struct {
	name, key, operator, service, region, plane string
	power                                       uint64
	urls                                        []string
}

func (c *cli) validatorToAdd(a addedValidator) (genesis.Validator, error) {
	v := genesis.Validator{Name: a.name, Power: a.power, Node: genesis.Node{Region: a.region, URLs: a.urls, Plane: a.plane}}
	if a.operator != "" {
		operator, err := c.address(a.operator)
		if err != nil {
			return v, err
		}
		v.Operator = operator
	}
	if a.service != "" {
		public, err := crypto.ParsePublicKey(a.service)
		if err != nil {
			return v, usagef("--service-key: %v", err)
		}
		v.Node.ServiceKey = public.Bytes
	}
	if a.key != "" {
		public, err := crypto.ParsePublicKey(a.key)
		if err != nil {
			return v, usagef("--key: %v", err)
		}
		if a.name == "" {
			return v, usagef("missing --name").next("a validator given by its key needs a name")
		}
		v.Key = public
		return v, nil
	}
	err := c.thisNode(&v)
	return v, err
}

// thisNode fills in what the home's node knows of itself.
func (c *cli) thisNode(v *genesis.Validator) error {
	id, err := node.ReadIdentity(c.home)
	if err != nil {
		return usagef("%v", err).next("this home has no node; give --key and --name, or another --home")
	}
	v.Key = id.Validator
	if v.Node.ServiceKey == nil {
		v.Node.ServiceKey = id.Service.Bytes
	}
	if v.Name == "" {
		config, err := node.Load(c.home, nil)
		if err != nil {
			return badConfig(err)
		}
		v.Name = config.Engine.Moniker
	}
	return nil
}

func newGenesisCollect(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "collect DRAFT...",
		Short: "Make one document of everybody's drafts, this home's included",
		Args: func(cmd *cobra.Command, args []string) error {
			return names("DRAFT")(cmd, args[:min(len(args), 1)])
		},
		RunE: func(_ *cobra.Command, args []string) error {
			drafts := make([][]byte, 0, len(args)+1)
			for _, path := range args {
				data, err := os.ReadFile(path)
				if err != nil {
					return usagef("cannot read %s: %v", path, plainCause(err))
				}
				if _, err := genesis.Parse(data); err != nil {
					return badGenesis(path, err)
				}
				drafts = append(drafts, data)
			}
			return c.changeGenesis(func(own []byte) ([]byte, error) {
				return genesis.Collect(append(drafts, own)...)
			})
		},
	}
}

func newGenesisValidate(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check a document as a node would, first block included",
		Args:  names(),
		RunE: func(*cobra.Command, []string) error {
			data, err := c.readGenesis()
			if err != nil {
				return err
			}
			doc, err := genesis.Parse(data)
			if err != nil {
				return badGenesis(c.genesisPath(), err)
			}
			if err := doc.Validate(); err != nil {
				return badGenesis(c.genesisPath(), err)
			}
			if _, err := doc.Outcome(); err != nil {
				return badGenesis(c.genesisPath(), err)
			}
			return c.showGenesis(data)
		},
	}
}

func newGenesisHash(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "hash",
		Short: "Print the hash that every signature on this ledger covers",
		Args:  names(),
		RunE: func(*cobra.Command, []string) error {
			data, err := c.readGenesis()
			if err != nil {
				return err
			}
			doc, err := genesis.Parse(data)
			if err != nil {
				return badGenesis(c.genesisPath(), err)
			}
			if c.output == "json" {
				return c.showGenesis(data)
			}
			fmt.Fprintln(c.out, doc.Hash())
			return nil
		},
	}
}
