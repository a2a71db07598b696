package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// TestEveryCodeHasAnExit: a code that is added to the registry must end a command with a number that scripts
// can act on, whether a node says it or our own check does.
func TestEveryCodeHasAnExit(t *testing.T) {
	for _, info := range ledger.Codes() {
		if info.Code == ledger.CodeOK {
			continue
		}
		want, ok := classExits[info.Class]
		if !ok {
			t.Errorf("class %s of %s has no exit code", info.Class, info.Slug)
		}
		for _, err := range []error{rpc.NewError(info.Code, ""), &ledger.Reject{Code: info.Code}} {
			f := classify(fmt.Errorf("wrapped: %w", err))
			if f.exit != want || f.slug != info.Slug || f.code != uint32(info.Code) || f.class != string(info.Class) {
				t.Errorf("%T %s: got exit %d, %s %d %s", err, info.Slug, f.exit, f.slug, f.code, f.class)
			}
		}
	}
}

func TestExitTable(t *testing.T) {
	for _, c := range []struct {
		err  error
		exit exitCode
		slug string
	}{
		{errors.New("disk on fire"), exitError, "error"},
		{usagef("no"), exitUsage, "usage"},
		{fmt.Errorf("wrapped: %w", usagef("no")), exitUsage, "usage"},
		{fmt.Errorf("unlock key a: %w", crypto.ErrWrongPassphrase), exitKey, "wrong_passphrase"},
		{crypto.ErrKeyNotFound, exitKey, "no_such_key"},
		{crypto.ErrKeyExists, exitError, "key_exists"},
		{&client.UnknownOutcomeError{}, exitUnknown, "unknown_outcome"},
		// The cause of not knowing is a detail: what matters is that the outcome is not known.
		{&client.UnknownOutcomeError{Last: &client.NoNodeError{}}, exitUnknown, "unknown_outcome"},
		{&client.NoNodeError{}, exitUnreachable, "unreachable"},
		{&client.NoQuorumError{}, exitUnreachable, "no_quorum"}, // nobody answered at all
		{errors.Join(client.ErrNoQuorum, &client.LieError{Kind: client.LieNonce}), exitError, "no_quorum"},
		{context.DeadlineExceeded, exitUnreachable, "timeout"},
	} {
		if f := classify(c.err); f.exit != c.exit || f.slug != c.slug {
			t.Errorf("%v: exit %d %s, want %d %s", c.err, f.exit, f.slug, c.exit, c.slug)
		}
	}
}

// TestExitMeanings: the help topic lists every exit code there is.
func TestExitMeanings(t *testing.T) {
	listed := map[exitCode]bool{}
	for _, e := range exitMeanings {
		listed[e.code] = true
	}
	for _, code := range classExits {
		if !listed[code] {
			t.Errorf("exit code %d is not explained", code)
		}
	}
	if len(listed) != 11 {
		t.Errorf("%d exit codes are explained, want 11", len(listed))
	}
}

func TestInterrupted(t *testing.T) {
	stopped := &cli{interrupted: func() bool { return true }}
	f := stopped.classify(&client.UnknownOutcomeError{TxID: crypto.Hash{1}})
	if f.exit != exitInterrupted || f.txid != (crypto.Hash{1}).String() {
		t.Errorf("exit %d, txid %q: want %d and the transaction's id", f.exit, f.txid, exitInterrupted)
	}
}
