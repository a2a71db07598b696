package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/node"
)

// benchSeed is what the keys of accounts for load tests are derived from, by 'testnet --bench-accounts' and by
// 'bench' alike.
const benchSeed = "bench"

// benchBalance is what each of those accounts begins with: enough for 100,000 transfers of a cent.
const benchBalance = "1000.00"

func newTestnet(c *cli) *cobra.Command {
	var spec node.TestnetSpec
	var benchAccounts int
	cmd := &cobra.Command{
		Use:   "testnet --output-dir DIR",
		Short: "Write the homes of a network of validators on this machine, and of a client",
		Long: `Write the homes of a network of validators on this machine, node0 and so on, and of a client that knows them.
Start each validator with 'tetrad start --home DIR/nodeI', and use the network with '--home DIR/client'.

All account keys are development keys that anybody can compute: such a network guards nothing.`,
		Args: names(),
		RunE: func(*cobra.Command, []string) error {
			if spec.Dir == "" {
				return usagef("missing --output-dir").next("for example --output-dir ./net")
			}
			if spec.Validators < 1 {
				return usagef("--validators must be at least 1, not %d", spec.Validators)
			}
			if err := setBenchAccounts(&spec, benchAccounts); err != nil {
				return err
			}
			return c.testnet(spec)
		},
	}
	f := cmd.Flags()
	f.StringVar(&spec.Dir, "output-dir", "", "where to write it; must not exist or be empty (required)")
	addTestnetFlags(cmd, &spec, &benchAccounts)
	f.StringVar(&spec.ChainID, "chain-id", "", "name of the network (default tetrad- and the time)")
	f.StringSliceVar(&spec.Accounts, "accounts", []string{"alice", "bob", "carol", "dave"}, "funded accounts")
	return cmd
}

// addTestnetFlags are those that testnet and dev share.
func addTestnetFlags(cmd *cobra.Command, spec *node.TestnetSpec, benchAccounts *int) {
	f := cmd.Flags()
	f.IntVar(&spec.Validators, "validators", 4, "how many validators; 3f+1 of them tolerate f failing")
	f.IntVar(&spec.BasePort, "base-port", node.BasePort, fmt.Sprintf("first port; each validator takes five, %d apart", node.PortStep))
	f.StringVar(&spec.Profile, "profile", node.ProfileLAN, "timeouts for validators that are near (lan) or far (wan)")
	f.StringSliceVar(&spec.Regions, "regions", nil, "where the validators stand, one for each, such as eu/de,eu/fr,us,asia (default none)")
	f.BoolVar(&spec.LibP2P, "libp2p", false, "connect validators over libp2p instead of the classic transport")
	f.IntVar(benchAccounts, "bench-accounts", 0, "so many further funded accounts for 'tetrad bench'")
}

func setBenchAccounts(spec *node.TestnetSpec, n int) error {
	if n < 0 || n > genesis.BenchAccountsMax {
		return usagef("--bench-accounts must be between 0 and %d, not %d", genesis.BenchAccountsMax, n)
	}
	if n > 0 {
		spec.Bench = []genesis.Bench{{Seed: benchSeed, Count: n, Asset: genesis.DevAsset, Amount: benchBalance}}
	}
	return nil
}

// networkDocument is what testnet and dev print.
type networkDocument struct {
	Dir         string        `json:"dir"`
	ClientHome  string        `json:"client_home"`
	ChainID     string        `json:"chain_id"`
	GenesisHash string        `json:"genesis_hash"`
	Nodes       []nodePlace   `json:"nodes"`
	Accounts    []keyDocument `json:"accounts"`
}

type nodePlace struct {
	Node string `json:"node"`
	Home string `json:"home"`
	API  string `json:"api"`
	RPC  string `json:"rpc"`
}

func (c *cli) testnet(spec node.TestnetSpec) error {
	layout, err := node.Testnet(spec)
	if err != nil {
		return err
	}
	d, err := describeNetwork(spec.Dir, layout.Nodes)
	if err != nil {
		return err
	}
	return c.show(d, func(w io.Writer) {
		writeNetwork(w, d)
		fmt.Fprintln(w, "\nStart each validator in a terminal of its own:")
		for _, n := range d.Nodes {
			fmt.Fprintf(w, "  tetrad start --home %s\n", n.Home)
		}
		fmt.Fprintf(w, "and use the network:\n  tetrad status --all --home %s\n", d.ClientHome)
	})
}

// describeNetwork reads what a directory's client home says of its network.
func describeNetwork(dir string, nodes []node.TestnetNode) (networkDocument, error) {
	d := networkDocument{Dir: dir, ClientHome: filepath.Join(dir, "client")}
	h := &clientHome{dir: d.ClientHome, found: true}
	if err := h.read(); err != nil {
		return d, err
	}
	d.ChainID, d.GenesisHash = h.settings.ChainID, h.settings.GenesisHash
	for _, n := range nodes {
		d.Nodes = append(d.Nodes, nodePlace{n.Moniker, n.Home, n.API, fmt.Sprintf("http://127.0.0.1:%d", n.BasePort+1)})
	}
	accounts, err := fundedAccounts(h)
	d.Accounts = accounts
	return d, err
}

func writeNetwork(w io.Writer, d networkDocument) {
	fields(w, "chain id", d.ChainID, "genesis hash", d.GenesisHash, "client home", d.ClientHome)
	fmt.Fprintln(w)
	g := newGrid("validator", "api", "cometbft rpc", "home")
	for _, n := range d.Nodes {
		g.add(n.Node, n.API, n.RPC, n.Home)
	}
	g.write(w)
	fmt.Fprintln(w)
	g = newGrid("account", "address")
	for _, a := range d.Accounts {
		g.add(a.Name, a.Address)
	}
	g.write(w)
}
