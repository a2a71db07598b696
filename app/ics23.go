package app

import (
	"fmt"

	ics23 "github.com/cosmos/ics23/go"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
)

// ProveKey shows the value of a key of a tree, or that there is none, as a marshalled ics23 CommitmentProof that
// checks against ics23.SmtSpec. Of an empty tree nothing can be shown in that form: it proves absence by the
// neighbours of a key's place.
func ProveKey(tree *merkle.View, key []byte) ([]byte, error) {
	p, err := tree.Prove(key)
	if err != nil {
		return nil, err
	}
	var proof ics23.CommitmentProof
	if p.Kind == merkle.ProofPresent {
		proof.Proof = &ics23.CommitmentProof_Exist{Exist: existence(p)}
	} else {
		left, right := tree.Neighbours(key)
		if left == nil && right == nil {
			return nil, fmt.Errorf("prove the absence of %x: the tree is empty", key)
		}
		proof.Proof = &ics23.CommitmentProof_Nonexist{Nonexist: &ics23.NonExistenceProof{
			Key: key, Left: existence(left), Right: existence(right),
		}}
	}
	return proof.Marshal()
}

// innerPrefix begins the preimage of an inner node.
const innerPrefix = 1

// existence turns a proof of presence into the form of ics23, which lists the steps from the leaf up and gives
// each sibling as what stands before or behind the hash in the preimage.
func existence(p *merkle.Proof) *ics23.ExistenceProof {
	if p == nil {
		return nil
	}
	path := crypto.Sum(p.Key)
	depth := len(p.Siblings)
	ops := make([]ics23.InnerOp, depth)
	steps := make([]*ics23.InnerOp, depth)
	for i := range steps {
		at := depth - 1 - i
		op, sibling := &ops[i], p.Siblings[at]
		op.Hash = ics23.HashOp_SHA256
		if path[at/8]>>(7-at%8)&1 == 0 {
			op.Prefix, op.Suffix = []byte{innerPrefix}, sibling[:]
		} else {
			op.Prefix = append([]byte{innerPrefix}, sibling[:]...)
		}
		steps[i] = op
	}
	return &ics23.ExistenceProof{Key: p.Key, Value: p.Value, Leaf: ics23.SmtSpec.LeafSpec, Path: steps}
}
