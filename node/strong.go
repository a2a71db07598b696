package node

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/node/plane"
	"github.com/tetradledger/tetrad/rpc"
)

const (
	// roundsMax bounds the rounds of questions under way at once. Reads that come while all are taken share the next.
	roundsMax = 4
	// askAgainAfter is how long a round waits before it asks a validator again that has not answered: it may just be
	// connecting, or have caught up.
	askAgainAfter = 100 * time.Millisecond
)

// ReadIndex implements rpc.Attester.
func (b backend) ReadIndex(ctx context.Context) (uint64, error) { return b.n.strong.index(ctx) }

// strongReads finds the height that strong reads must see, over the app plane. Many reads share a round of questions: one
// that begins after a read came shows all that was committed before it came.
type strongReads struct {
	source  strongSource
	log     *slog.Logger
	running context.Context // ends with the node
	slots   chan struct{}   // one for each round under way

	mu     sync.Mutex
	next   *round // has not drawn its nonce yet, so that further reads may join; or nil
	closed bool
	rounds sync.WaitGroup

	fast, slow, failed atomic.Uint64 // reads
}

// strongSource is what a round asks of the node; tests have others.
type strongSource interface {
	// unfit says why this node serves no strong reads; empty if it does.
	unfit() string
	// members are the validators to ask, without this node's own.
	members() []plane.Member
	// own is what this node attests itself.
	own(nonce [ledger.AttestNonceLen]byte) (ledger.Attestation, error)
	// ask asks another validator's node. The answer's signature has been verified.
	ask(ctx context.Context, m plane.Member, nonce [ledger.AttestNonceLen]byte) (ledger.Attestation, error)
	// reach returns when this node has committed a height.
	reach(ctx context.Context, height uint64) error
	// headerHash is the hash of the header of a height that this node has committed, if it still has it.
	headerHash(height uint64) (crypto.Hash, bool)
	// powers are those of the validators that sign a block, at most two above what this node has committed.
	powers(height uint64) (ledger.Powers, error)
}

// round is one nonce and what comes of it.
type round struct {
	done   chan struct{} // closed when the rest is set
	height uint64
	waited bool // for a block that was pending
	err    error
}

func newStrongReads(running context.Context, source strongSource, log *slog.Logger) *strongReads {
	return &strongReads{source: source, log: log, running: running, slots: make(chan struct{}, roundsMax)}
}

// close waits for what is under way, which the end of running has ended, and lets nothing new begin.
func (s *strongReads) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.rounds.Wait()
}

// index returns a height that this node has committed, and that no block lies above which was committed before index
// was called.
func (s *strongReads) index(ctx context.Context) (uint64, error) {
	if why := s.source.unfit(); why != "" {
		return 0, rpc.NewError(ledger.CodeUnavailable, "This node serves no strong reads: %s.", why)
	}
	r := s.join()
	if r == nil {
		return 0, rpc.NewError(ledger.CodeUnavailable, "The node is stopping.")
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		s.failed.Add(1)
		return 0, rpc.ErrNoQuorum("Validators with too little voting power have answered in time.")
	}
	switch {
	case r.err != nil:
		s.failed.Add(1)
	case r.waited:
		s.slow.Add(1)
	default:
		s.fast.Add(1)
	}
	return r.height, r.err
}

// join is the round that a read belongs to which comes now: one whose nonce is drawn later.
func (s *strongReads) join() *round {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	if s.next == nil {
		r := &round{done: make(chan struct{})}
		s.next = r
		s.rounds.Add(1)
		go func() {
			defer s.rounds.Done()
			s.run(r)
		}()
	}
	return s.next
}

// run carries a round out, in no more time than a strong read may take.
func (s *strongReads) run(r *round) {
	defer close(r.done)
	waiting, cancel := context.WithTimeout(s.running, rpc.StrongMax)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-waiting.Done():
		r.err = rpc.ErrNoQuorum("Too many strong reads wait for validators that do not answer.")
	}
	s.mu.Lock()
	s.next = nil // nobody joins once the nonce is drawn
	s.mu.Unlock()
	if r.err != nil {
		return
	}
	asking, cancel := context.WithTimeout(s.running, rpc.StrongMax)
	defer cancel()
	r.height, r.waited, r.err = s.collect(asking)
}

// collect asks all validators and returns the height that a read must see, once this node has committed it.
func (s *strongReads) collect(ctx context.Context) (height uint64, waited bool, err error) {
	var nonce [ledger.AttestNonceLen]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return 0, false, err
	}
	ctx, cancel := context.WithCancel(ctx)
	members := s.source.members()
	heard := make(chan ledger.Attestation, len(members))
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	for _, m := range members {
		asking.Add(1)
		go func() {
			defer asking.Done()
			if a, ok := s.hear(ctx, m, nonce); ok {
				heard <- a
			}
		}()
	}
	var answers []ledger.Attestation
	if own, err := s.source.own(nonce); err == nil {
		answers = append(answers, own)
	}
	for {
		if height, wait, ok := s.decide(answers); ok {
			if wait && s.source.reach(ctx, height) != nil {
				return 0, true, rpc.ErrNoQuorum("A validator may have helped to commit height %d, and no block came to show it.", height)
			}
			return height, wait, nil
		}
		select {
		case a := <-heard:
			answers = append(answers, a)
		case <-ctx.Done():
			return 0, false, rpc.ErrNoQuorum("%d of %d validators have answered, and their voting power is too little.", len(answers), len(members)+1)
		}
	}
}

