package tidy

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const (
	// funcLinesMax is what fits on one screen: a longer function has a second job to give away.
	funcLinesMax = 70
	// fileLinesMax keeps one noun in one file.
	fileLinesMax = 500
)

func TestFunctionAndFileLength(t *testing.T) {
	for _, s := range sources(t) {
		if s.lines > fileLinesMax {
			t.Errorf("%s has %d lines, at most %d: split it by noun", s.path, s.lines, fileLinesMax)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			lines := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1
			if lines > funcLinesMax && !s.test {
				t.Errorf("%s: %s has %d lines, at most %d: move a part that has a name into its own function",
					s.path, f.Name.Name, lines, funcLinesMax)
			}
		}
	}
}

func TestEveryPackageHasDoc(t *testing.T) {
	for _, p := range packages(t) {
		data, err := os.ReadFile(filepath.Join(p.Dir, "doc.go"))
		if err != nil {
			t.Errorf("%s has no doc.go: say what it is for, what it promises, and show one use", p.ImportPath)
			continue
		}
		if !strings.HasPrefix(string(data), "// ") {
			t.Errorf("%s: doc.go does not begin with the package comment", p.ImportPath)
		}
	}
}

// leftovers are words that mark something as unfinished.
var leftovers = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

func TestNothingLeftForLater(t *testing.T) {
	for _, s := range sources(t) {
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				if s.pkg != "internal/tidy" && leftovers.MatchString(c.Text) {
					t.Errorf("%s:%d: %s: finish it, or open an issue and say here what holds today",
						s.path, s.fset.Position(c.Pos()).Line, c.Text)
				}
			}
		}
	}
}

// vague are names that say nothing about what a thing is.
var vague = regexp.MustCompile(`(Manager|Helper|Helpers|Util|Utils|Impl)$`)

func TestNamesSayWhatThingsAre(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok && vague.MatchString(spec.Name.Name) {
				t.Errorf("%s: type %s: name it after the domain's noun", s.path, spec.Name.Name)
			}
			return true
		})
	}
}

// TestEngineImportsAreNamed: many CometBFT packages share names with ours (node, types, crypto, rpc), so a
// reader must see at every use which one is meant.
func TestEngineImportsAreNamed(t *testing.T) {
	for _, s := range sources(t) {
		for _, imp := range s.file.Imports {
			path, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(path, "github.com/cometbft/") {
				continue
			}
			if imp.Name == nil || (!strings.HasPrefix(imp.Name.Name, "cmt") && imp.Name.Name != "abcitypes" && imp.Name.Name != "_") {
				t.Errorf("%s imports %s without a name that begins with cmt (or abcitypes)", s.path, path)
			}
		}
	}
}
