package node

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cmtdb "github.com/cometbft/cometbft-db"
	cmtstateproto "github.com/cometbft/cometbft/proto/tendermint/state"
	cmtstoreproto "github.com/cometbft/cometbft/proto/tendermint/store"
)

// TestLost: what the heights of the databases say about which of them has lost something.
func TestLost(t *testing.T) {
	for _, c := range []struct {
		s    standing
		want string
	}{
		{standing{}, ""},
		{standing{base: 1, blocks: 9, state: 9, ledger: 9, results: true}, ""},
		{standing{base: 1, blocks: 9, state: 9, ledger: 3, results: true}, ""},                // an older copy of the ledger executes the blocks again
		{standing{base: 1, blocks: 9, state: 8, ledger: 8}, ""},                               // a crash before the block was executed
		{standing{base: 1, blocks: 9, state: 8, ledger: 8, results: true}, ""},                // after
		{standing{base: 1, blocks: 9, state: 8, ledger: 9, results: true}, ""},                // after the ledger's commit
		{standing{state: 9, ledger: 9}, ""},                                                   // a snapshot was restored
		{standing{base: 5, blocks: 9, state: 9, ledger: 4, results: true, gap: "gap"}, "gap"}, // pruned, but not too far
		{standing{base: 1, blocks: 9, state: 8, ledger: 9}, "state.db has lost the results of block 9"},
		{standing{base: 1, blocks: 9, state: 7, ledger: 9, results: true}, "state.db has lost what came after height 7"},
		{standing{base: 1, blocks: 9, ledger: 9}, "state.db has lost what came after height 0"},
		{standing{base: 1, blocks: 8, state: 9, ledger: 9}, "blockstore.db has lost what came after height 8"},
		{standing{base: 1, blocks: 8, state: 8, ledger: 9, results: true}, "blockstore.db has lost what came after height 8"},
		{standing{base: 5, blocks: 9, state: 9, ledger: 3, results: true}, "the ledger has lost what came after height 3"},
	} {
		if got := c.s.lost(); got != c.want && (c.want == "" || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%v: %q, want %q", c.s, got, c.want)
		}
	}
}

// auditMisfit alters CometBFT's databases as if each had lost something, which goleveldb would not tell: the node says
// what is missing and where, and does not begin.
func auditMisfit(t *testing.T, home string) {
	for _, c := range []struct {
		name, want string
		lose       func(t *testing.T, c Config)
	}{
		{"results of the newest block", "state.db has lost the results of block", func(t *testing.T, c Config) {
			goBack(t, c)
			alterProto(t, c, "state", "lastABCIResponseKey", new(cmtstateproto.ABCIResponsesInfo), func(r *cmtstateproto.ABCIResponsesInfo) { r.Height-- })
		}},
		{"state of the newest heights", "state.db has lost what came after height", func(t *testing.T, c Config) {
			goBack(t, c)
			goBack(t, c)
		}},
		{"all state", "state.db has lost what came after height 0", func(t *testing.T, c Config) { drop(t, c, "state", "stateKey") }},
		{"newest block", "blockstore.db has lost what came after height", func(t *testing.T, c Config) { addBlocks(t, c, -1) }},
		{"all blocks", "blockstore.db has lost its blocks", func(t *testing.T, c Config) {
			drop(t, c, "blockstore", "blockStore", fmt.Sprintf("SC:%d", newestExecuted(t, c)))
		}},
		{"a block that is to be executed", "blockstore.db has lost block", func(t *testing.T, c Config) { addBlocks(t, c, 1) }},
		{"blocks, more than one", "state.db has lost what came after height", func(t *testing.T, c Config) { addBlocks(t, c, 2) }},
		{"votes for the newest block", "blockstore.db has lost the votes for block", func(t *testing.T, c Config) {
			drop(t, c, "blockstore", fmt.Sprintf("SC:%d", newestExecuted(t, c)))
		}},
		{"validators, which consensus needs once it runs", "state.db has lost the validators of height", func(t *testing.T, c Config) {
			drop(t, c, "state", fmt.Sprintf("validatorsKey:%d", newestExecuted(t, c)))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := copyHomeTo(t, home, filepath.Join(keptDir(t), "copy"))
			config.Store.DiskFreeMin = diskFreeFloor
			c.lose(t, config)
			n, err := New(config, nil)
			if err == nil {
				if err = n.Start(); err == nil {
					select {
					case <-n.Done():
						err = n.Err()
					case <-time.After(soon):
					}
				}
				if stopped := n.Stop(); stopped != nil {
					t.Errorf("stop: %v", stopped)
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), config.Engine.DBDir()) {
				t.Errorf("got %v, want %q in %s", err, c.want, config.Engine.DBDir())
			}
		})
	}
}

// goBack sets the state to one height less.
func goBack(t *testing.T, c Config) {
	t.Helper()
	alterProto(t, c, "state", "stateKey", new(cmtstateproto.State), func(s *cmtstateproto.State) { s.LastBlockHeight-- })
}

// addBlocks changes how many blocks the block store thinks it has.
func addBlocks(t *testing.T, c Config, by int64) {
	t.Helper()
	alterProto(t, c, "blockstore", "blockStore", new(cmtstoreproto.BlockStoreState), func(s *cmtstoreproto.BlockStoreState) { s.Height += by })
}

func alterProto[M interface {
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
}](t *testing.T, c Config, name, key string, m M, change func(M),
) {
	t.Helper()
	alter(t, c, name, key, func(value []byte) []byte {
		if err := m.Unmarshal(value); err != nil {
			t.Fatal(err)
		}
		change(m)
		out, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return out
	})
}

// drop deletes keys that are there.
func drop(t *testing.T, c Config, name string, keys ...string) {
	t.Helper()
	db, err := cmtdb.NewGoLevelDB(name, c.Engine.DBDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if has, err := db.Has([]byte(key)); err != nil || !has {
			t.Errorf("%s has no %s (%v)", filepath.Join(c.Engine.DBDir(), name+".db"), key, err)
		}
		if err := db.DeleteSync([]byte(key)); err != nil {
			t.Error(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
