package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
)

// benchFlags say what load to put on a network.
type benchFlags struct {
	// What to find out: the result at one rate, at none, the highest rate sustained, or what overload does.
	rate     float64
	max      bool
	ladder   bool
	overload []float64

	duration, warmup time.Duration
	accounts         int
	skew             float64
	perTx            int
	arrivals         string
	path             string
	nodes            []int
	rpc              []string
	batch            int
	connections      int
	outstanding      int
	seed             uint64
	presign          int64 // MiB
	steps            int
	factor           float64
	p99              time.Duration

	from, asset, amount string

	report string
	data   []string
	labels []string
}

func newBench(c *cli) *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Put load on a network, measure what it does, and check the result",
		Long: `Put load on a network, measure what it does, and check afterwards that not one unit was lost or made: every
accepted transaction has exactly one receipt, all nodes have the same state, the accounts have what they should
(a sample of them, if there are more than 10,000), and the supply is what it was.

With --rate the loop is open: transfers are sent when they are due, whatever the network does, and latency is
from the time they were due. With --max a bounded number is under way. --ladder looks for the highest rate that
is sustained, beginning at --rate. --overload sends multiples of --rate. Without --rate, both of them begin
with a run of --max.

The accounts that pay each other are derived from a fixed seed; those that lack money get some first, from the
asset's issuer if its key is here, or else from --from.`,
		Example: `  tetrad bench --max --duration 30s
  tetrad bench --rate 1000 --arrivals poisson --report result.json
  tetrad bench --ladder --duration 15s --warmup 3s
  tetrad bench --overload 2,5,20 --duration 10s`,
		Args: names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return c.bench(cmd.Context(), f)
		},
	}
	f.add(cmd)
	addPassphraseFlags(cmd)
	addKeyringFlag(cmd)
	return cmd
}

func (f *benchFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Float64Var(&f.rate, "rate", 0, "transfers per second, whatever the network does (open loop)")
	flags.BoolVar(&f.max, "max", false, "as many as the network takes (the default)")
	flags.BoolVar(&f.ladder, "ladder", false, "find the highest rate that is sustained")
	flags.Float64SliceVar(&f.overload, "overload", nil, "send these multiples of what the network can do, such as 2,5,20")
	flags.DurationVar(&f.duration, "duration", 30*time.Second, "how long to send, for each run")
	flags.DurationVar(&f.warmup, "warmup", 0, "the part of that which is not in the figures")
	flags.IntVar(&f.accounts, "accounts", 256, "how many accounts pay each other")
	flags.Float64Var(&f.skew, "skew", 0, "exponent of the Zipf distribution of payers and payees; 0: all alike")
	flags.IntVar(&f.perTx, "transfers-per-tx", 1, "transfers in each transaction")
	flags.StringVar(&f.arrivals, "arrivals", client.ArrivalsConstant, "of --rate: constant or poisson")
	flags.StringVar(&f.path, "path", client.PathBatch, "way in: batch, single, stock (CometBFT's broadcast_tx_async) or stock-sync")
	flags.IntSliceVar(&f.nodes, "nodes", nil, "send to these of the nodes, counted from 0 (default all)")
	flags.StringSliceVar(&f.rpc, "rpc", nil, "CometBFT's RPC for the stock paths (default the port below each node's API)")
	flags.IntVar(&f.batch, "batch", 0, "transactions per request (default 256, or fewer at low rates)")
	flags.IntVar(&f.connections, "connections", 0, "requests under way to each node (default 8; 32 with --overload)")
	flags.IntVar(&f.outstanding, "outstanding", 0, "transactions under way with --max (default 12000, or fewer large ones)")
	flags.Uint64Var(&f.seed, "seed", 1, "decides who pays whom and when")
	flags.Int64Var(&f.presign, "presign", 0, "MiB of transactions to sign before the run (default 1024); the rest is signed during it")
	flags.IntVar(&f.steps, "steps", 0, "of --ladder: at most so many rates (default 12)")
	flags.Float64Var(&f.factor, "factor", 0, "of --ladder: from one rate to the next (default 1.15)")
	flags.DurationVar(&f.p99, "p99", 0, "of --ladder: the latency that a sustained rate keeps (default 1s)")
	flags.StringVar(&f.from, "from", "", "the key that funds the accounts (default the asset's issuer, else the default key)")
	flags.StringVar(&f.asset, "asset", genesis.DevAsset, "what is paid")
	flags.StringVar(&f.amount, "amount", "0.01", "how much at a time")
	flags.StringVar(&f.report, "report", "", "write the JSON report to this file, too")
	flags.StringSliceVar(&f.data, "data", nil, "the nodes' homes, if they are on this machine: report how much they grow")
	flags.StringArrayVar(&f.labels, "label", nil, "a note for the report; may be given several times")
}

// What a command line may ask for. The client has bounds of its own, which these stay within.
const (
	benchAccountsMax    = genesis.BenchAccountsMax
	benchConnectionsMax = 1024
	benchSkewMax        = 5
	benchPresignMax     = 64 << 10
	benchDurationMax    = 24 * time.Hour
)

