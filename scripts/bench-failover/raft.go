package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// raftSystem is three nodes of the ledger on hashicorp/raft.
type raftSystem struct {
	lab      *lab
	election time.Duration
	name     chain
	*finder
}

const (
	leaderNodes   = 3 // of the systems with a leader: as many as it takes to outlast one crash
	tunedElection = 300 * time.Millisecond
)

func newRaft(l *lab, election time.Duration) *raftSystem {
	s := &raftSystem{lab: l, election: election, name: chain{id: "failover"}}
	s.finder = newFinder(leaderURLs(l), s.probe)
	return s
}

// leaderURLs are where clients reach the nodes of a system with a leader; peerPort is next to it.
func leaderURLs(l *lab) (urls []string) {
	for i := range leaderNodes {
		urls = append(urls, fmt.Sprintf("http://%s:%d", l.client(i), l.plan.port+portStep*i))
	}
	return urls
}

func (s *raftSystem) probe(ctx context.Context, url string) (bool, uint64, error) {
	answer, _, err := exchange(ctx, s.http, url, http.MethodGet, "/status", nil)
	if err != nil {
		return false, 0, err
	}
	var status raftStatus
	err = json.Unmarshal(answer, &status)
	return status.Leader, status.Term, err
}

func (s *raftSystem) chain() chain   { return s.name }
func (s *raftSystem) urls() []string { return s.finder.urls }

// start begins from the genesis document of a network of Tetrad, so that accounts and their balances are the same.
func (s *raftSystem) start(ctx context.Context) error {
	net := filepath.Join(s.lab.dir, "net")
	out, err := exec.CommandContext(ctx, s.lab.plan.tetrad, "testnet", "--output-dir", net, "--chain-id", s.name.id,
		"--bench-accounts", strconv.Itoa(payers)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("testnet: %w: %s", err, out)
	}
	document := filepath.Join(net, "node0", "config", "genesis.json")
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	s.name.genesis = crypto.Sum(text)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var peers []string
	for i := range leaderNodes {
		peers = append(peers, fmt.Sprintf("%s:%d", s.lab.peer(i), s.lab.plan.port+portStep*i+1))
	}
	for i := range leaderNodes {
		if err := s.lab.spawn(i, self, "raft-node", "-id", strconv.Itoa(i), "-dir", filepath.Join(s.lab.dir, fmt.Sprint("raft", i)),
			"-genesis", document, "-api", strings.TrimPrefix(s.finder.urls[i], "http://"), "-peers", strings.Join(peers, ","),
			"-election", s.election.String()); err != nil {
			return err
		}
	}
	return s.awaitLeader(ctx)
}

func (s *raftSystem) leader(ctx context.Context) (int, error) { return leaderOf(ctx, s.finder) }

func leaderOf(ctx context.Context, f *finder) (int, error) {
	if err := f.awaitLeader(ctx); err != nil {
		return 0, err
	}
	return f.leading(), nil
}

func (s *raftSystem) revive(i int) error { return s.lab.again(i) }

func (s *raftSystem) write(ctx context.Context, r request) error {
	_, err := s.send(ctx, true, http.MethodPost, "/transactions", ledger.AppendDelimited(nil, r.tx.Raw))
	return err
}

func raftPath(r request, strong bool) string {
	path := "/balances/" + r.to.String()
	if strong {
		path += "?strong=1"
	}
	return path
}

func raftAmount(answer []byte, err error) (uint64, error) {
	if err != nil {
		return 0, err
	}
	var said struct{ Amount uint64 }
	err = json.Unmarshal(answer, &said)
	return said.Amount, err
}

func (s *raftSystem) read(ctx context.Context, k kind, r request) (uint64, error) {
	return raftAmount(s.send(ctx, k == strong, http.MethodGet, raftPath(r, k == strong), nil))
}

func (s *raftSystem) inspect(ctx context.Context, r request) (uint64, error) {
	return s.read(ctx, strong, r)
}

var raftRiches = regexp.MustCompile(`"amount":[0-9]+`)

func (s *raftSystem) lie(answer []byte) []byte {
	return raftRiches.ReplaceAll(answer, []byte(`"amount":777`))
}

func (s *raftSystem) close() { s.http.CloseIdleConnections() }
