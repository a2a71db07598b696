package node

import (
	"context"
	"fmt"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// Attest implements rpc.Attester.
func (b backend) Attest(_ context.Context, nonce [ledger.AttestNonceLen]byte) (ledger.SignedAttestation, error) {
	return b.n.attest(nonce)
}

// attest says how far this validator is. A node that catches up says nothing: it may not have executed yet what it
// signed before it lost its data.
func (n *Node) attest(nonce [ledger.AttestNonceLen]byte) (ledger.SignedAttestation, error) {
	if why := n.service.unfit(); why != "" {
		return ledger.SignedAttestation{}, rpc.NewError(ledger.CodeUnavailable, "This node attests nothing: %s.", why)
	}
	if n.starting.Load() || n.syncing.Load() || n.stopping.Load() || n.catchingUp() {
		return ledger.SignedAttestation{}, rpc.NewError(ledger.CodeSyncing, "This node attests nothing while it catches up.")
	}
	committed, pending, err := attestable(n.pledges.highest.Load, n.Height)
	if err != nil {
		return ledger.SignedAttestation{}, rpc.NewError(ledger.CodeSyncing, "This node attests nothing now: %s.", err)
	}
	header, ok := n.headerHash(committed)
	if !ok {
		return ledger.SignedAttestation{}, rpc.NewError(ledger.CodeSyncing, "This node attests nothing now: it has no header of height %d.", committed)
	}
	a := ledger.Attestation{Validator: n.service.self, Nonce: nonce, Committed: committed, HeaderHash: header, Pending: pending}
	message := a.SignBytes(n.doc.Hash())
	return ledger.SignedAttestation{Attestation: a, Signature: [crypto.SignatureSize]byte(n.service.key.Sign(message[:]))}, nil
}

// attestable reads how far a validator is: the height it has committed, and that height plus one if its precommit for a
// block there may be out.
//
// The two are read one after the other while consensus goes on. What must hold of the pair is this: if a precommit for
// height h was given away before attestable began, then committed >= h or pending >= h. It holds because neither figure
// ever goes back, and because nothing is taken out of the first when the block is committed: at its reading the first is
// h or more already. If the second then says less than h, the first is reported as pending; if it says h or more, committed
// is. A flag that is raised with the precommit and lowered at the commit would lose this in one order of reading:
// committed h-1 is read, the block is committed, the flag is lowered, the flag is read; and nobody says h.
//
// The precommits are read first so that no more is said to be pending than the height after committed. CometBFT signs for
// h only once it has executed h-1, and committed cannot have gone back since. The other way around two
// blocks might pass between the readings.
//
// A validator that signed further ahead than that has lost its data since, and cannot vouch for what lies between.
func attestable(pledged, height func() uint64) (committed, pending uint64, err error) {
	signed := pledged()
	committed = height()
	switch {
	case committed == 0:
		return 0, 0, fmt.Errorf("it has no block yet")
	case signed <= committed:
		return committed, 0, nil
	case signed == committed+1:
		return committed, signed, nil
	}
	return 0, 0, fmt.Errorf("it has signed at height %d and executed no more than %d", signed, committed)
}

// headerHash is the hash of the header at a height, where CometBFT has it.
func (n *Node) headerHash(height uint64) (crypto.Hash, bool) {
	meta := n.engine.BlockStore().LoadBlockMeta(int64(height))
	if meta == nil || len(meta.BlockID.Hash) != crypto.HashSize {
		return crypto.Hash{}, false
	}
	return crypto.Hash(meta.BlockID.Hash), true
}
