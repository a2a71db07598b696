package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/tetradledger/tetrad/client/balance"
	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/rpc"
)

const (
	// maxAgeDefault is generous to a network that is slow and short against one that hides what happened.
	maxAgeDefault = time.Minute
	// provePause is between two questions for a proof that a node cannot give before its next block.
	provePause = 25 * time.Millisecond
	// proveWait is how long such a node is asked again: several idle blocks.
	proveWait = 3 * time.Second
)

// VerifiedOptions configure a Verified. Without TrustHeight, trust begins with the genesis document.
type VerifiedOptions struct {
	Options

	// ChainID and GenesisHash name the network. All trust comes from the hash.
	ChainID     string
	GenesisHash crypto.Hash
	// Home is the directory that keeps trusted headers between runs; empty: memory only.
	Home string
	// Evidence is the directory that keeps what lying nodes said, see Evidence; empty: nothing is kept.
	Evidence string
	// TrustingPeriod is how old a header may be and still vouch for others; 0: 24 h. It must stay below the
	// network's evidence age.
	TrustingPeriod time.Duration
	// TrustHeight and TrustHash are a header that the user got from somebody trusted.
	TrustHeight uint64
	TrustHash   crypto.Hash
	// MaxAge is how old the newest state a node proves may be; 0: a minute; negative: any age.
	MaxAge time.Duration
}

// Verified reads without believing any node: every answer is checked against an app hash that more than two
// thirds of the validators signed. What it returns was proven, field by field; Verified is set in it. A node
// that is caught lying ends the read with an ErrLie that names it; another attempt asks another node first.
// It is safe for concurrent use.
type Verified struct {
	client *Client
	light  *lightClient
	caught *evidenceStore
	maxAge time.Duration
	now    func() time.Time
	wait   time.Duration // how long a node may take to prove the session's height
}

