package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/node"
)

func newFsck(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "fsck",
		Short: "Read a stopped node's whole ledger and check all of it",
		Long: `Read the whole ledger of a home (--home DIR) on which nothing runs, and check all of it: files against
checksums, values against their encoding, the root of every height against its head and CometBFT's headers,
replay records against their buckets, balances against supplies, the index against the receipts.

Nothing is changed. Every fault is named with its key, file or height; exit code 1 says that there is one.`,
		Args: names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := node.Load(c.home, nil)
			if err != nil {
				return badConfig(err)
			}
			p := c.newAuditProgress()
			report, err := node.Fsck(cmd.Context(), config, p.show)
			p.stop()
			if err != nil {
				return err
			}
			return c.showFsck(report)
		},
	}
}

// fsckDocument is the result of fsck.
type fsckDocument struct {
	OK bool `json:"ok"`
	*node.FsckReport
}

func (c *cli) showFsck(r *node.FsckReport) error {
	total := uint64(len(r.Faults)) + r.Unlisted
	document := fsckDocument{total == 0, r}
	if total == 0 {
		return c.show(document, func(w io.Writer) { writeFsck(w, r) })
	}
	if c.output != "json" {
		writeFsck(c.out, r)
	}
	return &failure{
		exit: exitError, slug: "audit_failed", class: "node", document: document,
		message: fmt.Sprintf("the ledger has %s", plural(total, "fault")),
		hint:    "restore this node's data from a copy, or empty its data directory but for priv_validator_state.json and let it catch up",
	}
}

func writeFsck(w io.Writer, r *node.FsckReport) {
	count := func(n uint64) string { return grouped(fmt.Sprint(n)) }
	fields(w,
		"height", fmt.Sprint(r.Height),
		"first height", fmt.Sprint(r.First),
		"app hash", r.AppHash,
		"tables", count(r.Tables),
		"change records", count(r.Records),
		"roots", count(r.Roots),
		"headers", count(r.Headers),
		"leaves", count(r.Leaves),
		"flat keys", count(r.FlatKeys),
		"replay records", count(r.Replay)+" in "+plural(r.Buckets, "bucket"),
		"receipts", count(r.Receipts),
		"index", count(r.Index), "histories", count(r.History),
		"faults", count(uint64(len(r.Faults))+r.Unlisted),
	)
	for _, f := range r.Faults {
		fmt.Fprintln(w, f)
	}
	if r.Unlisted > 0 {
		fmt.Fprintf(w, "and %s more\n", grouped(fmt.Sprint(r.Unlisted)))
	}
}

func plural(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return grouped(fmt.Sprint(n)) + " " + noun + "s"
}

func newReplay(c *cli) *cobra.Command {
	var from string
	var to uint64
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Execute a stopped node's blocks again and compare every app hash",
		Long: `Execute the blocks of a home (--home DIR) on which nothing runs again, from genesis or a snapshot of the home, on
a ledger of its own, and compare app hash and results of every height with what the chain says. It needs all
blocks from there on, and changes nothing.

It stops at the first difference and names the height and both hashes; the exit code is 1 then.`,
		Args: names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFrom(from); err != nil {
				return err
			}
			if cmd.Flags().Changed("to") && to == 0 {
				return usagef("--to must be a height of at least 1")
			}
			config, err := node.Load(c.home, nil)
			if err != nil {
				return badConfig(err)
			}
			p := c.newAuditProgress()
			began := time.Now()
			report, err := node.Replay(cmd.Context(), config, node.ReplayOptions{From: from, To: to, Progress: p.show})
			p.stop()
			if errors.Is(err, node.ErrHeightUnknown) {
				return usagef("%v", err)
			}
			if err != nil {
				return snapshotError(err)
			}
			return c.showReplay(report, time.Since(began))
		},
	}
	cmd.Flags().StringVar(&from, "from", node.FromGenesis, "where to begin: `genesis|snapshot|HEIGHT`, the newest snapshot or the one of a height")
	cmd.Flags().Uint64Var(&to, "to", 0, "the last `HEIGHT` (default: the newest that was executed)")
	return cmd
}

