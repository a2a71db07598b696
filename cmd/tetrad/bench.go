package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/genesis"
	"github.com/tetradledger/tetrad/ledger"
)

// benchFlags say what load to put on a network.
type benchFlags struct {
	rate     float64
	max      bool
	duration time.Duration
	accounts int
	report   string
	from     string
	asset    string
	amount   string
	batch    int
}

func newBench(c *cli) *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Put load on a network, measure what it does, and check the result",
		Long: `Put load on a network, measure what it does, and check afterwards that not one unit was lost or made. The
accounts that pay each other are derived from a fixed seed; those that lack money get some first, from the
asset's issuer if its key is here, or else from --from.`,
		Example: "  tetrad bench --max --duration 30s\n  tetrad bench --rate 1000 --report result.json",
		Args:    names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return c.bench(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.Float64Var(&f.rate, "rate", 0, "transfers per second, whatever the network does (open loop)")
	flags.BoolVar(&f.max, "max", false, "as many as the network takes (the default)")
	flags.DurationVar(&f.duration, "duration", 30*time.Second, "how long to send")
	flags.IntVar(&f.accounts, "accounts", 256, "how many accounts pay each other")
	flags.StringVar(&f.report, "report", "", "write the JSON report to this file, too")
	flags.StringVar(&f.from, "from", "", "the key that funds the accounts (default the asset's issuer, else the default key)")
	flags.StringVar(&f.asset, "asset", genesis.DevAsset, "what is paid")
	flags.StringVar(&f.amount, "amount", "0.01", "how much at a time")
	flags.IntVar(&f.batch, "batch", 0, "transfers per request (default the client's)")
	addPassphraseFlags(cmd)
	addKeyringFlag(cmd)
	return cmd
}

// benchAccountsMax keeps the reads before and after a run in proportion.
const benchAccountsMax = 100_000

