package tidy

import (
	"slices"
	"sort"
	"strings"
	"testing"
)

// module is the import path prefix of our own packages.
const module = "github.com/tetradledger/tetrad/"

// row says what a package may import: packages of ours, and outside modules by import path prefix. The
// standard library is always allowed here; what deterministic packages may take of it is in pure_test.go.
type row struct {
	ours    []string
	outside []string
}

// arrows is the architecture. An arrow that is missing here is missing on purpose: change it only together
// with docs/ARCHITECTURE.md and, if it is hard to undo, an ADR.
var arrows = map[string]row{
	"crypto": {nil, []string{
		"github.com/oasisprotocol/curve25519-voi", "golang.org/x/crypto", "filippo.io/age",
		"github.com/cosmos/go-bip39", "github.com/anyproto/go-slip10", "github.com/btcsuite/btcd/btcutil",
	}},
	"crypto/merkle": {[]string{"crypto"}, nil},
	"ledger":        {[]string{"crypto"}, []string{"github.com/cosmos/gogoproto"}},
	"genesis":       {[]string{"ledger", "crypto"}, nil},
	"ledger/store":  {[]string{"ledger", "crypto", "crypto/merkle"}, []string{"github.com/dgraph-io/badger/v4", "github.com/dgraph-io/ristretto/v2/z", "golang.org/x/sys"}},
	// What a node promised to pass on lies apart from the state: a state restored from others leaves it alone.
	"ledger/store/outbox": {[]string{"ledger", "crypto"}, []string{"github.com/dgraph-io/badger/v4"}},
	"app":                 {[]string{"genesis", "ledger", "ledger/store", "crypto", "crypto/merkle"}, []string{"github.com/cosmos/ics23/go"}},
	"abci":                {[]string{"app", "genesis", "ledger", "crypto"}, []string{"github.com/cometbft/cometbft"}},
	"rpc": {[]string{"ledger", "crypto", "crypto/merkle"}, []string{
		"github.com/danielgtaylor/huma/v2", "github.com/go-chi/chi/v5",
	}},
	// The honest network of tests proves with the code that real nodes prove with.
	"rpc/rpctest":    {[]string{"rpc", "app", "ledger", "crypto", "crypto/merkle"}, nil},
	"client/balance": {nil, nil},
	"client/probe":   {[]string{"client/balance", "rpc"}, nil},
	"client/stream":  {[]string{"client/balance", "rpc", "ledger"}, nil},
	"client": {[]string{"rpc", "ledger", "crypto", "crypto/merkle", "client/balance", "client/probe", "client/stream"}, []string{
		"github.com/HdrHistogram/hdrhistogram-go", "golang.org/x/sync", "github.com/cosmos/ics23/go", "github.com/cometbft/cometbft",
	}},
	"node/plane": {[]string{"ledger", "crypto"}, []string{"github.com/libp2p/go-libp2p", "github.com/multiformats/go-multiaddr"}},
	// The gateway's tests put the client before it.
	"gateway": {[]string{"client/balance", "client/probe", "client/stream", "rpc", "ledger"}, nil},
	"node": {[]string{"abci", "app", "rpc", "node/plane", "ledger/store", "ledger/store/outbox", "genesis", "ledger", "crypto"}, []string{
		"github.com/cometbft/cometbft", "github.com/cometbft/cometbft-db", "github.com/syndtr/goleveldb", "github.com/libp2p/go-libp2p", "github.com/spf13/viper",
		"github.com/prometheus", "github.com/gofrs/flock", "github.com/pelletier/go-toml/v2", "golang.org/x/sys",
	}},
	"cmd/tetrad": {[]string{"node", "client", "client/balance", "gateway", "rpc", "genesis", "ledger", "crypto"}, []string{
		"github.com/spf13/cobra", "github.com/spf13/viper", "github.com/jedib0t/go-pretty/v6",
		"golang.org/x/term", "golang.org/x/sys", "github.com/pelletier/go-toml/v2",
	}},
	"scripts/bench-plot":        {[]string{"client", "scripts/bench-plot/figure"}, nil},
	"scripts/bench-plot/figure": {nil, nil},
	"internal/sim":              {[]string{"app", "genesis", "ledger", "ledger/store", "crypto"}, nil},
	"internal/tidy":             {nil, nil},
	"internal/e2e":              {nil, nil},
	// The liar is a replica with wrapped parts, so it reaches for what the parts are made of.
	"internal/e2e/liar": {[]string{"node", "rpc", "ledger", "crypto"}, []string{"github.com/cometbft/cometbft"}},
}

// onlyIn names outside packages that have exactly one room, with what is built onto it, and says what everybody else
// does instead.
var onlyIn = []struct{ path, room, instead string }{
	{"github.com/dgraph-io/badger/v4", "ledger/store", "keep state through ledger/store"},
	{"github.com/cometbft/cometbft/abci/types", "abci", "speak package app's types; abci translates"},
	{"github.com/oasisprotocol/curve25519-voi", "crypto", "verify through package crypto: one accept set"},
	{"crypto/ed25519", "crypto", "verify through package crypto: the standard library's rule for edge cases differs"},
}

func TestArrows(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		allowed, ok := arrows[name]
		if !ok {
			t.Errorf("package %s has no row in internal/tidy/arrows_test.go: say there what it may import", name)
			continue
		}
		for _, imp := range p.Imports {
			if ours, is := strings.CutPrefix(imp, module); is {
				if !slices.Contains(allowed.ours, ours) {
					t.Errorf("%s imports %s: the architecture has no such arrow (docs/ARCHITECTURE.md)", name, ours)
				}
				continue
			}
			if outside(imp) && !hasPrefixIn(imp, allowed.outside) {
				t.Errorf("%s imports %s: not in its row of internal/tidy/arrows_test.go", name, imp)
			}
		}
	}
}

// TestArrowsNameRealPackages keeps the table free of rows whose package is gone.
func TestArrowsNameRealPackages(t *testing.T) {
	real := map[string]bool{}
	for _, p := range packages(t) {
		real[strings.TrimPrefix(p.ImportPath, module)] = true
	}
	var stale []string
	for name := range arrows {
		if !real[name] {
			stale = append(stale, name)
		}
	}
	sort.Strings(stale)
	if len(stale) > 0 {
		t.Errorf("arrows has rows for packages that do not exist: %v", stale)
	}
}

func TestOneRoom(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if name == "internal/e2e/liar" {
			continue // it wraps the engine's own types to lie with them
		}
		for _, imp := range p.Imports {
			for _, rule := range onlyIn {
				inside := name == rule.room || strings.HasPrefix(name, rule.room+"/")
				if !inside && (imp == rule.path || strings.HasPrefix(imp, rule.path+"/")) {
					t.Errorf("%s imports %s, which only %s may: %s", name, imp, rule.room, rule.instead)
				}
			}
		}
	}
}

// outside reports whether an import path is neither ours nor of the standard library, whose first path
// element has no dot.
func outside(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return strings.Contains(first, ".") && !strings.HasPrefix(imp, module)
}

func hasPrefixIn(imp string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return imp == p || strings.HasPrefix(imp, p+"/") })
}
