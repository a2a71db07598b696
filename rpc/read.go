package rpc

import (
	"context"
	"fmt"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// Freshness is what every read may ask of the state it is answered from.
type Freshness struct {
	Consistency string `header:"X-Tetrad-Consistency" doc:"eventual: any committed state; session: not older than X-Tetrad-Min-Height, which is what that header alone means, too; bounded: not older than X-Tetrad-Max-Age, likewise; strong: everything that was committed before the request came, by the word of validators with more than two thirds of the power, which this node asks; session+bounded and the like: all of these" example:"session"`
	MinHeight   uint64 `header:"X-Tetrad-Min-Height" doc:"Wait until the node has this height, at most for timeout" example:"1"`
	MaxAge      string `header:"X-Tetrad-Max-Age" doc:"How old the answer's block may be by this node's clock, such as 2s; the node refuses rather than to answer from an older one" example:"10s"`
	Height      uint64 `query:"height" doc:"Read the state after this block instead of the newest"`
	Timeout     string `query:"timeout" doc:"How long to wait for X-Tetrad-Min-Height, such as 500ms or 10s; at most 60s" example:"10s"`
	Proof       bool   `query:"proof" doc:"Prove the answer: it is then of a height below the newest, whose root stands in the next block's header"`
}

func (f *Freshness) freshness() *Freshness { return f }

// answer is a read's answer with the headers that say what it rests on.
type answer[T any] struct {
	Height string `header:"X-Tetrad-Height"`
	AgeMS  string `header:"X-Tetrad-Age-Ms"`
	Token  string `header:"X-Tetrad-Token"`
	Trust  string `header:"X-Tetrad-Trust"`
	Body   T
}

// What an answer rests on.
const (
	trustNode  = "node"  // nothing but the node's word
	trustProof = "proof" // what it carries, and whoever signed the next header
)

// registerRead makes a route of a function that answers from a state. In must embed Freshness, and Out Provable.
func registerRead[In, Out any, P interface {
	*In
	freshness() *Freshness
}, Q interface {
	*Out
	attach(*Proof)
}](s *server, api huma.API, o huma.Operation, read func(Snapshot, P) (Out, error),
) {
	huma.Register(api, o, func(ctx context.Context, in *In) (*answer[Out], error) {
		return served[P, Out, Q](ctx, s, o.OperationID, in, read)
	})
}

// served answers a read from the state that it asks for, with a proof if it asks for one.
func served[P interface{ freshness() *Freshness }, Out any, Q interface {
	*Out
	attach(*Proof)
}](ctx context.Context, s *server, doing string, in P, read func(Snapshot, P) (Out, error),
) (*answer[Out], error) {
	f := in.freshness()
	if f.Proof {
		return proved[P, Out, Q](ctx, s, doing, in, read)
	}
	snap, err := s.open(ctx, f)
	if err != nil {
		return nil, s.asError(err, "open the state")
	}
	defer snap.Close()
	if err := s.young(f, snap.Height(), snap.TimeMS()); err != nil {
		return nil, err
	}
	body, err := read(snap, in)
	if err != nil {
		return nil, s.asError(err, doing)
	}
	return answered(s, snap.Height(), snap.TimeMS(), body), nil
}

// proved is an answer with every leaf that it was computed from. It repeats the reading on leaves it can prove,
// so that a list is as complete as its proof.
func proved[P interface{ freshness() *Freshness }, Out any, Q interface {
	*Out
	attach(*Proof)
}](ctx context.Context, s *server, doing string, in P, read func(Snapshot, P) (Out, error),
) (*answer[Out], error) {
	f := in.freshness()
	ctx, cancel, err := s.begin(ctx, f)
	if err != nil {
		return nil, err
	}
	defer cancel()
	p, err := s.backend.Prove(ctx, ReadOptions{Height: f.Height, MinHeight: f.MinHeight})
	if err != nil {
		return nil, s.asError(err, "open the state for a proof")
	}
	defer p.Close()
	if err := s.young(f, p.Height(), p.TimeMS()); err != nil {
		return nil, err
	}
	snap := newProving(p)
	body, err := read(snap, in)
	if err != nil {
		return nil, s.asError(snap.absence(err), doing)
	}
	proof, err := snap.proof()
	if err != nil {
		return nil, s.asError(err, "prove "+doing)
	}
	Q(&body).attach(proof)
	out := answered(s, p.Height(), p.TimeMS(), body)
	out.Trust = trustProof
	return out, nil
}

// answered puts the headers to an answer that holds at a height.
func answered[T any](s *server, height, timeMS uint64, body T) *answer[T] {
	h := decimal(height)
	return &answer[T]{Height: h, Token: h, AgeMS: strconv.FormatInt(s.age(timeMS), 10), Trust: trustNode, Body: body}
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

// age is how long ago a block was made, by this machine's clock; never negative, as clocks differ a little.
func (s *server) age(timeMS uint64) int64 {
	return max(0, s.now().UnixMilli()-int64(timeMS))
}

// open opens the state a read asks for.
func (s *server) open(ctx context.Context, f *Freshness) (Snapshot, error) {
	ctx, cancel, err := s.begin(ctx, f)
	if err != nil {
		return nil, err
	}
	defer cancel()
	return s.backend.Read(ctx, ReadOptions{Height: f.Height, MinHeight: f.MinHeight})
}

// get reads one leaf and decodes it. Without a leaf found is false. A leaf that does not decode means that
// this node's state is damaged.
func get[T any](snap Snapshot, key []byte, decode func([]byte) (T, error)) (value T, found bool, err error) {
	leaf, err := snap.Get(key)
	if err != nil || leaf == nil {
		return value, false, err
	}
	value, err = decode(leaf)
	return value, err == nil, err
}

// mustGet is get for leaves that must be there; one that is not means that this node's state is damaged.
func mustGet[T any](snap Snapshot, key []byte, decode func([]byte) (T, error)) (T, error) {
	value, found, err := get(snap, key, decode)
	if err == nil && !found {
		err = fmt.Errorf("leaf %x is missing at height %d", key, snap.Height())
	}
	return value, err
}
