package client

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/rpc"
)

// ErrNoNode is what every error is that means: no node could be asked.
var ErrNoNode = errors.New("no node could be reached")

// ErrUnknownOutcome is what every error is that means: the transaction may or may not have taken effect.
var ErrUnknownOutcome = errors.New("the outcome of the transaction is not known")

// NodeError is a node that did not answer, or not with an answer of the API.
type NodeError struct {
	Endpoint string
	Err      error
}

// Error names the node.
func (e *NodeError) Error() string { return e.Endpoint + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *NodeError) Unwrap() error { return e.Err }

// NoNodeError lists what each node did. It is an ErrNoNode.
type NoNodeError struct {
	Attempts []*NodeError
}

// Error names every node and what was wrong with it.
func (e *NoNodeError) Error() string {
	parts := make([]string, len(e.Attempts))
	for i, a := range e.Attempts {
		parts[i] = a.Error()
	}
	return fmt.Sprintf("%v: %s", ErrNoNode, strings.Join(parts, "; "))
}

// Unwrap gives what each node did.
func (e *NoNodeError) Unwrap() []error {
	causes := make([]error, len(e.Attempts))
	for i, a := range e.Attempts {
		causes[i] = a
	}
	return causes
}

// or prefers what a node said to what other nodes did not.
func (e *NoNodeError) or(refused *rpc.Error) error {
	if refused != nil {
		return refused
	}
	return e
}

// Is makes it an ErrNoNode.
func (e *NoNodeError) Is(target error) bool { return target == ErrNoNode }

// UnknownOutcomeError names the transaction whose outcome could not be learned. It is an ErrUnknownOutcome.
type UnknownOutcomeError struct {
	TxID crypto.Hash
	Last error // what was in the way, if anything was
}

// Error names the transaction, so that it can be asked for later.
func (e *UnknownOutcomeError) Error() string {
	text := fmt.Sprintf("%v: %s", ErrUnknownOutcome, e.TxID)
	if e.Last != nil {
		text += ": " + e.Last.Error()
	}
	return text
}

// Is makes it an ErrUnknownOutcome.
func (e *UnknownOutcomeError) Is(target error) bool { return target == ErrUnknownOutcome }

// Unwrap gives what was in the way.
func (e *UnknownOutcomeError) Unwrap() error { return e.Last }

// ErrNoQuorum is what every error is that means: validators with more than two thirds of the voting power could not be
// asked, so that nobody can tell which state is the newest.
var ErrNoQuorum = errors.New("too few validators can be asked for the newest state")

// NoQuorumError lists what was in the way. It is an ErrNoQuorum, and an ErrNoNode if no node answered at all.
type NoQuorumError struct {
	Have, Total uint64 // voting power that attested, of all; zero if nobody's attestation counted
	Why         string // beside what nodes did
	Attempts    []*NodeError
	Fence       error // why a transaction of one's own did not help; nil: none was tried

	heard bool // a node answered, if only to refuse
}

// Error says how much power there was, and what each of the other nodes did.
func (e *NoQuorumError) Error() string {
	text := ErrNoQuorum.Error()
	if e.Total > 0 {
		text += fmt.Sprintf(": %d of the voting power %d attested", e.Have, e.Total)
	}
	if e.Why != "" {
		text += ": " + e.Why
	}
	for _, a := range e.Attempts {
		text += "; " + a.Error()
	}
	if e.Fence != nil {
		text += "; nor could a transaction find it: " + e.Fence.Error()
	}
	return text
}

// Is makes it an ErrNoQuorum, and an ErrNoNode if no node answered.
func (e *NoQuorumError) Is(target error) bool {
	return target == ErrNoQuorum || target == ErrNoNode && !e.heard
}

// Unwrap gives what each node did.
func (e *NoQuorumError) Unwrap() []error {
	causes := make([]error, 0, len(e.Attempts)+1)
	for _, a := range e.Attempts {
		causes = append(causes, a)
	}
	if e.Fence != nil {
		causes = append(causes, e.Fence)
	}
	return causes
}
