package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

func main() {
	reports := flag.String("reports", "", "the directory that scripts/bench-all wrote")
	docs := flag.String("docs", "docs", "the directory with PERFORMANCE.md")
	flag.Parse()
	if err := start(*reports, *docs); err != nil {
		fmt.Fprintln(os.Stderr, "bench-plot:", err)
		os.Exit(1)
	}
}

func start(reports, docs string) error {
	if reports == "" {
		return errors.New("say where the reports are with -reports")
	}
	s, err := readSet(reports)
	if err != nil {
		return err
	}
	plots := filepath.Join(docs, "performance")
	if err := os.MkdirAll(plots, 0o755); err != nil {
		return fmt.Errorf("make the directory of the charts: %w", err)
	}
	for name, c := range s.charts() {
		if err := os.WriteFile(filepath.Join(plots, name+".svg"), c.svg(), 0o644); err != nil {
			return fmt.Errorf("write a chart: %w", err)
		}
	}
	page := filepath.Join(docs, "PERFORMANCE.md")
	text, err := os.ReadFile(page)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	filled, err := fill(text, s.tables())
	if err != nil {
		return err
	}
	if err := os.WriteFile(page, filled, 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// block is a part of the page that comes from reports.
var block = regexp.MustCompile(`(?s)<!-- bench:([a-z-]+) -->\n.*?<!-- /bench -->`)

// fill replaces the parts of the page that come from reports. A part that nobody makes is a mistake in the page.
func fill(page []byte, tables map[string]string) ([]byte, error) {
	var fault error
	out := block.ReplaceAllFunc(page, func(old []byte) []byte {
		name := string(block.FindSubmatch(old)[1])
		table, ok := tables[name]
		if !ok {
			fault = fmt.Errorf("the page asks for %q, which no report makes", name)
			return old
		}
		if table == "" {
			table = "Not measured in this run.\n"
		}
		return fmt.Appendf(nil, "<!-- bench:%s -->\n%s<!-- /bench -->", name, table)
	})
	return out, fault
}
