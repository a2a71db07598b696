package rpc

import (
	"encoding/binary"
	"encoding/hex"
	"errors"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// Hex are bytes that are written as lower-case hexadecimal digits.
type Hex []byte

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.AppendDecode(nil, text)
	return err
}

// Proof shows what an answer rests on: every leaf of the state that it was computed from, those that are absent
// included, each once and in the order in which they were read.
type Proof struct {
	Height uint64      `json:"height" doc:"The state after this block is what is proven"`
	Root   crypto.Hash `json:"root" doc:"Root of that state; it stands as app_hash in the header of the next block, which alone makes it worth anything"`
	Items  []ProofItem `json:"items"`
}

// ProofItem shows one leaf, or that there is none.
type ProofItem struct {
	Key   Hex          `json:"key" doc:"The leaf's key, in hexadecimal"`
	Value []byte       `json:"value" nullable:"true" doc:"The leaf, in standard base64; null: there is none"`
	ICS23 []byte       `json:"ics23" doc:"A marshalled ics23 CommitmentProof for ics23's SmtSpec, in standard base64"`
	Root  *crypto.Hash `json:"root,omitempty" doc:"What the item is proven under, where that is not the state's root but that of a bucket of replay records, whose leaf is the item before"`
}

// Provable is part of every answer that can be proven.
type Provable struct {
	Proof *Proof `json:"proof,omitempty" doc:"With proof=true: every leaf that the answer was computed from"`
}

func (p *Provable) attach(proof *Proof) { p.Proof = proof }

// Prover is a Snapshot of a height whose root stands in a block header already, with proofs: marshalled ics23
// CommitmentProofs for ics23's SmtSpec.
type Prover interface {
	Snapshot

	// Prove shows a leaf, or that there is none, under the state's root.
	Prove(key []byte) ([]byte, error)

	// ProveRecord shows a transaction's replay record, or that there is none, under the root of its bucket,
	// which stands in the bucket's leaf. The proof's key is the transaction's id. Without that leaf there is
	// no proof.
	ProveRecord(bucket uint64, id crypto.Hash) ([]byte, error)
}

// ErrUnproven says that a height has no header behind it yet that holds its root.
func ErrUnproven(asked, newest uint64) *Error {
	e := NewError(ledger.CodeFuture, "The node cannot prove height %d yet; the newest that the next block's header vouches for is %d.", asked, newest)
	e.height = newest
	return e
}

// ErrUnprovable says that a height's tree is gone, even if its values can still be read.
func ErrUnprovable(asked, first uint64) *Error {
	return NewError(ledger.CodePruned, "The node can no longer prove height %d; the oldest it can is %d.", asked, first)
}

// ErrProofBehind says that no header came in time behind the caller's minimum height.
func ErrProofBehind(asked, newest uint64) *Error {
	e := NewError(ledger.CodeBehind, "The node can prove height %d and did not get to %d in time.", newest, asked)
	e.height = newest
	return e
}

// ErrNothingProvable says that the node has to see another block first.
func ErrNothingProvable() *Error {
	return NewError(ledger.CodeUnavailable, "The node can prove nothing before the next block.").RetryAfter(retryAfterDefault)
}

// proving is a Snapshot that remembers what was read of it.
type proving struct {
	Prover
	read []string
	seen map[string]bool
}

func newProving(p Prover) *proving { return &proving{Prover: p, seen: map[string]bool{}} }

// Get reads a leaf. Replay records are not leaves of the state's own tree, so their bucket's leaf counts too.
func (p *proving) Get(key []byte) ([]byte, error) {
	if bucket, _, is := recordKey(key); is {
		p.note(ledger.KeyBucket(bucket))
	}
	p.note(key)
	return p.Prover.Get(key)
}

func (p *proving) note(key []byte) {
	if !p.seen[string(key)] {
		p.seen[string(key)] = true
		p.read = append(p.read, string(key))
	}
}

// proof proves everything that was read.
func (p *proving) proof() (*Proof, error) {
	out := &Proof{Height: p.Height(), Root: p.Root(), Items: make([]ProofItem, 0, len(p.read))}
	for _, key := range p.read {
		item, needed, err := p.item([]byte(key))
		if err != nil {
			return nil, err
		}
		if needed {
			out.Items = append(out.Items, item)
		}
	}
	return out, nil
}

// item proves one leaf. A record whose bucket has no leaf needs no proof of its own.
func (p *proving) item(key []byte) (item ProofItem, needed bool, err error) {
	value, err := p.Prover.Get(key)
	if err != nil {
		return item, false, err
	}
	if value != nil {
		item.Value = append(make([]byte, 0, len(value)), value...) // it must outlive the Prover
	}
	bucket, id, is := recordKey(key)
	if !is {
		item.Key = key
		item.ICS23, err = p.Prove(key)
		return item, true, err
	}
	leaf, found, err := get(p.Prover, ledger.KeyBucket(bucket), ledger.DecodeBucket)
	if err != nil || !found {
		return item, false, err
	}
	item.Key, item.Root = id[:], &leaf.Root
	item.ICS23, err = p.ProveRecord(bucket, id)
	return item, true, err
}

// recordKey takes the key of a replay record apart.
func recordKey(key []byte) (bucket uint64, id crypto.Hash, is bool) {
	if len(key) != 1+8+crypto.HashSize || key[0] != ledger.PrefixRecord {
		return 0, id, false
	}
	return binary.BigEndian.Uint64(key[1:]), crypto.Hash(key[9:]), true
}

// SaysAbsent reports whether a code says that there is nothing by a name, which can be proven.
func SaysAbsent(code ledger.Code) bool {
	return code == ledger.CodeNotFound || code == ledger.CodeAssetNotFound || code == ledger.CodeNodeNotFound
}

// absence proves an answer that says that there is nothing by a name. Other errors stay as they are.
func (p *proving) absence(err error) error {
	var e *Error
	if !errors.As(err, &e) || !SaysAbsent(ledger.Code(e.Code)) {
		return err
	}
	proof, failed := p.proof()
	if failed != nil {
		return failed
	}
	e.Proof = proof
	return e
}
