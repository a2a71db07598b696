package tidy

import (
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pure names the packages in which the same bytes in must give the same bytes out on every machine.
var pure = []string{"ledger", "crypto/merkle"}

// impure is what a pure package may not import, with the reason.
var impure = map[string]string{
	"time":         "take the block's time as a number",
	"math/rand":    "randomness differs between replicas",
	"math/rand/v2": "randomness differs between replicas",
	"crypto/rand":  "randomness differs between replicas",
	"os":           "the environment differs between replicas",
	"net":          "the network is not part of the function",
	"net/http":     "the network is not part of the function",
	"sync":         "there is nothing to lock in a function",
	"sync/atomic":  "there is nothing to lock in a function",
	"runtime":      "the machine must not show",
	"unsafe":       "memory layout differs between machines",
}

// excused are imports a pure package may have all the same. Views of the tree are pinned by readers while
// the writer goes on; that needs a lock but does not reach any result. The tree measures its own records with
// unsafe.Sizeof and does nothing else with unsafe.
var excused = map[string][]string{"crypto/merkle": {"sync", "sync/atomic", "unsafe"}}

func TestPureImports(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if !slices.Contains(pure, name) {
			continue
		}
		for _, imp := range p.Imports {
			if why, banned := impure[imp]; banned && !slices.Contains(excused[name], imp) {
				t.Errorf("%s imports %s: %s", name, imp, why)
			}
		}
	}
}

// TestPureCode forbids goroutines, channels to wait on, floating point and unordered loops over maps. A loop
// over a map whose order cannot reach a result says so in a comment that begins with "order:" on the line
// above it.
func TestPureCode(t *testing.T) {
	for _, name := range pure {
		files, info, fset := check(t, name)
		for _, f := range files {
			if ast.IsGenerated(f) {
				continue
			}
			excuse := commentLines(fset, f, "order:")
			ast.Inspect(f, func(n ast.Node) bool {
				if n != nil {
					if fault := impurity(n, info, excuse, fset); fault != "" {
						t.Errorf("%s: %s", fset.Position(n.Pos()), fault)
					}
				}
				return true
			})
		}
	}
}

// impurity names what is wrong with a node, or nothing.
func impurity(n ast.Node, info *types.Info, excuse map[int]bool, fset *token.FileSet) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "go statement: the caller decides what runs at once"
	case *ast.SelectStmt:
		return "select: its choice differs between replicas"
	case *ast.RangeStmt:
		if _, isMap := info.TypeOf(n.X).Underlying().(*types.Map); isMap && !excuse[fset.Position(n.Pos()).Line-1] {
			return "loop over a map: sort the keys first, or say in an order: comment why the order cannot show"
		}
	case *ast.Ident:
		if obj, ok := info.Uses[n].(*types.TypeName); ok && (obj.Name() == "float64" || obj.Name() == "float32") && obj.Pkg() == nil {
			return "floating point: amounts and sizes are integers"
		}
	case *ast.BasicLit:
		if n.Kind == token.FLOAT {
			return "floating point: amounts and sizes are integers"
		}
	}
	return ""
}

// check parses and type-checks a package of ours against the compiled export data of what it imports.
func check(t *testing.T, name string) ([]*ast.File, *types.Info, *token.FileSet) {
	t.Helper()
	export := map[string]string{}
	var self listed
	for _, p := range list(t, "-export", "-deps", "./"+name) {
		export[p.ImportPath] = p.Export
		if p.ImportPath == module+name {
			self = p
		}
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, f := range self.GoFiles {
		files = append(files, parse(t, fset, filepath.Join(self.Dir, f)))
	}
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(export[path]) }
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", lookup)}
	if _, err := conf.Check(self.ImportPath, fset, files, info); err != nil {
		t.Fatalf("type-check %s: %v", name, err)
	}
	return files, info, fset
}

// commentLines gives the lines on which a comment with the given beginning ends.
func commentLines(fset *token.FileSet, f *ast.File, prefix string) map[int]bool {
	lines := map[int]bool{}
	for _, group := range f.Comments {
		if strings.HasPrefix(strings.TrimSpace(group.Text()), prefix) {
			lines[fset.Position(group.End()).Line] = true
		}
	}
	return lines
}

// printing packages may write to the terminal; all others log through the logger they were given.
var printing = []string{"cmd/tetrad", "internal/sim", "internal/tidy", "internal/e2e"}

// TestNoPrinting keeps standard output for results: scripts read it as one document.
func TestNoPrinting(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || slices.Contains(printing, s.pkg) {
			continue
		}
		for _, imp := range s.file.Imports {
			if path, _ := strconv.Unquote(imp.Path.Value); path == "log" {
				t.Errorf("%s imports log: take a *slog.Logger", s.path)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "fmt" && strings.HasPrefix(sel.Sel.Name, "Print") {
				t.Errorf("%s:%d: fmt.%s: return it, or log it", s.path, s.fset.Position(sel.Pos()).Line, sel.Sel.Name)
			}
			return true
		})
	}
}
