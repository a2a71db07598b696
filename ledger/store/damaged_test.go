package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLengthsHold: each of the two lengths at the end of a table must be of something, and of something inside.
func TestLengthsHold(t *testing.T) {
	table := func(data, index, checksum int, indexLen, checksumLen byte) []byte {
		out := append(make([]byte, data+index), 0, 0, 0, indexLen)
		return append(append(out, make([]byte, checksum)...), 0, 0, 0, checksumLen)
	}
	for name, c := range map[string]struct {
		table []byte
		want  bool
	}{
		"whole":                 {table(10, 20, 8, 20, 8), true},
		"the index is all":      {table(0, 20, 8, 20, 8), true},
		"an index too long":     {table(0, 20, 8, 21, 8), false},
		"no index":              {table(10, 20, 8, 0, 8), false},
		"no checksum":           {table(10, 20, 8, 20, 0), false},
		"a checksum too long":   {table(0, 0, 8, 1, 200), false},
		"zeroed at the end":     {make([]byte, 100), false},
		"empty":                 {nil, false},
		"cut off in the length": {[]byte{0, 0, 8}, false},
	} {
		if got := lengthsHold(bytes.NewReader(c.table), int64(len(c.table))); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestHalfWrittenTable: what a process leaves that dies while it writes a table belongs to no store, and is no
// damage. A table that belongs to it and is torn, zeroed at its end, or missing is refused by name.
func TestHalfWrittenTable(t *testing.T) {
	m := crashModel()
	o := testOptions(t.TempDir())
	s := openStore(t, o)
	if err := runChain(m, s, func(uint64, bool) {}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	rest := filepath.Join(o.Dir, "999999.sst")
	if err := os.WriteFile(rest, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range runFsck(t, o.Dir, o.Genesis).Faults { // of the model's values it finds others
		if strings.Contains(f.Where, filepath.Base(rest)) {
			t.Errorf("fsck takes the rest of a table for one: %s: %s", f.Where, f.What)
		}
	}
	s = openStore(t, o)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tables, err := tablePaths(o.Dir)
	if err != nil || len(tables) == 0 {
		t.Fatalf("no tables: %v", err)
	}
	good, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string) {
		t.Helper()
		if s, err := Open(o); err == nil {
			t.Errorf("%s: it opens", what)
			_ = s.Close()
		} else if !strings.Contains(err.Error(), filepath.Base(tables[0])) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, data := range map[string][]byte{
		"zeroed": append(bytes.Clone(good[:len(good)-16]), make([]byte, 16)...), "torn": good[:len(good)/2], "empty": nil,
	} {
		if err := os.WriteFile(tables[0], data, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(what)
	}
	// Badger reads the last block of each table: how long its checksum is, and how many entries it has.
	entries := endOfBlocks(t, good) - 4 - int(good[endOfBlocks(t, good)-1]) - 4
	for at := entries; at < endOfBlocks(t, good); at += 3 {
		data := bytes.Clone(good)
		data[at] ^= 0x40
		if err := os.WriteFile(tables[0], data, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(fmt.Sprintf("byte %d of %d", at, len(good)))
	}
	if err := os.Remove(tables[0]); err != nil {
		t.Fatal(err)
	}
	refused("missing")
}

// endOfBlocks is where the last block of a table ends, and the index begins.
func endOfBlocks(t *testing.T, table []byte) int {
	t.Helper()
	end := len(table)
	for range 2 {
		end -= 4 + int(binary.BigEndian.Uint32(table[end-4:]))
	}
	if end < 16 {
		t.Fatalf("a table of %d bytes has no blocks", len(table))
	}
	return end
}
