package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
)

// TestDiskFull fills one validator's disk: it takes no more transactions while the disk is low, ends with a
// sentence before it is full, and catches up once there is room. The others do not notice.
func TestDiskFull(t *testing.T) {
	n := newNetwork(t, 4, nil)
	data := filepath.Join(n.nodes[3].home, "data")
	state, err := os.ReadFile(filepath.Join(data, "priv_validator_state.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=400m"); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(data, syscall.MNT_DETACH) })
	if err := os.WriteFile(filepath.Join(data, "priv_validator_state.json"), state, 0o600); err != nil {
		t.Fatal(err)
	}
	n.start()
	n.untilHeight(2)
	n.until("a validator whose disk is low says so", func() bool {
		_, err := n.client(3).Submit(t.Context(), n.transfer("alice", "bob", 1).Raw)
		if err == nil {
			t.Fatal("a validator whose disk is low took a payment")
		}
		return strings.Contains(err.Error(), "disk is nearly full")
	})

	fill := filepath.Join(data, "fill")
	if err := os.WriteFile(fill, make([]byte, 200<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	p := n.nodes[3]
	select {
	case err := <-p.done:
		if err == nil {
			t.Error("the process ended as if nothing were wrong")
		}
		p.cmd = nil
	case <-time.After(patience):
		t.Fatal("the validator goes on with a full disk")
	}
	if !strings.Contains(n.tail(p), "free some space and start again") {
		t.Errorf("the log does not say what to do:\n%s", n.tail(p))
	}
	tx := n.transfer("alice", "bob", 2)
	n.mustCommit(tx, 0, 1, 2)
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	n.start(3)
	n.untilHeight(n.height(0), 3)
	n.audit([]crypto.Hash{tx.TxID})
}
