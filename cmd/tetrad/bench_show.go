package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/tetradledger/tetrad/client"
)

// writeReport keeps a report of any kind.
func writeReport(report any, file string) error {
	if file == "" {
		return nil
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	return replaceFile(file, append(text, '\n'), 0o644)
}

// audited fails the command if an audit found something.
func audited(audit string) error {
	if audit == "ok" {
		return nil
	}
	return &failure{exit: exitProof, slug: "audit_failed", class: "client", message: "the audit found a fault: " + audit}
}

func (c *cli) showReport(r client.BenchReport, file string) error {
	if err := writeReport(r, file); err != nil {
		return err
	}
	err := c.show(r, func(w io.Writer) {
		lines := []string{
			"committed", grouped(fmt.Sprint(r.Committed)), "failed", fmt.Sprint(r.Failed), "refused", grouped(fmt.Sprint(r.Refused)),
			"duration", fmt.Sprintf("%.1f s", r.DurationS), "rate", perSecond(r.Rate),
			"p50", millis(r.P50MS), "p99", millis(r.P99MS), "blocks apart", millis(r.BlockIntervalP50) + ", p99 " + millis(r.BlockIntervalP99),
			"CPU", fmt.Sprintf("%.1f us per transfer and validator; the generator's %.1f", r.CPUUs, r.GeneratorCPUUs),
			"memory", fmt.Sprintf("%d MiB in the largest node", r.RSSBytes>>20),
		}
		if r.Disk != nil {
			lines = append(lines, "disk", fmt.Sprintf("%.0f bytes per transfer and validator", r.Disk.PerTransfer))
		}
		fields(w, append(lines, "audit", r.Audit)...)
	})
	if err != nil {
		return err
	}
	return audited(r.Audit)
}

func (c *cli) showLadder(r client.LadderReport, file string) error {
	if err := writeReport(r, file); err != nil {
		return err
	}
	err := c.show(r, func(w io.Writer) {
		g := newGrid("rate", "committed", "p50", "p99", "CPU us", "sustained").right(0).right(1).right(2).right(3).right(4)
		for _, s := range r.Steps {
			verdict := "yes"
			if !s.Sustained {
				verdict = "no: " + s.Why
			}
			g.add(perSecond(s.Rate), perSecond(s.Report.Rate), millis(s.Report.P50MS), millis(s.Report.P99MS), fmt.Sprintf("%.1f", s.Report.CPUUs), verdict)
		}
		g.write(w)
		fmt.Fprintln(w)
		fields(w, "sustainable", perSecond(r.Sustainable), "audit", r.Audit)
	})
	if err != nil {
		return err
	}
	return audited(r.Audit)
}

func (c *cli) showOverload(r client.OverloadReport, file string) error {
	if err := writeReport(r, file); err != nil {
		return err
	}
	err := c.show(r, func(w io.Writer) {
		g := newGrid("overload", "offered", "committed", "goodput", "refused", "429", "blocks apart p99", "lost", "passed").
			right(0).right(1).right(2).right(3).right(4).right(5).right(6).right(7)
		for _, s := range r.Steps {
			verdict := "yes"
			if !s.Passed {
				verdict = "no: " + s.Why
			}
			g.add(fmt.Sprintf("%gx", s.Factor), perSecond(s.Report.OfferedRate), perSecond(s.Report.Rate), fmt.Sprintf("%.0f %%", 100*s.Goodput),
				grouped(fmt.Sprint(s.Report.Refused)), grouped(fmt.Sprint(s.Report.Refusals.Requests429)),
				millis(s.Report.BlockIntervalP99), fmt.Sprint(s.Report.Lost), verdict)
		}
		g.write(w)
		fmt.Fprintln(w)
		fields(w, "base", perSecond(r.Base), "audit", r.Audit)
	})
	if err != nil {
		return err
	}
	return audited(r.Audit)
}

func ladderLine(s client.LadderStep) string {
	verdict := "sustained"
	if !s.Sustained {
		verdict = "not sustained: " + s.Why
	}
	return fmt.Sprintf("%s: %s, p50 %s, p99 %s", perSecond(s.Rate), verdict, millis(s.Report.P50MS), millis(s.Report.P99MS))
}

func overloadLine(s client.OverloadStep) string {
	return fmt.Sprintf("%gx: offered %s, committed %s, goodput %.0f %%, blocks %s apart at p99", s.Factor,
		perSecond(s.Report.OfferedRate), perSecond(s.Report.Rate), 100*s.Goodput, millis(s.Report.BlockIntervalP99))
}

func perSecond(rate float64) string { return grouped(fmt.Sprintf("%.0f", rate)) + " transfers/s" }

func millis(ms float64) string { return fmt.Sprintf("%.0f ms", ms) }
