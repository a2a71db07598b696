package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetradledger/tetrad/rpc"
)

// fenceAt finds the height with a transaction of its own, after the attestations did not tell. Consensus has put it
// behind everything that was committed when it was signed, and where it was committed is proven.
func (s *Strong) fenceAt(ctx context.Context, cause error) (index, error) {
	var none *NoQuorumError
	if !errors.As(cause, &none) {
		none = &NoQuorumError{Why: cause.Error(), heard: true}
	}
	if s.fence == nil {
		return index{}, none
	}
	height, err := s.fenceHeight(ctx)
	switch {
	case errors.Is(err, ErrLie):
		return index{}, err
	case err != nil:
		none.Fence = err
		return index{}, none
	}
	s.fenced.Add(1)
	return index{height: height}, nil
}

// fenceHeight sends a fence and waits until it is proven in which block it is.
func (s *Strong) fenceHeight(ctx context.Context) (uint64, error) {
	tx, err := s.fence(ctx)
	if err != nil {
		return 0, fmt.Errorf("sign it: %w", err)
	}
	if _, err := s.v.client.Submit(ctx, tx.Raw); err != nil && !errors.Is(err, ErrUnknownOutcome) {
		return 0, err
	}
	status, err := s.v.WaitOutcome(ctx, tx)
	if err != nil {
		return 0, err
	}
	if status.Status != rpc.StatusCommitted && status.Status != rpc.StatusFailed {
		return 0, fmt.Errorf("it is %s", status.Status)
	}
	return status.Height, nil
}
