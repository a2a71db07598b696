package plane

import (
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"

	"github.com/tetradledger/tetrad/ledger"
)

// Everything that comes from outside has a bound, and every bound is here with its reason.
const (
	// membersMax is as many as a ledger has validators.
	membersMax = ledger.ValidatorsLimit
	// strangersMax bounds the connections whose other end is not known yet: each holds a handshake.
	strangersMax = 32
	// memberConns lets both ends dial at once, and one more come before the last is noticed to be dead.
	memberConns = 4
	// memberStreams bounds the requests of one member that are under way: many more than a node has use for, since
	// reads that come together share one.
	memberStreams = 64
	// memberBytes and planeBytes bound what libp2p holds for one member and in all. A stream alone takes 256 KiB of it
	// while it is open.
	memberBytes = 32 << 20
	planeBytes  = 256 << 20

	// rate and burst bound a member's requests: one costs a tenth of a millisecond.
	rate  = 1000 // a second
	burst = 200

	// serveTimeout is for reading one frame and sending one.
	serveTimeout = time.Second
	// dialTimeout is for a connection and its handshake.
	dialTimeout = 2 * time.Second
	// redialEvery is how often the plane tries to reach the members it is not connected to.
	redialEvery = time.Second
	// measureEvery is how often the way to a member is measured, on average; regions do not move. One measurement costs
	// both ends half a millisecond.
	measureEvery = 15 * time.Second
	// measureTicks is how often in that time it is seen who is due, measuresMax how many are measured at once.
	measureTicks = 16
	measuresMax  = 16
	// staleAfter is after how many of those times without a measurement a figure is called stale.
	staleAfter = 4
	// echoTimeout is for the echoes of one measurement, to the other end of the world and back, and a row.
	echoTimeout = 5 * time.Second

	// deafAfter is how many requests in a row a member may leave unanswered before the connection is thought to be
	// dead, which libp2p itself notices after half a minute.
	deafAfter = 3
)

// limits are those bounds as libp2p has them.
func limits() rcmgr.ConcreteLimitConfig {
	return rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{
			Conns: membersMax*memberConns + strangersMax, ConnsInbound: membersMax*memberConns + strangersMax,
			ConnsOutbound: membersMax * memberConns, FD: membersMax*memberConns + strangersMax,
			Streams: rcmgr.Unlimited, StreamsInbound: rcmgr.Unlimited, StreamsOutbound: rcmgr.Unlimited, // each member's are bounded, and memory is
			Memory: planeBytes,
		},
		Transient: rcmgr.ResourceLimits{
			Conns: strangersMax, ConnsInbound: strangersMax, ConnsOutbound: membersMax, FD: strangersMax + membersMax, Memory: memberBytes,
		},
		PeerDefault: rcmgr.ResourceLimits{
			Conns: memberConns, ConnsInbound: memberConns, ConnsOutbound: memberConns, FD: memberConns,
			Streams: 2 * memberStreams, StreamsInbound: memberStreams, StreamsOutbound: memberStreams, Memory: memberBytes,
		},
	}.Build(rcmgr.DefaultLimits.Scale(planeBytes, membersMax*memberConns))
}

// resources makes what enforces the limits.
func resources() (network.ResourceManager, error) {
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits()), rcmgr.WithMetricsDisabled())
}

// bucket lets rate requests a second through, and burst at once. It is not safe for use by several goroutines.
type bucket struct {
	tokens float64
	filled time.Time
}

// take tells whether there is room for one request more.
func (b *bucket) take(now time.Time) bool {
	if b.filled.IsZero() {
		b.tokens, b.filled = burst, now
	}
	if since := now.Sub(b.filled); since > 0 {
		b.tokens, b.filled = min(burst, b.tokens+since.Seconds()*rate), now
	}
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
