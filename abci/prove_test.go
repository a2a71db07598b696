package abci

import (
	"context"
	"testing"

	abcitypes "github.com/cometbft/cometbft/abci/types"
	ics23 "github.com/cosmos/ics23/go"

	"github.com/tetradledger/tetrad/crypto"
)

// TestProofOps: a proof that is asked for comes as ics23 tools expect it, and checks against the root that the
// next header carries.
func TestProofOps(t *testing.T) {
	c := newChain(t, Options{})
	c.init()
	roots := map[int64][]byte{}
	for h := int64(1); h <= 3; h++ {
		roots[h] = c.block(nil).AppHash
	}
	stranger := crypto.DevKey("stranger").Public().Address().String()
	for path, present := range map[string]bool{"/params": true, "/accounts/" + stranger: false} {
		for height, want := range map[int64]int64{0: 2, 1: 1} {
			q, err := c.application.Query(context.Background(), &abcitypes.RequestQuery{Path: path, Height: height, Prove: true})
			if err != nil || !q.IsOK() || q.Height != want || (q.Value != nil) != present || q.ProofOps == nil || len(q.ProofOps.Ops) != 1 {
				t.Fatalf("%s at %d: %v %v", path, height, q, err)
			}
			op := q.ProofOps.Ops[0]
			var proof ics23.CommitmentProof
			if err := proof.Unmarshal(op.Data); err != nil || op.Type != "ics23:smt" || string(op.Key) != string(q.Key) {
				t.Fatalf("%s: %v %v", path, op, err)
			}
			holds := ics23.VerifyNonMembership(ics23.SmtSpec, roots[want], &proof, q.Key)
			if present {
				holds = ics23.VerifyMembership(ics23.SmtSpec, roots[want], &proof, q.Key, q.Value)
			}
			if !holds {
				t.Errorf("%s at %d: the proof does not hold", path, height)
			}
		}
	}
}
