package client

import (
	"bytes"
	"slices"

	cmttypes "github.com/cometbft/cometbft/types"
	ics23 "github.com/cosmos/ics23/go"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/crypto/merkle"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

const (
	// proofItemsMax is what the largest account needs: its leaf, all pages, and the asset of every balance.
	proofItemsMax = 1 + ledger.PagesMax + ledger.BalancesInline + ledger.PagesMax*ledger.BalancesPerPage
	// proofDepthMax is the number of bits of a path.
	proofDepthMax = 256
	// proofBytesMax is a proof of absence between two largest neighbours.
	proofBytesMax = 2*(merkle.ValueBytesMax+merkle.KeyBytesMax+proofDepthMax*80) + 1024
)

// proven gives out leaves of the state at one height, each checked against the app hash that the validators
// signed. Which keys are looked up is decided by the caller from what was asked, never by the answer.
type proven struct {
	height uint64
	root   crypto.Hash // of the state after height; it stands in the header after that
	timeMS uint64      // of the block after height
	items  map[string]*rpc.ProofItem
	used   []rpc.ProofItem // in order of first use: what a receipt or a proof document needs
}

// newProven indexes the items of a proof under the app hash of the header after its height. Nothing is checked
// yet but that they can be told apart.
func newProven(p *rpc.Proof, next *cmttypes.Header) (*proven, error) {
	root, timeMS := crypto.Hash(next.AppHash), uint64(max(0, next.Time.UnixMilli()))
	if len(p.Items) > proofItemsMax {
		return nil, lie(LieShape, "%d items, at most %d are possible", len(p.Items), proofItemsMax)
	}
	v := &proven{height: p.Height, root: root, timeMS: timeMS, items: make(map[string]*rpc.ProofItem, len(p.Items))}
	for i := range p.Items {
		item := &p.Items[i]
		key := item.Key
		if len(key) == 0 || len(key) > merkle.KeyBytesMax {
			return nil, lie(LieShape, "item %d has no key", i)
		}
		if v.items[string(key)] != nil {
			return nil, lie(LieDoubled, "two items for the key %x", []byte(key))
		}
		v.items[string(key)] = item
	}
	return v, nil
}

// asked gives the leaf that the question is about; nil if it is proven that there is none.
func (v *proven) asked(key []byte) ([]byte, error) { return v.leaf(v.root, key, LieKey) }

// element gives a leaf that another one names, such as a page of balances.
func (v *proven) element(key []byte) ([]byte, error) { return v.leaf(v.root, key, LieMissing) }

// leaf checks the proof of one key under a root.
func (v *proven) leaf(root crypto.Hash, key []byte, missing LieKind) ([]byte, error) {
	item := v.items[string(key)]
	if item == nil {
		return nil, lie(missing, "there is no proof for the key %x", key)
	}
	if err := checkProof(root, key, item.Value, item.ICS23); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(v.used, func(u rpc.ProofItem) bool { return bytes.Equal(u.Key, key) }) {
		v.used = append(v.used, *item)
	}
	return item.Value, nil
}

// checkProof checks that under the root the key has the value, or, if that is nil, that it has none. It is
// stricter than ics23: every proof has exactly one encoding, and only the steps that our tree has. So nothing
// in a proof can be changed that is not noticed, and the library never sees a shape it was not made for.
func checkProof(root crypto.Hash, key, value, encoded []byte) error {
	if len(encoded) == 0 || len(encoded) > proofBytesMax {
		return lie(LieShape, "a proof of %d bytes, at most %d are possible", len(encoded), proofBytesMax)
	}
	if value != nil && len(value) == 0 {
		return lie(LieShape, "an empty value, which no key has")
	}
	var proof ics23.CommitmentProof
	if err := proof.Unmarshal(encoded); err != nil {
		return lie(LieShape, "the proof does not decode: %v", err)
	}
	if again, err := proof.Marshal(); err != nil || !bytes.Equal(again, encoded) {
		return lie(LieShape, "the proof is not in its canonical encoding")
	}
	if value != nil {
		return checkPresence(root, key, value, &proof)
	}
	return checkAbsence(root, key, &proof)
}

func checkPresence(root crypto.Hash, key, value []byte, proof *ics23.CommitmentProof) error {
	exist := proof.GetExist()
	if exist == nil {
		return lie(LieProof, "it is no proof of presence")
	}
	if !bytes.Equal(exist.Key, key) {
		return lie(LieKey, "asked for %x, the proof is about %x", key, shortBytes(exist.Key))
	}
	if !bytes.Equal(exist.Value, value) {
		return lie(LieValue, "the value of %x is not the one its proof is about", key)
	}
	if err := checkSteps(exist); err != nil {
		return err
	}
	if !ics23.VerifyMembership(ics23.SmtSpec, root[:], proof, key, value) {
		return lie(LieProof, "the key %x", key)
	}
	return nil
}

func checkAbsence(root crypto.Hash, key []byte, proof *ics23.CommitmentProof) error {
	absent := proof.GetNonexist()
	if absent == nil {
		return lie(LieAbsence, "it is no proof of absence")
	}
	if !bytes.Equal(absent.Key, key) {
		return lie(LieKey, "asked for %x, the proof of absence is about %x", key, shortBytes(absent.Key))
	}
	if absent.Left == nil && absent.Right == nil {
		return lie(LieAbsence, "it shows no neighbour of %x", key)
	}
	for _, neighbour := range []*ics23.ExistenceProof{absent.Left, absent.Right} {
		if neighbour == nil {
			continue
		}
		if bytes.Equal(neighbour.Key, key) {
			return lie(LieAbsence, "it shows the key itself")
		}
		if err := checkSteps(neighbour); err != nil {
			return err
		}
		if !ics23.VerifyMembership(ics23.SmtSpec, root[:], existence(neighbour), neighbour.Key, neighbour.Value) {
			return lie(LieAbsence, "a neighbour of %x is not in the state", key)
		}
	}
	if !ics23.VerifyNonMembership(ics23.SmtSpec, root[:], proof, key) {
		return lie(LieAbsence, "what it shows beside %x leaves room for it", key)
	}
	return nil
}

func existence(p *ics23.ExistenceProof) *ics23.CommitmentProof {
	return &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Exist{Exist: p}}
}

