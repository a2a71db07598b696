package main

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/rpc"
)

// reader is what answers queries: a client that believes nodes, or one that makes them prove what they say.
type reader interface {
	Account(ctx context.Context, id string, o client.ReadOptions) (rpc.Account, error)
	Balance(ctx context.Context, id, asset string, o client.ReadOptions) (rpc.Balance, error)
	Asset(ctx context.Context, code string, o client.ReadOptions) (rpc.Asset, error)
	Entry(ctx context.Context, namespace, path string, o client.ReadOptions) (rpc.Entry, error)
	Entries(ctx context.Context, namespace, prefix string, o client.ReadOptions) (rpc.Entries, error)
	Validators(ctx context.Context, o client.ReadOptions) (rpc.Validators, error)
	Node(ctx context.Context, validator string, o client.ReadOptions) (rpc.Node, error)
	Params(ctx context.Context, o client.ReadOptions) (rpc.Params, error)
	History(ctx context.Context, id string, o client.HistoryOptions) (rpc.History, error)
	ReadBlock(ctx context.Context, receipts string, o client.ReadOptions) (rpc.Block, error)
}

// believeNobody makes the link's reader one that checks proofs. Its trust is the genesis hash that this home has:
// one that a node just told proves nothing about that node.
func (l *link) believeNobody(c *cli, fresh, trust string) error {
	o, err := l.verifiedOptions(c, fresh, trust)
	if err != nil {
		return err
	}
	l.verified, err = client.NewVerified(o)
	if err == nil {
		l.reads = l.verified
	}
	return err
}

// verifiedOptions are those of everything that checks answers.
func (l *link) verifiedOptions(c *cli, fresh, trust string) (client.VerifiedOptions, error) {
	var o client.VerifiedOptions
	known, err := c.trusted()
	if err != nil {
		return o, err
	}
	height, hash, err := parseTrust(trust)
	if err != nil {
		return o, err
	}
	options, err := c.clientOptions(fresh, l.session.height())
	if err != nil {
		return o, err
	}
	return client.VerifiedOptions{
		Options: options,
		ChainID: known.id, GenesisHash: known.genesis, Home: c.client.path("light"), Evidence: c.client.path("evidence"), TrustHeight: height, TrustHash: hash,
	}, nil
}

// trusted is the chain's identity as this home has it.
func (c *cli) trusted() (chainIdentity, error) {
	known, err := c.savedIdentity()
	if err == nil && (known.id == "" || known.genesis.IsZero()) {
		err = usagef("answers can be verified only with chain_id and genesis_hash in %s", c.client.path("config", "client.toml")).
			next("get both from somebody you trust, since a node's own word proves nothing about that node; or believe the node: --consistency session")
	}
	return known, err
}

// parseTrust reads HEIGHT:HASH, a header from somebody trusted.
func parseTrust(text string) (uint64, crypto.Hash, error) {
	if text == "" {
		return 0, crypto.Hash{}, nil
	}
	left, right, _ := strings.Cut(text, ":")
	height, err := strconv.ParseUint(left, 10, 63)
	hash, hashErr := crypto.ParseHash(strings.ToLower(right))
	if err != nil || height == 0 || hashErr != nil || hash.IsZero() {
		return 0, crypto.Hash{}, usagef("--trust %q is not HEIGHT:HASH of a block header", text)
	}
	return height, hash, nil
}

// exitOfLie is the row of everything that did not hold.
func exitOfLie(err error) *failure {
	if !errors.Is(err, client.ErrLie) {
		return nil
	}
	f := &failure{exit: exitProof, slug: "proof_failed", class: "proof", message: err.Error()}
	var lie *client.LieError
	var conflict *client.ConflictError
	switch {
	case errors.As(err, &lie):
		f.slug = "proof_failed_" + string(lie.Kind)
		f.message += keptIn(lie.File)
		f.hint = "nothing of its answer was used; ask another node with --node URL"
		if !strings.Contains(lie.Source, "://") {
			f.hint = "nothing of it was used; have it made anew, by any node"
		}
	case errors.As(err, &conflict):
		f.slug = "conflicting_headers"
		f.message += keptIn(conflict.File)
		f.hint = "more than a third of the validators misbehave: compare the two headers with people who run validators"
	}
	return f
}

func keptIn(file string) string {
	if file == "" {
		return ""
	}
	return "; it is kept as evidence in " + file
}

// tellEvidence names the files of lies that were told beside the answer, by nodes that were asked as witnesses.
// The one that ended the command is named by its error.
func (l *link) tellEvidence(c *cli, err error) {
	if l.verified == nil {
		return
	}
	var lie *client.LieError
	var conflict *client.ConflictError
	told := ""
	switch {
	case errors.As(err, &lie):
		told = lie.File
	case errors.As(err, &conflict):
		told = conflict.File
	}
	for _, file := range l.verified.EvidenceFiles() {
		if file != told {
			c.note("tetrad: another node does not tell the truth%s", keptIn(file))
		}
	}
}

// exitOfTrust is the row of answers that are proven, but by something too old to count.
func exitOfTrust(err error) *failure {
	var expired *client.TrustExpiredError
	var other *client.TrustConflictError
	var stale *client.StaleError
	switch {
	case errors.As(err, &expired):
		return &failure{
			exit: exitError, slug: "trust_expired", class: "proof", message: err.Error(),
			hint: "somebody you trust runs 'tetrad status --trust'; give what that prints to 'tetrad query params --trust HEIGHT:HASH', and this home remembers it",
		}
	case errors.As(err, &other):
		return &failure{
			exit: exitError, slug: "trust_conflict", class: "proof", message: err.Error(),
			hint: "compare the header with others who use the network",
		}
	case errors.As(err, &stale):
		return &failure{
			exit: exitError, slug: "stale", class: "node", message: err.Error(), retryable: true,
			hint: "'tetrad status' shows whether the network makes blocks; --max-age says how old an answer may be",
		}
	case errors.Is(err, client.ErrUndecided):
		return &failure{exit: exitUnknown, slug: "undecided", class: "proof", message: err.Error(), retryable: true}
	}
	return nil
}

// closeVerified keeps what was learned of the chain's headers for the next command.
func (l *link) closeVerified() {
	if l.verified == nil {
		return
	}
	if l.strong != nil {
		_ = l.strong.Close() // and with it what it rests on
		return
	}
	_ = l.verified.Close() // a home that is read-only costs the next command a few more requests
}
