package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cmtdb "github.com/cometbft/cometbft-db"

	"github.com/tetradledger/tetrad/crypto"
)

// stoppedNetwork runs one validator for some blocks and returns its home.
func stoppedNetwork(t *testing.T) (home string, height uint64) {
	t.Helper()
	n := newNetwork(t, 1, false)
	var last uint64
	for range 5 {
		last = n.committed(n.submit(0))
	}
	config, err := Load(n.layout.Nodes[0].Home, nil)
	n.must(err)
	if _, err := Fsck(context.Background(), config, nil); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("in use by another tetrad process (process %d)", os.Getpid())) {
		t.Errorf("fsck of a home that is in use: %v", err)
	}
	if _, err := Replay(context.Background(), config, ReplayOptions{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("replay of a home that is in use: %v", err)
	}
	n.until("a block after the last transaction", func() bool { return n.nodes[0].Height() > last })
	n.stop(0)
	return n.layout.Nodes[0].Home, last
}

// copyHome copies a home; the copy's configuration is returned.
func copyHome(t *testing.T, home string) Config {
	t.Helper()
	return copyHomeTo(t, home, filepath.Join(t.TempDir(), "copy"))
}

func copyHomeTo(t *testing.T, home, to string) Config {
	t.Helper()
	if out, err := exec.Command("cp", "-rp", home, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	config, err := Load(to, nil)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// homeListing names all files of a home with their times and contents.
func homeListing(t *testing.T, home string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(home, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(&out, "%s %s %s\n", path, info.ModTime(), crypto.Sum(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// alter changes one of CometBFT's databases: fn gets a value and returns another.
func alter(t *testing.T, c Config, name, key string, fn func([]byte) []byte) {
	t.Helper()
	db, err := cmtdb.NewGoLevelDB(name, c.Engine.DBDir())
	if err != nil {
		t.Fatal(err)
	}
	value, err := db.Get([]byte(key))
	if err != nil || len(value) == 0 {
		t.Fatalf("%s has no %s (%v)", name, key, err)
	}
	if err := errors.Join(db.SetSync([]byte(key), fn(value)), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestAudit: a home in order passes both audits and stays as it is; of altered ones the fault is named.
func TestAudit(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a network")
	}
	home, last := stoppedNetwork(t)
	t.Run("in order", func(t *testing.T) { auditInOrder(t, home, last) })
	t.Run("fsck", func(t *testing.T) { auditFsck(t, home) })
	t.Run("misfit", func(t *testing.T) { auditMisfit(t, home) })
	t.Run("replay", func(t *testing.T) { auditReplay(t, home, last) })
}

func auditInOrder(t *testing.T, home string, last uint64) {
	ctx := context.Background()
	c := copyHome(t, home)
	before := homeListing(t, c.Home)
	phases := map[string]bool{}
	report, err := Fsck(ctx, c, func(p AuditProgress) { phases[p.Phase] = true })
	if err != nil || len(report.Faults) > 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	if report.Height <= last || report.Headers != report.Height+1 || len(phases) < 6 {
		t.Errorf("%+v, phases %v", report, phases)
	}
	blocks := uint64(0)
	replayed, err := Replay(ctx, c, ReplayOptions{Progress: func(AuditProgress) { blocks++ }})
	if err != nil || replayed.Difference != nil {
		t.Fatalf("%+v, %v", replayed, err)
	}
	if replayed.Blocks != report.Height || blocks != report.Height || replayed.AppHash != report.AppHash || replayed.Bytes == 0 {
		t.Errorf("%+v after %+v", replayed, report)
	}
	part, err := Replay(ctx, c, ReplayOptions{To: last})
	if err != nil || part.Difference != nil || part.Blocks != last {
		t.Errorf("up to %d: %+v, %v", last, part, err)
	}
	if _, err := Replay(ctx, c, ReplayOptions{To: report.Height + 2}); !errors.Is(err, ErrHeightUnknown) {
		t.Errorf("too far: %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Replay(cancelled, c, ReplayOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if after := homeListing(t, c.Home); after != before {
		t.Errorf("the audits changed the home: before\n%safter\n%s", before, after)
	}
}

// auditFsck alters homes so that only the comparison with CometBFT's blocks can find it, or the ledger itself.
func auditFsck(t *testing.T, home string) {
	for name, one := range map[string]struct {
		harm func(t *testing.T, c Config)
		want string
	}{
		"a header": {func(t *testing.T, c Config) {
			root := rootAt(t, c, 2)
			alter(t, c, "blockstore", "H:3", func(meta []byte) []byte { return alterField(t, meta, root) })
		}, "height 2: its root is "},
		"blocks that are gone": {func(t *testing.T, c Config) {
			if err := os.RemoveAll(filepath.Join(c.Engine.DBDir(), "blockstore.db")); err != nil {
				t.Fatal(err)
			}
		}, "CometBFT's databases: open blockstore.db"},
		"a ledger that is gone": {func(t *testing.T, c Config) {
			if err := errors.Join(os.RemoveAll(c.ledgerDir()), os.Mkdir(c.ledgerDir(), 0o700)); err != nil {
				t.Fatal(err)
			}
		}, "the ledger: it ends at height 0, but CometBFT has had height"},
		"a table of the ledger": {func(t *testing.T, c Config) {
			tables, err := filepath.Glob(filepath.Join(c.ledgerDir(), "journal", "*.sst"))
			if err != nil || len(tables) == 0 {
				t.Fatal(tables, err)
			}
			data, err := os.ReadFile(tables[0])
			if err != nil {
				t.Fatal(err)
			}
			data[100] ^= 1
			if err := os.WriteFile(tables[0], data, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "file journal/0"},
	} {
		t.Run(name, func(t *testing.T) {
			c := copyHome(t, home)
			one.harm(t, c)
			report, err := Fsck(context.Background(), c, nil)
			if err != nil || len(report.Faults) == 0 || !strings.HasPrefix(report.Faults[0].String(), one.want) {
				t.Errorf("%+v, %v; want %q", report, err, one.want)
			}
		})
	}
}

// rootAt is the root after a height, as the header of the next block says.
func rootAt(t *testing.T, c Config, height uint64) []byte {
	t.Helper()
	h, err := openStopped(c)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if err := h.openBlocks(); err != nil {
		t.Fatal(err)
	}
	root, known, err := h.rootAfter(height)
	if err != nil || !known {
		t.Fatalf("root of height %d: %v, %v", height, known, err)
	}
	return root
}

// alterField flips a bit of bytes that lie somewhere in a record.
func alterField(t *testing.T, record, field []byte) []byte {
	t.Helper()
	at := bytes.Index(record, field)
	if at < 0 {
		t.Fatalf("%x is not in the record", field)
	}
	out := bytes.Clone(record)
	out[at] ^= 1
	return out
}

// auditReplay alters blocks: the replay stops there and says so.
func auditReplay(t *testing.T, home string, last uint64) {
	part := fmt.Sprintf("P:%d:0", last)
	for name, one := range map[string]struct {
		harm   func(t *testing.T, c Config)
		height uint64
		what   string
	}{
		"an app hash": {func(t *testing.T, c Config) {
			root := rootAt(t, c, last-1)
			alter(t, c, "blockstore", part, func(b []byte) []byte { return alterField(t, b, root) })
		}, last - 1, "the app hash"},
		"a transaction": {func(t *testing.T, c Config) {
			alter(t, c, "blockstore", part, func(b []byte) []byte {
				alice := crypto.DevKey("alice").Public()
				return alterField(t, b, alice.Bytes) // in the signature's envelope
			})
		}, last, "the hash of the transactions"},
		"a block's own hash": {func(t *testing.T, c Config) {
			hash := blockHash(t, c, last)
			alter(t, c, "blockstore", fmt.Sprintf("H:%d", last), func(b []byte) []byte { return alterField(t, b, hash) })
		}, last, "the hash of the block"},
		"the newest state": {func(t *testing.T, c Config) {
			root := rootAt(t, c, newestExecuted(t, c))
			alter(t, c, "state", "stateKey", func(b []byte) []byte { return alterField(t, b, root) })
		}, 0, "the app hash"},
	} {
		t.Run(name, func(t *testing.T) {
			c := copyHome(t, home)
			want := one.height
			if want == 0 {
				want = newestExecuted(t, c)
			}
			one.harm(t, c)
			report, err := Replay(context.Background(), c, ReplayOptions{})
			if err != nil || report.Difference == nil {
				t.Fatalf("%+v, %v", report, err)
			}
			d := report.Difference
			if d.Height != want || d.What != one.what || d.Got == d.Want || len(d.Got) != 64 || len(d.Want) != 64 || report.Blocks > want {
				t.Errorf("%s after %d blocks; want %s of height %d", d, report.Blocks, one.what, want)
			}
		})
	}
	t.Run("no readable block", func(t *testing.T) {
		c := copyHome(t, home)
		alter(t, c, "blockstore", part, func(b []byte) []byte { return b[:len(b)/2] })
		_, err := Replay(context.Background(), c, ReplayOptions{})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("read block %d", last)) {
			t.Errorf("%v", err)
		}
	})
	t.Run("pruned", func(t *testing.T) {
		c := copyHome(t, home)
		alter(t, c, "blockstore", "blockStore", func([]byte) []byte { return binary.AppendUvarint([]byte{8, 2, 16}, last) }) // base 2
		_, err := Replay(context.Background(), c, ReplayOptions{})
		if err == nil || !strings.Contains(err.Error(), "keeps blocks from height 2 on") {
			t.Errorf("%v", err)
		}
	})
}

func newestExecuted(t *testing.T, c Config) uint64 {
	t.Helper()
	h, err := openStopped(c)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if err := h.openBlocks(); err != nil {
		t.Fatal(err)
	}
	return uint64(h.state.LastBlockHeight)
}

func blockHash(t *testing.T, c Config, height uint64) []byte {
	t.Helper()
	h, err := openStopped(c)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if err := h.openBlocks(); err != nil {
		t.Fatal(err)
	}
	return h.blocks.LoadBlockMeta(int64(height)).BlockID.Hash
}

// TestFsckListsABoundedNumber of faults and counts the rest.
func TestFsckListsABoundedNumber(t *testing.T) {
	var r FsckReport
	for range faultsMax + 1 {
		r.fault("here", "something")
	}
	if len(r.Faults) != faultsMax || r.Unlisted != 1 {
		t.Errorf("%d faults, %d unlisted", len(r.Faults), r.Unlisted)
	}
}
