package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
)

// raftNode is one node of the raft systems, until it is told to stop.
func raftNode(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("raft-node", flag.ContinueOnError)
	id := f.Int("id", 0, "which of the peers this is")
	dir := f.String("dir", "", "for the log")
	document := f.String("genesis", "", "the genesis document")
	api := f.String("api", "", "address for clients")
	peers := f.String("peers", "", "addresses of all nodes for each other, separated by commas")
	election := f.Duration("election", 0, "heartbeat and election timeout; 0: raft's defaults")
	if err := f.Parse(args); err != nil {
		return err
	}
	text, err := os.ReadFile(*document)
	if err != nil {
		return err
	}
	doc, err := genesis.Parse(text)
	if err != nil {
		return err
	}
	fsm, err := newMachine(doc)
	if err != nil {
		return err
	}
	addresses := strings.Split(*peers, ",")
	r, err := openRaft(*id, *dir, addresses, *election, fsm)
	if err != nil {
		return err
	}
	n := &raftServer{
		id: *id, raft: r, fsm: fsm, chainID: doc.ChainID, genesis: doc.Hash(), verifier: crypto.NewVerifier(4 * payers),
		work: make(chan *proposal, entryTxsMax),
	}
	go n.follow(ctx)
	go n.propose(ctx)
	server := &http.Server{Addr: *api, Handler: n.handler(), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	return errors.Join(err, server.Close(), r.Shutdown().Error())
}

// openRaft joins the group, or begins it: all nodes begin with the same list.
func openRaft(id int, dir string, addresses []string, election time.Duration, fsm raft.FSM) (*raft.Raft, error) {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(fmt.Sprint(id))
	c.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: os.Stderr})
	c.SnapshotThreshold, c.SnapshotInterval = 1<<40, 24*time.Hour // never: see machine
	if election > 0 {
		c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = election, election, election/2
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	log, err := raftboltdb.NewBoltStore(filepath.Join(dir, "raft.db")) // syncs every write
	if err != nil {
		return nil, err
	}
	transport, err := raft.NewTCPTransport(addresses[id], nil, 3, 10*time.Second, io.Discard)
	if err != nil {
		return nil, err
	}
	snapshots := raft.NewDiscardSnapshotStore()
	if known, err := raft.HasExistingState(log, log, snapshots); err != nil {
		return nil, err
	} else if !known {
		var all raft.Configuration
		for i, a := range addresses {
			all.Servers = append(all.Servers, raft.Server{ID: raft.ServerID(fmt.Sprint(i)), Address: raft.ServerAddress(a)})
		}
		if err := raft.BootstrapCluster(c, log, log, snapshots, transport, all); err != nil {
			return nil, err
		}
	}
	return raft.NewRaft(c, fsm, log, log, snapshots, transport)
}
