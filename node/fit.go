package node

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	cmtdb "github.com/cometbft/cometbft-db"
	cmtstate "github.com/cometbft/cometbft/state"
	cmtstore "github.com/cometbft/cometbft/store"
)

// errMisfit says that CometBFT's databases and the ledger are not of the same moment.
var errMisfit = errors.New("CometBFT's data and the ledger's do not fit together")

// restoreAdvice follows the name of a file that is damaged.
const restoreAdvice = "restore all of the data directory from one copy, or empty it but for priv_validator_state.json and let the node fetch " +
	"the blocks again, or a snapshot with `tetrad start --state-sync`"

// standing is how far each of the databases is that must fit together. CometBFT saves a block, executes it, saves the
// results, lets the ledger commit, and saves its own state. A crash leaves any prefix of that.
type standing struct {
	base, blocks int64 // what blockstore.db holds, both included
	state        int64 // the height of CometBFT's state
	results      bool  // state.db has the results of the newest block
	ledger       int64
	// gap is what is missing between these heights, in words; empty if nothing is.
	gap string
}

func (s standing) String() string {
	results := "without"
	if s.results {
		results = "with"
	}
	return fmt.Sprintf("blockstore.db holds the blocks %d to %d, state.db is at height %d, %s the results of block %d, and the ledger is at height %d",
		s.base, s.blocks, s.state, results, s.blocks, s.ledger)
}

// lost says which database is behind what the others prove that it had; it is empty where none is.
func (s standing) lost() string {
	const after = "%s has lost what came after height %d, or is an older copy"
	switch {
	case s.blocks == 0 && s.state == s.ledger: // as after a restore from a snapshot; mend looks into it
	case s.blocks < s.state, s.blocks < s.ledger:
		return fmt.Sprintf(after, "blockstore.db", s.blocks)
	case s.blocks > s.state+1:
		return fmt.Sprintf(after, "state.db", s.state)
	case s.ledger == s.blocks && s.state < s.blocks && !s.results:
		return fmt.Sprintf("state.db has lost the results of block %d", s.blocks)
	case s.ledger < s.base-1:
		return fmt.Sprintf(after, "the ledger", s.ledger)
	}
	return s.gap
}

// standing reads how far the databases are. It is for a node that cannot go on: it may read all blocks that the ledger
// has not executed.
func (n *Node) standing() (s standing, err error) {
	if len(n.databases) < 2 {
		return s, errors.New("not all of them were opened")
	}
	blockDB, stateDB := n.databases[0], n.databases[1]
	head, _ := n.app.Head()
	s.ledger = int64(head.Height)
	err = guard("read them", func() error {
		states := cmtstate.NewStore(stateDB, cmtstate.StoreOptions{})
		state, err := states.Load()
		if err != nil {
			return err
		}
		blocks := cmtstore.LoadBlockStoreState(blockDB)
		s.base, s.blocks, s.state = blocks.Base, blocks.Height, state.LastBlockHeight
		_, missing := states.LoadLastFinalizeBlockResponse(s.blocks)
		s.results = missing == nil
		if s.lost() == "" {
			s.gap = gap(s, blockDB, states)
		}
		return nil
	})
	return s, err
}

// gap looks for what a start needs of heights that are there.
func gap(s standing, blockDB cmtdb.DB, states cmtstate.Store) string {
	blocks := cmtstore.NewBlockStore(blockDB)
	for h := max(s.ledger+1, s.base, 1); h <= s.blocks; h++ {
		if blocks.LoadBlock(h) == nil {
			return fmt.Sprintf("blockstore.db has lost block %d", h)
		}
	}
	if s.state > 0 && blocks.LoadSeenCommit(s.state) == nil && blocks.LoadBlockCommit(s.state) == nil {
		return fmt.Sprintf("blockstore.db has lost the votes for block %d", s.state)
	}
	for h := max(s.state, 1); h <= s.state+1; h++ {
		if _, err := states.LoadValidators(h); err != nil {
			return fmt.Sprintf("state.db has lost the validators of height %d", h)
		}
	}
	return ""
}

// misfit explains why CometBFT cannot go on with the data that it finds: it says so in terms of its own, or panics.
func (n *Node) misfit(cause any) error {
	if err, ok := cause.(error); ok && errors.As(err, new(*databaseError)) {
		return fmt.Errorf("%w; %s", err, restoreAdvice)
	}
	// A panic can carry a whole block, which comes after an empty line.
	why, _, _ := strings.Cut(fmt.Sprint(cause), "\n\n")
	why = strings.ReplaceAll(why, "\n", " ")
	dir := n.config.Engine.DBDir()
	s, err := n.standing()
	switch lost := s.lost(); {
	case err != nil:
		return fmt.Errorf("%w (blockstore.db, state.db and ledger in %s): %s; %w; %s", errMisfit, dir, why, err, restoreAdvice)
	case lost != "":
		return fmt.Errorf("%w: in %s %s; %v (%s); %s", errMisfit, dir, lost, s, why, restoreAdvice)
	default:
		return fmt.Errorf("%s; in %s %v, which fits together; if this comes again at the next start, one of blockstore.db, state.db, %s and ledger "+
			"is damaged: %s", why, dir, s, filepath.Base(filepath.Dir(n.config.Engine.Consensus.WalFile())), restoreAdvice)
	}
}

// explained adds to the end of consensus which database has lost what it needs, if one has.
func (n *Node) explained(reason error) error {
	s, err := n.standing()
	if lost := s.lost(); err == nil && lost != "" {
		return fmt.Errorf("%w; %w: in %s %s; %v; %s", reason, errMisfit, n.config.Engine.DBDir(), lost, s, restoreAdvice)
	}
	return reason
}
