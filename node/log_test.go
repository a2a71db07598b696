package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	cmtlog "github.com/cometbft/cometbft/libs/log"
)

func TestLevels(t *testing.T) {
	for name, c := range map[string]struct {
		levels string
		want   map[string]bool // module and level: is it written
	}{
		"default":      {"info", map[string]bool{"app info": true, "app debug": false, "engine/p2p warn": true, "engine/p2p info": false}},
		"engine":       {"warn,engine:info", map[string]bool{"app info": false, "engine/p2p info": true}},
		"one module":   {"info,consensus:debug", map[string]bool{"engine/consensus debug": true, "engine/p2p info": false}},
		"our module":   {"error,store:debug", map[string]bool{"store debug": true, "app warn": false}},
		"whole name":   {"info,engine/p2p:error", map[string]bool{"engine/p2p warn": false, "engine/state warn": true}},
		"star is base": {"*:debug", map[string]bool{"app debug": true, "engine/p2p info": false}},
	} {
		t.Run(name, func(t *testing.T) {
			for line, want := range c.want {
				module, levelName, _ := strings.Cut(line, " ")
				var out bytes.Buffer
				log, err := NewLogger(&out, LogConfig{Level: c.levels, Format: "text"}, false)
				if err != nil {
					t.Fatal(err)
				}
				var level slog.Level
				if err := level.UnmarshalText([]byte(levelName)); err != nil {
					t.Fatal(err)
				}
				log.With("module", module).Log(t.Context(), level, "hello")
				if got := out.Len() > 0; got != want {
					t.Errorf("%s: written %v, want %v", line, got, want)
				}
			}
		})
	}
	for _, bad := range []string{"", "loud", "info,p2p", "info,:debug", "info+2", "info,p2p:"} {
		if _, err := NewLogger(&bytes.Buffer{}, LogConfig{Level: bad, Format: "text"}, false); err == nil {
			t.Errorf("level %q is accepted", bad)
		}
	}
}

func TestLogFormat(t *testing.T) {
	for _, c := range []struct {
		format   string
		terminal bool
		json     bool
	}{{"auto", true, false}, {"auto", false, true}, {"json", true, true}, {"text", false, false}} {
		var out bytes.Buffer
		log, err := NewLogger(&out, LogConfig{Level: "info", Format: c.format}, c.terminal)
		if err != nil {
			t.Fatal(err)
		}
		log.Info("hello")
		if got := json.Valid(out.Bytes()); got != c.json {
			t.Errorf("%+v: wrote %s", c, out.String())
		}
	}
	if _, err := NewLogger(&bytes.Buffer{}, LogConfig{Level: "info", Format: "xml"}, false); err == nil {
		t.Error("unknown format is accepted")
	}
}

// TestBridge: CometBFT's lines keep their pairs, one module, and readable values; lazy values are not
// rendered for lines nobody wants.
func TestBridge(t *testing.T) {
	var out bytes.Buffer
	log, err := NewLogger(&out, LogConfig{Level: "info", Format: "json"}, false)
	if err != nil {
		t.Fatal(err)
	}
	var heard []string
	var ending atomic.Bool
	b := newBridge(log, func(message string, _ []any) { heard = append(heard, message) }, &ending)
	b.With("module", "p2p", "peer", "one").With("module", "consensus").Warn(
		"hello", "hash", []byte{1, 2}, "err", errors.New("broken"), "msg", cmtlog.NewLazySprintf("lazy %d", 1), "odd")
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	for key, want := range map[string]string{
		"module": "engine/consensus", "peer": "one", "hash": "0102", "err": "broken", "engine_msg": "lazy 1", "msg": "hello", "level": "WARN",
	} {
		if line[key] != want {
			t.Errorf("%s is %v, want %s", key, line[key], want)
		}
	}
	if n := strings.Count(out.String(), `"module"`); n != 1 {
		t.Errorf("%d modules in %s", n, out.String())
	}
	b.Debug("unwanted", "value", explosive{})
	b.With("module", "p2p").Error("oh")
	if len(heard) != 1 || heard[0] != "oh" {
		t.Errorf("heard %v", heard)
	}
	ending.Store(true)
	before := out.Len()
	if b.Error("a peer went away"); out.Len() != before {
		t.Errorf("an orderly end writes %s", out.String()[before:])
	}
}

type explosive struct{}

func (explosive) String() string { panic("rendered for a line that nobody wants") }
