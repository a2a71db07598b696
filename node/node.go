package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	cmtnode "github.com/cometbft/cometbft/node"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	cmtprivval "github.com/cometbft/cometbft/privval"
	cmtproxy "github.com/cometbft/cometbft/proxy"
	cmtcore "github.com/cometbft/cometbft/rpc/core"
	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/app"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger/store"
	"github.com/tetradledger/tetrad/ledger/store/outbox"
	"github.com/tetradledger/tetrad/node/plane"
	"github.com/tetradledger/tetrad/rpc"
)

// Option changes how a node is assembled.
type Option func(*options)

type options struct {
	version string
	root    http.Handler
	parts   Parts
}

// WithVersion sets the version that the node reports.
func WithVersion(version string) Option { return func(o *options) { o.version = version } }

// WithRoot sets what answers GET / on the API's port, such as an explorer.
func WithRoot(h http.Handler) Option { return func(o *options) { o.root = h } }

// Parts wrap what a node is made of, for tests that need a validator that misbehaves. A nil field leaves the
// real part as it is. A remote signer would come in through Signer.
type Parts struct {
	Signer  func(cmttypes.PrivValidator) cmttypes.PrivValidator
	Creator func(cmtproxy.ClientCreator) cmtproxy.ClientCreator
	Backend func(rpc.Backend) rpc.Backend
}

// WithParts wraps parts of the node.
func WithParts(p Parts) Option { return func(o *options) { o.parts = p } }

// Node is one replica with everything it needs. New assembles it, Start begins, Stop ends it for good.
type Node struct {
	config  Config
	options options
	log     *slog.Logger
	born    time.Time

	// Fixed once New has returned.
	identity  Identity
	doc       *genesis.Doc
	lock      *homeLock
	validator *cmtprivval.FilePV
	store     *store.Store
	app       *app.App
	outbox    *outbox.Outbox
	reach     *reach
	pledges   pledges
	service   *service
	plane     *plane.Plane // nil where it is switched off, or there is no service key
	strong    *strongReads
	places    *locator
	engine    *cmtnode.Node
	databases []*closableDB // CometBFT's
	env       *cmtcore.Environment
	engineRPC *engineRPC // nil where rpc.laddr is empty
	allowed   allowList
	metrics   *metrics
	dog       *watchdog
	turns     *turns
	retention retention

	closePlane func() error // nil where there is no plane; may be called more than once

	apiListener     net.Listener
	api             *http.Server
	rpcListener     net.Listener // nil where rpc.laddr is empty
	metricsListener net.Listener // nil where metrics are off
	metricsServer   *http.Server

	// The life of a node.
	running  context.Context // ends when Stop begins
	cancel   context.CancelFunc
	workers  sync.WaitGroup
	launched atomic.Bool   // Start was called
	up       chan struct{} // closed when CometBFT's Start has returned, or will not be called
	upErr    error         // what it returned; set before up is closed
	halfUp   bool          // it panicked instead; set before up is closed
	starting atomic.Bool   // true until CometBFT runs
	syncing  atomic.Bool   // the node waits for a snapshot, or restores one
	toldAt   atomic.Int64  // when the log last heard of that, in nanoseconds
	movedAt  atomic.Int64  // when a restore last began or got further, in nanoseconds
	stopping atomic.Bool
	stopOnce sync.Once
	done     chan struct{} // closed when the node has stopped or failed
	doneOnce sync.Once
	err      error // why; set before done is closed
}

// New opens a node's home and brings the ledger up to the last block that is on disk, which CometBFT does by
// replaying what the ledger has not seen. Nothing is served and nobody is connected to before Start. An error
// names what an operator can do about it, and leaves nothing open.
func New(c Config, log *slog.Logger, opts ...Option) (*Node, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	n := &Node{config: c, log: log, born: time.Now(), dog: newWatchdog(), reach: newReach(time.Now()), up: make(chan struct{}), done: make(chan struct{})}
	for _, o := range opts {
		o(&n.options)
	}
	n.running, n.cancel = context.WithCancel(context.Background())
	n.starting.Store(true)
	for _, step := range []func() error{n.openHome, n.openPorts, n.openStateSync, n.openLedger, n.openEngine, n.openPlane, n.openServers} {
		if err := step(); err != nil {
			n.cancel()
			return nil, errors.Join(err, n.close())
		}
	}
	return n, nil
}

// Height is the newest committed height.
func (n *Node) Height() uint64 {
	head, _ := n.app.Head()
	return head.Height
}

// Identity says who the node is.
func (n *Node) Identity() Identity { return n.identity }

// Switch is CometBFT's connection to its peers.
func (n *Node) Switch() cmtp2p.Switcher { return n.engine.Switch() }

// API is the address of the HTTP API.
func (n *Node) API() string { return "http://" + n.apiListener.Addr().String() }

func (n *Node) transport() string {
	if n.config.Engine.P2P.LibP2PEnabled() {
		return "libp2p"
	}
	return "classic"
}
