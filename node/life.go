package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"runtime/debug"
	"time"

	cmtconsensus "github.com/cometbft/cometbft/consensus"
)

// Start begins to serve and to take part in consensus. It returns as soon as CometBFT runs, or after a moment
// if that takes longer: with libp2p CometBFT first waits for peers that may be away, and a network may begin
// in the future. What goes wrong later ends the node: see Done. Start is called once.
func (n *Node) Start() error {
	if n.plane != nil {
		if err := n.plane.Start(); err != nil {
			return err
		}
	}
	n.serve("http api", func() error { return n.api.Serve(n.apiListener) })
	if n.metricsListener != nil {
		n.serve("metrics", func() error { return n.metricsServer.Serve(n.metricsListener) })
	}
	if n.engineRPC != nil {
		n.serve("CometBFT's rpc", n.engineRPC.serve)
	}
	n.work(func() { n.places.run(n.running, n.engine.BlockStore()) })
	n.work(n.supervise)
	n.work(n.watchReach)
	n.work(n.passOn)
	n.work(n.watchRoster)
	if n.syncing.Load() {
		n.work(n.watchSync)
	}

	n.launched.Store(true)
	n.work(n.runEngine)
	select {
	case <-n.up:
		if n.upErr != nil {
			return fmt.Errorf("start CometBFT: %w", n.upErr)
		}
	case <-time.After(startPatience):
		n.log.Info("CometBFT is not running yet: it waits for its peers or for the time of genesis")
	}
	n.log.Info("node started", "node", n.config.Engine.Moniker, "chain", n.doc.ChainID, "height", n.Height(),
		"api", n.config.API.Listen, "rpc", n.config.Engine.RPC.ListenAddress, "transport", n.transport())
	return nil
}

const (
	// startPatience is how long Start waits for CometBFT to run.
	startPatience = 2 * time.Second
	// drainPatience is how long requests that are being answered may take.
	drainPatience = time.Second
)

// Tests, which stop nodes on machines that are busy with others, have more time, and go on in the same process.
var (
	// stopPatience leaves the process some of the five seconds that an orderly end may take.
	stopPatience = 4500 * time.Millisecond
	// upPatience is how long Stop waits for a CometBFT that is still starting.
	upPatience = 2 * time.Second
)

// runEngine starts CometBFT and what watches over its peers.
func (n *Node) runEngine() {
	defer close(n.up)
	begin := time.NewTimer(time.Until(time.UnixMilli(int64(n.doc.TimeMS))))
	defer begin.Stop()
	select {
	case <-begin.C: // CometBFT would sleep until then, and could not be woken up
	case <-n.running.Done():
		return
	}
	n.tendPeers()
	if n.upErr = n.startEngine(); n.upErr != nil {
		if n.syncing.Load() {
			n.upErr = fmt.Errorf("%w: %w; %s", ErrSyncFailed, n.upErr, syncAdvice)
		}
		n.dog.bark(fmt.Errorf("start CometBFT: %w", n.upErr))
		return
	}
	n.starting.Store(false)
	log := n.log.With("module", "peers")
	n.work(func() { evict(n.running, n.engine.Switch(), n.allowed, log) })
	if !n.config.Engine.P2P.LibP2PEnabled() {
		n.work(n.redial)
	}
}

// startEngine calls CometBFT's Start, which reads its log of the height under way, and executes what that decides. It
// drops what it cannot read of the newest file of the log, but not of the others, and panics where what it read does
// not fit the ledger.
func (n *Node) startEngine() (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			n.log.Debug("CometBFT panicked while it started", "cause", cause, "stack", string(debug.Stack()))
			n.halfUp = true
			err = n.misfit(cause)
		}
	}()
	if err := n.mendLog(); err != nil {
		return err
	}
	err = n.engine.Start()
	if damaged := new(cmtconsensus.DataCorruptionError); errors.As(err, damaged) {
		return fmt.Errorf("%s is damaged: %w; move it away: the node then takes part again from the next height on",
			filepath.Dir(n.config.Engine.Consensus.WalFile()), err)
	}
	return err
}

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
	if n.launched.Load() {
		select {
		case <-n.up: // CometBFT must not be stopped while it starts
		case <-time.After(upPatience):
			n.log.Warn("CometBFT is still starting: the process ends without closing its files, which is safe")
			return nil
		}
	}
	var errs []error
	if n.closePlane != nil {
		errs = append(errs, n.closePlane()) // it reads CometBFT's blocks
	}
	if n.engine.IsRunning() && !n.halfUp { // of a half of it nothing can be waited for
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
	if n.closePlane != nil {
		errs = append(errs, n.closePlane())
	}
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
	for _, db := range n.databases { // those of a CometBFT that never ran are still open
		errs = append(errs, db.Close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	if n.outbox != nil {
		errs = append(errs, n.outbox.Close())
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
		if errors.Is(err, ErrConsensusDead) {
			err = n.explained(err)
		}
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
