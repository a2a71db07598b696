package store

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tetradledger/tetrad/ledger"
)

func sortChanges(changes []ledger.Change) {
	slices.SortFunc(changes, func(a, b ledger.Change) int { return bytes.Compare(a.Key, b.Key) })
}

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func commitRecord(t testing.TB, s *Store, r Record) {
	t.Helper()
	p, err := s.Stage(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(p); err != nil {
		t.Fatal(err)
	}
}
