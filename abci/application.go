package abci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/ledger"
)

// AppVersion stands in every block header.
const AppVersion = ledger.RulesVersion

// codespace tells tools whose codes these are.
const codespace = "tetrad"

// Options are what a node adds to the translation. The zero value works.
type Options struct {
	// Version is the program's version, for Info.
	Version string
	// ChainID is the chain the node was configured for; InitChain refuses another one. Empty accepts any.
	ChainID string
	// Logger gets refused proposals and what else an operator should see; nil is silent.
	Logger *slog.Logger
	// Peer says whether the node with a classic id may be a peer. Nil admits every node.
	Peer func(id string) bool
	// Decided is told of each decided block before it is executed, in the goroutine that executes blocks,
	// and so must be quick. Nil is told nothing.
	Decided func(Decision)
}

// Application is the ledger as CometBFT sees it. Consensus methods come from one goroutine at a time; all
// others may come at any time from anywhere.
type Application struct {
	app     *app.App
	log     *slog.Logger
	version string
	chainID string
	peer    func(id string) bool
	decided func(Decision)

	complained atomic.Int64 // second in which a refused peer was logged last
}

var _ abcitypes.Application = (*Application)(nil)

// New wraps an app for CometBFT.
func New(a *app.App, o Options) *Application {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Application{app: a, log: o.Logger, version: o.Version, chainID: o.ChainID, peer: o.Peer, decided: o.Decided}
}

// Info tells CometBFT up to where blocks are executed; it replays the rest.
func (a *Application) Info(context.Context, *abcitypes.RequestInfo) (*abcitypes.ResponseInfo, error) {
	info := &abcitypes.ResponseInfo{Data: codespace, Version: a.version, AppVersion: AppVersion}
	if head, ok := a.app.Head(); ok {
		info.LastBlockHeight = int64(head.Height)
		info.LastBlockAppHash = head.Root[:]
	}
	return info, nil
}

// InitChain builds the first state and checks that CometBFT and the ledger begin with the same chain and the
// same validators. CometBFT calls it again when it restarts before the first commit.
func (a *Application) InitChain(_ context.Context, req *abcitypes.RequestInitChain) (*abcitypes.ResponseInitChain, error) {
	if a.chainID != "" && req.ChainId != a.chainID {
		return nil, fmt.Errorf("init chain: CometBFT starts chain %q, the ledger's genesis is of %q", req.ChainId, a.chainID)
	}
	if req.InitialHeight != 1 {
		return nil, fmt.Errorf("init chain: initial height %d, the ledger begins at 1", req.InitialHeight)
	}
	root, validators, err := a.app.InitChain()
	if err != nil {
		return nil, fmt.Errorf("init chain: %w", err)
	}
	if err := sameValidators(req.Validators, validators); err != nil {
		return nil, fmt.Errorf("init chain: %w", err)
	}
	return &abcitypes.ResponseInitChain{AppHash: root[:]}, nil
}

// sameValidators compares the engine's first set with the ledger's, in whatever order.
func sameValidators(engine []abcitypes.ValidatorUpdate, ours []ledger.ValidatorUpdate) error {
	theirs := make([]ledger.ValidatorUpdate, 0, len(engine))
	for _, u := range engine {
		v, err := fromUpdate(u)
		if err != nil {
			return err
		}
		theirs = append(theirs, v)
	}
	byKey := func(a, b ledger.ValidatorUpdate) int { return bytes.Compare(a.PublicKey, b.PublicKey) }
	ours = slices.SortedFunc(slices.Values(ours), byKey)
	slices.SortFunc(theirs, byKey)
	same := slices.EqualFunc(theirs, ours, func(a, b ledger.ValidatorUpdate) bool {
		return a.KeyType == b.KeyType && bytes.Equal(a.PublicKey, b.PublicKey) && a.Power == b.Power
	})
	if !same {
		return errors.New("the validators CometBFT starts with are not those of the ledger's genesis")
	}
	return nil
}

// filterPath begins the questions CometBFT asks about a new peer.
const filterPath = "/p2p/filter/"

// Query reads committed state, or says whether a peer may stay.
func (a *Application) Query(_ context.Context, req *abcitypes.RequestQuery) (*abcitypes.ResponseQuery, error) {
	if rest, ok := strings.CutPrefix(req.Path, filterPath); ok {
		return a.filter(rest), nil
	}
	if req.Height < 0 {
		return refusal(ledger.CodeBadRequest, fmt.Sprintf("height %d is negative", req.Height)), nil
	}
	var result app.QueryResult
	if req.Prove {
		result = a.app.ProveQuery(req.Path, uint64(req.Height))
	} else {
		result = a.app.Query(req.Path, req.Data, uint64(req.Height))
	}
	if code := ledger.Code(result.Code); code != ledger.CodeOK {
		response := refusal(code, result.Log)
		response.Height = int64(result.Height)
		return response, nil
	}
	return &abcitypes.ResponseQuery{
		Key: result.Key, Value: result.Value, Height: int64(result.Height), Log: result.Log, ProofOps: proofOps(result.Proofs),
	}, nil
}

// proofType names proofs as IBC's and Cosmos' tools know them: ics23 proofs of a sparse Merkle tree.
const proofType = "ics23:smt"

func proofOps(proofs []app.QueryProof) *cmtcrypto.ProofOps {
	if len(proofs) == 0 {
		return nil
	}
	ops := &cmtcrypto.ProofOps{}
	for _, p := range proofs {
		ops.Ops = append(ops.Ops, cmtcrypto.ProofOp{Type: proofType, Key: p.Key, Data: p.ICS23})
	}
	return ops
}

// filter answers addr/HOST:PORT, which decides nothing, and id/ID.
func (a *Application) filter(question string) *abcitypes.ResponseQuery {
	id, ok := strings.CutPrefix(question, "id/")
	if !ok || a.peer == nil || a.peer(id) {
		return &abcitypes.ResponseQuery{}
	}
	// A refused node may dial again at once, for ever; one line per second tells enough.
	if now := time.Now().Unix(); a.complained.Swap(now) != now {
		a.log.Warn("refusing a peer that is not on the allow-list", "peer", id)
	}
	return refusal(ledger.CodeNotAuthorised, "the node is not on the allow-list")
}

func refusal(code ledger.Code, log string) *abcitypes.ResponseQuery {
	return &abcitypes.ResponseQuery{Code: engineCode(code), Log: log, Info: code.Info().Slug, Codespace: codespace}
}
