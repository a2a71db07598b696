package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tetradledger/tetrad/scripts/bench-plot/figure"
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
		if err := os.WriteFile(filepath.Join(plots, name+".svg"), c.SVG(), 0o644); err != nil {
			return fmt.Errorf("write a chart: %w", err)
		}
	}
	page := filepath.Join(docs, "PERFORMANCE.md")
	text, err := os.ReadFile(page)
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	filled, err := figure.Fill(text, s.tables())
	if err != nil {
		return err
	}
	if err := os.WriteFile(page, filled, 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