// checkSteps accepts the leaf and the inner steps of our tree: a hash beside the path, before or behind it.
func checkSteps(p *ics23.ExistenceProof) error {
	spec := ics23.SmtSpec.LeafSpec
	l := p.Leaf
	switch {
	case l == nil || l.Hash != spec.Hash || l.PrehashKey != spec.PrehashKey || l.PrehashValue != spec.PrehashValue ||
		l.Length != spec.Length || !bytes.Equal(l.Prefix, spec.Prefix):
		return lie(LieShape, "its leaf is not one of the state's")
	case len(p.Key) == 0 || len(p.Key) > merkle.KeyBytesMax || len(p.Value) == 0 || len(p.Value) > merkle.ValueBytesMax:
		return lie(LieShape, "its key or value has a size that the state does not hold")
	case len(p.Path) > proofDepthMax:
		return lie(LieShape, "%d steps, at most %d are possible", len(p.Path), proofDepthMax)
	}
	for i, step := range p.Path {
		behind := len(step.Prefix) == 1 && len(step.Suffix) == crypto.HashSize
		before := len(step.Prefix) == 1+crypto.HashSize && len(step.Suffix) == 0
		if step.Hash != ics23.HashOp_SHA256 || !behind && !before || step.Prefix[0] != 1 {
			return lie(LieShape, "step %d is not one of the state's", i)
		}
	}
	return nil
}

// shortBytes keeps a message readable that quotes what a node sent.
func shortBytes(b []byte) []byte { return b[:min(len(b), 64)] }

// decoded decodes a proven leaf. One that is proven and does not decode was written by another version.
func decoded[T any](leaf []byte, decode func([]byte) (T, error)) (value T, found bool, err error) {
	if leaf == nil {
		return value, false, nil
	}
	value, err = decode(leaf)
	return value, err == nil, err
}
