package client

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// strongLiars are what one node of four may do to a strong read. None changes its outcome, and each is found out.
var strongLiars = []struct {
	name string
	kind LieKind
	make func(n *attesting, liar int)
}{
	{"an attestation signed with another key", LieSignature, says(func(_ *ledger.Attestation, key *crypto.PrivateKey) { *key = crypto.DevKey("mallory") })},
	{"an attestation signed with another validator's key", LieSignature, says(func(_ *ledger.Attestation, key *crypto.PrivateKey) {
		*key = crypto.DevKey("service-node2")
	})},
	{"an attestation in another validator's name", LieSignature, func(n *attesting, liar int) {
		n.who[liar].change = func(a *ledger.Attestation, _ *crypto.PrivateKey) { a.Validator = n.who[(liar+1)%len(n.who)].id }
	}},
	{"an attestation changed after it was signed", LieSignature, rewrites(func(a *attestAnswer) { a.Pending = a.Committed + 1 })},
	{"an attestation for another nonce", LieNonce, says(func(a *ledger.Attestation, _ *crypto.PrivateKey) { a.Nonce[0]++ })},
	{"a nonce changed after it was signed for", LieSignature, func(n *attesting, liar int) {
		var mine [ledger.AttestNonceLen]byte
		n.who[liar].change = func(a *ledger.Attestation, _ *crypto.PrivateKey) {
			mine = a.Nonce
			a.Nonce = [ledger.AttestNonceLen]byte{1}
		}
		n.who[liar].rewrite = func(a *attestAnswer) { a.Nonce = crypto.Hash(mine).String() }
	}},
	{"a height that does not exist yet", LieAhead, says(func(a *ledger.Attestation, _ *crypto.PrivateKey) { a.Committed += 5 })},
	{"a height beyond all heights", LieAhead, says(func(a *ledger.Attestation, _ *crypto.PrivateKey) { a.Committed = 1 << 63 })},
	{"a header that is not the block's", LieHeader, says(func(a *ledger.Attestation, _ *crypto.PrivateKey) { a.HeaderHash[0]++ })},
	{"a pending block that no honest validator can have signed", LieShape, rewrites(func(a *attestAnswer) { a.Pending = a.Committed + 2 })},
	{"no signature", LieShape, rewrites(func(a *attestAnswer) { a.Signature = "" })},
	{"another value", LieMinority, answers(func(o object) { o["amount"], o["available"] = "2000000.00", "2000000.00" })},
	{"the value of a height before", LieMinority, answers(func(o object) { o["amount"], o["available"] = "1000000.00", "1000000.00" })},
	{"the answer of a height before", LieHeight, answers(func(o object) { o["height"] = json.Number("2") })},
}

func says(change func(*ledger.Attestation, *crypto.PrivateKey)) func(*attesting, int) {
	return func(n *attesting, liar int) { n.who[liar].change = change }
}

func rewrites(change func(*attestAnswer)) func(*attesting, int) {
	return func(n *attesting, liar int) { n.who[liar].rewrite = change }
}

func answers(change func(object)) func(*attesting, int) {
	return func(n *attesting, liar int) { n.spoils(liar, change) }
}

// TestStrongLiars: one liar of four changes nothing, wherever it stands, and is named with evidence.
func TestStrongLiars(t *testing.T) {
	for i, l := range strongLiars {
		t.Run(l.name, func(t *testing.T) {
			n := newAttesting(t, namedValidators)
			n.give(t, 100)
			liar := i % len(n.servers)
			l.make(n, liar)
			dir := t.TempDir()
			s := n.strong(t, StrongOptions{VerifiedOptions: VerifiedOptions{Evidence: dir}})
			b, err := s.Balance(within(t, time.Minute), rpctest.Address("bob").String(), "usd", ReadOptions{})
			if err != nil || b.Amount != "1000001.00" || b.Height != 3 {
				t.Errorf("%+v, %v", b, err)
			}
			s.loose.Wait()
			checkEvidence(t, dir, string(l.kind), n.servers[liar].URL)
			for _, node := range s.v.client.endpoints.Backends() {
				if (node.Lies > 0) != (node.Node == n.servers[liar].URL) {
					t.Errorf("%s told %d lies", node.Node, node.Lies)
				}
			}
		})
	}
}

// checkEvidence looks for one file, of a kind and about a node.
func checkEvidence(t *testing.T, dir, kind, node string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files of evidence, %v", len(files), err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var e Evidence
	if err := json.Unmarshal(data, &e); err != nil || e.Kind != kind || e.Endpoint != node || len(e.Exchanges) == 0 {
		t.Errorf("evidence of %s about %s, want %s about %s: %v\n%s", e.Kind, e.Endpoint, kind, node, err, shorten(data, 800))
	}
	if !strings.Contains(e.Reason, node) {
		t.Errorf("%s does not name the node", e.Reason)
	}
}

// TestStrongTwoLiars: with more liars than can be, a read may fail; that it was a lie is said where it can be known.
func TestStrongTwoLiars(t *testing.T) {
	n := newAttesting(t, namedValidators)
	for _, liar := range n.who[:2] {
		liar.change = func(_ *ledger.Attestation, key *crypto.PrivateKey) { *key = crypto.DevKey("mallory") }
	}
	_, err := n.strong(t, StrongOptions{}).Index(within(t, time.Minute))
	if !errors.Is(err, ErrNoQuorum) || !errors.Is(err, ErrLie) {
		t.Errorf("%v", err)
	}
}
