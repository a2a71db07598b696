package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tetradledger/tetrad/client"
	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// exitCode is what a script sees of a failure; the numbers are part of the contract with users.
type exitCode int

const (
	exitDone        exitCode = 0
	exitError       exitCode = 1
	exitUsage       exitCode = 2
	exitRefused     exitCode = 3
	exitKey         exitCode = 4
	exitFailed      exitCode = 5
	exitUnknown     exitCode = 6
	exitUnreachable exitCode = 7
	exitDoctor      exitCode = 8
	exitProof       exitCode = 9
	exitInterrupted exitCode = 130
)

// exitMeanings is what 'tetrad help exit-codes' says.
var exitMeanings = []struct {
	code    exitCode
	meaning string
}{
	{exitDone, "done"},
	{exitError, "an error: a file, a disk, a node that cannot answer now, nothing by that name"},
	{exitUsage, "the command line or a configuration file is wrong; nothing was tried"},
	{exitRefused, "refused by the ledger's rules before it reached a block"},
	{exitKey, "a key is missing or locked, or signatures do not carry the authority"},
	{exitFailed, "in a block, and failed there: no effect"},
	{exitUnknown, "the outcome is not known yet; the transaction's id is printed, ask for it later"},
	{exitUnreachable, "no node could be reached"},
	{exitDoctor, "doctor found a failure"},
	{exitProof, "a proof or an audit did not hold"},
	{exitInterrupted, "stopped by Ctrl-C"},
}

// newExitCodes is a help topic: it does nothing but be read.
func newExitCodes() *cobra.Command {
	var text strings.Builder
	text.WriteString("Exit codes, for scripts:\n\n")
	for _, e := range exitMeanings {
		fmt.Fprintf(&text, "  %3d  %s\n", e.code, e.meaning)
	}
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: strings.TrimSpace(text.String())}
}

// failure is an error that already knows how the command ends: its exit code, the words for people and
// the fields for programs.
type failure struct {
	exit    exitCode
	code    uint32 // the ledger's code, 0 for failures that did not come from the ledger
	slug    string
	class   string
	message string // what is wrong
	hint    string // what to do next; may be empty
	txid    string // set once a transaction has a name, so that it is never lost

	retryable    bool
	retryAfterMS int64
	document     any // printed on stdout instead of the error document with -o json; nil for the usual one
}

func (f *failure) Error() string { return f.message }

// usagef is a failure of the command line itself.
func usagef(format string, args ...any) *failure {
	return &failure{exit: exitUsage, slug: "usage", class: "usage", message: fmt.Sprintf(format, args...)}
}

// keyf is a failure about a key: missing, locked, or without the authority.
func keyf(slug, format string, args ...any) *failure {
	return &failure{exit: exitKey, slug: slug, class: "key", message: fmt.Sprintf(format, args...)}
}

// next adds the sentence that says what to do about the failure.
func (f *failure) next(format string, args ...any) *failure {
	f.hint = fmt.Sprintf(format, args...)
	return f
}

// exitTable says how every typed error of the packages below ends a command. Rows are tried in order; one
// returns nil for errors that are not its own.
var exitTable = []func(error) *failure{
	exitOfNoQuorum, // before the rows of what single nodes did, which it lists
	exitOfLie,
	exitOfTrust,
	exitIs(crypto.ErrWrongPassphrase, exitKey, "wrong_passphrase", "key"),
	exitIs(crypto.ErrKeyNotFound, exitKey, "no_such_key", "key"),
	exitIs(crypto.ErrKeyExists, exitError, "key_exists", "key"),
	exitOfUnknownOutcome,
	exitOfRPC,
	exitOfReject,
	exitOfNoNode,
	exitOfNobody,
	exitIs(context.DeadlineExceeded, exitUnreachable, "timeout", "node"),
	exitOfExistingFile,
}

// classExits gives a refusal by a node or by our own check of a transaction its exit code. A limit or a
// node that cannot answer is not the ledger's rules: the same request may work later.
var classExits = map[ledger.Class]exitCode{
	ledger.ClassMalformed:  exitRefused,
	ledger.ClassAuth:       exitKey,
	ledger.ClassReplay:     exitRefused,
	ledger.ClassFunds:      exitRefused,
	ledger.ClassState:      exitRefused,
	ledger.ClassGovernance: exitRefused,
	ledger.ClassLimit:      exitError,
	ledger.ClassNode:       exitError,
	ledger.ClassUnknown:    exitError,
}

