package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/rpc"
)

// buildLiar builds the misbehaving validator.
func buildLiar(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "liar")
	if out, err := exec.Command("go", "build", "-o", path, "./liar").CombinedOutput(); err != nil {
		t.Fatalf("build the liar: %v\n%s", err, out)
	}
	return path
}

// TestLiarAmongFour puts a validator among four that double-signs, proposes bad blocks, floods pools and lies
// to readers, all at once. The others must go on without a fork, a wrong balance or a lost payment.
func TestLiarAmongFour(t *testing.T) {
	n := newNetwork(t, 4, nil)
	n.nodes[3].command = []string{buildLiar(t), "--lies", "votes,proposals,pool,answers", "--home", n.nodes[3].home}
	n.start()
	honest := []int{0, 1, 2}
	n.untilHeight(3, honest...)

	l := n.startLoad(2, honest...)
	l.untilMore(150)
	n.until("the double votes are proven on the ledger", func() bool { return n.faults(0, "node3") > 0 })
	n.until("every lie was told", func() bool { return len(untold(t, n.nodes[3])) == 0 })
	l.untilMore(50)
	acked := l.stop()
	n.onlyGoodTransactions(n.audit(acked, honest...))

	if power := n.validator(0, "node3").Power; power == 0 {
		t.Error("a network of four must keep four validators with power")
	}
	readersSeeTheLie(t, n)
}

// untold lists the lies that the liar's log does not show yet. Without them the test would show nothing.
func untold(t *testing.T, liar *process) []string {
	t.Helper()
	log, err := os.ReadFile(liar.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, lie := range []string{
		"a second vote", "flooding pools", "kind=garbage", `kind="broken frame"`, "kind=oversize",
		`kind="empty transaction"`, `kind="bad signature"`,
	} {
		if !strings.Contains(string(log), lie) {
			out = append(out, lie)
		}
	}
	return out
}

// onlyGoodTransactions checks that nothing of what the liar proposed or gossiped came into a block: whatever is
// in one was committed.
func (n *network) onlyGoodTransactions(top uint64) {
	n.t.Helper()
	for h := uint64(1); h <= top; h++ {
		for _, r := range n.block(0, h).Receipts {
			if r.Code != 0 {
				n.t.Errorf("block %d holds transaction %s with code %d", h, r.TxID, r.Code)
			}
		}
	}
}

// readersSeeTheLie: whoever asks f+1 nodes sees that they differ, and what all honest nodes say is the same.
func readersSeeTheLie(t *testing.T, n *network) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	height := n.height(0)
	n.untilHeight(height, 0, 1, 2)
	read := func(i int) string {
		b, err := n.client(i).Balance(ctx, address("alice").String(), "usd", client.ReadOptions{Height: height})
		if err != nil {
			t.Fatal(err)
		}
		return b.Amount
	}
	if read(0) != read(1) || read(1) != read(2) {
		t.Errorf("honest nodes differ: %s %s %s", read(0), read(1), read(2))
	}
	n.until("the liar has the height", func() bool { return n.height(3) >= height })
	var b rpc.Balance
	path := rpc.PathAccounts + "/" + address("alice").String() + "/balances/usd"
	err := n.client(3, 0).AskQuorum(ctx, 1, path, &b)
	var disagreement *client.DisagreementError
	if !errors.As(err, &disagreement) {
		t.Errorf("f+1 nodes, one of them a liar, were asked, and the client noticed nothing: %+v %v", b, err)
	}
	if err := n.client(0, 1).AskQuorum(ctx, 1, path, &b); err != nil {
		t.Errorf("honest nodes were asked: %v", err)
	}
}

// TestLiarLosesPower: with five validators four remain, so a proven liar is out of consensus.
func TestLiarLosesPower(t *testing.T) {
	n := newNetwork(t, 5, nil)
	n.nodes[4].command = []string{buildLiar(t), "--lies", "votes", "--home", n.nodes[4].home}
	n.start()
	n.untilHeight(2, 0, 1, 2, 3)
	n.until("the liar's power is gone", func() bool {
		v := n.validator(0, "node4")
		return v.Faults > 0 && v.Power == 0
	})
	l := n.startLoad(1, 0, 1, 2, 3)
	l.untilMore(20)
	n.audit(l.stop(), 0, 1, 2, 3)
}

// validator is what validator i says about the one with the name.
func (n *network) validator(i int, name string) rpc.Validator {
	n.t.Helper()
	c := n.client(i)
	var all rpc.Validators
	n.ask(fmt.Sprintf("validators of node%d", i), func(ctx context.Context) (err error) {
		all, err = c.Validators(ctx, client.ReadOptions{})
		return err
	})
	for _, v := range all.Validators {
		if v.Name == name {
			return v
		}
	}
	n.t.Fatalf("no validator is called %s: %+v", name, all.Validators)
	return rpc.Validator{}
}

func (n *network) faults(i int, name string) uint64 { return n.validator(i, name).Faults }
