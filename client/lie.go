package client

import (
	"errors"
	"fmt"
	"time"
)

// ErrLie is what every error is that means: a node said something that its own proof, or the network's
// validators, contradict. A node that merely fails never causes it.
var ErrLie = errors.New("a node does not tell the truth")

// LieKind says which check an answer did not pass.
type LieKind string

// The kinds of lies. Each has a sentence of its own, which names the check.
const (
	LieValue    LieKind = "value"    // the answer says something else than its proof
	LieKey      LieKind = "key"      // the proof is about another key than the one asked for
	LieHeight   LieKind = "height"   // the proof holds at another height than the one asked for
	LieHeader   LieKind = "header"   // the validators did not sign the header
	LieProof    LieKind = "proof"    // the proof of presence does not lead to the header's app hash
	LieAbsence  LieKind = "absence"  // the proof that there is nothing does not show that
	LieMissing  LieKind = "missing"  // a list without one of its elements
	LieDoubled  LieKind = "doubled"  // a list or a proof that shows one thing twice
	LieForeign  LieKind = "foreign"  // a list with something that does not belong to it
	LieUnproven LieKind = "unproven" // an answer without a proof, where one was asked for
	LieShape    LieKind = "shape"    // a proof that is malformed or larger than any honest one
	LieGenesis  LieKind = "genesis"  // a genesis document with another hash
	LieVerdict  LieKind = "verdict"  // another outcome of a transaction than the proof shows
	LieHistory  LieKind = "history"  // transactions that do not lead to the head of the account's log
	LieTxs      LieKind = "txs"      // transactions that are not those of the block's header
	LieResults  LieKind = "results"  // receipts that are not those of the next header

	LieNonce     LieKind = "nonce"     // an attestation for another question
	LieSignature LieKind = "signature" // an attestation that its validator's service key did not sign
	LieAhead     LieKind = "ahead"     // an attestation of a block that its node cannot show
	LieMinority  LieKind = "minority"  // another answer than nodes with more than a third of the power agree on
)

var lieSentences = map[LieKind]string{
	LieValue:    "its answer differs from what it proves",
	LieKey:      "its proof is about something else than what was asked for",
	LieHeight:   "its answer is not of the height that was asked for",
	LieHeader:   "its block header is not one that the validators signed",
	LieProof:    "its proof does not lead to the app hash that the validators signed",
	LieAbsence:  "its proof that there is nothing does not show that",
	LieMissing:  "its list leaves something out",
	LieDoubled:  "it shows one thing twice",
	LieForeign:  "its list holds something that does not belong to it",
	LieUnproven: "it gives no proof",
	LieShape:    "its proof is malformed",
	LieGenesis:  "its genesis document is not the network's",
	LieVerdict:  "it claims another outcome than it proves",
	LieHistory:  "its history is not the account's: something is left out, added, changed or out of place",
	LieTxs:      "its transactions are not those that the block's header names",
	LieResults:  "its receipts are not those that the next block's header names",

	LieNonce:     "its attestation is not for the nonce it was asked with",
	LieSignature: "its attestation is not signed with the service key that the ledger names for the validator",
	LieAhead:     "it attests a block that it cannot show",
	LieMinority:  "its answer is not the one that validators with more than a third of the voting power agree on",
}

// LieError names who lied and which check found it. It is an ErrLie.
type LieError struct {
	Kind   LieKind
	Source string // the node's URL, or what the file is
	Height uint64 // of the answer; 0 if there is none
	Detail string
	File   string // where it is kept as evidence; empty: nowhere
}

// Error is one sentence for people.
func (e *LieError) Error() string {
	text := fmt.Sprintf("%s does not tell the truth: %s", e.Source, lieSentences[e.Kind])
	if e.Height > 0 {
		text += fmt.Sprintf(" (height %d)", e.Height)
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Is makes it an ErrLie.
func (e *LieError) Is(target error) bool { return target == ErrLie }

// lie makes a LieError whose source its caller fills in.
func lie(kind LieKind, format string, args ...any) *LieError {
	return &LieError{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// from names the source and height of a lie that has none yet, and passes every other error on.
func from(source string, height uint64, err error) error {
	var l *LieError
	if errors.As(err, &l) && l.Source == "" {
		l.Source, l.Height = source, height
	}
	return err
}

// ConflictError is evidence that validators signed two different blocks of one height: both headers have
// enough valid signatures. It is an ErrLie; which of the two is the network's, no client can tell.
type ConflictError struct {
	Height  uint64
	Headers []SignedClaim
	// Equivocators are the consensus addresses, in hexadecimal, whose signatures stand under both.
	Equivocators []string
	// Attacks are CometBFT's evidence, one for each header, in case the other one is the network's.
	Attacks []Attack
	File    string // where it is kept as evidence; empty: nowhere
}

// SignedClaim is what one node showed: CometBFT's LightBlock, marshalled, as evidence for others.
type SignedClaim struct {
	Endpoint   string
	Hash       string
	LightBlock []byte
}

// Error says who showed which header.
func (e *ConflictError) Error() string {
	text := fmt.Sprintf("two different blocks of height %d are signed by the validators:", e.Height)
	for _, h := range e.Headers {
		text += fmt.Sprintf(" %s shows %s;", h.Endpoint, h.Hash)
	}
	return text + fmt.Sprintf(" %d validators signed both %v", len(e.Equivocators), e.Equivocators)
}

// Is makes it an ErrLie.
func (e *ConflictError) Is(target error) bool { return target == ErrLie }

// TrustExpiredError says that the newest header this client trusts is too old to judge others by: whoever held
// its validators' keys since then could have signed anything. A newer header must come from elsewhere.
type TrustExpiredError struct {
	Height uint64 // 0: the genesis document
	Time   time.Time
	Period time.Duration
}

// Error says what is needed.
func (e *TrustExpiredError) Error() string {
	what := fmt.Sprintf("header %d", e.Height)
	if e.Height == 0 {
		what = "the genesis document"
	}
	return fmt.Sprintf("the trust in %s of %s ended after %s: get a newer height and header hash from somebody you trust",
		what, e.Time.UTC().Format(time.RFC3339), e.Period)
}

// StaleError says that a node's newest state is older than the caller takes. It may be cut off, or the whole
// network may stand still; it is not a lie.
type StaleError struct {
	Endpoint string
	Height   uint64
	Age, Max time.Duration
	Proven   bool // or else it is what the node says of itself
}

// Error says how old the answer is.
func (e *StaleError) Error() string {
	if !e.Proven {
		return fmt.Sprintf("%s: its newest state is that of height %d, %s old as it says; at most %s was asked for",
			e.Endpoint, e.Height, e.Age.Round(time.Millisecond), e.Max)
	}
	return fmt.Sprintf("%s: the newest state it proves is that of height %d, %s old; at most %s was asked for",
		e.Endpoint, e.Height, e.Age.Round(time.Millisecond), e.Max)
}
