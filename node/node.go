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
	places    *locator
	engine    *cmtnode.Node
	env       *cmtcore.Environment
	engineRPC *engineRPC // nil where rpc.laddr is empty
	allowed   allowList
	metrics   *metrics
	dog       *watchdog
	turns     *turns

	apiListener     net.Listener
	api             *http.Server
	rpcListener     net.Listener // nil where rpc.laddr is empty
	metricsListener net.Listener // nil where metrics are off
	metricsServer   *http.Server

	// The life of a node.
	running  context.Context // ends when Stop begins
	cancel   context.CancelFunc
	workers  sync.WaitGroup
	up       chan struct{} // closed when the engine's Start has returned
	starting atomic.Bool   // true until then
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
	n := &Node{config: c, log: log, born: time.Now(), dog: newWatchdog(), up: make(chan struct{}), done: make(chan struct{})}
	for _, o := range opts {
		o(&n.options)
	}
	n.running, n.cancel = context.WithCancel(context.Background())
	n.starting.Store(true)
	for _, step := range []func() error{n.openHome, n.openPorts, n.openLedger, n.openEngine, n.openServers} {
		if err := step(); err != nil {
			n.cancel()
			return nil, errors.Join(err, n.close())
		}
	}
	return n, nil
}

// Start begins to serve and to take part in consensus. It returns as soon as CometBFT runs, or after a moment
// if that takes longer: with libp2p CometBFT first waits for peers that may be away. What goes wrong
// later ends the node: see Done.
func (n *Node) Start() error {
	n.serve("http api", func() error { return n.api.Serve(n.apiListener) })
	if n.metricsListener != nil {
		n.serve("metrics", func() error { return n.metricsServer.Serve(n.metricsListener) })
	}
	if n.engineRPC != nil {
		n.serve("CometBFT's rpc", n.engineRPC.serve)
	}
	n.work(func() { n.places.run(n.running, n.engine.BlockStore()) })
	n.work(n.supervise)

	started := make(chan error, 1)
	go func() {
		err := n.engine.Start()
		n.starting.Store(false)
		close(n.up)
		started <- err
		if err != nil {
			n.dog.bark(fmt.Errorf("start CometBFT: %w", err))
			return
		}
		n.work(func() { evict(n.running, n.engine.Switch(), n.allowed, n.log.With("module", "peers")) })
		if n.config.Engine.P2P.LibP2PEnabled() {
			n.work(func() { forget(n.running, n.engine.Switch(), n.Height, n.log.With("module", "peers")) })
		}
	}()
	select {
	case err := <-started:
		if err != nil {
			return fmt.Errorf("start CometBFT: %w", err)
		}
	case <-time.After(startPatience):
		n.log.Info("CometBFT is still connecting to its peers")
	}
	n.log.Info("node started", "node", n.config.Engine.Moniker, "chain", n.doc.ChainID, "height", n.Height(),
		"api", n.config.API.Listen, "rpc", n.config.Engine.RPC.ListenAddress, "transport", n.transport())
	return nil
}

// startPatience is how long Start waits for CometBFT to have dialled its peers.
const startPatience = 2 * time.Second

// Done is closed when the node has stopped, or has failed and should be stopped.
func (n *Node) Done() <-chan struct{} { return n.done }

// Err says why a node whose Done is closed ended: nil after Stop, ErrConsensusDead and others after a
// failure.
func (n *Node) Err() error {
	select {
	case <-n.done:
		return n.err
	default:
		return nil
	}
}

// Wait returns when the node has ended, with the reason.
func (n *Node) Wait() error {
	<-n.done
	return n.err
}

// Stop ends the node and returns when its files are closed, within five seconds. It may be called more than
// once and in any state. A node is not started again: make a new one.
//
// The order matters. Clients go first, so that nothing is accepted that could not be answered. CometBFT goes
// next and finishes the block it is at; after that nobody calls the application, whose store can be closed.
// The lock of the home goes last.
func (n *Node) Stop() error {
	var err error
	n.stopOnce.Do(func() {
		n.stopping.Store(true)
		n.dog.rest()
		stopped := make(chan error, 1)
		go func() { stopped <- n.stop() }()
		select {
		case err = <-stopped:
		case <-time.After(stopPatience):
			err = errors.New("the node did not stop in time; its files are as after a crash, which the next start repairs")
		}
		n.end(nil)
	})
	return err
}

const (
	// stopPatience leaves the process some of the five seconds that an orderly end may take.
	stopPatience = 4500 * time.Millisecond
	// drainPatience is how long requests that are being answered may take.
	drainPatience = time.Second
)

func (n *Node) stop() error {
	drain, cancel := context.WithTimeout(context.Background(), drainPatience)
	defer cancel()
	n.cancel()
	if err := n.api.Shutdown(drain); err != nil {
		_ = n.api.Close() // what is still open is cut off
	}
	if n.engineRPC != nil {
		n.engineRPC.stop(drain)
	}
	var errs []error
	if n.engine.IsRunning() {
		<-n.up // CometBFT must not be stopped while it starts; stopPatience bounds the wait
		errs = append(errs, n.engine.Stop())
	}
	if n.metricsServer != nil {
		_ = n.metricsServer.Close() // a scrape that is cut off is taken again
	}
	n.workers.Wait()
	return errors.Join(append(errs, n.close())...)
}

// close closes what New opened, in reverse order, also after New got only half way.
func (n *Node) close() error {
	var errs []error
	if n.engine != nil {
		errs = append(errs, n.engine.ProxyApp().Stop())
	}
	for _, l := range []net.Listener{n.apiListener, n.rpcListener, n.metricsListener} {
		if l != nil {
			_ = l.Close() // a server that ran has closed it
		}
	}
	if n.app != nil {
		n.app.Close()
	}
	if n.places != nil {
		errs = append(errs, n.places.close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	if n.lock != nil {
		errs = append(errs, n.lock.release())
	}
	return errors.Join(errs...)
}

// supervise ends the node when the watchdog barks.
func (n *Node) supervise() {
	if w, ok := n.env.ConsensusState.(interface{ Wait() }); ok {
		go n.dog.watch(w)
	}
	select {
	case <-n.running.Done():
	case err := <-n.dog.failed:
		n.log.Error("this node has failed and must be restarted; what it has committed is safe", "height", n.Height(), "err", err)
		n.end(err)
	}
}

func (n *Node) end(err error) {
	n.doneOnce.Do(func() {
		n.err = err
		close(n.done)
	})
}

// serve runs one server until Stop; one that ends before is a failure of the node.
func (n *Node) serve(what string, run func() error) {
	n.work(func() {
		if err := run(); err != nil && !errors.Is(err, http.ErrServerClosed) && !n.stopping.Load() {
			n.dog.bark(fmt.Errorf("serve %s: %w", what, err))
		}
	})
}

// work runs something that Stop waits for.
func (n *Node) work(run func()) {
	n.workers.Add(1)
	go func() {
		defer n.workers.Done()
		run()
	}()
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
