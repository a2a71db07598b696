package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"sync"

	cmttypes "github.com/cometbft/cometbft/types"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
)

// indexRoundsMax is how often the question is put: a second time if the validators changed meanwhile.
const indexRoundsMax = 2

// index is how far a read must have come.
type index struct {
	height  uint64
	powers  ledger.Powers // of the validators then; nil: only a proof will do
	members *register
}

// attested is what came of asking one node for an attestation.
type attested struct {
	node   string
	said   ledger.Attestation
	header *cmttypes.LightBlock // of the height it has committed, trusted
	err    error                // why it does not count
}

// errChanged says that the validators changed between the height and the one whose validators would have to vouch.
var errChanged = errors.New("the validators are changing")

// index asks the validators, and falls back on a fence. Both together take no longer than s.wait.
func (s *Strong) index(ctx context.Context) (index, error) {
	inner, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	asking, stop := inner, context.CancelFunc(func() {})
	if s.fence != nil {
		asking, stop = context.WithTimeout(inner, s.wait/2)
	}
	defer stop()
	ix, err := s.ask(asking)
	switch {
	case err == nil:
		return ix, nil
	case ctx.Err() != nil:
		return index{}, ctx.Err()
	case errors.As(err, new(*ConflictError)):
		s.refused.Add(1)
		return index{}, err
	}
	ix, err = s.fenceAt(inner, err)
	if err != nil {
		s.refused.Add(1)
	}
	return ix, err
}

// ask puts the question to all nodes, and once more if the validators changed meanwhile.
func (s *Strong) ask(ctx context.Context) (index, error) {
	for rounds := 1; ; rounds++ {
		ix, err := s.newRound(ctx).run(ctx)
		if !errors.Is(err, errChanged) || rounds == indexRoundsMax {
			return ix, err
		}
	}
}

// round is one nonce and what was said to it.
type round struct {
	s       *Strong
	nonce   [ledger.AttestNonceLen]byte
	nodes   []string
	answers chan attested
	members [2]func() (*register, error) // as it is known, and read again; each at most once in a round
	heard   witnesses

	accepted []attested
	failed   []*NodeError
	keyless  *registerError // the keys could not be read
	heardOf  bool           // a node answered
}

// newRound draws a nonce and asks everybody at once.
func (s *Strong) newRound(ctx context.Context) *round {
	nodes := s.v.client.Endpoints()
	r := &round{s: s, nodes: nodes, answers: make(chan attested, len(nodes)), heard: newWitnesses()}
	rand.Read(r.nonce[:]) // never fails
	// Who answers late is not needed, but is found out about all the same if it lies.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.wait)
	r.members[0] = sync.OnceValues(func() (*register, error) { return s.keys.get(after) })
	r.members[1] = sync.OnceValues(func() (*register, error) { return s.keys.newer(after) })
	var asked sync.WaitGroup
	for _, node := range nodes {
		asked.Add(1)
		s.loose.Go(func() {
			defer asked.Done()
			r.answers <- r.attest(after, node)
		})
	}
	s.loose.Go(func() {
		asked.Wait()
		cancel()
	})
	return r
}

// run goes on as soon as enough have answered.
func (r *round) run(ctx context.Context) (index, error) {
	var next chan waited
	for left := len(r.nodes); ; {
		select {
		case a := <-r.answers:
			left--
			if !r.take(a) {
				var fork *ConflictError
				if errors.As(a.err, &fork) {
					return index{}, fork
				}
			}
			if ix, ok := r.atOnce(); ok {
				r.s.fast.Add(1)
				return ix, nil
			}
			if height := r.nextBlock(); height > 0 && next == nil {
				next = r.await(ctx, height)
			}
			if left == 0 && next == nil {
				return index{}, r.noQuorum("")
			}
		case w := <-next:
			ix, err := r.settled(w)
			if err == nil {
				r.s.slow.Add(1)
			}
			return ix, err
		case <-ctx.Done():
			return index{}, r.noQuorum(ctx.Err().Error())
		}
	}
}

// take notes an answer and tells whether it counts.
func (r *round) take(a attested) bool {
	var silent *NodeError
	mute := errors.As(a.err, &silent)
	r.heardOf = r.heardOf || !mute
	if a.err == nil {
		r.accepted = append(r.accepted, a)
		return true
	}
	if errors.As(a.err, &r.keyless) {
		r.heardOf = true
		return false
	}
	if !mute {
		silent = &NodeError{Endpoint: a.node, Err: a.err}
	}
	r.failed = append(r.failed, silent)
	return false
}

