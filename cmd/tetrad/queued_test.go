package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/rpc"
)

// TestStillQueued: whoever waited in vain for a queued transaction hears that it is queued, until when it may still come,
// and how to ask; the exit code is that of an unknown outcome.
func TestStillQueued(t *testing.T) {
	id := crypto.Sum([]byte("a transaction"))
	answer := rpc.SubmitResponse{TxID: id, Status: rpc.StatusQueued, Partition: rpc.PartitionMinority, ExpiresAt: "2026-01-01T00:00:00Z"}
	f := classify(stillQueued(answer, &client.UnknownOutcomeError{TxID: id}))
	if f.exit != exitUnknown || f.slug != "queued" || !f.retryable || f.txid != id.String() {
		t.Errorf("%+v", f)
	}
	for _, part := range []string{"minority", "queued", "2026-01-01T00:00:00Z"} {
		if !strings.Contains(f.message, part) {
			t.Errorf("%q does not say %s", f.message, part)
		}
	}
	if !strings.Contains(f.hint, id.String()) {
		t.Errorf("%q does not name the transaction", f.hint)
	}
	other := errors.New("another")
	if err := stillQueued(answer, other); err != other {
		t.Errorf("another error became %v", err)
	}
}

// TestCheckOnPartition: the flag has two values and none.
func TestCheckOnPartition(t *testing.T) {
	for how, good := range map[string]bool{"": true, "fail": true, "queue": true, "hope": false, "Queue": false} {
		if err := checkOnPartition(how); (err == nil) != good {
			t.Errorf("%q: %v", how, err)
		}
	}
}