func (f benchFlags) check() error {
	switch {
	case f.max && f.rate > 0:
		return usagef("--rate and --max exclude each other")
	case f.rate < 0:
		return usagef("--rate must be more than 0, not %g", f.rate)
	case f.duration < time.Second:
		return usagef("--duration must be at least 1s, not %s", f.duration)
	case f.accounts < 2 || f.accounts > benchAccountsMax:
		return usagef("--accounts must be between 2 and %d, not %d", benchAccountsMax, f.accounts)
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
	keys := make([]crypto.PrivateKey, f.accounts)
	for i := range keys {
		keys[i] = genesis.BenchKey(benchSeed, i)
	}
	bar := c.newProgress()
	defer bar.stop()
	if err := c.fundBench(ctx, l, f, keys, bar); err != nil {
		return err
	}
	report, err := client.Bench(ctx, client.BenchOptions{
		Endpoints: l.Endpoints(), ChainID: l.chain.id, Genesis: l.chain.genesis, Keys: keys,
		Asset: f.asset, Amount: f.amount, Rate: f.rate, Duration: f.duration, BatchTxs: f.batch,
		Progress: bar.show,
	})
	bar.stop()
	if err != nil {
		return err
	}
	return c.showReport(report, f.report)
}

func (c *cli) showReport(r client.BenchReport, file string) error {
	if file != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return fmt.Errorf("encode the report: %w", err)
		}
		if err := replaceFile(file, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	err := c.show(r, func(w io.Writer) {
		fields(w, "committed", grouped(fmt.Sprint(r.Committed)), "failed", fmt.Sprint(r.Failed), "refused", fmt.Sprint(r.Refused),
			"duration", fmt.Sprintf("%.1f s", r.DurationS), "rate", grouped(fmt.Sprintf("%.0f", r.Rate))+" transfers/s",
			"p50", fmt.Sprintf("%.0f ms", r.P50MS), "p99", fmt.Sprintf("%.0f ms", r.P99MS),
			"CPU", fmt.Sprintf("%.1f us per transfer and validator", r.CPUUs), "audit", r.Audit)
	})
	if err == nil && r.Audit != "ok" {
		return &failure{exit: exitProof, slug: "audit_failed", class: "client", message: "the audit found a fault: " + r.Audit}
	}
	return err
}

// fundBench gives money to those accounts that have too little.
func (c *cli) fundBench(ctx context.Context, l *link, f benchFlags, keys []crypto.PrivateKey, bar *benchProgress) error {
	info, err := l.Asset(ctx, f.asset, client.ReadOptions{})
	if err != nil {
		return err
	}
	each, err := ledger.ParseAmount(f.amount, info.Scale)
	if err != nil || each.IsZero() {
		return badAmount("--amount %q is not an amount of %s", f.amount, f.asset)
	}
	enough, ok := timesTenThousand(each)
	if !ok {
		return badAmount("--amount %q is too large for a load", f.amount)
	}
	poor, err := accountsBelow(ctx, l, info.Asset, info.Scale, enough, keys)
	if err != nil || len(poor) == 0 {
		return err
	}
	payer, err := c.benchPayer(f, info.Issuer)
	if err != nil {
		return err
	}
	for done := 0; done < len(poor); done += ledger.OpsMax {
		bar.show(client.BenchProgress{Phase: "funding", Done: float64(done) / float64(len(poor))})
		draft := client.NewTx(l.chain.id, l.chain.genesis, payer.Public().Address()).Memo("bench")
		for _, to := range poor[done:min(done+ledger.OpsMax, len(poor))] {
			draft.Transfer(to, f.asset, enough)
		}
		if err := c.fundOnce(ctx, l, draft, payer); err != nil {
			return err
		}
	}
	return nil
}

// timesTenThousand is how often an account can pay before it needs somebody to pay it.
func timesTenThousand(a ledger.Amount) (ledger.Amount, bool) {
	ok := true
	for range 4 {
		sum, fits := a, true
		for range 9 {
			if sum, fits = sum.Add(a); !fits {
				ok = false
			}
		}
		a = sum
	}
	return a, ok
}

func (c *cli) fundOnce(ctx context.Context, l *link, draft *client.Draft, payer crypto.PrivateKey) error {
	signed, err := draft.Sign(payer)
	if err != nil {
		return err
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	status, err := c.submitAndWait(ctx, l, signed, waitCommitted)
	if err != nil {
		return fmt.Errorf("fund the accounts: %w", err)
	}
	if status.Status != "committed" {
		f := failureOfCode(ledger.Code(status.Code), "cannot fund the accounts: "+ledger.Code(status.Code).Info().Message)
		f.exit = exitFailed
		return f
	}
	return nil
}

// benchPayer is the asset's issuer if its key is here, which makes money out of nothing, or else --from.
func (c *cli) benchPayer(f benchFlags, issuer string) (crypto.PrivateKey, error) {
	ring, err := c.keyring()
	if err != nil {
		return crypto.PrivateKey{}, err
	}
	name := f.from
	if name == "" {
		list, _ := ring.List()
		for _, info := range list {
			if info.Address.String() == issuer {
				name = info.Name
			}
		}
	}
	if name == "" {
		name = c.client.settings.DefaultKey
	}
	if name == "" {
		return crypto.PrivateKey{}, usagef("the accounts lack money, and there is no key to fund them with").next("name one with --from")
	}
	return c.unlock(ring, name)
}

// accountsBelow reads the balances of all accounts, some at a time.
func accountsBelow(ctx context.Context, l *link, asset string, scale uint8, enough ledger.Amount, keys []crypto.PrivateKey) ([]crypto.Address, error) {
	const readers = 16
	poor := make([]bool, len(keys))
	faults := make([]error, readers)
	var done sync.WaitGroup
	for reader := range readers {
		done.Go(func() {
			for i := reader; i < len(keys) && faults[reader] == nil; i += readers {
				address := keys[i].Public().Address().String()
				b, err := l.Balance(ctx, address, asset, client.ReadOptions{})
				if err != nil {
					faults[reader] = err
					return
				}
				has, err := ledger.ParseAmount(b.Available, scale)
				faults[reader] = err
				poor[i] = err == nil && has.Cmp(enough) < 0
			}
		})
	}
	done.Wait()
	var list []crypto.Address
	for i, is := range poor {
		if is {
			list = append(list, keys[i].Public().Address())
		}
	}
	return list, errors.Join(faults...)
}

// benchProgress shows a long run on stderr: a bar on a terminal, lines otherwise.
type benchProgress struct {
	cli     *cli
	writer  progress.Writer   // nil without a terminal
	tracker *progress.Tracker // of the current phase
	phase   string
	lineAt  time.Time
}

func (c *cli) newProgress() *benchProgress {
	b := &benchProgress{cli: c}
	if isTerminal(c.err) {
		b.writer = progress.NewWriter()
		b.writer.SetOutputWriter(c.err)
		b.writer.SetUpdateFrequency(100 * time.Millisecond)
		b.writer.Style().Visibility.Value = false
		go b.writer.Render()
	}
	return b
}

// lineEvery keeps a log of a long run readable.
const lineEvery = 5 * time.Second

func (b *benchProgress) show(p client.BenchProgress) {
	text := p.Phase
	if p.Committed > 0 {
		text = fmt.Sprintf("%s: %s committed, %s/s, p50 %d ms, p99 %d ms", p.Phase, grouped(fmt.Sprint(p.Committed)),
			grouped(fmt.Sprintf("%.0f", p.Rate)), p.P50.Milliseconds(), p.P99.Milliseconds())
	}
	if b.writer == nil {
		if p.Phase != b.phase || time.Since(b.lineAt) >= lineEvery {
			b.cli.note("%3.0f %% %s", 100*p.Done, text)
			b.phase, b.lineAt = p.Phase, time.Now()
		}
		return
	}
	if p.Phase != b.phase {
		if b.tracker != nil {
			b.tracker.MarkAsDone()
		}
		b.phase, b.tracker = p.Phase, &progress.Tracker{Total: 1000}
		b.writer.AppendTracker(b.tracker)
	}
	b.tracker.UpdateMessage(text)
	b.tracker.SetValue(int64(1000 * p.Done))
}

// stop ends the bar; it may be called twice.
func (b *benchProgress) stop() {
	if b.writer == nil {
		return
	}
	if b.tracker != nil {
		b.tracker.MarkAsDone()
	}
	b.writer.Stop()
	for b.writer.IsRenderInProgress() {
		time.Sleep(10 * time.Millisecond)
	}
}
