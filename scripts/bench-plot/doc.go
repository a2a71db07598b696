// Command bench-plot turns the reports of a measuring run into the figures and tables of docs/PERFORMANCE.md:
//
//	go run ./scripts/bench-plot -reports DIR -docs docs
//
// It reads what scripts/bench-all left in DIR, writes charts to docs/performance/*.svg, and fills in the parts
// of docs/PERFORMANCE.md between <!-- bench:NAME --> and <!-- /bench -->. What was not measured is said not to
// be there; nothing is carried over from an earlier run.
//
// The charts are plain SVG written here: they need no library, look the same everywhere and can be compared
// line by line.
package main
