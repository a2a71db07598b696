package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/rpc"
)

// snapshotEnv makes blocks quickly, and snapshots often; a snapshot must outlast the discovery of peers.
var snapshotEnv = []string{"TETRAD_SNAPSHOTS_INTERVAL=50", "TETRAD_SNAPSHOTS_KEEP=10", "TETRAD_BLOCKS_IDLE=20ms", "TETRAD_STATESYNC_CHUNK_REQUEST_TIMEOUT=5s"}

// TestStateSync wipes a validator of four and brings it back from a snapshot of the others, as an operator would: with
// the block that status --trust prints, over the transport of the network, and from a file.
func TestStateSync(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport.name, func(t *testing.T) {
			n := newNetwork(t, 4, transport.edit(t))
			for _, p := range n.nodes {
				n.run(p, snapshotEnv)
			}
			n.untilHeight(1)
			old := n.transfer("alice", "bob", 7)
			n.mustCommit(old, 0)
			n.untilSnapshots(0)
			n.comesBackFromPeers(3)
			if s, err := n.client(3).Submit(context.Background(), old.Raw); err == nil && s.Status != rpc.StatusCommitted {
				t.Errorf("a transaction that was executed before is taken in again: %+v", s)
			}
			n.mustCommit(n.transfer("bob", "alice", 5), 3)
			if transport.name == "classic" {
				n.comesBackFromFile(3)
				n.replaysFromSnapshot(3)
			}
		})
	}
}

// statusOf is a validator's status; false while it does not answer.
func (n *network) statusOf(i int) (rpc.Status, bool) {
	s, err := n.client(i).Status(context.Background())
	return s, err == nil
}

// untilSnapshots waits until the running validators have a snapshot above a height.
func (n *network) untilSnapshots(above uint64, indexes ...int) {
	n.t.Helper()
	for _, p := range n.pick(indexes) {
		n.until(fmt.Sprintf("node%d has a snapshot above height %d", p.index, above), func() bool {
			s, ok := n.statusOf(p.index)
			return ok && s.Snapshot > above
		})
	}
}