// decide draws the conclusion from the answers so far, if there are enough.
func (s *strongReads) decide(answers []ledger.Attestation) (height uint64, wait, ok bool) {
	height, _, _ = ledger.ReadIndex(answers, nil)
	if height == 0 {
		return 0, false, false
	}
	powers, err := s.source.powers(height + 1)
	if err != nil {
		s.log.Error("the validators that sign a block are not known", "height", height+1, "err", err)
		return 0, false, false
	}
	return ledger.ReadIndex(answers, powers)
}

// hear asks one validator until it gives an answer that counts: signed, for this nonce, and of a block that this
// node has too. One that is ahead is heard once this node has got there, and one that claims a height which does not exist
// never.
func (s *strongReads) hear(ctx context.Context, m plane.Member, nonce [ledger.AttestNonceLen]byte) (ledger.Attestation, bool) {
	for {
		a, err := s.source.ask(ctx, m, nonce)
		if err == nil {
			return a, s.checkHeader(ctx, a)
		}
		if !errors.Is(err, plane.ErrNoAnswer) && ctx.Err() == nil {
			s.log.Debug("a validator attests nothing", "validator", m.Validator, "err", err)
		}
		select {
		case <-time.After(askAgainAfter):
		case <-ctx.Done():
			return ledger.Attestation{}, false
		}
	}
}

// checkHeader tells whether the block that a validator says it has committed is this chain's.
func (s *strongReads) checkHeader(ctx context.Context, a ledger.Attestation) bool {
	if s.source.reach(ctx, a.Committed) != nil {
		return false
	}
	ours, ok := s.source.headerHash(a.Committed)
	if ok && ours != a.HeaderHash {
		s.log.Error("a validator attests to a block that is not this chain's: it lies, or the chain has forked",
			"validator", a.Validator, "height", a.Committed, "its_header", a.HeaderHash, "ours", ours)
	}
	return ok && ours == a.HeaderHash
}

// nodeSource is a node as strong reads see it.
type nodeSource struct{ n *Node }

func (s nodeSource) unfit() string {
	if s.n.plane == nil && s.n.service.fault == "" {
		return "its app plane is switched off (plane.enabled)"
	}
	return s.n.service.unfit()
}

func (s nodeSource) members() []plane.Member {
	var others []plane.Member
	for _, m := range s.n.service.roster.Load().members {
		if m.Validator != s.n.service.self {
			others = append(others, m)
		}
	}
	return others
}

func (s nodeSource) own(nonce [ledger.AttestNonceLen]byte) (ledger.Attestation, error) {
	signed, err := s.n.attest(nonce)
	return signed.Attestation, err
}

func (s nodeSource) ask(ctx context.Context, m plane.Member, nonce [ledger.AttestNonceLen]byte) (ledger.Attestation, error) {
	signed, err := s.n.plane.Ask(ctx, m.Validator, nonce)
	if err != nil {
		return ledger.Attestation{}, err
	}
	if signed.Validator != m.Validator {
		return ledger.Attestation{}, errors.New("it speaks for another validator")
	}
	return signed.Attestation, signed.Verify(s.n.doc.Hash(), nonce, m.Service, signed.Signature[:])
}

func (s nodeSource) reach(ctx context.Context, height uint64) error {
	return s.n.app.WaitHeight(ctx, height)
}

func (s nodeSource) headerHash(height uint64) (crypto.Hash, bool) { return s.n.headerHash(height) }

// powers reads the ledger's validators as they were two blocks before: a change takes effect in CometBFT with the block
// after the next.
func (s nodeSource) powers(height uint64) (ledger.Powers, error) {
	view, err := s.n.app.ViewAt(max(height, 2) - 2)
	if err != nil {
		return nil, err
	}
	defer view.Close()
	powers := ledger.Powers{}
	err = eachValidator(view, func(id crypto.ValidatorID, v ledger.Validator) error {
		if v.Power > 0 {
			powers[id] = v.Power
		}
		return nil
	})
	return powers, err
}

// fastRatio is the share of the answered reads that did not wait for a block; 1 before the first.
func (s *strongReads) fastRatio() float64 {
	fast, slow := float64(s.fast.Load()), float64(s.slow.Load())
	if fast+slow == 0 {
		return 1
	}
	return fast / (fast + slow)
}