func (f benchFlags) check() error {
	paths := []string{client.PathBatch, client.PathSingle, client.PathStock, client.PathStockSync}
	switch {
	case f.max && f.rate > 0:
		return usagef("--rate and --max exclude each other")
	case f.max && (f.ladder || len(f.overload) > 0) || f.ladder && len(f.overload) > 0:
		return usagef("--max, --ladder and --overload exclude each other")
	case !(f.rate >= 0):
		return usagef("--rate must be more than 0, not %g", f.rate)
	case f.duration < time.Second || f.duration > benchDurationMax:
		return usagef("--duration must be from 1s to %s, not %s", benchDurationMax, f.duration)
	case f.warmup < 0 || f.warmup >= f.duration:
		return usagef("--warmup must be shorter than --duration, not %s", f.warmup)
	case f.accounts < 2 || f.accounts > benchAccountsMax:
		return usagef("--accounts must be between 2 and %d, not %d", benchAccountsMax, f.accounts)
	case !(f.skew >= 0 && f.skew <= benchSkewMax):
		return usagef("--skew must be between 0 and %d, not %g", benchSkewMax, f.skew)
	case f.perTx < 1 || f.perTx > ledger.OpsMax:
		return usagef("--transfers-per-tx must be between 1 and %d, not %d", ledger.OpsMax, f.perTx)
	case f.arrivals != client.ArrivalsConstant && f.arrivals != client.ArrivalsPoisson:
		return usagef("--arrivals must be constant or poisson, not %q", f.arrivals)
	case !slices.Contains(paths, f.path):
		return usagef("--path must be batch, single, stock or stock-sync, not %q", f.path)
	case f.connections < 0 || f.connections > benchConnectionsMax:
		return usagef("--connections must be between 1 and %d, not %d", benchConnectionsMax, f.connections)
	case f.presign < 0 || f.presign > benchPresignMax:
		return usagef("--presign must be between 1 and %d MiB, not %d", benchPresignMax, f.presign)
	case f.outstanding < 0:
		return usagef("--outstanding must be more than 0, not %d", f.outstanding)
	case f.steps < 0 || f.factor < 0 || f.p99 < 0:
		return usagef("--steps, --factor and --p99 must be more than 0")
	}
	return nil
}

// bench runs the load. Ctrl-C ends the command; what was sent until then is as good as any other.
func (c *cli) bench(ctx context.Context, f benchFlags) error {
	l, err := c.connect(ctx, "")
	if err != nil {
		return err
	}
	defer l.close()
	targets, err := f.targets(l.Endpoints())
	if err != nil {
		return err
	}
	bar := c.newProgress()
	defer bar.stop()
	if err := c.fundBench(ctx, l, f, bar); err != nil {
		return err
	}
	o := client.BenchOptions{
		Endpoints: l.Endpoints(), Targets: targets, ChainID: l.chain.id, Genesis: l.chain.genesis,
		Accounts: f.accounts, Key: func(i int) crypto.PrivateKey { return genesis.BenchKey(benchSeed, i) },
		Skew: f.skew, Seed: f.seed, Asset: f.asset, Amount: f.amount, TransfersPerTx: f.perTx,
		Rate: f.rate, Arrivals: f.arrivals, Path: f.path, Duration: f.duration, Warmup: f.warmup,
		BatchTxs: f.batch, Outstanding: f.outstanding, Connections: f.connections, PresignBytes: f.presign << 20, Progress: bar.show,
	}
	switch {
	case f.ladder:
		return c.benchLadder(ctx, f, o, bar)
	case len(f.overload) > 0:
		return c.benchOverload(ctx, f, o, bar)
	}
	machine := describeMachine()
	disk, err := diskBytes(f.data)
	if err != nil {
		return err
	}
	r, err := client.Bench(ctx, o)
	bar.stop()
	if err != nil {
		return err
	}
	r.Machine, r.Labels = machine, f.labels
	if len(f.data) > 0 {
		if r.Disk, err = diskUse(f.data, disk, r.Transfers); err != nil {
			return err
		}
	}
	return c.showReport(r, f.report)
}

func (c *cli) benchLadder(ctx context.Context, f benchFlags, o client.BenchOptions, bar *benchProgress) error {
	machine := describeMachine()
	r, err := client.BenchLadder(ctx, o, client.LadderOptions{
		Start: f.rate, Factor: f.factor, Steps: f.steps, P99Max: f.p99,
		Step: func(s client.LadderStep) { bar.note(ladderLine(s)) },
	})
	bar.stop()
	if err != nil {
		return err
	}
	r.Machine, r.Labels = machine, f.labels
	return c.showLadder(r, f.report)
}

func (c *cli) benchOverload(ctx context.Context, f benchFlags, o client.BenchOptions, bar *benchProgress) error {
	machine := describeMachine()
	r, err := client.BenchOverload(ctx, o, client.OverloadOptions{
		Base: f.rate, Factors: f.overload, Step: func(s client.OverloadStep) { bar.note(overloadLine(s)) },
	})
	bar.stop()
	if err != nil {
		return err
	}
	r.Machine, r.Labels = machine, f.labels
	return c.showOverload(r, f.report)
}

// targets are the nodes that get the load, as --nodes and --path say.
func (f benchFlags) targets(endpoints []string) ([]string, error) {
	chosen := endpoints
	stock := f.path == client.PathStock || f.path == client.PathStockSync
	if stock {
		if chosen = f.rpc; len(chosen) == 0 {
			for _, e := range endpoints {
				r, err := besideAPI(e)
				if err != nil {
					return nil, err
				}
				chosen = append(chosen, r)
			}
		}
	}
	if len(f.nodes) == 0 {
		return chosen, nil
	}
	var out []string
	for _, i := range f.nodes {
		if i < 0 || i >= len(chosen) {
			return nil, usagef("--nodes counts from 0 to %d, not %d", len(chosen)-1, i)
		}
		out = append(out, chosen[i])
	}
	return out, nil
}

// besideAPI is where CometBFT's RPC is on a network that 'tetrad testnet' wrote: one port below the API.
func besideAPI(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", fmt.Errorf("endpoint %s: %w", endpoint, err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil || port < 2 {
		return "", usagef("where CometBFT's RPC of %s is cannot be told", endpoint).next("name it with --rpc")
	}
	return "http://" + net.JoinHostPort(u.Hostname(), strconv.Itoa(port-1)), nil
}
