package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
)

// damaged are the kinds of files of a stopped validator, and what a refusal to start must name.
var damaged = []struct{ kind, glob, names string }{
	{"ledger: tables", "data/ledger/*.sst", ".sst"},
	{"ledger: logs", "data/ledger/*.mem", ".mem"},
	{"ledger: value logs", "data/ledger/*.vlog", ".vlog"},
	{"ledger: MANIFEST", "data/ledger/MANIFEST", "data/ledger"},
	{"ledger: KEYREGISTRY", "data/ledger/KEYREGISTRY", "data/ledger"},
	{"journal: tables", "data/ledger/journal/*.sst", ".sst"},
	{"journal: logs", "data/ledger/journal/*.mem", ".mem"},
	{"journal: value logs", "data/ledger/journal/*.vlog", ".vlog"},
	{"journal: MANIFEST", "data/ledger/journal/MANIFEST", "data/ledger"},
	{"journal: KEYREGISTRY", "data/ledger/journal/KEYREGISTRY", "data/ledger"},
	{"consensus log", "data/cs.wal/wal", "cs.wal"},
	{"blocks: tables", "data/blockstore.db/*.ldb", "blockstore.db"},
	{"blocks: log", "data/blockstore.db/*.log", "blockstore.db"},
	{"blocks: MANIFEST", "data/blockstore.db/MANIFEST-*", "blockstore.db"},
	{"engine's state: tables", "data/state.db/*.ldb", "state.db"},
	{"engine's state: log", "data/state.db/*.log", "state.db"},
	{"engine's state: MANIFEST", "data/state.db/MANIFEST-*", "state.db"},
	{"places of transactions: log", "data/tx_places.db/*.log", "tx_places.db"},
	{"evidence: log", "data/evidence.db/*.log", "evidence.db"},
	{"places of transactions", "data/tx_places.db/*.ldb", "tx_places.db"},
	{"snapshots: chunks", "data/snapshots/*/*.chunk", "snapshots"},
	{"snapshots: manifests", "data/snapshots/*/manifest", "snapshots"},
	{"last signature", "data/priv_validator_state.json", "priv_validator_state.json"},
	{"validator's key", "config/priv_validator_key.json", "priv_validator_key.json"},
	{"node's key", "config/node_key.json", "node_key.json"},
	{"genesis document", "config/genesis.json", "genesis.json"},
	{"app.toml", "config/app.toml", "app.toml"},
	{"config.toml", "config/config.toml", "config.toml"},
}

// What a damaged validator did.
const (
	wentOn      = "went on"
	refusedIt   = "refused"
	namedNot    = "refused without the file's name"
	showedTrace = "showed a stack trace"
	differed    = "DIFFERED"
)

// TestDamage flips, tears and zeroes bytes in the files of a stopped validator. It starts with the state that it
// had, or refuses to start and names what is damaged; it never has another state at a height that it had.
func TestDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(seedOf(t), 3))
	d := newDamage(t)
	outcomes := map[string]map[string]int{}
	for _, f := range damaged {
		outcomes[f.kind] = map[string]int{}
		for i := range damageRounds {
			d.restore()
			files, err := filepath.Glob(filepath.Join(d.home, f.glob))
			if err != nil || len(files) == 0 {
				t.Fatalf("%s: no file matches %s: %v", f.kind, f.glob, err)
			}
			file := files[rng.IntN(len(files))]
			what := harm(t, rng, i, file)
			outcome := d.try(f.names, strings.HasSuffix(f.names, ".toml"))
			outcomes[f.kind][outcome]++
			if outcome != wentOn && outcome != refusedIt {
				t.Errorf("%s, %s %s: the validator %s\n%s", f.kind, filepath.Base(file), what, outcome, d.tail(d.nodes[0]))
			}
		}
	}
	var rows strings.Builder
	for _, f := range damaged {
		fmt.Fprintf(&rows, "  %-26s %8d %8d\n", f.kind, outcomes[f.kind][wentOn], outcomes[f.kind][refusedIt])
	}
	t.Logf("%d blocks\n  %-26s %8s %8s\n%s", len(d.roots), "damaged", wentOn, refusedIt, rows.String())
}

