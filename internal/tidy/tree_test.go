package tidy

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// listed is what `go list` says of a package.
type listed struct {
	ImportPath  string
	Dir         string
	Export      string
	GoFiles     []string
	TestGoFiles []string
	Imports     []string
}

// list runs `go list` at the root of the module and decodes its stream of packages.
func list(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Export,GoFiles,TestGoFiles,Imports"}, args...)...)
	cmd.Dir = root(t)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	var pkgs []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatalf("decode go list: %v", err)
		}
		pkgs = append(pkgs, p)
	}
}

var ourPackages struct {
	once sync.Once
	pkgs []listed
}

// packages lists every package of the module once.
func packages(t *testing.T) []listed {
	t.Helper()
	ourPackages.once.Do(func() { ourPackages.pkgs = list(t, "./...") })
	if len(ourPackages.pkgs) == 0 {
		t.Fatal("go list found no package")
	}
	return ourPackages.pkgs
}

// root is the module's root directory.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// source is one parsed Go file.
type source struct {
	pkg   string // import path below the module
	path  string // below the root
	test  bool
	lines int
	fset  *token.FileSet
	file  *ast.File
}

// sources parses every Go file of the module that a person wrote.
func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, f := range p.GoFiles {
			out = appendSource(t, out, name, filepath.Join(p.Dir, f), false)
		}
		for _, f := range p.TestGoFiles {
			out = appendSource(t, out, name, filepath.Join(p.Dir, f), true)
		}
	}
	return out
}

func appendSource(t *testing.T, out []source, pkg, path string, test bool) []source {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, data, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if ast.IsGenerated(file) {
		return out
	}
	rel, err := filepath.Rel(root(t), path)
	if err != nil {
		t.Fatal(err)
	}
	return append(out, source{pkg, rel, test, bytes.Count(data, []byte("\n")), fset, file})
}
