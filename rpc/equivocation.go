package rpc

import (
	"context"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// Equivocations are authors that one node has seen contradict themselves.
type Equivocations struct {
	Equivocations []SeenEquivocation `json:"equivocations"`
}

// SeenEquivocation is two transactions that contradict each other. Anybody can prove it to all by an operation
// prove_equivocation, as long as both could still come into a block.
type SeenEquivocation struct {
	Author string      `json:"author" doc:"Address of the account"`
	TxIDA  crypto.Hash `json:"txid_a"`
	TxIDB  crypto.Hash `json:"txid_b"`
	TxA    []byte      `json:"tx_a" doc:"The signed transaction's bytes, in standard base64"`
	TxB    []byte      `json:"tx_b" doc:"Likewise"`
}

type equivocationsOutput struct{ Body Equivocations }

func (s *server) equivocations(ctx context.Context, _ *struct{}) (*equivocationsOutput, error) {
	pairs, err := s.backend.Equivocations(ctx)
	if err != nil {
		return nil, s.asError(err, "list equivocations")
	}
	out := &equivocationsOutput{Body: Equivocations{Equivocations: []SeenEquivocation{}}}
	for _, pair := range pairs {
		op, fits := ledger.EvidenceFor(pair[0], pair[1])
		if !fits {
			continue
		}
		m := op.GetProveEquivocation()
		if string(m.TxA) != string(pair[0].Raw) {
			pair[0], pair[1] = pair[1], pair[0]
		}
		out.Body.Equivocations = append(out.Body.Equivocations, SeenEquivocation{
			Author: pair[0].Actor().String(), TxIDA: pair[0].ID, TxIDB: pair[1].ID, TxA: m.TxA, TxB: m.TxB,
		})
	}
	return out, nil
}
