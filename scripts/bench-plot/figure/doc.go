// Package figure makes what pages show of measurements: charts, tables, and the pages' parts that hold them.
//
// # Promise
//
// The same figures always become the same bytes, so that a page that is made anew differs only in what was measured. A
// part of a page for which there is nothing says so; it never keeps what an earlier run left there.
//
// # Example
//
//	c := figure.Chart{Title: "Committed per second", Y: "per second", Bars: []figure.Bar{{Name: "a", Value: 10, Low: 9, High: 12}}}
//	err := os.WriteFile("committed.svg", c.SVG(), 0o644)
//	...
//	page, err = figure.Fill(page, map[string]string{"committed": figure.Table([]string{"system", "per second"}, rows)})
package figure
