package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// Bounds and defaults of a load.
const (
	// benchTxsMax is how many transfers a run keeps track of: some 50 bytes each.
	benchTxsMax = 5_000_000
	// benchPrefill is how many transfers are signed before the run, so that signing takes no time from the
	// nodes it shares a machine with; at about 250 bytes each this is 150 MB.
	benchPrefill = 600_000
	// benchTopRate is the rate that a run without one prepares for.
	benchTopRate = 20_000
	// benchBatchTxs is half a frame, and benchBatchTime how long transfers are gathered for a request when
	// they come slowly.
	benchBatchTxs  = 256
	benchBatchTime = 10 * time.Millisecond
	// benchOutstanding is a second of transfers or so: enough to fill the next block while one is decided, and
	// little enough that a transfer does not spend most of its time in a queue.
	benchOutstanding = 12_000
	// benchSenders is how many requests are under way to each node.
	benchSenders = 8
	// benchTimeout is how long a node may take for a request: much longer than it should, under load.
	benchTimeout = 10 * time.Second
	// benchDrain is how long a run waits for transfers without seeing any more of them in blocks.
	benchDrain = 15 * time.Second
)

// BenchOptions say what load to put on a network.
type BenchOptions struct {
	// Endpoints are the nodes that get the load, in equal parts. The last one is also asked for blocks.
	Endpoints []string
	// HTTP sends the requests; nil takes a client that keeps enough connections.
	HTTP    *http.Client
	ChainID string
	Genesis crypto.Hash
	// Keys are those of the accounts that pay each other in turn, at least two. They must have the money.
	Keys []crypto.PrivateKey
	// Asset is moved, Amount of it at a time, as a decimal number.
	Asset, Amount string
	// Rate is in transfers per second, whatever the network does with them; 0: as much as the network takes.
	Rate float64
	// Duration is how long transfers are sent.
	Duration time.Duration
	// BatchTxs is how many transfers go into one request; 0: 256, or fewer at low rates.
	BatchTxs int
	// Outstanding bounds the transfers that are sent and not decided when there is no rate; 0: 12,000.
	Outstanding int
	// Progress is told about the run once a second, from one goroutine; nil: nobody is.
	Progress func(BenchProgress)
}

// Phases of a run.
const (
	BenchSigning  = "signing"
	BenchRunning  = "running"
	BenchDraining = "draining"
	BenchAudit    = "audit"
)

// BenchProgress is where a run is.
type BenchProgress struct {
	Phase     string
	Done      float64 // of the phase, 0 to 1
	Sent      int
	Committed int
	Rate      float64 // committed per second, over the last second
	P50, P99  time.Duration
}

// Bench puts load on a network, measures what it does, and audits the result. The report is whole unless
// there is an error; that the audit found something is said in the report.
func Bench(ctx context.Context, o BenchOptions) (BenchReport, error) {
	b, err := newBench(o)
	if err != nil {
		return BenchReport{}, err
	}
	if err := b.begin(ctx); err != nil {
		return BenchReport{}, err
	}
	stop := b.load.sign(b.o.Progress)
	defer stop()
	before := b.client.StatusAll(ctx)
	b.run(ctx)
	after := b.client.StatusAll(ctx)
	if err := ctx.Err(); err != nil {
		return BenchReport{}, err
	}
	report := b.report(before, after)
	report.Audit = b.audit(ctx)
	return report, ctx.Err()
}

// bench is one run.
type bench struct {
	o       BenchOptions
	client  *Client
	amount  ledger.Amount
	scale   uint8
	load    *load
	follow  *follower
	before  *books // what the accounts had
	started time.Time
	// What the senders count. In flight is what was sent and is not decided.
	sent, refused, unsure atomic.Int64
}

func newBench(o BenchOptions) (*bench, error) {
	switch {
	case len(o.Keys) < 2:
		return nil, errors.New("a load needs at least two accounts")
	case o.Duration <= 0:
		return nil, errors.New("a load needs a duration")
	case o.Rate < 0:
		return nil, errors.New("the rate is negative")
	case o.BatchTxs < 0 || o.BatchTxs > rpc.BatchTxsMax:
		return nil, fmt.Errorf("a request takes 1 to %d transfers, not %d", rpc.BatchTxsMax, o.BatchTxs)
	}
	if o.Outstanding <= 0 {
		o.Outstanding = benchOutstanding
	}
	if o.Progress == nil {
		o.Progress = func(BenchProgress) {}
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: 2 * benchSenders, IdleConnTimeout: time.Minute, DisableCompression: true,
		}}
	}
	c, err := New(Options{Endpoints: o.Endpoints, HTTP: o.HTTP, Timeout: benchTimeout, Consistency: rpc.ConsistencySession})
	if err != nil {
		return nil, err
	}
	return &bench{o: o, client: c}, nil
}

// begin reads what must be known before the first transfer is signed.
func (b *bench) begin(ctx context.Context) error {
	asset, err := b.client.Asset(ctx, b.o.Asset, ReadOptions{})
	if err != nil {
		return err
	}
	b.scale = asset.Scale
	if b.amount, err = ledger.ParseAmount(b.o.Amount, asset.Scale); err != nil {
		return err
	}
	if b.before, err = readBooks(ctx, b.client, b.o.Keys, b.o.Asset, asset.Scale); err != nil {
		return fmt.Errorf("read the accounts: %w", err)
	}
	params, err := b.client.Params(ctx, ReadOptions{})
	if err != nil {
		return err
	}
	if b.load, err = newLoad(b.o, b.amount, params.ValidForMaxMS); err != nil {
		return err
	}
	b.follow = newFollower(b.client, b.load, b.before.height)
	return nil
}

// run sends, follows and waits for the rest.
func (b *bench) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	runtime.GC() // what signing left behind should not be collected in the middle of the run
	b.started = time.Now()
	b.load.started.Store(b.started.UnixNano())
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		b.follow.run(ctx)
	}()
	told := make(chan struct{})
	go func() {
		defer close(told)
		b.tell(ctx)
	}()
	b.send(ctx)
	b.drain(ctx)
	cancel()
	<-followed
	<-told
}

// accepted is how many transfers a node has taken in.
func (b *bench) accepted() int64 { return b.sent.Load() - b.refused.Load() - b.unsure.Load() }

// drain waits until every accepted transfer is decided, or no more of them come.
func (b *bench) drain(ctx context.Context) {
	last, since := b.follow.decided.Load(), time.Now()
	for b.follow.decided.Load() < b.accepted() && ctx.Err() == nil {
		if now := b.follow.decided.Load(); now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) > benchDrain || !pause(ctx, 10*time.Millisecond) {
			return
		}
	}
}

// tell reports progress once a second.
func (b *bench) tell(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var before int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p := BenchProgress{Phase: BenchRunning, Sent: int(b.sent.Load()), Committed: int(b.follow.committed.Load())}
		p.Done = min(1, float64(time.Since(b.started))/float64(b.o.Duration))
		if p.Done == 1 {
			p.Phase = BenchDraining
			p.Done = float64(b.follow.decided.Load()) / float64(max(1, b.accepted()))
		}
		p.Rate = float64(int64(p.Committed) - before)
		before = int64(p.Committed)
		p.P50, p.P99 = b.follow.quantiles()
		b.o.Progress(p)
	}
}
