package rpc

import (
	"context"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// Backend is the node behind the API. Its errors are *Error values, made with NewError and its kin; any
// other error is logged and answered as internal. Every method gives up when its context ends.
type Backend interface {
	// Submit takes transactions in from a client: one result for each, in order. The node may keep the raw
	// slices; nobody writes to them any more. A node that is cut off queues or refuses them, as OnPartitionOf says.
	Submit(ctx context.Context, raws [][]byte) []SubmitResult

	// Simulate says what would become of a transaction in the next block (StatusCommitted or StatusFailed)
	// without submitting it. A transaction that could not enter a block is an *Error.
	Simulate(ctx context.Context, raw []byte) (TxStatus, error)

	// Outcome says what became of a transaction: StatusUnknown, Pending, Queued, Committed, Failed or NeverWill. With wait it
	// returns as soon as the transaction is decided, whether or not it was known before; when the context
	// ends first, it returns what is known by then, without an error.
	Outcome(ctx context.Context, id crypto.Hash, wait bool) (TxStatus, error)

	// Read opens the state at a height. It fails with ErrPruned, ErrFuture or, when the context ends before
	// the node has reached MinHeight, ErrBehind.
	Read(ctx context.Context, o ReadOptions) (Snapshot, error)

	// Pending opens the newest state, once the node has reached a height, and lists the verified transactions with
	// merging operations on an entry that wait for a block at this node, in any order; all says whether these are
	// all that wait. What the state does not hold and has not expired is among them. It fails like Read.
	Pending(ctx context.Context, name ledger.EntryName, minHeight uint64) (snap Snapshot, txs []*ledger.Transaction, all bool, err error)

	// Equivocations are pairs of transactions by which their authors contradict themselves, as this node has seen
	// them; their signatures are verified.
	Equivocations(ctx context.Context) ([][2]*ledger.Transaction, error)

	// Prove opens the state at a height for proofs; 0 chooses the newest height that can be proven. That is a
	// height below the newest block's, whose header holds the state's root; to have reached MinHeight means that
	// MinHeight can be proven. It fails with ErrUnprovable, ErrUnproven or
	// ErrNothingProvable, or with ErrProofBehind when the context ends.
	Prove(ctx context.Context, o ReadOptions) (Prover, error)

	// Light returns a signed header with its validators (0: the newest). It fails like Read.
	Light(ctx context.Context, height uint64) (LightBlock, error)

	// Genesis returns the bytes of the genesis document.
	Genesis(ctx context.Context) ([]byte, error)

	// Block returns a block (0: the newest), with its receipts if they are asked for. It fails like Read.
	Block(ctx context.Context, height uint64, receipts bool) (Block, error)

	// Contents returns a block with its receipts and, for each of these, the signed transaction: those inside frames
	// as well, each as it came. It fails like Read.
	Contents(ctx context.Context, height uint64) (Block, [][]byte, error)

	// ProveBlock returns a block with its proof and its receipts; 0 chooses the newest that another block follows,
	// whose header names the results. Where that one is yet to come it is waited for. It fails like Read, with
	// ErrUnproven when the context ends, or with ErrNothingProvable.
	ProveBlock(ctx context.Context, height uint64) (Block, error)

	Attester
	Topologist

	// Status describes the node. It is asked for several times a second and must not wait for consensus.
	Status(ctx context.Context) (Status, error)
}

// SubmitResult is what the node says to a transaction that a client hands in.
type SubmitResult struct {
	TxID   crypto.Hash
	Code   ledger.Code // CodeOK: accepted
	Detail string
	// Known says that the node had the transaction before: with CodeOK it is still waiting, with
	// CodeDuplicate it was in a block.
	Known bool
	// Queued is there with CodeOK where the transaction waits on disk for the network to be whole again.
	Queued *Queued
}

// Queued says of a transaction that a node keeps it on disk and passes it on until it is decided. Times are RFC 3339.
type Queued struct {
	Partition string // the node's state when it was handed in
	QueuedAt  string // since when, by the node's clock
	ExpiresAt string // its end of validity
}

// ReadOptions chooses a state: the one after block Height, or the newest one if that is 0, once the node has
// reached MinHeight.
type ReadOptions struct {
	Height    uint64
	MinHeight uint64
}

// Snapshot is the state at one height. It is a ledger.Reader; what Get returns is valid until Close.
type Snapshot interface {
	Get(key []byte) ([]byte, error)

	// Scan lists keys that begin with prefix and come after another, in order, at most n; what is missing
	// behind them begins after next, which is nil when nothing is.
	Scan(prefix, after []byte, n int) (keys [][]byte, next []byte, err error)

	// History returns a page of an account's log, as ledger.LogPage says: entries before that number, or the
	// newest if it is zero.
	History(account crypto.Address, before uint64, limit int) (ledger.LogPage, error)

	Height() uint64
	TimeMS() uint64
	Root() crypto.Hash
	Close()
}

// ErrPruned says that a height is older than what the node keeps.
func ErrPruned(asked, first uint64) *Error {
	return NewError(ledger.CodePruned, "The node no longer keeps height %d; the oldest it has is %d.", asked, first)
}

// ErrFuture says that a height does not exist yet.
func ErrFuture(asked, head uint64) *Error {
	e := NewError(ledger.CodeFuture, "The node has not reached height %d; it is at %d.", asked, head)
	e.height = head
	return e
}

// ErrBehind says that the node did not reach the caller's minimum height in time.
func ErrBehind(asked, head uint64) *Error {
	e := NewError(ledger.CodeBehind, "The node is at height %d and did not reach %d in time.", head, asked)
	e.height = head
	return e
}

// clientKey is where a request's context keeps who sent it.
type clientKey struct{}

// onPartitionKey is where a request's context keeps what a node that is cut off is to do.
type onPartitionKey struct{}

// WithOnPartition says what a node that is cut off is to do with the transactions of a request.
func WithOnPartition(ctx context.Context, how string) context.Context {
	return context.WithValue(ctx, onPartitionKey{}, how)
}

// OnPartitionOf is what the request wants that a context belongs to.
func OnPartitionOf(ctx context.Context) string {
	how, _ := ctx.Value(onPartitionKey{}).(string)
	return how
}

// ClientOf is the network address of the client whose request a context belongs to, without its port; empty
// outside a request. A Backend may keep the ill-behaved apart by it.
func ClientOf(ctx context.Context) string {
	client, _ := ctx.Value(clientKey{}).(string)
	return client
}
