package store

import (
	"bytes"
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
