package genesis

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/tetradledger/tetrad/crypto"
)

// BenchAccountsMax bounds the derived accounts of a document: deriving one costs some 15 microseconds
// on every replica's first start, and state is held in memory.
const BenchAccountsMax = 10_000_000

// Bench funds Count accounts whose keys anybody can derive from Seed. A million of them listed one by one
// would make a document of 100 MB that every node keeps and serves; this is one line.
type Bench struct {
	Seed   string `json:"seed"`
	Count  int    `json:"count"`
	Asset  string `json:"asset"`
	Amount string `json:"amount"` // each account's, a decimal at the asset's scale
}

// BenchKey is the key of the i-th account derived from a seed. Everybody can compute it.
func BenchKey(seed string, i int) crypto.PrivateKey {
	return crypto.DevKey(fmt.Sprintf("bench/%s/%d", seed, i))
}

// addresses derives all accounts in order. Key derivation is independent of its neighbours, so it is
// spread over the processors; the order of the result does not depend on how.
func (b Bench) addresses() []crypto.Address {
	out := make([]crypto.Address, b.Count)
	workers := max(1, min(runtime.GOMAXPROCS(0), b.Count/256))
	var done sync.WaitGroup
	for w := range workers {
		done.Go(func() {
			for i := w; i < b.Count; i += workers {
				out[i] = BenchKey(b.Seed, i).Public().Address()
			}
		})
	}
	done.Wait()
	return out
}
