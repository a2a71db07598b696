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
