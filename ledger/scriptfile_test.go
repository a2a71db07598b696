package ledger

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts in testdata print instead of comparing it")

// A script is a paragraph of comment that says which rule it pins, and then commands, each followed by a
// line of dashes and what it prints. Blank lines separate them.

// step is one command of a script: its line, the lines below it, and what is expected.
type step struct {
	line    int // in the file, from 1
	command string
	input   []string
	want    string
}

// scriptFile is a script with its comments, so that it can be written again.
type scriptFile struct {
	header string
	steps  []step
	notes  []string // comment before each step
}

const dashes = "----"

func readScript(t *testing.T, path string) scriptFile {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var f scriptFile
	lineNumber := 1
	for i, paragraph := range strings.Split(strings.TrimRight(string(text), "\n")+"\n", "\n\n") {
		lines := strings.Split(strings.Trim(paragraph, "\n"), "\n")
		if i == 0 {
			if !strings.HasPrefix(lines[0], "# ") {
				t.Fatalf("%s: begins with no paragraph that says what rule it pins", path)
			}
			f.header = strings.Join(lines, "\n")
		} else {
			f.add(lines, lineNumber)
		}
		lineNumber += strings.Count(paragraph, "\n") + 2
	}
	return f
}

// add reads a paragraph: comments, a command, its input, dashes, and what it prints.
func (f *scriptFile) add(lines []string, number int) {
	var notes []string
	for len(lines) > 0 && strings.HasPrefix(lines[0], "#") {
		notes = append(notes, lines[0])
		lines = lines[1:]
		number++
	}
	s := step{line: number}
	if len(lines) > 0 {
		s.command = lines[0]
		lines = lines[1:]
	}
	for i, line := range lines {
		if line == dashes {
			s.want = strings.Join(lines[i+1:], "\n")
			break
		}
		s.input = append(s.input, line)
	}
	f.steps = append(f.steps, s)
	f.notes = append(f.notes, strings.Join(notes, "\n"))
}

func (f *scriptFile) write(t *testing.T, path string) {
	t.Helper()
	var b strings.Builder
	b.WriteString(f.header + "\n")
	for i, s := range f.steps {
		b.WriteString("\n")
		if f.notes[i] != "" {
			b.WriteString(f.notes[i] + "\n")
		}
		if s.command == "" {
			continue
		}
		for _, line := range append([]string{s.command}, s.input...) {
			b.WriteString(line + "\n")
		}
		b.WriteString(dashes + "\n")
		if s.want != "" {
			b.WriteString(s.want + "\n")
		}
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestScripts runs every script in testdata.
func TestScripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			f := readScript(t, path)
			w := newWorld(t)
			for i := range f.steps {
				s := &f.steps[i]
				if s.command == "" {
					continue
				}
				w.place = fmt.Sprintf("%s:%d", path, s.line)
				got := strings.TrimRight(w.run(s.command, s.input), "\n")
				if *rewrite {
					s.want = got
				} else if got != s.want {
					t.Errorf("%s: %s\ngot:\n%s\nwant:\n%s", w.place, s.command, got, s.want)
				}
			}
			if *rewrite {
				f.write(t, path)
			}
		})
	}
}

// TestEveryOperationHasAScript holds the list of operations and testdata together.
func TestEveryOperationHasAScript(t *testing.T) {
	for _, kind := range opKinds {
		if _, err := os.Stat("testdata/op_" + kind.name + ".txt"); err != nil {
			t.Errorf("operation %s: %v", kind.name, err)
		}
	}
}
