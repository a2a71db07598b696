package client

import (
	"context"
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
	// benchTxsMax is how many transactions a run keeps track of: some 50 bytes each.
	benchTxsMax = 20_000_000
	// benchAccountsMax bounds what is held per account, some 250 bytes with its key.
	benchAccountsMax = 10_000_000
	// benchPresign is how much is signed before the run, so that signing takes no time from the nodes it shares
	// a machine with: four million transfers, or some minutes at any rate this ledger reaches.
	benchPresign    = 1 << 30
	benchPresignMax = 64 << 30
	// benchTopTxs and benchTopTransfers are what a run without a rate prepares for, per second: whichever is
	// reached first.
	benchTopTxs       = 20_000
	benchTopTransfers = 150_000
	// benchBatchTxs is half a frame, and benchBatchTime how long transactions are gathered for a request when
	// they come slowly.
	benchBatchTxs  = 256
	benchBatchTime = 10 * time.Millisecond
	// benchOutstanding is a second of transfers or so: enough to fill the next block while one is decided, and
	// little enough that a transfer does not spend most of its time in a queue. Larger transactions are fewer.
	benchOutstanding    = 12_000
	benchOutstandingMin = 1_500
	// benchSenders is how many requests are under way to each node. A node takes no more than
	// benchSendersMax batches at a time.
	benchSenders    = 8
	benchSendersMax = 1024
	// benchTimeout is how long a node may take for a request: much longer than it should, under load.
	benchTimeout = 10 * time.Second
	// benchDrain is how long a run waits for transactions without seeing any more of them in blocks, and
	// benchDrainUnsure the same where no node has promised that there will be any.
	benchDrain       = 15 * time.Second
	benchDrainUnsure = 3 * time.Second
)

// Ways in for a load.
const (
	// PathBatch is POST /v1/transactions:batch, the fast way in.
	PathBatch = "batch"
	// PathSingle is POST /v1/transactions, one transaction per request.
	PathSingle = "single"
	// PathStock is CometBFT's broadcast_tx_async, and PathStockSync its broadcast_tx_sync. The former says
	// nothing of whether a transaction was taken in.
	PathStock     = "stock"
	PathStockSync = "stock-sync"
)

// BenchOptions say what load to put on a network.
type BenchOptions struct {
	// Endpoints are the network's nodes. The last one is asked for blocks.
	Endpoints []string
	// Targets are the nodes that get the load, in equal parts: HTTP APIs, or the addresses of CometBFT's RPC
	// where Path is one of the stock ones. Empty: all Endpoints.
	Targets []string
	// HTTP sends the requests; nil takes a client that keeps enough connections.
	HTTP    *http.Client
	ChainID string
	Genesis crypto.Hash
	// Accounts pay each other, at least two. They must have the money. Key derives the key of each.
	Accounts int
	Key      func(i int) crypto.PrivateKey
	// Skew is the exponent of the Zipf distribution by which payers and payees are drawn; 0: all alike.
	Skew float64
	// Seed decides who pays whom and when.
	Seed uint64
	// Asset is moved, Amount of it at a time, as a decimal number.
	Asset, Amount string
	// TransfersPerTx is how many transfers a transaction holds; 0: one.
	TransfersPerTx int
	// Rate is in transfers per second, whatever the network does with them; 0: as much as the network takes.
	Rate float64
	// Arrivals is how sending is spread over time at a rate; "": ArrivalsConstant.
	Arrivals string
	// Path is the way in; "": PathBatch.
	Path string
	// Duration is how long transactions are sent, the Warmup included: what was due before that is not in the
	// figures, but it is audited.
	Duration, Warmup time.Duration
	// BatchTxs is how many transactions go into one request; 0: 256, or fewer at low rates.
	BatchTxs int
	// Outstanding bounds the transactions that are sent and not decided when there is no rate; 0: 12,000, or fewer large ones.
	Outstanding int
	// Connections is how many requests are under way to each node; 0: 8.
	Connections int
	// PresignBytes is how much is signed before the run; the rest is signed during it. 0: 1 GiB.
	PresignBytes int64
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
	Sent      int     // transfers
	Committed int     // transfers
	Rate      float64 // transfers committed per second, over the last second
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
	signing := processorSeconds()
	stop := b.load.sign(b.o.Progress)
	defer stop()
	b.signingSeconds = processorSeconds() - signing
	before := b.client.StatusAll(ctx)
	runtime.GC() // what signing left behind should not be collected in the middle of the run
	sending := processorSeconds()
	b.run(ctx)
	b.sendingSeconds = processorSeconds() - sending
	after := b.client.StatusAll(ctx)
	if err := ctx.Err(); err != nil {
		return BenchReport{}, err
	}
	report := b.report(ctx, before, after)
	report.Audit = b.audit(ctx)
	report.Lost = b.lost
	return report, ctx.Err()
}

// bench is one run.
type bench struct {
	o       BenchOptions
	client  *Client
	deliver route
	amount  ledger.Amount
	scale   uint8
	load    *load
	follow  *follower
	before  *books // what the accounts had
	started time.Time
	// What the senders count. In flight is what was sent and is not decided.
	sent, refused, unsure atomic.Int64
	tally                 tally
	watch                 watch
	lost                  int // accepted, and without a receipt in the end

	signingSeconds, sendingSeconds float64 // processor time of this process
}

func newBench(o BenchOptions) (*bench, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	if o.HTTP == nil {
		o.HTTP = &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: 2 * o.Connections, IdleConnTimeout: time.Minute, DisableCompression: true,
		}}
	}
	c, err := New(Options{Endpoints: o.Endpoints, HTTP: o.HTTP, Timeout: benchTimeout, Consistency: rpc.ConsistencySession})
	if err != nil {
		return nil, err
	}
	b := &bench{o: o, client: c}
	b.deliver, err = b.routeOf(o.Path)
	return b, err
}