// tetrad runs a command to its end and returns what it printed, and how it ended.
func (n *network) tetrad(args ...string) (stdout, stderr string, exit int) {
	n.t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(binary(n.t), args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		n.t.Fatalf("tetrad %v: %v", args, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// succeeds runs a command that must.
func (n *network) succeeds(args ...string) string {
	n.t.Helper()
	stdout, stderr, exit := n.tetrad(args...)
	if exit != 0 {
		n.t.Fatalf("tetrad %v: exit %d\n%s%s", args, exit, stdout, stderr)
	}
	return stdout
}

// fails runs a command that must end with a code and say something.
func (n *network) fails(exit int, says string, args ...string) {
	n.t.Helper()
	stdout, stderr, got := n.tetrad(args...)
	if got != exit || !strings.Contains(stderr, says) {
		n.t.Errorf("tetrad %v: exit %d, want %d saying %q\n%s%s", args, got, exit, says, stdout, stderr)
	}
}

// trust is what status --trust prints of the validators but one.
func (n *network) trust(but int) string {
	n.t.Helper()
	var urls []string
	for _, p := range n.nodes {
		if p.index != but {
			urls = append(urls, n.url(p.index))
		}
	}
	var said struct {
		Trust  string
		Height uint64
		Agree  bool
	}
	out := n.succeeds("status", "--trust", "-o", "json", "--node", strings.Join(urls, ","))
	if err := json.Unmarshal([]byte(out), &said); err != nil || !said.Agree || said.Height == 0 {
		n.t.Fatalf("status --trust: %v\n%s", err, out)
	}
	plain := strings.TrimSpace(n.succeeds("status", "--trust", "--node", urls[0]))
	if _, hash, found := strings.Cut(plain, ":"); !found || len(hash) != 64 {
		n.t.Errorf("status --trust prints %q", plain)
	}
	return said.Trust
}

// wipe empties a validator's data but for what it signed last, which it returns.
func (n *network) wipe(i int) (signed string) {
	n.t.Helper()
	data := filepath.Join(n.nodes[i].home, "data")
	entries, err := os.ReadDir(data)
	for _, e := range entries {
		if err == nil && e.Name() != "priv_validator_state.json" {
			err = os.RemoveAll(filepath.Join(data, e.Name()))
		}
	}
	if err != nil {
		n.t.Fatal(err)
	}
	return filepath.Join(data, "priv_validator_state.json")
}

// caughtUp waits until a validator that began from a snapshot has what the others have, and compares.
func (n *network) caughtUp(i int) {
	n.t.Helper()
	var s rpc.Status
	n.until(fmt.Sprintf("node%d has caught up from a snapshot", i), func() bool {
		var ok bool
		s, ok = n.statusOf(i)
		return ok && !s.CatchingUp && s.FirstHeight > 0 && s.FirstBlock > 0 && s.Height > s.FirstBlock+2 && s.Lag < 5
	})
	if s.FirstBlock != s.FirstHeight+1 {
		n.t.Errorf("node%d has state from height %d on, and blocks from %d on", i, s.FirstHeight, s.FirstBlock)
	}
	for h := s.FirstBlock; h < s.FirstBlock+2; h++ {
		if a, b := n.block(0, h), n.block(i, h); a.AppHash != b.AppHash || a.Hash != b.Hash {
			n.t.Fatalf("height %d: node0 has %s and %s, node%d %s and %s", h, a.Hash, a.AppHash, i, b.Hash, b.AppHash)
		}
	}
	n.fails(1, fmt.Sprintf("oldest it has is %d", s.FirstBlock), "query", "block", "1", "--consistency", "eventual", "--node", n.url(i))
}

func (n *network) comesBackFromPeers(i int) {
	n.t.Helper()
	p, trust := n.nodes[i], n.trust(i)
	sync := []string{"--state-sync", "--rpc", n.rpcURL(0) + "," + n.rpcURL(1), "--trust", trust}
	if err := n.terminate(i); err != nil {
		n.t.Fatal(err)
	}
	signed := n.wipe(i)
	if err := os.Rename(signed, signed+".away"); err != nil {
		n.t.Fatal(err)
	}
	n.run(p, snapshotEnv, sync...)
	if err := n.ended(p); err == nil || !strings.Contains(n.said(p), "could sign twice") {
		n.t.Errorf("a validator that forgot what it signed: %v\n%s", err, n.tail(p))
	}
	if err := os.Rename(signed+".away", signed); err != nil {
		n.t.Fatal(err)
	}
	height, _, _ := strings.Cut(trust, ":")
	n.run(p, snapshotEnv, append(sync[:len(sync)-1:len(sync)-1], height+":"+strings.Repeat("ab", 32))...)
	if err := n.ended(p); err == nil || !strings.Contains(n.said(p), "state sync failed") {
		n.t.Errorf("a block that nobody has: %v\n%s", err, n.tail(p))
	}
	n.run(p, snapshotEnv, sync...)
	n.caughtUp(i)
}

func (n *network) comesBackFromFile(i int) {
	n.t.Helper()
	home, file := n.nodes[i].home, filepath.Join(n.dir, "snapshot")
	if out := n.succeeds("snapshot", "list", "--home", n.nodes[0].home, "-o", "json"); !strings.Contains(out, `"app_hash"`) {
		n.t.Errorf("snapshot list: %s", out)
	}
	n.succeeds("snapshot", "export", file, "--home", n.nodes[0].home)
	restore := []string{"snapshot", "restore", file, "--home", home, "--rpc", n.rpcURL(0) + "," + n.rpcURL(1), "--trust", n.trust(i)}
	n.fails(1, "in use by another tetrad process", restore...)
	if err := n.terminate(i); err != nil {
		n.t.Fatal(err)
	}
	n.fails(1, "has blocks already", restore...)
	n.wipe(i)

	data, err := os.ReadFile(file)
	if err != nil {
		n.t.Fatal(err)
	}
	data[len(data)-len(data)/4] ^= 1
	if err := os.WriteFile(file+".bad", data, 0o600); err != nil {
		n.t.Fatal(err)
	}
	restore[2] = file + ".bad"
	if stdout, stderr, exit := n.tetrad(restore...); exit != 9 && exit != 1 {
		n.t.Errorf("a damaged file: exit %d\n%s%s", exit, stdout, stderr)
	}
	restore[2] = file
	n.succeeds(restore...)
	n.run(n.nodes[i], snapshotEnv)
	n.caughtUp(i)
	n.mustCommit(n.transfer("carol", "dave", 3), i)
}

func (n *network) replaysFromSnapshot(i int) {
	n.t.Helper()
	s, _ := n.statusOf(i)
	n.untilSnapshots(s.FirstHeight, i)
	if err := n.terminate(i); err != nil {
		n.t.Fatal(err)
	}
	home := n.nodes[i].home
	n.fails(1, "--from snapshot", "replay", "--home", home)
	n.succeeds("replay", "--from", "snapshot", "--home", home)
	n.succeeds("fsck", "--home", home)
}
