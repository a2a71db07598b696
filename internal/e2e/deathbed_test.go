package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"

	cmtdb "github.com/cometbft/cometbft-db"
	cmtconsensus "github.com/cometbft/cometbft/consensus"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtstate "github.com/cometbft/cometbft/state"
	cmtstore "github.com/cometbft/cometbft/store"
	"github.com/syndtr/goleveldb/leveldb/opt"
)

// deathbed is where a validator died: how far its files are with a height.
type deathbed struct {
	height uint64 // the one it was at
	point  string // one of points
}

// The points of a height at which a process can die, as far as its files and its log tell them apart.
const (
	pointPrevote   = "own prevote in the log"
	pointPrecommit = "own precommit in the log"
	pointDecided   = "block decided, not yet saved"
	pointSaved     = "block saved"
	pointEnded     = "end of height in the log, block not executed"
	pointExecuted  = "block executed"
	pointResults   = "results saved"
	pointCommitted = "ledger committed, engine's state not saved"
	pointState     = "engine's state saved (three points)"
)

var points = []string{
	pointPrevote, pointPrecommit, pointDecided, pointSaved, pointEnded, pointExecuted, pointResults, pointCommitted, pointState,
}

// look reads what a dead validator left.
func (n *network) look(p *process) deathbed {
	n.t.Helper()
	data := filepath.Join(p.home, "data")
	blockDB, stateDB := n.database(p, "blockstore"), n.database(p, "state")
	defer blockDB.Close()
	defer stateDB.Close()
	blocks := cmtstore.LoadBlockStoreState(blockDB)
	states := cmtstate.NewStore(stateDB, cmtstate.StoreOptions{})
	state, err := states.Load()
	if err != nil {
		n.t.Fatal(err)
	}
	executed := state.LastBlockHeight
	_, notSaved := states.LoadLastFinalizeBlockResponse(executed + 1)
	ended, vote := n.readLog(filepath.Join(data, "cs.wal", "wal"))
	last := n.lastStep(p)

	at := deathbed{height: uint64(executed) + 1}
	switch {
	case blocks.Height > executed && notSaved == nil && last == "committed state":
		at.point = pointCommitted
	case blocks.Height > executed && notSaved == nil:
		at.point = pointResults
	case blocks.Height > executed && last == "executed block":
		at.point = pointExecuted
	case blocks.Height > executed && ended > executed:
		at.point = pointEnded
	case blocks.Height > executed:
		at.point = pointSaved
	case last == "finalizing commit of block":
		at.point = pointDecided
	case vote == cmtproto.PrevoteType:
		at.point = pointPrevote
	case vote == cmtproto.PrecommitType:
		at.point = pointPrecommit
	default:
		at.point, at.height = pointState, uint64(executed)
	}
	return at
}

// database opens one of CometBFT's databases without changing it. The caller closes it.
func (n *network) database(p *process, name string) cmtdb.DB {
	n.t.Helper()
	db, err := cmtdb.NewGoLevelDBWithOpts(name, filepath.Join(p.home, "data"), &opt.Options{ReadOnly: true, ErrorIfMissing: true})
	if err != nil {
		n.t.Fatalf("open %s of node%d: %v", name, p.index, err)
	}
	return db
}

// readLog reads CometBFT's write-ahead log: the last height it ends, and the last own vote after that, if
// that is the last thing in it.
func (n *network) readLog(path string) (ended int64, vote cmtproto.SignedMsgType) {
	n.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		n.t.Fatal(err)
	}
	d := cmtconsensus.NewWALDecoder(bytes.NewReader(data))
	for {
		m, err := d.Decode()
		if err != nil {
			return ended, vote // the end, torn or not
		}
		switch m := m.Msg.(type) {
		case cmtconsensus.EndHeightMessage:
			ended, vote = m.Height, 0
		default:
			vote = ownVote(m)
		}
	}
}

// ownVote is the type of the vote in a message that a validator sent to itself, or 0. The message's type is
// not exported.
func ownVote(message any) cmtproto.SignedMsgType {
	v := reflect.ValueOf(message)
	if v.Kind() != reflect.Struct || !v.FieldByName("PeerID").IsValid() || v.FieldByName("PeerID").String() != "" {
		return 0
	}
	if m, ok := v.FieldByName("Msg").Interface().(*cmtconsensus.VoteMessage); ok {
		return m.Vote.Type
	}
	return 0
}

// lastStep is the last step of a height that a validator has told in its log since it was started.
func (n *network) lastStep(p *process) string {
	log := n.said(p)
	last, at := "", -1
	for _, step := range []string{"finalizing commit of block", "executed block", "committed state"} {
		if i := strings.LastIndex(log, step); i > at {
			last, at = step, i
		}
	}
	return last
}

// fsck reads the whole ledger of a validator, which it stops, and executes all its blocks again.
func (n *network) fsck(p *process) {
	n.t.Helper()
	if err := n.terminate(p.index); err != nil {
		n.t.Errorf("node%d did not stop cleanly on SIGTERM: %v", p.index, err)
	}
	for _, audit := range []string{"fsck", "replay"} {
		out, err := exec.Command(p.command[0], audit, "--home", p.home).CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			n.t.Fatal(err)
		}
		if err != nil {
			n.t.Errorf("tetrad %s: %v\n%s", audit, err, strings.TrimSpace(string(out)))
		}
	}
}
