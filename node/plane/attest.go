package plane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// Protocol is how a member asks another for an attestation: a stream on which 32 bytes go out, the nonce, and either
// ledger.SignedAttestationSize come back or none, from who attests nothing now.
const Protocol = "/tetrad/attest/1"

// ErrNoAnswer is returned for a member that attests nothing now.
var ErrNoAnswer = errors.New("it attests nothing now")

// serve answers one request.
func (p *Plane) serve(s network.Stream) {
	if !p.allow(s.Conn().RemotePeer(), time.Now()) || s.SetDeadline(time.Now().Add(serveTimeout)) != nil {
		_ = s.Reset()
		return
	}
	var nonce [ledger.AttestNonceLen]byte
	if _, err := io.ReadFull(s, nonce[:]); err != nil {
		_ = s.Reset()
		return
	}
	answer, err := p.options.Attest(nonce)
	if err != nil {
		_ = s.Close()
		return
	}
	encoded := answer.Encode()
	if _, err := s.Write(encoded[:]); err != nil {
		_ = s.Reset()
		return
	}
	_ = s.Close() // what the member has not got by now it asks for again
}

// allow tells whether a member may make one request more.
func (p *Plane) allow(id peer.ID, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.buckets[id]
	return b != nil && b.take(now)
}

// Ask asks a validator's node for an attestation, until ctx ends. Whether it is signed, and for this nonce, is for the
// caller to check.
func (p *Plane) Ask(ctx context.Context, validator crypto.ValidatorID, nonce [ledger.AttestNonceLen]byte) (ledger.SignedAttestation, error) {
	p.mu.Lock()
	id, ok := p.ids[validator]
	p.mu.Unlock()
	if !ok {
		return ledger.SignedAttestation{}, fmt.Errorf("ask %s: it is not on the app plane", validator)
	}
	answer, err := p.ask(ctx, id, nonce)
	if !errors.Is(ctx.Err(), context.Canceled) { // who is called off has had no time to answer
		p.heard(id, err == nil || errors.Is(err, ErrNoAnswer))
	}
	if err != nil {
		return ledger.SignedAttestation{}, fmt.Errorf("ask %s: %w", validator, err)
	}
	return answer, nil
}

func (p *Plane) ask(ctx context.Context, id peer.ID, nonce [ledger.AttestNonceLen]byte) (ledger.SignedAttestation, error) {
	s, err := p.host.NewStream(ctx, id, Protocol)
	if err != nil {
		return ledger.SignedAttestation{}, err
	}
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	if _, err := s.Write(nonce[:]); err != nil {
		_ = s.Reset()
		return ledger.SignedAttestation{}, err
	}
	if err := s.CloseWrite(); err != nil {
		_ = s.Reset()
		return ledger.SignedAttestation{}, err
	}
	var encoded [ledger.SignedAttestationSize]byte
	n, err := io.ReadFull(s, encoded[:])
	_ = s.Reset() // nothing that may follow is of interest
	if n == 0 && errors.Is(err, io.EOF) {
		return ledger.SignedAttestation{}, ErrNoAnswer
	}
	if err != nil {
		return ledger.SignedAttestation{}, err
	}
	return ledger.DecodeSignedAttestation(encoded[:])
}

// heard notes whether a member answered, and has the connection made anew to one that has long not.
func (p *Plane) heard(id peer.ID, answered bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if answered || p.buckets[id] == nil {
		delete(p.deaf, id)
		return
	}
	if p.deaf[id]++; p.deaf[id] >= deafAfter {
		delete(p.deaf, id)
		_ = p.host.Network().ClosePeer(id) // an error says that it was broken already
	}
}
