package client

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tetradledger/tetrad/rpc"
)

// readWait is how long a node may take to reach the session's height before another one is asked.
const readWait = 2 * time.Second

// readBeside is after how long a second node is asked beside one that has yet to reach the session's height. All nodes of
// a network have a block within less than that of each other, unless they are behind.
const readBeside = 100 * time.Millisecond

// ReadOptions choose what a read sees. The zero value is the newest state the session allows.
type ReadOptions struct {
	// Height reads the state after that block; 0: the newest.
	Height uint64
	// Consistency overrides the client's.
	Consistency string
	// MaxAge is how old the newest state may be that an answer is made of; 0: any age of a Client, the default of a
	// Verified. What a Client compares is what the node says, what a Verified compares is what was signed.
	MaxAge time.Duration
	// IncludePending joins an Entry with the operations on it that wait for a block at the node that answers. Nothing
	// of that can be proven, so a Verified refuses it.
	IncludePending bool
	// Prove, if it is there, takes a document that proves the answer, or that there is none, to anybody who has the
	// genesis hash. Only a Verified can make one.
	Prove *Proof

	least uint64 // a height that the answer must not be below, whatever the session
}

// Account reads an account; id is an address or the name of a system account.
func (c *Client) Account(ctx context.Context, id string, o ReadOptions) (rpc.Account, error) {
	return read[rpc.Account](ctx, c, o, rpc.PathAccounts, id)
}

// Balances reads all an account holds.
func (c *Client) Balances(ctx context.Context, id string, o ReadOptions) (rpc.Balances, error) {
	return read[rpc.Balances](ctx, c, o, rpc.PathAccounts, id, "balances")
}

// Balance reads what an account holds of one asset.
func (c *Client) Balance(ctx context.Context, id, asset string, o ReadOptions) (rpc.Balance, error) {
	return read[rpc.Balance](ctx, c, o, rpc.PathAccounts, id, "balances", asset)
}

// Asset reads an asset and its supply.
func (c *Client) Asset(ctx context.Context, code string, o ReadOptions) (rpc.Asset, error) {
	return read[rpc.Asset](ctx, c, o, rpc.PathAssets, code)
}

// Entry reads an entry, with what is pending if that is asked for.
func (c *Client) Entry(ctx context.Context, namespace, path string, o ReadOptions) (rpc.Entry, error) {
	elements := append([]string{namespace}, strings.Split(path, "/")...)
	return read[rpc.Entry](ctx, c, o, rpc.PathEntries, elements...)
}

// Validators reads the validators.
func (c *Client) Validators(ctx context.Context, o ReadOptions) (rpc.Validators, error) {
	return read[rpc.Validators](ctx, c, o, rpc.PathValidators)
}

// Node reads what is registered of a validator's node; validator is its id. The error is node_not_found where
// nothing is.
func (c *Client) Node(ctx context.Context, validator string, o ReadOptions) (rpc.Node, error) {
	return read[rpc.Node](ctx, c, o, rpc.PathNodes, validator)
}

// Params reads the network's parameters.
func (c *Client) Params(ctx context.Context, o ReadOptions) (rpc.Params, error) {
	return read[rpc.Params](ctx, c, o, rpc.PathParams)
}

// Receipts of a block, as Block asks for them.
const (
	ReceiptsNone   = "none"
	ReceiptsList   = "list"
	ReceiptsPacked = "packed"
)

// Block reads a block; height 0 is the newest. receipts is one of the constants above.
func (c *Client) Block(ctx context.Context, height uint64, receipts string) (rpc.Block, error) {
	var out rpc.Block
	_, err := c.anywhere(ctx, c.blockRequest(height, receipts, 0), &out)
	return out, err
}

// ReadBlock is Block with a height and freshness as of other reads. The newest block may be one that nobody has
// signed a header for yet.
func (c *Client) ReadBlock(ctx context.Context, receipts string, o ReadOptions) (rpc.Block, error) {
	var out rpc.Block
	if o.Prove != nil {
		return out, errors.New("client: a proof is made of what was verified, by a Verified")
	}
	r := c.blockRequest(o.Height, receipts, 0)
	if o.Height == 0 {
		fresh := c.readRequest(o, "")
		r.header, r.maxAge, r.patience, r.token = fresh.header, fresh.maxAge, fresh.patience, fresh.token
		if fresh.query.Has("timeout") {
			r.query.Set("timeout", fresh.query.Get("timeout"))
		}
	}
	_, err := c.anywhere(ctx, r, &out)
	return out, orStale(err)
}

