package genesis

import (
	"fmt"
	"strings"
)

// faultsShown bounds an error's length: a document of 100,000 accounts at the wrong scale is one mistake.
const faultsShown = 50

// Fault is one thing that is wrong, and where it stands in the document.
type Fault struct {
	Path, Problem string
}

// Faults is everything that is wrong with a document. It is an error of one line per fault.
type Faults []Fault

func (f Faults) Error() string {
	lines := make([]string, 0, min(len(f), faultsShown)+1)
	for i, fault := range f {
		if i == faultsShown {
			lines = append(lines, fmt.Sprintf("and %d more", len(f)-faultsShown))
			break
		}
		lines = append(lines, fault.Path+": "+fault.Problem)
	}
	return strings.Join(lines, "\n")
}

func (f *Faults) addf(path, format string, args ...any) {
	*f = append(*f, Fault{path, fmt.Sprintf(format, args...)})
}

// err is nil when there are no faults.
func (f Faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}
