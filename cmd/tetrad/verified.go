package main

import (
	"context"
	"errors"
	"fmt"
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
	Params(ctx context.Context, o client.ReadOptions) (rpc.Params, error)
}

// consistencyVerified is the level that the client checks by itself. It goes together with the others, which
// say how fresh an answer must be: verified+session.
const consistencyVerified = "verified"

// level takes --consistency apart: whether answers must be proven, and how fresh they must be.
func (q *queryFlags) level() (verified bool, fresh string, err error) {
	for part := range strings.SplitSeq(q.consistency, "+") {
		switch {
		case part == consistencyVerified && !verified:
			verified = true
		case (part == rpc.ConsistencySession || part == rpc.ConsistencyEventual) && fresh == "":
			fresh = part
		case part == "strong" || part == "bounded":
			return false, "", usagef("--consistency %s is not available yet", part).next("use session, eventual or verified")
		default:
			return false, "", usagef("--consistency must be session, eventual, verified or verified+session, not %q", q.consistency)
		}
	}
	if fresh == "" {
		fresh = rpc.ConsistencyEventual
	}
	return verified, fresh, nil
}

// believeNobody makes the link's reader one that checks proofs. Its trust is the genesis hash of client.toml:
// one that a node just told proves nothing about that node.
func (l *link) believeNobody(c *cli, fresh, trust string) error {
	known, err := c.trusted()
	if err != nil {
		return err
	}
	height, hash, err := parseTrust(trust)
	if err != nil {
		return err
	}
	endpoints, err := c.endpoints()
	if err != nil {
		return err
	}
	http, err := c.httpClient()
	if err != nil {
		return err
	}
	l.verified, err = client.NewVerified(client.VerifiedOptions{
		Options: client.Options{Endpoints: endpoints, Consistency: fresh, MinHeight: l.session.height(), HTTP: http},
		ChainID: known.id, GenesisHash: known.genesis, Home: c.client.path("light"), TrustHeight: height, TrustHash: hash,
	})
	if err == nil {
		l.reads = l.verified
	}
	return err
}

// trusted is the chain's identity as client.toml has it.
func (c *cli) trusted() (chainIdentity, error) {
	known, err := c.savedIdentity()
	if err == nil && (known.id == "" || known.genesis.IsZero()) {
		err = usagef("answers can be verified only with chain_id and genesis_hash in %s", c.client.path("config", "client.toml")).
			next("get both from somebody you trust; a node's own word proves nothing about that node")
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
		f.hint = "nothing of its answer was used; ask another node with --node URL"
	case errors.As(err, &conflict):
		f.slug = "conflicting_headers"
		f.hint = "more than a third of the validators misbehave: compare the two headers with people who run validators"
	}
	return f
}

// exitOfTrust is the row of answers that are proven, but by something too old to count.
func exitOfTrust(err error) *failure {
	var expired *client.TrustExpiredError
	var stale *client.StaleError
	switch {
	case errors.As(err, &expired):
		return &failure{
			exit: exitError, slug: "trust_expired", class: "proof", message: err.Error(),
			hint: "give it with --trust HEIGHT:HASH",
		}
	case errors.As(err, &stale):
		return &failure{
			exit: exitError, slug: "stale", class: "node", message: err.Error(), retryable: true,
			hint: "'tetrad status' shows whether the network makes blocks",
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
	_ = l.verified.Close() // a home that is read-only costs the next command a few more requests
}

// describe is the level a read was served at, as its document says.
func describe(verified bool, fresh string) string {
	if !verified {
		return fresh
	}
	return fmt.Sprintf("%s+%s", consistencyVerified, fresh)
}