// NewVerified makes a Verified. It reads the trusted headers of earlier runs and sends nothing yet.
func NewVerified(o VerifiedOptions) (*Verified, error) {
	if o.GenesisHash.IsZero() || o.ChainID == "" {
		return nil, errors.New("client: verified reads need the chain id and the genesis hash")
	}
	if o.TrustingPeriod < 0 || (o.TrustHeight > 0) == o.TrustHash.IsZero() {
		return nil, errors.New("client: the trusted header needs height and hash, and the trusting period must be positive")
	}
	if o.TrustingPeriod == 0 {
		o.TrustingPeriod = trustingPeriodDefault
	}
	if o.MaxAge == 0 {
		o.MaxAge = maxAgeDefault
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c, err := New(o.Options)
	if err != nil {
		return nil, err
	}
	store, err := openLightStore(o.Home, o.ChainID, o.GenesisHash)
	if err != nil {
		return nil, err
	}
	caught := &evidenceStore{dir: o.Evidence, chainID: o.ChainID, genesis: o.GenesisHash, now: o.Now, headers: store}
	return &Verified{client: c, caught: caught, maxAge: o.MaxAge, now: o.Now, wait: proveWait, light: &lightClient{
		client: c, chainID: o.ChainID, genesisHash: o.GenesisHash, period: o.TrustingPeriod, now: o.Now,
		trustHeight: o.TrustHeight, trustHash: o.TrustHash, store: store, caught: caught,
	}}, nil
}

// Client is the client whose connections and session the verified reads share.
func (v *Verified) Client() *Client { return v.client }

// Close keeps the newest trusted headers for the next run.
func (v *Verified) Close() error { return v.light.store.save() }

// EvidenceFiles lists the files in which this Verified has kept what nodes lied about.
func (v *Verified) EvidenceFiles() []string { return v.caught.list() }

// query is a read: what is asked for over HTTP, and how its answer is made of proven leaves. build's error is an
// *rpc.Error where it is proven that there is nothing to answer with.
type query[T any] struct {
	request request
	build   func(*proven) (T, error)
	// unproven, if it is there, judges an answer or refusal that honestly has no proof.
	unproven func(text []byte, refusal *rpc.Error) error
	// agree, if it is there, replaces the comparison of what the node said with what it proved.
	agree func(claimed, built T) error
}

// prove puts a query to one node after another until one answers; how the answer is checked is proveAt's.
func prove[T any](ctx context.Context, v *Verified, o ReadOptions, q query[T]) (T, *proven, string, error) {
	type shown struct {
		answer T
		proof  *proven
	}
	out, node, err := anyNode(ctx, v, func(ctx context.Context, node string) (shown, bool, error) {
		answer, proof, err := proveAt(ctx, v, node, o, q)
		return shown{answer, proof}, proof != nil, err
	})
	return out.answer, out.proof, node, err
}

// provePatience is how long a node may take to prove before a second one is asked beside it: what an idle
// network takes for the block that proves the newest state, and the walk there.
const provePatience = 750 * time.Millisecond

// anyNode tries one node after another, and one beside another that is slow, until one settles the matter: with
// an answer, with a proof that there is none, or with a lie, which ends the read and is kept as evidence.
func anyNode[T any](ctx context.Context, v *Verified, try func(ctx context.Context, node string) (out T, settled bool, err error)) (T, string, error) {
	var attempts attempts
	want := balance.Want{Patience: provePatience}
	out, node, err := balance.Read(ctx, v.client.endpoints.Balancer, want, func(ctx context.Context, node string) (T, bool, error) {
		listening, heard := listen(ctx)
		out, settled, err := try(listening, node)
		switch {
		case err == nil || settled:
			return out, false, err
		case errors.Is(err, ErrLie):
			v.client.endpoints.lied(node)
			return out, false, v.caught.keep(err, heard)
		case mayDoBetter(ctx, err):
			return out, attempts.note(node, err), &passedOn{err}
		}
		return out, false, err
	})
	var passed *passedOn
	if !errors.As(err, &passed) {
		return out, node, err
	}
	none, refused, _ := attempts.sum()
	for _, tried := range none.Attempts {
		var old *StaleError
		if errors.As(tried, &old) {
			return out, "", old
		}
	}
	return out, "", none.or(refused)
}

// passedOn is an error after which the next node is asked.
type passedOn struct{ error }

// mayDoBetter tells whether another node may prove what this one did not.
func mayDoBetter(ctx context.Context, err error) bool {
	var silent *NodeError
	var old *StaleError
	var refusal *rpc.Error
	return errors.As(err, &silent) || errors.As(err, &old) || ctx.Err() != nil || errors.As(err, &refusal) && elsewhere(err)
}

// proveAt puts a query to one node and checks everything about the answer. The proof is returned together with
// an error if it is proven that there is nothing to answer with.
func proveAt[T any](ctx context.Context, v *Verified, node string, o ReadOptions, q query[T]) (T, *proven, error) {
	var claimed T
	text, refusal, p, err := v.askProof(ctx, node, o, q.request, q.unproven)
	if err != nil {
		return claimed, nil, err
	}
	built, err := q.build(p)
	var absent *rpc.Error
	switch {
	case errors.As(err, &absent):
		if refusal == nil {
			return claimed, nil, from(node, p.height, lie(LieValue, "it answered where it proved: %v", absent))
		}
		return claimed, p, absent
	case err != nil:
		return claimed, nil, from(node, p.height, err)
	case refusal != nil:
		return claimed, nil, from(node, p.height, lie(LieValue, "it said %q and proved that there is an answer", refusal.Slug))
	}
	if err := json.Unmarshal(text, &claimed); err != nil {
		return claimed, nil, &NodeError{Endpoint: node, Err: fmt.Errorf("the answer is not what the API promises: %w", err)}
	}
	agree := q.agree
	if agree == nil {
		agree = sameFields[T]
	}
	if err := agree(claimed, built); err != nil {
		return claimed, nil, from(node, p.height, err)
	}
	v.client.session.saw(node, p.height)
	return built, p, nil
}

// least is the height that an answer must not be below.
func (v *Verified) least(o ReadOptions) uint64 {
	if o.Height == 0 && v.levelOf(o) == rpc.ConsistencySession {
		return max(o.least, v.client.Token())
	}
	return o.least
}

func (v *Verified) levelOf(o ReadOptions) string { return cmp.Or(o.Consistency, v.client.consistency) }

// fresh checks that what a header vouches for is not older than the caller takes. A height that was asked for is
// as old as it is.
func (v *Verified) fresh(node string, height uint64, at time.Time, o ReadOptions) error {
	limit := cmp.Or(o.MaxAge, v.maxAge)
	if age := v.now().Sub(at); o.Height == 0 && limit > 0 && age > limit {
		return &StaleError{Endpoint: node, Height: height, Age: age, Max: limit, Proven: true}
	}
	return nil
}

// askProof asks a node until its proof is of a height that will do, and finds the header it must lead to. A
// refusal that says there is nothing carries a proof, too; any other refusal is the error.
func (v *Verified) askProof(ctx context.Context, node string, o ReadOptions, r request,
	unproven func([]byte, *rpc.Error) error,
) ([]byte, *rpc.Error, *proven, error) {
	least := v.least(o)
	r.query.Set("proof", "true")
	r.aside, r.maxAge = true, 0 // a height counts as seen, and is young, when that is proven
	for deadline := v.now().Add(v.wait); ; {
		text, refusal, proof, err := v.exchangeProof(ctx, node, r)
		if errors.Is(err, errNothingYet) && v.now().Before(deadline) && pause(ctx, provePause) {
			v.client.endpoints.answered(node) // being young is no fault
			continue
		}
		if err == nil && proof == nil {
			err = lie(LieUnproven, "to %s", r.path)
			if unproven != nil {
				err = cmp.Or(unproven(text, refusal), err)
			}
		}
		if err != nil {
			return nil, nil, nil, from(node, 0, err)
		}
		if o.Height > 0 && proof.Height != o.Height {
			return nil, nil, nil, from(node, proof.Height, lie(LieHeight, "asked for height %d", o.Height))
		}
		if proof.Height < least {
			if v.now().Before(deadline) && pause(ctx, provePause) {
				continue
			}
			return nil, nil, nil, from(node, proof.Height, lie(LieHeight, "asked for height %d or later", least))
		}
		header, err := v.light.header(ctx, node, proof.Height+1)
		if err != nil {
			return nil, nil, nil, err
		}
		if err := v.fresh(node, proof.Height, header.Time, o); err != nil {
			return nil, nil, nil, err
		}
		root := crypto.Hash(header.AppHash)
		if proof.Root != root {
			return nil, nil, nil, from(node, proof.Height, lie(LieProof, "the validators signed %s, it proves under %s", root, proof.Root))
		}
		p, err := newProven(proof, header.Header)
		return text, refusal, p, from(node, proof.Height, err)
	}
}

// errNothingYet is what a node says that has no block yet that would vouch for anything.
var errNothingYet = rpc.ErrNothingProvable()

// exchangeProof sends a question once, and takes the proof out of the answer or of the refusal.
func (v *Verified) exchangeProof(ctx context.Context, node string, r request) ([]byte, *rpc.Error, *rpc.Proof, error) {
	var text rawAnswer
	var refusal *rpc.Error
	var body []byte
	r.refusal = &body
	if err := v.client.ask(ctx, node, r, &text); err != nil {
		if !errors.As(err, &refusal) || !absence(refusal) {
			return nil, nil, nil, err
		}
		text = body
	}
	var carrier struct {
		Proof *rpc.Proof `json:"proof"`
	}
	if err := json.Unmarshal(text, &carrier); err != nil {
		return nil, nil, nil, from(node, 0, lie(LieShape, "the proof does not decode: %v", err))
	}
	return text, refusal, carrier.Proof, nil
}

// absence tells whether a refusal says that something is not there, which can be proven.
func absence(refusal *rpc.Error) bool {
	return rpc.SaysAbsent(ledger.Code(refusal.Code))
}

// sameFields compares what a node said with what it proved, field by field as they stand in JSON. What says
// how the answer came about is not part of it.
func sameFields[T any](claimed, built T) error {
	a, err := fieldsOf(claimed)
	if err != nil {
		return err
	}
	b, err := fieldsOf(built)
	if err != nil {
		return err
	}
	for name, want := range b {
		if !reflect.DeepEqual(a[name], want) {
			said, _ := json.Marshal(a[name])
			proved, _ := json.Marshal(want)
			return lie(LieValue, "it said %s %s and proved %s", name, cut(string(said)), cut(string(proved)))
		}
		delete(a, name)
	}
	for name := range a {
		return lie(LieValue, "it said something about %s that it did not prove", name)
	}
	return nil
}

func fieldsOf(value any) (map[string]any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("compare answers: %w", err)
	}
	fields := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		return nil, fmt.Errorf("compare answers: %w", err)
	}
	for _, name := range []string{"verified", "consistency", "proof"} {
		delete(fields, name)
	}
	return fields, nil
}

// cut keeps a message readable that quotes what a node sent.
func cut(text string) string { return shorten([]byte(text), 80) }
