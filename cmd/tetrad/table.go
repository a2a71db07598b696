package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// grid is a table with a header; the columns named as numbers are aligned right.
type grid struct {
	header  []string
	exact   int // so many columns from the second on are named after things, whose names stay as they are
	numbers map[int]bool
	rows    [][]string
}

func newGrid(header ...string) *grid {
	return &grid{header: header, numbers: map[int]bool{}}
}

// right aligns the given columns, counted from 0, to the right.
func (g *grid) right(columns ...int) *grid {
	for _, column := range columns {
		g.numbers[column] = true
	}
	return g
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

func (g *grid) write(w io.Writer) {
	t := table.NewWriter()
	t.SetStyle(plainStyle())
	head := make(table.Row, len(g.header))
	columns := make([]table.ColumnConfig, len(g.header))
	for i, name := range g.header {
		head[i] = name
		if i == 0 || i > g.exact {
			head[i] = strings.ToUpper(name)
		}
		columns[i] = table.ColumnConfig{Number: i + 1}
		if g.numbers[i] {
			columns[i].Align, columns[i].AlignHeader = text.AlignRight, text.AlignRight
		}
	}
	t.AppendHeader(head)
	t.SetColumnConfigs(columns)
	for _, cells := range g.rows {
		row := make(table.Row, len(cells))
		for i, cell := range cells {
			row[i] = cell
		}
		t.AppendRow(row)
	}
	writeTrimmed(w, t.Render())
}

// fields prints one thing as aligned "name  value" lines; pairs with an empty value are left out.
func fields(w io.Writer, pairs ...string) {
	t := table.NewWriter()
	t.SetStyle(plainStyle())
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			t.AppendRow(table.Row{pairs[i], pairs[i+1]})
		}
	}
	writeTrimmed(w, t.Render())
}

// plainStyle draws no lines: tables are for eyes and for cut and awk alike.
func plainStyle() table.Style {
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatDefault
	return style
}

// writeTrimmed drops the padding after the last column, which would wrap in a narrow terminal.
func writeTrimmed(w io.Writer, rendered string) {
	for _, line := range strings.Split(rendered, "\n") {
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

// grouped writes the whole part of a decimal with thousands separators, for tables only.
func grouped(decimal string) string {
	whole, fraction, hasFraction := strings.Cut(decimal, ".")
	var b strings.Builder
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	if hasFraction {
		b.WriteString("." + fraction)
	}
	return b.String()
}

// short abbreviates a hash for a table; JSON always has the whole of it.
func short(hash string) string {
	if len(hash) <= 16 {
		return hash
	}
	return hash[:8] + "…" + hash[len(hash)-6:]
}

// age says a duration in the unit a person would use.
func age(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	default:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
}

// bytesText says a size in the unit a person would use.
func bytesText(n int64) string {
	const unit = 1024
	switch {
	case n < unit:
		return fmt.Sprintf("%d B", n)
	case n < unit*unit:
		return fmt.Sprintf("%.1f KiB", float64(n)/unit)
	default:
		return fmt.Sprintf("%.1f MiB", float64(n)/(unit*unit))
	}
}