// check names what no run can be made of.
func (o BenchOptions) check() error {
	switch {
	case o.Accounts < 2 || o.Key == nil:
		return fmt.Errorf("a load needs at least two accounts")
	case o.Accounts > benchAccountsMax:
		return fmt.Errorf("%d accounts are more than the %d a run keeps track of", o.Accounts, benchAccountsMax)
	case o.Duration <= 0:
		return fmt.Errorf("a load needs a duration")
	case o.Warmup < 0 || o.Warmup >= o.Duration:
		return fmt.Errorf("a warm-up of %s does not fit into %s", o.Warmup, o.Duration)
	case !(o.Rate >= 0):
		return fmt.Errorf("the rate is negative")
	case !(o.Skew >= 0 && o.Skew <= skewMax):
		return fmt.Errorf("the skew is from 0 to %d, not %g", skewMax, o.Skew)
	case o.TransfersPerTx < 0 || o.TransfersPerTx > ledger.OpsMax:
		return fmt.Errorf("a transaction holds 1 to %d transfers, not %d", ledger.OpsMax, o.TransfersPerTx)
	case o.BatchTxs < 0 || o.BatchTxs > rpc.BatchTxsMax:
		return fmt.Errorf("a request takes 1 to %d transactions, not %d", rpc.BatchTxsMax, o.BatchTxs)
	case o.Connections < 0 || o.Connections > benchSendersMax:
		return fmt.Errorf("1 to %d connections to each node are possible, not %d", benchSendersMax, o.Connections)
	case o.PresignBytes < 0 || o.PresignBytes > benchPresignMax:
		return fmt.Errorf("up to %d bytes can be signed before a run, not %d", int64(benchPresignMax), o.PresignBytes)
	case isStock(o.Path) && len(o.Targets) == 0:
		return fmt.Errorf("the load needs to know where CometBFT's RPC is")
	}
	return nil
}

// skewMax: beyond it one account is in nearly every transfer.
const skewMax = 5

func isStock(path string) bool { return path == PathStock || path == PathStockSync }

func (o BenchOptions) withDefaults() BenchOptions {
	o.TransfersPerTx = max(1, o.TransfersPerTx)
	if o.Outstanding <= 0 {
		o.Outstanding = max(benchOutstandingMin, benchOutstanding/o.TransfersPerTx)
	}
	if o.Progress == nil {
		o.Progress = func(BenchProgress) {}
	}
	if o.Connections == 0 {
		o.Connections = benchSenders
	}
	if o.PresignBytes == 0 {
		o.PresignBytes = benchPresign
	}
	if o.Path == "" {
		o.Path = PathBatch
	}
	if o.Arrivals == "" {
		o.Arrivals = ArrivalsConstant
	}
	if len(o.Targets) == 0 {
		o.Targets = o.Endpoints
	}
	return o
}

// begin reads what must be known before the first transaction is signed.
func (b *bench) begin(ctx context.Context) error {
	// What was committed before, such as the accounts' money, may not have reached every node: nothing is read that
	// is older than what the newest of them has now.
	for _, n := range b.client.StatusAll(ctx) {
		if n.Err == nil {
			b.client.session.saw(n.Endpoint, n.Status.Height)
		}
	}
	asset, err := b.client.Asset(ctx, b.o.Asset, ReadOptions{})
	if err != nil {
		return err
	}
	b.scale = asset.Scale
	if b.amount, err = ledger.ParseAmount(b.o.Amount, asset.Scale); err != nil {
		return err
	}
	params, err := b.client.Params(ctx, ReadOptions{})
	if err != nil {
		return err
	}
	if b.load, err = newLoad(b.o, b.amount, params.ValidForMaxMS); err != nil {
		return err
	}
	if b.before, err = b.readBooks(ctx); err != nil {
		return fmt.Errorf("read the accounts: %w", err)
	}
	b.follow = newFollower(b.client, b.load, b.before.height, b.o.Warmup)
	return nil
}

// run sends, follows and waits for the rest.
func (b *bench) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
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
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		b.watch.run(ctx, b)
	}()
	b.send(ctx)
	b.drain(ctx)
	cancel()
	<-followed
	<-told
	<-watched
}

// accepted is how many transactions a node has taken in.
func (b *bench) accepted() int64 { return b.sent.Load() - b.refused.Load() - b.unsure.Load() }

// drain waits until every accepted transaction is decided, or no more of them come. What is unsure may be
// decided, too, but nobody said so: it is not waited for as long.
func (b *bench) drain(ctx context.Context) {
	last, since := b.follow.decided.Load(), time.Now()
	for b.follow.decided.Load() < b.accepted()+b.unsure.Load() && ctx.Err() == nil {
		if now := b.follow.decided.Load(); now != last {
			last, since = now, time.Now()
		}
		patience := benchDrain
		if last >= b.accepted() {
			patience = benchDrainUnsure
		}
		if time.Since(since) > patience || !pause(ctx, 10*time.Millisecond) {
			return
		}
	}
}

// tell reports progress once a second.
func (b *bench) tell(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	perTx := b.load.perTx
	before := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p := BenchProgress{Phase: BenchRunning, Sent: int(b.sent.Load()) * perTx, Committed: int(b.follow.committed.Load()) * perTx}
		p.Done = min(1, float64(time.Since(b.started))/float64(b.o.Duration))
		if p.Done == 1 {
			p.Phase = BenchDraining
			p.Done = float64(b.follow.decided.Load()) / float64(max(1, b.accepted()))
		}
		p.Rate = float64(p.Committed - before)
		before = p.Committed
		p.P50, p.P99 = b.follow.quantiles()
		b.o.Progress(p)
	}
}
