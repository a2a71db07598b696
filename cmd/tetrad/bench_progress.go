package main

import (
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"

	"github.com/tetradledger/tetrad/client"
)

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

// note says something that stays.
func (b *benchProgress) note(line string) {
	if b.writer != nil {
		b.writer.Log("%s", line)
		return
	}
	b.cli.note("%s", line)
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