// damageRounds is how often each kind of file is damaged, in turn in each way.
const damageRounds = 3

// harm damages a file and says how.
func harm(t *testing.T, rng *rand.Rand, way int, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) == 0 {
		return "stays empty"
	}
	used := max(1, len(bytes.TrimRight(data, "\x00"))) // the ledger makes files longer than what it has written to them
	var what string
	switch way % 3 {
	case 0:
		at, bit := rng.IntN(used), rng.IntN(8)
		data[at] ^= 1 << bit
		what = fmt.Sprintf("with bit %d of byte %d of %d flipped", bit, at, len(data))
	case 1:
		at := rng.IntN(used)
		what = fmt.Sprintf("cut off at %d of %d bytes", at, len(data))
		data = data[:at]
	default:
		from := rng.IntN(used)
		to := min(len(data), from+1+rng.IntN(4096))
		clear(data[from:to])
		what = fmt.Sprintf("with bytes %d to %d of %d zeroed", from, to, len(data))
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return what
}

// damage is a network of one whose files are restored for each trial.
type damage struct {
	*network
	home, good string
	roots      []crypto.Hash // of the blocks that it had, from height 1 on
}

// newDamage makes some blocks with payments, with clean ends and a crash in between, so that there are files
// of all kinds.
func newDamage(t *testing.T) *damage {
	t.Helper()
	n := newNetwork(t, 1, func(home string) {
		replaceInFile(t, filepath.Join(home, "config", "app.toml"), "# interval = 5000", "interval = 5")
	})
	d := &damage{network: n, home: n.nodes[0].home, good: filepath.Join(t.TempDir(), "good")}
	for range 2 {
		n.start()
		n.mustCommit(n.transfer("alice", "bob", 1))
		if err := n.terminate(0); err != nil {
			t.Fatal(err)
		}
	}
	n.start()
	l := n.startLoad(4)
	l.untilMore(40)
	n.until("there is a snapshot", func() bool {
		found, err := filepath.Glob(filepath.Join(d.home, "data", "snapshots", "*", "manifest"))
		return err == nil && len(found) > 0
	})
	l.stop()
	for h := uint64(1); h <= n.height(0); h++ {
		d.roots = append(d.roots, n.block(0, h).AppHash)
	}
	n.kill()
	if err := system("cp", "-a", d.home, d.good); err != nil {
		t.Fatal(err)
	}
	return d
}

// restore puts the undamaged files back.
func (d *damage) restore() {
	d.t.Helper()
	if err := os.RemoveAll(d.home); err != nil {
		d.t.Fatal(err)
	}
	if err := system("cp", "-a", d.good, d.home); err != nil {
		d.t.Fatal(err)
	}
}

// try starts the damaged validator and tells what it does. With another configuration it may be anywhere and
// do anything, but for the ledger, so all it must do is start.
func (d *damage) try(names string, configuration bool) string {
	d.t.Helper()
	p := d.nodes[0]
	d.start()
	deadline := time.Now().Add(patience)
	for d.height(0) <= uint64(len(d.roots)) {
		if configuration && strings.Contains(d.said(p), "node started") {
			d.killUnlessDead(p)
			return wentOn
		}
		select {
		case <-p.done:
			p.cmd = nil
			said := d.said(p)
			switch {
			case strings.Contains(said, "\ngoroutine "):
				return showedTrace
			case !strings.Contains(said, names):
				return namedNot
			}
			return refusedIt
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			d.killUnlessDead(p)
			return "neither goes on nor ends"
		}
	}
	defer d.killUnlessDead(p)
	for i, want := range d.roots {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		b, err := d.client(0).Block(ctx, uint64(i)+1, client.ReceiptsNone)
		cancel()
		if err == nil && b.AppHash != want {
			return differed
		}
	}
	return wentOn
}
