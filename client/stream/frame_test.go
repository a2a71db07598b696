package stream

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/rpc"
)

func readAll(text string) ([]Frame, error) {
	r := NewReader(strings.NewReader(text))
	var out []Frame
	for {
		f, err := r.Next()
		if err != nil {
			return out, err
		}
		out = append(out, f)
	}
}

func TestFrames(t *testing.T) {
	got, err := readAll("retry: 1000\nid: 3\n\n:\n\nid: 4.0\r\nevent: tx\r\ndata: {}\r\n\r\nid:5\nevent:block\ndata: a\ndata: b\nother: x\n\nid: 6\nevent: bl")
	want := []Frame{{ID: "3"}, {}, {ID: "4.0", Event: "tx", Data: []byte("{}")}, {ID: "5", Event: "block", Data: []byte("a\nb")}}
	same := slices.EqualFunc(got, want, func(a, b Frame) bool { return a.ID == b.ID && a.Event == b.Event && bytes.Equal(a.Data, b.Data) })
	if !same || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := readAll("id: 6\n\nid: 7\n"); !errors.Is(err, io.EOF) {
		t.Errorf("a frame without its end: %v", err)
	}
}

// TestFramesAreBounded: at the bound and one byte above it, in one line and in many.
func TestFramesAreBounded(t *testing.T) {
	one := "data: " + strings.Repeat("x", frameBytesMax-len("data: \n\n")) + "\n\n"
	many := strings.Repeat("data\n", (frameBytesMax-1)/len("data\n")) + "\n"
	for _, text := range []string{one, many} {
		if len(text) != frameBytesMax {
			t.Fatalf("%d bytes", len(text))
		}
		if got, err := readAll(text); len(got) != 1 || !errors.Is(err, io.EOF) {
			t.Errorf("%d bytes: %d frames, %v", len(text), len(got), err)
		}
		if got, err := readAll(":" + text); len(got) != 0 || !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d bytes: %d frames, %v", len(text)+1, len(got), err)
		}
	}
}

// FuzzFrames: what is read and written again reads the same.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{"", ":\n\n", "id: 1\n\n", "id: 1.0\nevent: tx\ndata: {}\n\n", "data: a\ndata: b\n\n", "retry: 1\r\n\r\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		frames, _ := readAll(text)
		for _, one := range frames {
			again, err := readAll(string(one.Append(nil)))
			if len(again) != 1 || !errors.Is(err, io.EOF) || again[0].ID != one.ID || again[0].Event != one.Event || !bytes.Equal(again[0].Data, one.Data) {
				t.Fatalf("%q became %q, %v", one, again, err)
			}
		}
	})
}

// TestOrder: which frames may follow on which.
func TestOrder(t *testing.T) {
	tx := func(id string) Frame { return Frame{ID: id, Event: rpc.EventTx, Data: []byte("{}")} }
	block := func(id, count string) Frame {
		return Frame{ID: id, Event: rpc.EventBlock, Data: []byte(`{"tx_count":` + count + `}`)}
	}
	for name, c := range map[string]struct {
		after  string
		frames []Frame
		part   string // how far a stream of a part comes
		whole  int    // how many frames of a whole stream are good
	}{
		"in order":          {"4", []Frame{tx("5.0"), tx("5.1"), block("5", "2"), block("6", "0"), tx("7.0")}, "7.0", 5},
		"in a block":        {"4.1", []Frame{tx("4.2"), block("4", "3")}, "4", 2},
		"end of a block":    {"4.1", []Frame{block("4", "2")}, "4", 1},
		"a gap in a block":  {"4", []Frame{tx("5.0"), tx("5.2")}, "5.2", 1},
		"the last missing":  {"4", []Frame{tx("5.0"), block("5", "2")}, "5", 1},
		"a block missing":   {"4", []Frame{block("6", "0")}, "6", 0},
		"not from 0":        {"4", []Frame{tx("5.1")}, "5.1", 0},
		"no end of a block": {"4", []Frame{tx("5.0"), tx("6.0")}, "6.0", 1},
		"live":              {"", []Frame{{ID: "9"}, block("10", "0")}, "10", 2},
		"live at once":      {"", []Frame{tx("9.0"), block("9", "1")}, "9", 2},
		"position again":    {"9", []Frame{{ID: "9"}, block("10", "0")}, "10", 2},
		"passed over":       {"9", []Frame{{ID: "11"}}, "11", 0},
	} {
		for _, whole := range []bool{false, true} {
			s := sequence{whole: whole}
			if c.after != "" {
				s.last, _ = rpc.ParseEventID(c.after)
			}
			good := 0
			for _, f := range c.frames {
				if _, err := s.take(f); err != nil {
					break
				}
				good++
			}
			if whole && good != c.whole || !whole && (good != len(c.frames) || s.last.String() != c.part) {
				t.Errorf("%s: %d of %d frames were good, up to %s (whole %v)", name, good, len(c.frames), s.last, whole)
			}
		}
	}
	for name, f := range map[string]Frame{
		"twice": tx("5.1"), "before": tx("5.0"), "an older block": block("4", "0"), "back": {ID: "5.0"},
		"no id of ours": {ID: "x", Event: "tx"}, "a block's type": {ID: "6", Event: "tx"}, "a transaction's type": {ID: "5.2", Event: "block"},
		"another type": {ID: "5.2", Event: "message"}, "no count": block("5", "null"),
	} {
		s := sequence{last: rpc.EventID{Height: 5, Index: 1}, whole: name == "no count"}
		if _, err := s.take(f); !errors.Is(err, errOrder) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
