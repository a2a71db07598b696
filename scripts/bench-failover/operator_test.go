package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestHandOver: the key moves in any case; the record of what was signed moves as it is where the follower has caught up
// with it, and is set back to the follower's height where not.
func TestHandOver(t *testing.T) {
	for _, c := range []struct {
		signed, follower, want uint64
		step                   int8
	}{{100, 100, 100, 2}, {100, 103, 100, 2}, {101, 100, 100, 3}, {105, 100, 100, 3}} {
		n := &tetrad{lab: &lab{dir: t.TempDir()}, passive: true}
		files := map[string]string{
			"config/priv_validator_key.json":  "the key",
			"data/priv_validator_state.json":  fmt.Sprintf(`{"height":"%d","round":1,"step":2,"signature":"c2lnbmVk","signbytes":"00"}`, c.signed),
			"../node1/config/something.json":  "",
			"../node1/data/anything-else.txt": "",
		}
		for name, text := range files {
			path := filepath.Join(n.home(0), name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.handOver(0, 1, c.follower); err != nil {
			t.Fatal(err)
		}
		key, err := os.ReadFile(filepath.Join(n.home(1), "config/priv_validator_key.json"))
		if err != nil || string(key) != "the key" {
			t.Errorf("%+v: the key is %q, %v", c, key, err)
		}
		text, err := os.ReadFile(filepath.Join(n.home(1), "data/priv_validator_state.json"))
		if err != nil {
			t.Fatal(err)
		}
		var got lastSign
		if err := json.Unmarshal(text, &got); err != nil || got.Height != fmt.Sprint(c.want) || got.Step != c.step {
			t.Errorf("%+v: the record is %s, %v", c, text, err)
		}
	}
}