// BlockAt is Block at one node, which may take as long as wait to have the block.
func (c *Client) BlockAt(ctx context.Context, endpoint string, height uint64, receipts string, wait time.Duration) (rpc.Block, error) {
	var out rpc.Block
	return out, c.ask(ctx, endpoint, c.blockRequest(height, receipts, wait), &out)
}

func (c *Client) blockRequest(height uint64, receipts string, wait time.Duration) request {
	r := request{method: http.MethodGet, path: rpc.PathBlocks + "/latest", query: url.Values{}, patience: wait}
	if height > 0 {
		r.path = rpc.PathBlocks + "/" + strconv.FormatUint(height, 10)
	}
	if receipts != "" && receipts != ReceiptsNone {
		r.query.Set("receipts", receipts)
	}
	if wait > 0 {
		r.query.Set("timeout", wait.String())
		r.header = http.Header{rpc.HeaderMinHeight: {strconv.FormatUint(height, 10)}}
		r.grace = c.timeout / 2
	}
	return r
}

// Status asks one node, whichever answers, for its status.
func (c *Client) Status(ctx context.Context) (rpc.Status, error) {
	var out rpc.Status
	_, err := c.anywhere(ctx, request{method: http.MethodGet, path: rpc.PathStatus}, &out)
	return out, err
}

// StatusOf asks one node for its status.
func (c *Client) StatusOf(ctx context.Context, endpoint string) (rpc.Status, error) {
	var out rpc.Status
	return out, c.ask(ctx, endpoint, request{method: http.MethodGet, path: rpc.PathStatus}, &out)
}

// NodeStatus is one node's status, or why there is none.
type NodeStatus struct {
	Endpoint string
	Status   rpc.Status
	Err      error
}

// StatusAll asks all nodes at once, and returns what each said in the order in which the client was given
// them.
func (c *Client) StatusAll(ctx context.Context) []NodeStatus {
	return ofAll(c, func(node string) NodeStatus {
		status, err := c.StatusOf(ctx, node)
		return NodeStatus{Endpoint: node, Status: status, Err: err}
	})
}

// ofAll asks all nodes beside each other; the answers are in the order in which the client was given the nodes.
func ofAll[T any](c *Client, ask func(node string) T) []T {
	nodes := c.Endpoints()
	all := make([]T, len(nodes))
	var wg sync.WaitGroup
	for i, node := range nodes {
		wg.Go(func() { all[i] = ask(node) })
	}
	wg.Wait()
	return all
}

// read gets a path, whose elements are escaped, from any node.
func read[T any](ctx context.Context, c *Client, o ReadOptions, base string, elements ...string) (T, error) {
	var out T
	if o.Prove != nil {
		return out, errors.New("client: a proof is made of what was verified, by a Verified")
	}
	_, err := c.anywhere(ctx, c.readRequest(o, readPath(base, elements...)), &out)
	return out, orStale(err)
}

func readPath(base string, elements ...string) string {
	for _, e := range elements {
		base += "/" + url.PathEscape(e)
	}
	return base
}

// readRequest asks for a state that is not older than the session, and not waited for longer than readWait.
func (c *Client) readRequest(o ReadOptions, path string) request {
	r := request{method: http.MethodGet, path: path, header: http.Header{}, query: url.Values{}}
	level := o.Consistency
	if level == "" {
		level = c.consistency
	}
	r.header.Set(rpc.HeaderConsistency, level)
	if o.IncludePending {
		r.query.Set("include_pending", "true")
	}
	if o.Height > 0 {
		r.query.Set("height", strconv.FormatUint(o.Height, 10))
	} else {
		r.maxAge = o.MaxAge
	}
	token := o.least
	if level == rpc.ConsistencySession {
		token = max(token, c.Token())
	}
	if token > 0 {
		r.header.Set(rpc.HeaderMinHeight, strconv.FormatUint(token, 10))
		r.query.Set("timeout", readWait.String())
		r.patience, r.token = readWait, token
	}
	return r
}
