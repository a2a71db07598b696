package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	cmtdb "github.com/cometbft/cometbft-db"
	cmtcfg "github.com/cometbft/cometbft/config"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtprivval "github.com/cometbft/cometbft/privval"
	cmthttp "github.com/cometbft/cometbft/rpc/client/http"
	cmtstate "github.com/cometbft/cometbft/state"
	cmtstore "github.com/cometbft/cometbft/store"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/ledger/store"
)

// ErrSyncFailed says that a node could not get its state from its peers. What it has fetched so far is discarded
// when it is started again for another attempt.
var ErrSyncFailed = errors.New("state sync failed")

// errInterrupted says that ledger and blocks are what a restore leaves that did not get to its end.
var errInterrupted = errors.New("a restore from a snapshot was begun in this home and not ended: start with --state-sync to begin anew, " +
	"or empty the data directory but for priv_validator_state.json and restore again")

const (
	// silentBlocks is for how many blocks a validator says nothing whose record of what it signed is lost: more than
	// the network can have been ahead of what the RPC servers show when it signed last.
	silentBlocks = 100
	// askPatience bounds one question to an RPC server.
	askPatience = 10 * time.Second
	// tellEvery is how often progress is logged.
	tellEvery = 2 * time.Second
)

// openStateSync decides whether this start begins from a snapshot of the peers: only if statesync.enable is set
// and the node has no blocks of its own. Then everything that an earlier attempt left goes.
func (n *Node) openStateSync() error {
	if !n.config.Engine.StateSync.Enable {
		return nil
	}
	state, blocks, err := engineHeights(n.config.Engine)
	if err != nil {
		return err
	}
	if blocks > 0 || state > 0 {
		n.log.Info("no state sync: this node has blocks already", "height", max(state, blocks))
		return nil
	}
	if err := n.checkValidatorState(); err != nil {
		return err
	}
	for _, name := range []string{"ledger", "blockstore.db", "state.db", "evidence.db", "tx_places.db", "cs.wal"} {
		if err := os.RemoveAll(filepath.Join(n.config.Engine.DBDir(), name)); err != nil {
			return fmt.Errorf("make room for a snapshot: %w", err)
		}
	}
	n.syncing.Store(true)
	return nil
}

// engineHeights are the heights of CometBFT's state and of its newest block, for a node that does not run.
func engineHeights(config *cmtcfg.Config) (state, blocks int64, err error) {
	if _, err := os.Stat(filepath.Join(config.DBDir(), "state.db")); errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	var open []cmtdb.DB
	defer func() {
		for _, db := range open {
			err = errors.Join(err, db.Close())
		}
	}()
	for _, id := range []string{"blockstore", "state"} {
		db, err := cmtcfg.DefaultDBProvider(&cmtcfg.DBContext{ID: id, Config: config})
		if err != nil {
			return 0, 0, fmt.Errorf("open %s.db: %w", id, err)
		}
		open = append(open, db)
	}
	var last cmtstate.State
	err = guard("read CometBFT's databases", func() (err error) {
		blocks = cmtstore.NewBlockStore(open[0]).Height()
		last, err = cmtstate.NewStore(open[1], cmtstate.StoreOptions{}).Load()
		return err
	})
	return last.LastBlockHeight, blocks, err
}

