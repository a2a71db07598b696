package node

import (
	"testing"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// leaves is a state in a map.
type leaves map[string][]byte

func (l leaves) Get(key []byte) ([]byte, error) { return l[string(key)], nil }

// TestRegionOf: a node tells its approved region, and no claim.
func TestRegionOf(t *testing.T) {
	key := crypto.DevKey("validator").Public()
	id := crypto.ValidatorIDOf(key.Type, key.Bytes)
	for want, n := range map[string]*ledger.Node{
		"":      {Claimed: "us", Approvals: []crypto.ValidatorID{id}},
		"eu/de": {Claimed: "eu/de", Approved: true, Approvals: []crypto.ValidatorID{id}},
	} {
		n.ServiceKey = crypto.DevKey("service").Public().Bytes
		if got, err := regionOf(leaves{string(ledger.KeyNode(id)): n.Append(nil)}, key); err != nil || got != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	if got, err := regionOf(leaves{}, key); err != nil || got != "" {
		t.Errorf("without a node: %q, %v", got, err)
	}
	if _, err := regionOf(leaves{string(ledger.KeyNode(id)): {9}}, key); err == nil {
		t.Error("a damaged leaf is no region")
	}
}