// checkFrom refuses what is neither a word nor a height.
func checkFrom(from string) error {
	if from == node.FromGenesis || from == node.FromSnapshot {
		return nil
	}
	if height, err := strconv.ParseUint(from, 10, 64); err != nil || height == 0 {
		return usagef("--from must be genesis, snapshot or the height of a snapshot, not %q", from)
	}
	return nil
}

// replayDocument is the result of replay.
type replayDocument struct {
	OK bool `json:"ok"`
	*node.ReplayReport
	Seconds float64 `json:"duration_s"`
}

func (c *cli) showReplay(r *node.ReplayReport, took time.Duration) error {
	document := replayDocument{r.Difference == nil, r, took.Seconds()}
	human := func(w io.Writer) {
		fields(w,
			"heights", fmt.Sprintf("%d to %d", r.From, r.To),
			"blocks executed", grouped(fmt.Sprint(r.Blocks)),
			"transactions", bytesText(int64(r.Bytes)),
			"app hash", r.AppHash,
			"took", age(took),
			"rate", fmt.Sprintf("%.0f blocks/s", float64(r.Blocks)/took.Seconds()),
		)
	}
	if r.Difference == nil {
		return c.show(document, human)
	}
	if c.output != "json" {
		human(c.out)
	}
	return &failure{exit: exitError, slug: "audit_failed", class: "node", document: document, message: r.Difference.String()}
}

// auditProgress shows an audit on stderr: a bar for each phase on a terminal, lines otherwise.
type auditProgress struct {
	cli     *cli
	writer  progress.Writer   // nil without a terminal
	tracker *progress.Tracker // of the current phase
	phase   string
	began   time.Time // when the phase did
	lineAt  time.Time
}

func (c *cli) newAuditProgress() *auditProgress {
	p := &auditProgress{cli: c}
	if isTerminal(c.err) {
		p.writer = progress.NewWriter()
		p.writer.SetOutputWriter(c.err)
		p.writer.SetUpdateFrequency(100 * time.Millisecond)
		p.writer.Style().Visibility.ETA = true
		p.writer.Style().Visibility.Speed = true
		go p.writer.Render()
	}
	return p
}

func (p *auditProgress) show(a node.AuditProgress) {
	fresh := a.Phase != p.phase
	if fresh {
		p.phase, p.began = a.Phase, time.Now()
	}
	if p.writer == nil {
		if fresh || time.Since(p.lineAt) >= lineEvery {
			p.cli.note("%s", progressLine(a, time.Since(p.began)))
			p.lineAt = time.Now()
		}
		return
	}
	if fresh {
		if p.tracker != nil {
			p.tracker.MarkAsDone()
		}
		p.tracker = &progress.Tracker{Message: a.Phase, Total: int64(a.Total)}
		p.writer.AppendTracker(p.tracker)
	}
	p.tracker.UpdateTotal(int64(a.Total))
	p.tracker.SetValue(int64(a.Done))
}

// progressLine says how far a phase is, how fast, and how long it will take at that.
func progressLine(a node.AuditProgress, took time.Duration) string {
	done := grouped(fmt.Sprint(a.Done))
	if a.Total == 0 {
		return fmt.Sprintf("%s: %s", a.Phase, done)
	}
	line := fmt.Sprintf("%3.0f %% %s: %s of %s", 100*float64(a.Done)/float64(a.Total), a.Phase, done, grouped(fmt.Sprint(a.Total)))
	if a.Done == 0 || took < time.Second {
		return line
	}
	rate := float64(a.Done) / took.Seconds()
	left := time.Duration(float64(a.Total-a.Done) / rate * float64(time.Second))
	return line + fmt.Sprintf(", %s/s, %s left", grouped(fmt.Sprintf("%.0f", rate)), age(left))
}

// stop ends the bar.
func (p *auditProgress) stop() {
	if p.writer == nil {
		return
	}
	if p.tracker != nil {
		p.tracker.MarkAsDone()
	}
	p.writer.Stop()
	for p.writer.IsRenderInProgress() {
		time.Sleep(10 * time.Millisecond)
	}
}
