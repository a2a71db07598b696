package crypto

import (
	"bufio"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// vector is one record of a file in testdata: lines "name value" up to an empty line.
type vector map[string]string

func (v vector) bytes(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(v[name])
	if err != nil {
		t.Fatalf("field %s of %v is not hexadecimal: %v", name, v, err)
	}
	return raw
}

// loadVectors reads a file of testdata; lines that begin with # are comments.
func loadVectors(t testing.TB, name string) []vector {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []vector
	var open vector
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		if line == "" {
			open = nil
			continue
		}
		if open == nil {
			open = vector{}
			all = append(all, open)
		}
		field, value, _ := strings.Cut(line, " ")
		// A field that repeats begins the next record, so that plain lists need no empty lines.
		if _, repeated := open[field]; repeated {
			open = vector{}
			all = append(all, open)
		}
		open[field] = value
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
