package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/node"
	"github.com/tetradledger/tetrad/rpc"
)

// chainIdentity is which ledger a transaction is for: signatures cover both.
type chainIdentity struct {
	id      string
	genesis crypto.Hash
}

func (i chainIdentity) known() bool { return i.id != "" && !i.genesis.IsZero() }

// identity is the chain's, as this home says or else a node.
func (c *cli) identity(ctx context.Context) (chainIdentity, error) {
	known, err := c.savedIdentity()
	if err != nil || known.known() {
		return known, err
	}
	cl, err := c.newClient(rpc.ConsistencyEventual, 0)
	if err != nil {
		return known, err
	}
	status, err := cl.Status(ctx)
	if err != nil {
		return known, err
	}
	return chainIdentity{id: status.ChainID, genesis: status.GenesisHash}, nil
}

// savedIdentity is what this home knows of the chain, without asking anybody: client.toml says it, or the genesis
// document of a node's home.
func (c *cli) savedIdentity() (chainIdentity, error) {
	home, err := c.loadClientHome()
	if err != nil {
		return chainIdentity{}, err
	}
	known := chainIdentity{id: home.settings.ChainID}
	if text := home.settings.GenesisHash; text != "" {
		if known.genesis, err = crypto.ParseHash(text); err != nil {
			return known, badConfig(err).next("genesis_hash in %s; 'tetrad genesis hash' prints it", home.path("config", "client.toml"))
		}
	}
	document, err := readGenesis(home.path("config", "genesis.json"))
	if err != nil || !document.known() {
		return known, err
	}
	if known.id != "" && known.id != document.id || !known.genesis.IsZero() && known.genesis != document.genesis {
		return known, badConfig(fmt.Errorf("%s is of the chain %s with the genesis hash %s, client.toml beside it of another",
			home.path("config", "genesis.json"), document.id, document.genesis)).next("remove the one that is wrong")
	}
	return document, nil
}

// readGenesis is the identity of the chain that a genesis document begins; nothing without one.
func readGenesis(path string) (chainIdentity, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return chainIdentity{}, nil
	}
	if err != nil {
		return chainIdentity{}, fmt.Errorf("read the genesis document: %w", err)
	}
	defer file.Close()
	data, err := readAtMost(file, genesis.BytesMax)
	if err != nil {
		return chainIdentity{}, badConfig(fmt.Errorf("read %s: %w", path, plainCause(err)))
	}
	doc, err := genesis.Parse(data)
	if err != nil {
		return chainIdentity{}, badConfig(fmt.Errorf("%s: %w", path, err))
	}
	return chainIdentity{id: doc.ChainID, genesis: doc.Hash()}, nil
}

// homeEndpoint is the API of the node whose home this is; empty if it is no node's.
func (c *cli) homeEndpoint() (string, error) {
	there, err := fileExists(filepath.Join(c.home, "config", node.AppFile))
	if err != nil || !there {
		return "", err
	}
	config, err := node.Load(c.home, nil)
	if err != nil {
		return "", badConfig(err)
	}
	host, port, err := net.SplitHostPort(config.API.Listen)
	if err != nil {
		return "", badConfig(err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // it listens everywhere, and so here
	}
	return net.JoinHostPort(host, port), nil
}