// atOnce looks for answers that settle the matter without another block. Those that speak of a later block may be left
// out: the rest says by itself that it was not committed, if it has the power. So a liar who always says so delays
// nobody, as long as all others answer.
func (r *round) atOnce() (index, bool) {
	for _, top := range r.accepted {
		height := top.said.Committed
		if !keepsValidators(top.header) {
			continue
		}
		var some []ledger.Attestation
		for _, a := range r.accepted {
			if a.said.Committed <= height && a.said.Pending <= height {
				some = append(some, a.said)
			}
		}
		powers := powersOf(top.header.ValidatorSet)
		if reached, wait, ok := ledger.ReadIndex(some, powers); ok && !wait && reached == height {
			return index{height, powers, r.s.keys.known()}, true
		}
	}
	return index{}, false
}

// nextBlock is the height to wait for, if there are enough answers for it; else 0.
func (r *round) nextBlock() uint64 {
	all, top := r.all()
	if top == nil {
		return 0
	}
	height, wait, ok := ledger.ReadIndex(all, powersOf(top.ValidatorSet))
	switch {
	case !ok:
		return 0
	case !wait && !keepsValidators(top):
		return height + 1 // whose validators are in its header
	}
	return height
}

// all lists the answers that count, and the header of the highest of them.
func (r *round) all() (all []ledger.Attestation, top *cmttypes.LightBlock) {
	for _, a := range r.accepted {
		all = append(all, a.said)
		if top == nil || a.header.Height > top.Height {
			top = a.header
		}
	}
	return all, top
}

// settled judges the answers by the validators that the block waited for names for the next one. They are those from
// which it was concluded that this block is high enough: later ones may speak of higher ones.
func (r *round) settled(w waited) (index, error) {
	if w.err != nil {
		return index{}, r.noQuorum("block " + strconv.FormatUint(w.height, 10) + " did not come in time: " + w.err.Error())
	}
	if !keepsValidators(w.header) {
		return index{}, errChanged
	}
	powers := powersOf(w.header.ValidatorSet)
	if _, _, ok := ledger.ReadIndex(w.said, powers); !ok {
		return index{}, errChanged
	}
	return index{w.height, powers, r.s.keys.known()}, nil
}

// keepsValidators tells whether the validators of a block are those of the next one, too.
func keepsValidators(b *cmttypes.LightBlock) bool {
	return bytes.Equal(b.ValidatorsHash, b.NextValidatorsHash)
}

// powersOf lists the powers of a block's validators.
func powersOf(set *cmttypes.ValidatorSet) ledger.Powers {
	powers := make(ledger.Powers, set.Size())
	for _, v := range set.Validators {
		powers[crypto.ValidatorIDOf(crypto.KeyEd25519, v.PubKey.Bytes())] = uint64(v.VotingPower)
	}
	return powers
}

// waited is what came of waiting for a block.
type waited struct {
	height uint64
	said   []ledger.Attestation // that made it the one to wait for
	header *cmttypes.LightBlock
	err    error
}

// await waits until any node shows a block.
func (r *round) await(ctx context.Context, height uint64) chan waited {
	each, first := make(chan waited, len(r.nodes)), make(chan waited, 1)
	said, _ := r.all()
	for _, node := range r.nodes {
		r.s.loose.Go(func() {
			header, err := r.shown(ctx, node, height, r.s.wait, nil)
			each <- waited{height, said, header, err}
		})
	}
	r.s.loose.Go(func() {
		var last waited
		for range r.nodes {
			if last = <-each; last.err == nil {
				break
			}
		}
		first <- last
	})
	return first
}

// noQuorum says what there was instead.
func (r *round) noQuorum(why string) error {
	e := &NoQuorumError{Attempts: r.failed, Why: why, heard: r.heardOf}
	if r.keyless != nil {
		e.Why = r.keyless.Error()
	}
	all, top := r.all()
	if top == nil {
		return e
	}
	powers, counted := powersOf(top.ValidatorSet), map[crypto.ValidatorID]bool{}
	for _, a := range all {
		if !counted[a.Validator] {
			counted[a.Validator] = true
			e.Have += powers[a.Validator]
		}
	}
	e.Total = index{powers: powers}.total()
	return e
}
