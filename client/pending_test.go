package client

import (
	"errors"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/rpc/rpctest"
)

// TestEntryWithPending: a Client asks for what is pending where that is wanted, and a Verified never does.
func TestEntryWithPending(t *testing.T) {
	p := newProving(t, 1, fourValidators)
	alice := rpctest.Address("alice")
	until := uint64(time.Now().Add(5*time.Minute - time.Hour).UnixMilli())
	tx, err := NewTx(p.ChainID, p.Genesis, alice).ValidUntilMS(until).Add("n", 5).Sign(crypto.DevKey("alice"))
	if err != nil {
		t.Fatal(err)
	}
	c := p.client(t, Options{})
	if _, err := c.Submit(within(t, time.Minute), tx.Raw); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Entry(within(t, time.Minute), alice.String(), "n", ReadOptions{}); err == nil {
		t.Error("there is an entry before any block")
	}
	e, err := c.Entry(within(t, time.Minute), alice.String(), "n", ReadOptions{IncludePending: true})
	if err != nil || e.Sum != "5" || e.Verified || e.CanProve == nil || *e.CanProve || len(e.Pending.TxIDs) != 1 || e.Pending.TxIDs[0] != tx.TxID || e.Pending.Committed != nil {
		t.Errorf("%+v, %v", e, err)
	}
	v := p.verified(t, VerifiedOptions{})
	if _, err := v.Entry(within(t, time.Minute), alice.String(), "n", ReadOptions{IncludePending: true}); !errors.Is(err, ErrPendingUnprovable) {
		t.Errorf("a Verified says %v", err)
	}
}
