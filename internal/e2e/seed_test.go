package e2e

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// seedOf is the seed of a test that plays with chance: a new one each time, or the one in TETRAD_SEED, with
// which a failed test is repeated. What processes do beside each other is not repeated by it.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano()) % 1_000_000
	if text := os.Getenv("TETRAD_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("TETRAD_SEED: %v", err)
		}
	}
	t.Logf("seed %d", seed)
	return seed
}
