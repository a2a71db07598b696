package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryOperationIsComplete: an operation is one file in ledger, one script that pins its rules, and one
// generator in the simulation. Forgetting one of the three leaves a rule that nothing holds.
func TestEveryOperationIsComplete(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root(t), "ledger", "op_*.go"))
	if err != nil {
		t.Fatal(err)
	}
	workload, err := os.ReadFile(filepath.Join(root(t), "internal", "sim", "workload.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		found++
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(f), "op_"), ".go")
		if _, err := os.Stat(filepath.Join(root(t), "ledger", "testdata", "op_"+name+".txt")); err != nil {
			t.Errorf("operation %s has no script ledger/testdata/op_%s.txt", name, name)
		}
		if !strings.Contains(string(workload), `"`+name+`"`) {
			t.Errorf("operation %s has no generator named %q in internal/sim/workload.go", name, name)
		}
	}
	if found == 0 {
		t.Error("no ledger/op_*.go found: has the layout changed?")
	}
}

func parse(t *testing.T, fset *token.FileSet, path string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
