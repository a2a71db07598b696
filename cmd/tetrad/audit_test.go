package main

import (
	"testing"
	"time"

	"github.com/tetradledger/tetrad/node"
)

func TestProgressLine(t *testing.T) {
	for want, c := range map[string]struct {
		progress node.AuditProgress
		took     time.Duration
	}{
		"index: 1,200":          {node.AuditProgress{Phase: "index", Done: 1200}, time.Minute},
		"  0 % blocks: 0 of 10": {node.AuditProgress{Phase: "blocks", Total: 10}, time.Minute},
		" 50 % blocks: 5 of 10": {node.AuditProgress{Phase: "blocks", Done: 5, Total: 10}, time.Millisecond},
		" 25 % blocks: 1,000 of 4,000, 500/s, 6.0 s left": {node.AuditProgress{Phase: "blocks", Done: 1000, Total: 4000}, 2 * time.Second},
	} {
		if got := progressLine(c.progress, c.took); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
