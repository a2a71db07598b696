package node

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
	cmtlog "github.com/cometbft/cometbft/libs/log"
	cmtpubsub "github.com/cometbft/cometbft/libs/pubsub"
	cmtp2p "github.com/cometbft/cometbft/p2p"
	cmtcore "github.com/cometbft/cometbft/rpc/core"
	cmtcoretypes "github.com/cometbft/cometbft/rpc/core/types"
	cmtrpc "github.com/cometbft/cometbft/rpc/jsonrpc/server"
	cmtrpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
)

// engineRPC serves CometBFT's own RPC on the port where its tools expect it. The handlers are CometBFT's but
// for three:
//
//   - `tx` knows single transactions by the hash of their bytes, which broadcast_tx_sync returns, and
//     every transaction by its id, also inside a frame. CometBFT's index would store all frames twice.
//   - `tx_search` and `block_search` say what to use instead: there is no index to search.
//   - `check_tx` is gone: with the application's pool it would submit what it is asked about.
//
// CometBFT's own server cannot be given other handlers, which is why it is switched off and this one runs.
type engineRPC struct {
	env      *cmtcore.Environment
	finder   *finder
	server   *http.Server
	listener net.Listener
}

// newEngineRPC prepares the server on a listener that is open already; events is where subscribers of
// websockets are cleaned up.
func newEngineRPC(env *cmtcore.Environment, c *cmtcfg.RPCConfig, f *finder, l net.Listener, log cmtlog.Logger) *engineRPC {
	r := &engineRPC{env: env, finder: f, listener: l}
	env.P2PTransport = announced{env.P2PTransport, c.ListenAddress}
	config := serverConfig(c)
	routes := r.routes(c.Unsafe)
	mux := http.NewServeMux()
	wsLog := log.With("protocol", "websocket")
	sockets := cmtrpc.NewWebsocketManager(
		routes,
		cmtrpc.OnDisconnect(func(remote string) {
			err := env.EventBus.UnsubscribeAll(context.Background(), remote)
			if err != nil && !errors.Is(err, cmtpubsub.ErrSubscriptionNotFound) {
				wsLog.Error("a closed websocket keeps its subscriptions", "remote", remote, "err", err)
			}
		}),
		cmtrpc.ReadLimit(config.MaxBodyBytes),
		cmtrpc.WriteChanCapacity(c.WebSocketWriteBufferSize),
	)
	sockets.SetLogger(wsLog)
	mux.HandleFunc("/websocket", sockets.WebsocketHandler)
	cmtrpc.RegisterRPCFuncs(mux, routes, log)

	handler := cmtrpc.PreChecksHandler(cmtrpc.RecoverAndLogHandler(allowOrigins(mux, c), log), config)
	r.server = &http.Server{
		Handler:           handler,
		ReadTimeout:       config.ReadTimeout,
		ReadHeaderTimeout: config.ReadTimeout,
		WriteTimeout:      config.WriteTimeout,
		MaxHeaderBytes:    config.MaxHeaderBytes,
	}
	return r
}

// routes is CometBFT's table with our changes.
func (r *engineRPC) routes(unsafe bool) cmtcore.RoutesMap {
	routes := r.env.GetRoutes()
	if unsafe {
		r.env.AddUnsafeRoutes(routes)
	}
	delete(routes, "check_tx")
	routes["tx"] = cmtrpc.NewRPCFunc(r.tx, "hash,prove", cmtrpc.Cacheable())
	routes["tx_search"] = cmtrpc.NewRPCFunc(noTxSearch, "query,prove,page,per_page,order_by")
	routes["block_search"] = cmtrpc.NewRPCFunc(noBlockSearch, "query,page,per_page,order_by")
	return routes
}

// serve answers until stop.
func (r *engineRPC) serve() error {
	err := r.server.Serve(r.listener)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// stop ends requests that take longer than ctx; websockets end at once, since they never would.
func (r *engineRPC) stop(ctx context.Context) {
	if err := r.server.Shutdown(ctx); err != nil {
		_ = r.server.Close() // what is still open is cut off
	}
}

// tx is CometBFT's route of that name.
func (r *engineRPC) tx(_ *cmtrpctypes.Context, hash []byte, prove bool) (*cmtcoretypes.ResultTx, error) {
	return r.finder.find(hash, prove)
}

func noTxSearch(_ *cmtrpctypes.Context, _ string, _ bool, _, _ *int, _ string) (*cmtcoretypes.ResultTxSearch, error) {
	return nil, errors.New("tx_search is not offered: ask /tx?hash= for one transaction, /block?height= for a block's, or subscribe over /websocket")
}

func noBlockSearch(_ *cmtrpctypes.Context, _ string, _, _ *int, _ string) (*cmtcoretypes.ResultBlockSearch, error) {
	return nil, errors.New("block_search is not offered: ask /block?height= or /block_by_hash, or subscribe over /websocket")
}

// serverConfig is what CometBFT makes of its own keys.
func serverConfig(c *cmtcfg.RPCConfig) *cmtrpc.Config {
	config := cmtrpc.DefaultConfig()
	config.MaxOpenConnections = c.MaxOpenConnections
	config.MaxBodyBytes = c.MaxBodyBytes
	config.MaxHeaderBytes = c.MaxHeaderBytes
	config.MaxRequestBatchSize = c.MaxRequestBatchSize
	// The answer of broadcast_tx_commit comes as late as its own timeout says.
	config.WriteTimeout = max(config.WriteTimeout, c.TimeoutBroadcastTxCommit+time.Second)
	return config
}

// announced is the node as `status` shows it: CometBFT believes that it serves no RPC and keeps no
// transactions, and tools would give up at reading so.
type announced struct {
	transport
	rpcAddress string
}

// transport is what CometBFT's environment asks of its transport.
type transport interface {
	Listeners() []string
	IsListening() bool
	NodeInfo() cmtp2p.NodeInfo
}

func (a announced) NodeInfo() cmtp2p.NodeInfo {
	info, ok := a.transport.NodeInfo().(cmtp2p.DefaultNodeInfo)
	if !ok {
		return a.transport.NodeInfo()
	}
	info.Other.RPCAddress = a.rpcAddress
	info.Other.TxIndex = "on"
	return info
}

// allowOrigins answers browsers of other origins as rpc.cors_allowed_origins says; with none, which is the
// default, their requests find no permission.
func allowOrigins(next http.Handler, c *cmtcfg.RPCConfig) http.Handler {
	if len(c.CORSAllowedOrigins) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		origin := req.Header.Get("Origin")
		if origin != "" && (slices.Contains(c.CORSAllowedOrigins, "*") || slices.Contains(c.CORSAllowedOrigins, origin)) {
			h := w.Header()
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Methods", strings.Join(c.CORSAllowedMethods, ", "))
			h.Set("Access-Control-Allow-Headers", strings.Join(c.CORSAllowedHeaders, ", "))
			h.Add("Vary", "Origin")
		}
		if req.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, req)
	})
}