// checkValidatorState refuses to let a validator vote that has forgotten what it signed. The network goes on while
// a node is away: what it signed before it lost its data may be a height that is not decided yet.
func (n *Node) checkValidatorState() error {
	path := n.config.Engine.PrivValidatorStateFile()
	_, err := os.Stat(path)
	switch {
	case err == nil && n.config.NewValidatorState:
		return fmt.Errorf("%s exists, and is what keeps this validator from signing twice: leave --new-validator-state away", path)
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("read the validator's state: %w", err)
	case !n.config.NewValidatorState:
		return fmt.Errorf("%s is missing: this validator could sign twice what it signed before, and lose its power; put the newest copy there. "+
			"If there is none, and no other process uses this validator's key, start with --new-validator-state: "+
			"the validator then begins to vote %d blocks above the height that the --rpc servers show", path, silentBlocks)
	}
	height, err := newestHeight(n.config.Engine.StateSync.RPCServers)
	if err != nil {
		return fmt.Errorf("a new validator state needs the network's height: %w", err)
	}
	state := cmtprivval.FilePVLastSignState{Height: height + silentBlocks, Step: 3} // after the last step of that height
	data, err := cmtjson.MarshalIndent(&state, "", "  ")
	if err == nil {
		err = writeNew(path, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the validator's state: %w", err)
	}
	n.log.Warn("the record of what this validator signed begins anew: it does not vote up to this height", "height", state.Height)
	return nil
}

// newestHeight asks all servers, since some may be behind.
func newestHeight(servers []string) (int64, error) {
	var newest int64
	var errs []error
	for _, server := range servers {
		ctx, cancel := context.WithTimeout(context.Background(), askPatience)
		client, err := cmthttp.New(server, "/websocket")
		if err == nil {
			status, failed := client.Status(ctx)
			if err = failed; err == nil {
				newest = max(newest, status.SyncInfo.LatestBlockHeight)
			}
		}
		cancel()
		if err != nil {
			errs = append(errs, fmt.Errorf("ask %s: %w", server, err))
		}
	}
	if newest == 0 {
		return 0, errors.Join(append(errs, errors.New("no server has told one"))...)
	}
	return newest, nil
}

// mend looks at CometBFT's two databases before it does. A node that ended after it had the state of a snapshot and
// before its first block leaves state without blocks; CometBFT accepts that only with a mark, which it sets for
// restores of its own kind and clears at the first start.
func (n *Node) mend(blockDB, stateDB cmtdb.DB) error {
	states, blocks := cmtstate.NewStore(stateDB, cmtstate.StoreOptions{}), cmtstore.NewBlockStore(blockDB)
	state, err := states.Load()
	if err != nil {
		return fmt.Errorf("read CometBFT's state: %w", err)
	}
	if blocks.Height() > 0 {
		return nil
	}
	head, _ := n.app.Head()
	switch {
	case state.LastBlockHeight == 0 && head.Height == 0:
		return nil
	case state.LastBlockHeight != int64(head.Height), blocks.LoadSeenCommit(state.LastBlockHeight) == nil:
		return fmt.Errorf("%w; or %s has lost its blocks: it has none, CometBFT's state is at height %d, the ledger at %d", errInterrupted,
			n.databases[0].path, state.LastBlockHeight, head.Height)
	}
	return states.SetOfflineStateSyncHeight(state.LastBlockHeight)
}

// snapshotOptions say what the app does about snapshots; opening is how it opens a store that it restored.
func (n *Node) snapshotOptions(opening store.Options) app.SnapshotOptions {
	o := app.SnapshotOptions{Dir: n.config.snapshotsDir(), Interval: n.config.Snapshots.Interval, Keep: n.config.Snapshots.Keep}
	if n.syncing.Load() {
		o.Restore, o.Restoring = opening, n.restoring
	}
	return o
}

// chunkTries is how often a chunk is asked for before a restore is given up. CometBFT asks for ever, also when all peers
// have removed the snapshot meanwhile. Tests have less patience.
var chunkTries = 30

// stuck says why a restore is given up, or returns nil.
func (n *Node) stuck(now time.Time) error {
	wait := time.Duration(chunkTries) * n.config.Engine.StateSync.ChunkRequestTimeout
	if moved := n.movedAt.Load(); !n.syncing.Load() || moved == 0 || now.Sub(time.Unix(0, moved)) < wait {
		return nil
	}
	return fmt.Errorf("%w: no peer has served a chunk of the snapshot for %v; they may have removed it: snapshots.interval times snapshots.keep "+
		"is how many blocks long they keep one; %s", ErrSyncFailed, wait, syncAdvice)
}

// restoring tells the log how far a restore is.
func (n *Node) restoring(p app.RestoreProgress) {
	n.movedAt.Store(time.Now().UnixNano())
	switch now := time.Now(); {
	case p.Done:
		if err := beginBlocksAt(n.engine.Switch(), int64(p.Height)+1); err != nil {
			n.log.Warn("catching up will be slow", "err", err)
		}
		n.syncing.Store(false)
		n.log.Info("state sync: the snapshot is restored; fetching the blocks since then", "height", p.Height, "bytes", p.Bytes)
	case p.Chunks == 0:
		n.log.Info("state sync: restoring a snapshot", "height", p.Height, "chunks", p.Of)
		n.toldAt.Store(now.UnixNano())
	case now.UnixNano()-n.toldAt.Load() >= int64(tellEvery):
		n.log.Info("state sync: restoring", "height", p.Height, "chunks", p.Chunks, "of", p.Of, "bytes", p.Bytes)
		n.toldAt.Store(now.UnixNano())
	}
}

// watchSync tells why nothing happens while there is nothing to restore, and when the node has caught up.
func (n *Node) watchSync() {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	began, quiet := time.Now(), 0
	for {
		select {
		case <-n.running.Done():
			return
		case <-tick.C:
		}
		if err := n.stuck(time.Now()); err != nil {
			n.dog.bark(err)
			return
		}
		switch {
		case n.syncing.Load() && n.toldAt.Load() == 0:
			if quiet++; quiet%5 == 0 {
				n.log.Info("state sync: waiting for a snapshot; nodes make one every snapshots.interval blocks",
					"peers", n.engine.Switch().Peers().Size(), "waited", time.Since(began).Round(time.Second))
			}
		case !n.syncing.Load() && !n.catchingUp():
			n.log.Info("state sync: caught up with the network", "height", n.Height(), "took_ms", time.Since(began).Milliseconds())
			return
		}
	}
}

// syncFailures are the lines by which CometBFT tells that its state sync has ended; it goes on without state, and
// nothing else tells.
var syncFailures = map[string]bool{
	"State sync failed":                       true,
	"Failed to bootstrap node with new state": true,
	"Failed to store last seen commit":        true,
	"Failed to switch to block sync":          true,
}

// syncAdvice follows every reason why state sync failed.
const syncAdvice = "start again to try anew; --rpc needs two running nodes' CometBFT RPC addresses, and --trust a block that both still have, as " +
	"`tetrad status --trust` prints it"
