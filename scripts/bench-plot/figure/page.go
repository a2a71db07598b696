package figure

import (
	"fmt"
	"regexp"
	"strings"
)

// Table writes a Markdown table; it is empty without rows. All columns but the first are figures.
func Table(head []string, rows [][]string) string {
	if len(rows) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("| " + strings.Join(head, " | ") + " |\n|---" + strings.Repeat("|--:", len(head)-1) + "|\n")
	for _, row := range rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
	return b.String()
}

// Grouped puts commas between thousands.
func Grouped(digits string) string {
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// block is a part of a page that comes from reports.
var block = regexp.MustCompile(`(?s)<!-- bench:([a-z-]+) -->\n.*?<!-- /bench -->`)

// Fill replaces the parts of a page that come from reports. A part that nobody makes is a mistake in the page.
func Fill(page []byte, tables map[string]string) ([]byte, error) {
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
