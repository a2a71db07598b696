package rpctest

import (
	"context"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

// Attest implements rpc.Backend: the node attests to what it shows, with the service key crypto.DevKey("service-NAME").
func (n *Node) Attest(_ context.Context, nonce [ledger.AttestNonceLen]byte) (ledger.SignedAttestation, error) {
	l := n.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if n.deaf() {
		return ledger.SignedAttestation{}, rpc.NewError(ledger.CodeUnavailable, "This node attests nothing.")
	}
	height := n.height()
	if height == 0 {
		return ledger.SignedAttestation{}, rpc.NewError(ledger.CodeSyncing, "The node has no block yet.")
	}
	a := ledger.Attestation{
		Validator: crypto.ValidatorIDOf(crypto.KeyEd25519, crypto.DevKey("validator-"+n.name).Public().Bytes), Nonce: nonce,
		Committed: height, HeaderHash: l.describe(&l.blocks[height]).Hash,
	}
	message := a.SignBytes(l.Genesis)
	signature := crypto.DevKey("service-" + n.name).Sign(message[:])
	return ledger.SignedAttestation{Attestation: a, Signature: [crypto.SignatureSize]byte(signature)}, nil
}

// ReadIndex implements rpc.Backend: the others are at the ledger's head and say so, unless the node is deaf to them.
func (n *Node) ReadIndex(ctx context.Context) (uint64, error) {
	l := n.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	head := l.head().height
	for n.deaf() || n.height() < head {
		if !l.wait(ctx) {
			return 0, rpc.ErrNoQuorum("Validators with too little voting power have answered.")
		}
	}
	return head, nil
}

// Deafen makes the node hear of no other validator, and attest nothing.
func (n *Node) Deafen(deaf bool) { n.set(func() { n.unheard = deaf }) }

func (n *Node) deaf() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.unheard
}