// hints say what to do about the refusals whose sentence does not.
var hints = map[ledger.Code]string{
	ledger.CodeBadSignature:  "is genesis_hash in client.toml that of this network? 'tetrad status -o json' shows the node's",
	ledger.CodeWrongChain:    "is chain_id in client.toml that of this network? 'tetrad status' shows the node's",
	ledger.CodeNotAuthorised: "sign with the key the account answers to: --sign-with NAME",
	ledger.CodeExpired:       "sign it again; --valid-for says for how long it is valid",
	ledger.CodeTooFarAhead:   "choose a shorter --valid-for",
	ledger.CodePoolFull:      "try again in a moment, or at another node",
	ledger.CodeAccountQuota:  "try again when some of the account's transactions are in a block",
	ledger.CodeFuture:        "'tetrad status' shows the newest height",
	ledger.CodePruned:        "another node may keep older heights: --node URL",
	ledger.CodeBehind:        "'tetrad status --all' shows whether blocks are made; --consistency verified, or eventual, takes what the nodes have",
}

// exitIs is the row of one sentinel error, whose own text is good enough for people.
func exitIs(target error, exit exitCode, slug, class string) func(error) *failure {
	return func(err error) *failure {
		if !errors.Is(err, target) {
			return nil
		}
		return &failure{exit: exit, slug: slug, class: class, message: err.Error()}
	}
}

func exitOfExistingFile(err error) *failure {
	if !errors.Is(err, fs.ErrExist) {
		return nil
	}
	return &failure{exit: exitError, slug: "file_exists", class: "client", message: err.Error(), hint: "nothing is overwritten; name another file, or remove that one"}
}

func exitOfUnknownOutcome(err error) *failure {
	if !errors.Is(err, client.ErrUnknownOutcome) {
		return nil
	}
	f := &failure{
		exit: exitUnknown, slug: "unknown_outcome", class: "node", retryable: true,
		message: "the outcome of the transaction could not be learned in time; it may still be committed",
	}
	var unknown *client.UnknownOutcomeError
	if errors.As(err, &unknown) {
		f.txid = unknown.TxID.String()
		f.hint = "ask again with 'tetrad tx status " + f.txid + "'"
		if unknown.Last != nil {
			f.message += " (" + unknown.Last.Error() + ")"
		}
	}
	return f
}

func exitOfRPC(err error) *failure {
	var e *rpc.Error
	if !errors.As(err, &e) {
		return nil
	}
	f := failureOfCode(ledger.Code(e.Code), e.Message)
	f.slug, f.class, f.retryable, f.retryAfterMS = e.Slug, e.Class, e.Retryable, e.RetryAfterMS
	return f
}

func exitOfReject(err error) *failure {
	var r *ledger.Reject
	if !errors.As(err, &r) {
		return nil
	}
	return failureOfCode(r.Code, r.Error())
}

func failureOfCode(code ledger.Code, message string) *failure {
	info := code.Info()
	exit, ok := classExits[info.Class]
	if !ok {
		exit = exitError
	}
	return &failure{
		exit: exit, code: uint32(code), slug: info.Slug, class: string(info.Class),
		message: message, hint: hints[code], retryable: info.Retryable,
	}
}

func exitOfNobody(err error) *failure {
	if !errors.Is(err, balance.ErrNobody) {
		return nil
	}
	return &failure{
		exit: exitUnreachable, slug: "unreachable", class: "node", retryable: true, message: err.Error(),
		hint: "'tetrad query validators' lists where nodes stand; with --region-strict=false those elsewhere are asked, too",
	}
}

func exitOfNoNode(err error) *failure {
	if !errors.Is(err, client.ErrNoNode) {
		return nil
	}
	f := &failure{
		exit: exitUnreachable, slug: "unreachable", class: "node", retryable: true, message: err.Error(),
		hint: "is the network running? 'tetrad dev' starts one here; --node URL names another",
	}
	var none *client.NoNodeError
	if errors.As(err, &none) && len(none.Attempts) > 0 {
		lines := make([]string, len(none.Attempts))
		for i, a := range none.Attempts {
			lines[i] = "  " + a.Error()
		}
		f.message = "no node could be reached\n" + strings.Join(lines, "\n")
	}
	return f
}
