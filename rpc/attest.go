package rpc

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// PathAttest is where a node says, for a reader's nonce, how far its validator is.
const PathAttest = "/v1/attest"

// Attester is the part of a Backend that strong reads rest on.
type Attester interface {
	// Attest says how far the node's validator is, signed with its service key. It fails with an *Error when the node has
	// no validator's service key or cannot say so now.
	Attest(ctx context.Context, nonce [ledger.AttestNonceLen]byte) (ledger.SignedAttestation, error)

	// ReadIndex asks the other validators, and returns a height that this node has reached and below which nothing is that
	// was committed after the call began. It fails with CodeNoQuorum when too many do not answer before the context ends.
	ReadIndex(ctx context.Context) (uint64, error)
}

// StrongMax is the longest a strong read takes until it is refused: who can be reached at all answers in a fraction of it.
const StrongMax = 1800 * time.Millisecond

const (
	// attestsMax bounds the attestations being made at once; each takes a signature's time.
	attestsMax = 32
	// attestBodyMax is a nonce with room for white space.
	attestBodyMax = 256
)

// AttestRequest carries what the attestation must repeat, so that it cannot be an old one.
type AttestRequest struct {
	_     struct{}    `additionalProperties:"false"`
	Nonce crypto.Hash `json:"nonce" doc:"32 random bytes, drawn when the reading begins, in hexadecimal"`
}

// Attestation is what a node says of its validator to one reader. What it means for a read, see ledger.ReadIndex.
type Attestation struct {
	Validator  crypto.ValidatorID `json:"validator"`
	Nonce      crypto.Hash        `json:"nonce" doc:"As it was sent"`
	Committed  uint64             `json:"committed" doc:"The newest block that the validator has committed"`
	HeaderHash crypto.Hash        `json:"header_hash" doc:"Hash of that block's header"`
	Pending    uint64             `json:"pending" doc:"The height after it, if the validator may have signed a precommit for a block there; otherwise 0"`
	Signature  string             `json:"signature" doc:"By the validator's service key, in hexadecimal"`
}

// DescribeAttestation makes an answer of an attestation.
func DescribeAttestation(s ledger.SignedAttestation) Attestation {
	return Attestation{
		Validator: s.Validator, Nonce: crypto.Hash(s.Nonce), Committed: s.Committed, HeaderHash: s.HeaderHash, Pending: s.Pending,
		Signature: hex.EncodeToString(s.Signature[:]),
	}
}

// Signed is the attestation as it was signed. Whether it was, and for the right nonce, is for the caller to check.
func (a Attestation) Signed() (ledger.SignedAttestation, error) {
	signature, err := hex.DecodeString(a.Signature)
	if err != nil || len(signature) != crypto.SignatureSize {
		return ledger.SignedAttestation{}, fmt.Errorf("attestation: its signature is not %d bytes in hexadecimal", crypto.SignatureSize)
	}
	return ledger.SignedAttestation{
		Attestation: ledger.Attestation{
			Validator: a.Validator, Nonce: a.Nonce, Committed: a.Committed, HeaderHash: a.HeaderHash, Pending: a.Pending,
		},
		Signature: [crypto.SignatureSize]byte(signature),
	}, nil
}

// ErrNoQuorum says why a strong read cannot be answered.
func ErrNoQuorum(format string, args ...any) *Error {
	return NewError(ledger.CodeNoQuorum, format, args...).again()
}

type attestInput struct{ Body AttestRequest }

type attestOutput struct{ Body Attestation }

// registerAttest makes the route of attestations.
func (s *server) registerAttest(api huma.API) {
	huma.Register(api, huma.Operation{
		OperationID: "attest", Method: http.MethodPost, Path: PathAttest, Tags: []string{tagNode},
		Summary: "How far this node's validator is, signed",
		Description: "A client that wants to see every write acknowledged before its read began asks all validators, and reads at the height " +
			"that more than two thirds of the power show. The client library and the command line do so for the consistency level strong.",
		MaxBodyBytes: attestBodyMax + 1, BodyReadTimeout: readHeaderTimeout,
	}, s.attest)
}

func (s *server) attest(ctx context.Context, in *attestInput) (*attestOutput, error) {
	if !enter(s.attesting) {
		return nil, busy(cap(s.attesting))
	}
	defer leave(s.attesting)
	signed, err := s.backend.Attest(ctx, in.Body.Nonce)
	if err != nil {
		return nil, s.asError(err, "attest")
	}
	return &attestOutput{Body: DescribeAttestation(signed)}, nil
}
