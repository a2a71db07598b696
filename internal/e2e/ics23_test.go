package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	cmthttp "github.com/cometbft/cometbft/rpc/client/http"
	ics23 "github.com/cosmos/ics23/go"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/rpc"
)

// claim23 is what a proof is to show: that a key has a value under a root or, without a value, that it has
// none.
type claim23 struct {
	Name  string `json:"name"`
	Root  []byte `json:"root"`
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
	ICS23 []byte `json:"ics23"`
}

// What a verifier says of a claim.
const (
	holds      = "holds"
	refused    = "refused"
	incomplete = "incomplete" // only of absence, by the npm package: see ics23/verify.js
)

// TestICS23 exports proofs and receipts from real validators and has them checked by the libraries of others,
// unmodified: ics23 for Go and @confio/ics23 for JavaScript. What was changed afterwards, both refuse.
func TestICS23(t *testing.T) {
	node := nodeLibrary(t)
	n := newNetwork(t, 4, nil)
	n.start()
	proofs := newProofs(n)
	proofs.collect()
	proofs.receipts()

	var changed []claim23
	for _, c := range proofs.claims {
		changed = append(changed, changes(t, c)...)
	}
	right, wrong := node.judge(t, proofs.claims), node.judge(t, changed)
	absent := 0
	for i, c := range proofs.claims {
		if goSays(c) != holds {
			t.Errorf("ics23 for Go refuses: %s", c.Name)
		}
		if right[i] != holds && (c.Value != nil || right[i] != incomplete) {
			t.Errorf("@confio/ics23 says %q: %s", right[i], c.Name)
		}
		if c.Value == nil && right[i] == holds {
			absent++
		}
	}
	if absent == 0 {
		t.Error("@confio/ics23 has accepted no proof of absence")
	}
	for i, c := range changed {
		if goSays(c) == holds || wrong[i] == holds {
			t.Errorf("a changed proof is accepted: %s", c.Name)
		}
	}
	t.Logf("%d proofs hold in ics23 for Go; in @confio/ics23, too, but for absences beside empty subtrees (%d of %d absences); "+
		"%d changed ones are refused by both", len(proofs.claims), absent, proofs.absent(), len(changed))
}

// proofs collects what validators prove.
type proofs struct {
	*network
	engine *cmthttp.HTTP
	claims []claim23
}

func newProofs(n *network) *proofs {
	n.t.Helper()
	engine, err := cmthttp.New(n.rpcURL(1), "/websocket")
	if err != nil {
		n.t.Fatal(err)
	}
	return &proofs{network: n, engine: engine}
}

func (p *proofs) absent() (count int) {
	for _, c := range p.claims {
		if c.Value == nil {
			count++
		}
	}
	return count
}

// collect asks for what there is and for what there is not.
func (p *proofs) collect() {
	p.t.Helper()
	alice := address("alice")
	entry, err := client.NewTx(p.chainID, p.genesis, alice).Put("config/limits", []byte("ten")).ValidFor(validFor).Sign(crypto.DevKey("alice"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.mustCommit(entry)
	paid := p.transfer("alice", "bob", 7)
	p.mustCommit(paid)

	tx := func(id crypto.Hash) string {
		return fmt.Sprintf("%s/%s?valid_until_ms=%d&proof=true&timeout=60s", rpc.PathTransactions, id, paid.ValidUntilMS)
	}
	p.read(rpc.PathAccounts + "/" + alice.String() + "?proof=true")
	p.read(rpc.PathAssets + "/usd?proof=true")
	p.read(rpc.PathEntries + "/" + alice.String() + "/config/limits?proof=true")
	p.read(rpc.PathValidators + "?proof=true")
	p.read(tx(paid.TxID))
	for i := range 12 {
		name := fmt.Sprintf("none%d", i)
		p.read(rpc.PathAccounts + "/" + crypto.DevKey(name).Public().Address().String() + "?proof=true")
		p.read(rpc.PathAssets + "/" + name + "?proof=true")
		p.read(rpc.PathEntries + "/" + alice.String() + "/" + name + "?proof=true")
		p.read(tx(crypto.Sum([]byte(name))))
	}
}

// read asks a validator's HTTP API for an answer with proof, which may be that there is nothing.
func (p *proofs) read(path string) {
	p.t.Helper()
	var answer struct {
		Proof *rpc.Proof `json:"proof"`
	}
	p.ask(path, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url(2)+path, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode >= http.StatusInternalServerError {
			return errors.New(response.Status)
		}
		return json.NewDecoder(response.Body).Decode(&answer)
	})
	if answer.Proof == nil || len(answer.Proof.Items) == 0 {
		p.t.Fatalf("%s: no proof", path)
	}
	p.add(path, answer.Proof.Height, answer.Proof.Items)
}

// add takes over the items of a proof, under the root that the next block's header has at another validator.
func (p *proofs) add(what string, height uint64, items []rpc.ProofItem) {
	p.t.Helper()
	next := int64(height) + 1
	var root []byte
	p.ask(fmt.Sprintf("header %d", next), func(ctx context.Context) error {
		header, err := p.engine.Header(ctx, &next)
		if err != nil {
			return err
		}
		if header.Header == nil {
			return errors.New("it is not there yet")
		}
		root = header.Header.AppHash
		return nil
	})
	for i, item := range items {
		c := claim23{Name: fmt.Sprintf("%s, leaf %d", what, i), Root: root, Key: item.Key, Value: item.Value, ICS23: item.ICS23}
		if item.Root != nil { // a record, under the root that stands in the leaf before it, which is proven
			c.Root = item.Root[:]
		}
		p.claims = append(p.claims, c)
	}
}

// receipts has the command write receipts, of a payment and of one that failed, and takes the proofs from them.
func (p *proofs) receipts() {
	p.t.Helper()
	failed := p.transfer("dave", "bob", 1<<60)
	c := p.client(0)
	p.ask("a payment that fails", func(ctx context.Context) error {
		_, err := c.Submit(ctx, failed.Raw)
		return err
	})
	paid := p.transfer("bob", "carol", 3)
	p.mustCommit(paid)
	for what, tx := range map[string]client.Signed{"committed": paid, "failed": failed} {
		file := filepath.Join(p.t.TempDir(), "receipt.json")
		p.ask("the receipt of "+what, func(ctx context.Context) error {
			cmd := exec.CommandContext(ctx, p.nodes[0].command[0], "tx", "receipt", tx.TxID.String(), "--out", file,
				"--home", filepath.Join(p.dir, "client"))
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		})
		data, err := os.ReadFile(file)
		if err != nil {
			p.t.Fatal(err)
		}
		var r client.Receipt
		if err := json.Unmarshal(data, &r); err != nil || r.Status != what || len(r.Proof) == 0 {
			p.t.Fatalf("the receipt says %q, want %q: %v", r.Status, what, err)
		}
		p.add("receipt "+what, r.Height, r.Proof)
	}
}

// goSays asks the Go library.
func goSays(c claim23) string {
	var proof ics23.CommitmentProof
	if proof.Unmarshal(c.ICS23) != nil {
		return refused
	}
	if c.Value == nil && ics23.VerifyNonMembership(ics23.SmtSpec, c.Root, &proof, c.Key) ||
		c.Value != nil && ics23.VerifyMembership(ics23.SmtSpec, c.Root, &proof, c.Key, c.Value) {
		return holds
	}
	return refused
}
