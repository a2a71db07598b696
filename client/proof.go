package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/rpc"
)

const (
	proofFormat = 1
	// proofSource names the file in errors.
	proofSource = "the proof"
	// jsonDepthMax is far more than any answer is nested.
	jsonDepthMax = 32
)

// Proof proves an answer, or that there is none, to anybody who knows the genesis hash: it holds the question, the
// headers from the genesis document to the one after Height, and what the answer is made of. It stands as the
// field "proof" in the document of an answer, or alone.
type Proof struct {
	Format   int             `json:"format"`
	Question Question        `json:"question"`
	Height   uint64          `json:"height"`          // of the state, or of the block
	Items    []rpc.ProofItem `json:"items,omitempty"` // leaves of the state; none for a block
	Block    *BlockParts     `json:"block,omitempty"` // of a block alone
	Lineage
}

// document completes a proof document with its headers, checks it as a stranger would, and hands it over.
func (v *Verified) document(ctx context.Context, node string, p, out *Proof) error {
	var err error
	if p.Lineage, err = v.light.lineage(ctx, node, p.Height+1); err != nil {
		return err
	}
	data, err := json.Marshal(p)
	if err == nil {
		_, err = VerifyProof(data, v.light.genesisHash, v.now())
	}
	if err != nil {
		return fmt.Errorf("check the new proof: %w", err)
	}
	*out = *p
	return nil
}

// ProvenAnswer is what a proof document proves.
type ProvenAnswer struct {
	Question    Question
	Answer      any        // an rpc.Account, rpc.Balance and so on; nil if there is none
	Absent      *rpc.Error // that there is none, and of what kind; nil if there is an answer
	ChainID     string
	GenesisHash crypto.Hash
	Height      uint64
	BlockTime   time.Time // of the block after Height, whose header holds the state's root
}

// VerifyProof checks a proof document with nothing but the genesis hash and the time: that what it proves is in the
// state that the network's validators signed, and, where it stands in the document of an answer, that this says
// nothing else. The name that an answer gives an account by is its reader's own, and is not checked: what is
// returned has the address. An error that is an ErrLie means that the file proves nothing.
func VerifyProof(data []byte, genesis crypto.Hash, now time.Time) (ProvenAnswer, error) {
	out, err := verifyProof(data, genesis, now)
	if err != nil {
		return ProvenAnswer{}, from(proofSource, 0, err)
	}
	return out, nil
}

func verifyProof(data []byte, genesis crypto.Hash, now time.Time) (ProvenAnswer, error) {
	p, claims, err := readProof(data)
	if err != nil {
		return ProvenAnswer{}, err
	}
	root, err := p.genesisTrust(genesis)
	if err != nil {
		return ProvenAnswer{}, err
	}
	next, err := p.walk(root, p.Height+1, now)
	if err != nil {
		return ProvenAnswer{}, err
	}
	out := ProvenAnswer{Question: p.Question, ChainID: p.ChainID, GenesisHash: genesis, Height: p.Height, BlockTime: next.Time}
	if p.Question.What == AskBlock {
		out.Answer, err = p.Block.build(p.ChainID, p.Height, next.Header)
	} else {
		var state *proven
		if state, err = newProven(&rpc.Proof{Height: p.Height, Items: p.Items}, next.Header); err == nil {
			out.Answer, err = p.Question.answer(state)
		}
	}
	if errors.As(err, &out.Absent) {
		out.Answer, err = nil, nil
	}
	if err == nil {
		err = agrees(claims, out)
	}
	return out, err
}

// readProof reads a document that is a proof, or has one in its field "proof"; its other fields are claims.
func readProof(data []byte) (p *Proof, claims map[string]json.RawMessage, err error) {
	if len(data) > ReceiptBytesMax {
		return nil, nil, fmt.Errorf("%d bytes, such a file has at most %d", len(data), ReceiptBytesMax)
	}
	if err := plainJSON(data); err != nil {
		return nil, nil, lie(LieShape, "%v", err)
	}
	if err := json.Unmarshal(data, &claims); err != nil {
		return nil, nil, lie(LieShape, "it does not decode: %v", err)
	}
	if inner, is := claims["proof"]; is {
		data = inner
		delete(claims, "proof")
	} else {
		claims = nil
	}
	p = &Proof{}
	if err := decodeFile(data, p); err != nil {
		return nil, nil, err
	}
	if p.Format != proofFormat {
		return nil, nil, fmt.Errorf("a proof of format %d cannot be read by this version", p.Format)
	}
	if err := p.Question.check(); err != nil {
		return nil, nil, lie(LieShape, "%v", err)
	}
	if err := checkHeight(p.Height); err != nil {
		return nil, nil, err
	}
	if isBlock := p.Question.What == AskBlock; isBlock != (p.Block != nil) || isBlock && len(p.Items) > 0 {
		return nil, nil, lie(LieShape, "a question about %s with something else", p.Question.What)
	}
	return p, claims, p.check()
}

// plainJSON refuses a document in which an object has two fields of one name, since readers differ in which they
// take, and one that is nested deeper than any answer.
func plainJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if err := plainValue(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something stands behind it")
	}
	return nil
}

func plainValue(d *json.Decoder, depth int) error {
	if depth > jsonDepthMax {
		return fmt.Errorf("it is nested deeper than %d", jsonDepthMax)
	}
	token, err := d.Token()
	if err != nil {
		return fmt.Errorf("it does not decode: %w", err)
	}
	opened, is := token.(json.Delim)
	if !is {
		return nil
	}
	names := map[string]bool{}
	for d.More() {
		if opened == '{' {
			token, err := d.Token()
			if err != nil {
				return fmt.Errorf("it does not decode: %w", err)
			}
			name, _ := token.(string)
			if names[name] {
				return fmt.Errorf("two fields are called %q", cut(name))
			}
			names[name] = true
		}
		if err := plainValue(d, depth+1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("it does not decode: %w", err)
	}
	return nil
}

// unprovenFields are of how an answer came about, or names that its reader gave.
var unprovenFields = []string{"account", "verified", "consistency"}

// agrees checks that the document around a proof says nothing that it does not prove.
func agrees(claims map[string]json.RawMessage, out ProvenAnswer) error {
	for _, name := range unprovenFields {
		delete(claims, name)
	}
	if out.Absent != nil {
		return agreesOnAbsence(claims, out.Absent)
	}
	built, err := fieldsOf(out.Answer)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		text := claims[name]
		var said any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&said); err != nil {
			return lie(LieShape, "its %s does not decode: %v", cut(name), err)
		}
		want, is := built[name]
		if !is {
			return lie(LieValue, "it says something about %s that it does not prove", cut(name))
		}
		if !reflect.DeepEqual(said, want) {
			proved, _ := json.Marshal(want)
			return lie(LieValue, "it says %s %s and proves %s", name, cut(string(text)), cut(string(proved)))
		}
	}
	return nil
}

// agreesOnAbsence checks a document that says that there is nothing: an error with the code of that.
func agreesOnAbsence(claims map[string]json.RawMessage, absent *rpc.Error) error {
	for name, text := range claims {
		var said rpc.Error
		if name != "error" || json.Unmarshal(text, &said) != nil {
			return lie(LieValue, "it says something about %s and proves that there is nothing", cut(name))
		}
		if said.Code != absent.Code || said.Slug != absent.Slug {
			return lie(LieValue, "it says %s and proves %s", cut(said.Slug), absent.Slug)
		}
	}
	return nil
}
