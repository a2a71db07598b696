package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cometbft/cometbft/abci/example/kvstore"
	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmtconfig "github.com/cometbft/cometbft/config"
	cmtlog "github.com/cometbft/cometbft/libs/log"
	cmtnode "github.com/cometbft/cometbft/node"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	cmttypes "github.com/cometbft/cometbft/types"
)

// place is one validator's home and ports.
type place struct {
	home string
	port int // of p2p; RPC is the next one
}

func places(dir string, port int) []place {
	out := make([]place, replicas)
	for i := range out {
		out[i] = place{filepath.Join(dir, fmt.Sprintf("node%d", i)), port + 10*i}
	}
	return out
}

func (p place) rpc() string { return fmt.Sprintf("127.0.0.1:%d", p.port+1) }

// engineConfig is CometBFT's configuration of a validator. What is not said here is CometBFT's default.
// latency chooses the settings for light load.
func engineConfig(p place, system string, latency bool, peers string) *cmtconfig.Config {
	c := cmtconfig.DefaultConfig()
	c.SetRoot(p.home)
	c.LogLevel = "error"
	c.RPC.ListenAddress = "tcp://" + p.rpc()
	c.RPC.PprofListenAddress = ""
	c.P2P.ListenAddress = fmt.Sprintf("tcp://127.0.0.1:%d", p.port)
	c.P2P.PersistentPeers = peers
	c.P2P.PexReactor = false
	c.P2P.AddrBookStrict = false
	c.P2P.AllowDuplicateIP = true
	c.P2P.SendRate, c.P2P.RecvRate = 100_000_000, 100_000_000
	c.Instrumentation.Prometheus = false
	c.TxIndex.Indexer = "null" // the default, kv, costs a third of the throughput
	c.Consensus.TimeoutCommit = 100 * time.Millisecond
	c.Consensus.TimeoutPropose = 3 * time.Second
	if system == "kvstore" {
		c.Mempool.Size = 20_000
		c.Mempool.Recheck = false
	}
	if system == "cosmos-fast" || system == "cosmos-stm" {
		c.Mempool.Recheck = false
		c.Storage.DiscardABCIResponses = true
	}
	if latency {
		c.Consensus.TimeoutCommit = 0
		c.Consensus.PeerGossipSleepDuration = 10 * time.Millisecond
		c.P2P.FlushThrottleTimeout = time.Millisecond
	}
	return c
}

// blockBytesMax: larger blocks missed the propose timeout on two cores.
const blockBytesMax = 500_000

const chainID = "bench-peers"

// layOut writes keys and the genesis of all validators, and returns who they are to each other.
func layOut(all []place, appState []byte, stateOf func([]cmttypes.GenesisValidator) ([]byte, error)) (string, error) {
	var peers []string
	var validators []cmttypes.GenesisValidator
	for i, p := range all {
		for _, sub := range []string{"config", "data"} {
			if err := os.MkdirAll(filepath.Join(p.home, sub), 0o755); err != nil {
				return "", err
			}
		}
		c := engineConfig(p, "", false, "")
		key := privval.LoadOrGenFilePV(c.PrivValidatorKeyFile(), c.PrivValidatorStateFile())
		nodeKey, err := cmtp2p.LoadOrGenNodeKey(c.NodeKeyFile())
		if err != nil {
			return "", err
		}
		peers = append(peers, fmt.Sprintf("%s@127.0.0.1:%d", nodeKey.ID(), p.port))
		public, err := key.GetPubKey()
		if err != nil {
			return "", err
		}
		validators = append(validators, cmttypes.GenesisValidator{
			Address: public.Address(), PubKey: public, Power: 1, Name: fmt.Sprint("node", i),
		})
	}
	params := cmttypes.DefaultConsensusParams()
	params.Block.MaxBytes = blockBytesMax
	params.Evidence.MaxBytes = blockBytesMax / 5 // it must fit into a block
	document := cmttypes.GenesisDoc{
		ChainID: chainID, GenesisTime: time.Now(), ConsensusParams: params, Validators: validators, AppState: appState,
	}
	if stateOf != nil {
		var err error
		if document.AppState, err = stateOf(validators); err != nil {
			return "", err
		}
	}
	for _, p := range all {
		if err := document.SaveAs(engineConfig(p, "", false, "").GenesisFile()); err != nil {
			return "", err
		}
	}
	return strings.Join(peers, ","), nil
}

// runNode is one validator, until it is told to stop.
func runNode(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("node", flag.ContinueOnError)
	system := f.String("system", "", "which")
	home := f.String("home", "", "the validator's home")
	port := f.Int("port", 0, "of p2p; RPC is the next one")
	peers := f.String("peers", "", "all validators")
	latency := f.Bool("latency", false, "settings for light load")
	if err := f.Parse(args); err != nil {
		return err
	}
	c := engineConfig(place{*home, *port}, *system, *latency, *peers)
	nodeKey, err := cmtp2p.LoadNodeKey(c.NodeKeyFile())
	if err != nil {
		return err
	}
	var application abcitypes.Application
	switch {
	case *system == "kvstore":
		application = kvstore.NewInMemoryApplication() // faster than on disk; the engine keeps its blocks there
	case strings.HasPrefix(*system, "cosmos"):
		if application, err = newCosmos(*system, filepath.Join(*home, "data")); err != nil {
			return err
		}
	default:
		return errors.New("no such system")
	}
	logger := cmtlog.NewFilter(cmtlog.NewTMLogger(os.Stderr), cmtlog.AllowError())
	node, err := cmtnode.NewNode(c, privval.LoadFilePV(c.PrivValidatorKeyFile(), c.PrivValidatorStateFile()), nodeKey,
		proxy.NewLocalClientCreator(application), cmtnode.DefaultGenesisDocProviderFunc(c), cmtconfig.DefaultDBProvider,
		cmtnode.DefaultMetricsProvider(c.Instrumentation), logger)
	if err != nil {
		return err
	}
	if err := node.Start(); err != nil {
		return err
	}
	<-ctx.Done()
	return node.Stop()
}
