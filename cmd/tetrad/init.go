package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/node"
)

func newInit(c *cli) *cobra.Command {
	var spec node.InitSpec
	cmd := &cobra.Command{
		Use:   "init MONIKER --chain-id ID",
		Short: "Make the home of one node, with new keys and the draft of a genesis document",
		Long: `Make the home of one node, with new keys and the draft of a genesis document.

Everybody who will run a validator does this with the same chain id, adds itself to its draft with
'tetrad genesis add-validator' and hands the draft around. One of them makes the document of all drafts with
'tetrad genesis collect', and all of them start from that very file ('tetrad genesis hash' compares).`,
		Args: names("MONIKER"),
		RunE: func(_ *cobra.Command, args []string) error {
			spec.Moniker = args[0]
			return c.initHome(spec)
		},
	}
	f := cmd.Flags()
	f.StringVar(&spec.ChainID, "chain-id", "", "name of the network (required)")
	f.IntVar(&spec.BasePort, "base-port", node.BasePort, "first of the node's five ports")
	f.StringVar(&spec.Profile, "profile", node.ProfileLAN, "timeouts for validators that are near (lan) or far (wan)")
	return cmd
}

func (c *cli) initHome(spec node.InitSpec) error {
	if spec.ChainID == "" {
		return usagef("missing --chain-id").next("all nodes of a network have the same, for example --chain-id my-ledger-1")
	}
	id, err := node.Init(c.home, spec)
	if err != nil {
		return err
	}
	document := struct {
		Home      string `json:"home"`
		Moniker   string `json:"moniker"`
		ChainID   string `json:"chain_id"`
		NodeID    string `json:"node_id"`
		PeerID    string `json:"peer_id"`
		Validator string `json:"validator"`
		Service   string `json:"service_key"`
	}{c.home, spec.Moniker, spec.ChainID, id.NodeID, id.PeerID, id.Validator.String(), id.Service.String()}
	return c.show(document, func(w io.Writer) {
		fields(w, "home", document.Home, "moniker", document.Moniker, "chain id", spec.ChainID,
			"node id", id.NodeID, "libp2p id", id.PeerID, "validator key", document.Validator, "service key", document.Service)
		c.note("\nNext: tetrad genesis add-validator --home %s", c.home)
	})
}
