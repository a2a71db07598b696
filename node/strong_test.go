package node

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/tetradledger/tetrad/crypto"
	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/node/plane"
	"github.com/tetradledger/tetrad/rpc"
)

// panel is a node and the validators that it asks, of which every test decides what they say.
type panel struct {
	mu     sync.Mutex
	height uint64
	grown  chan struct{}               // closed, and replaced, when height grows
	says   map[byte]ledger.Attestation // by validator; who is not there says nothing
	power  map[uint64]ledger.Powers    // by height; others have one of each of 1 to 4
	nonces map[crypto.Hash]bool        // of all questions
	hold   chan struct{}               // while open, nobody answers
	reason string                      // why there are no strong reads
	others []plane.Member
}

// self is the validator of the node itself.
const self = 1

func newPanel(height uint64) *panel {
	p := &panel{height: height, grown: make(chan struct{}), says: map[byte]ledger.Attestation{}, nonces: map[crypto.Hash]bool{}}
	for i := byte(2); i <= 4; i++ {
		p.others = append(p.others, plane.Member{Validator: crypto.ValidatorID{i}})
	}
	return p
}

func headerOf(height uint64) crypto.Hash { return crypto.Sum([]byte{byte(height)}) }

// say lets a validator attest to a height from now on, and perhaps to the next as pending.
func (p *panel) say(validator byte, committed uint64, pending bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := ledger.Attestation{Validator: crypto.ValidatorID{validator}, Committed: committed, HeaderHash: headerOf(committed)}
	if pending {
		a.Pending = committed + 1
	}
	p.says[validator] = a
}

// grow lets the node commit blocks.
func (p *panel) grow(height uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.height = height
	close(p.grown)
	p.grown = make(chan struct{})
}

func (p *panel) unfit() string { return p.reason }

func (p *panel) members() []plane.Member { return p.others }

func (p *panel) answer(validator byte, nonce [ledger.AttestNonceLen]byte) (ledger.Attestation, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nonces[nonce] = true
	a, ok := p.says[validator]
	if !ok {
		return a, errors.New("silent")
	}
	a.Nonce = nonce
	return a, nil
}

func (p *panel) own(nonce [ledger.AttestNonceLen]byte) (ledger.Attestation, error) {
	return p.answer(self, nonce)
}

func (p *panel) ask(ctx context.Context, m plane.Member, nonce [ledger.AttestNonceLen]byte) (ledger.Attestation, error) {
	if p.hold != nil {
		select {
		case <-p.hold:
		case <-ctx.Done():
			return ledger.Attestation{}, ctx.Err()
		}
	}
	return p.answer(m.Validator[0], nonce)
}

func (p *panel) reach(ctx context.Context, height uint64) error {
	for {
		p.mu.Lock()
		now, grown := p.height, p.grown
		p.mu.Unlock()
		if now >= height {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *panel) headerHash(height uint64) (crypto.Hash, bool) { return headerOf(height), true }

func (p *panel) powers(height uint64) (ledger.Powers, error) {
	if all, ok := p.power[height]; ok {
		return all, nil
	}
	return ledger.Powers{{1}: 1, {2}: 1, {3}: 1, {4}: 1}, nil
}

func (p *panel) reads(t *testing.T) *strongReads {
	running, cancel := context.WithCancel(context.Background())
	s := newStrongReads(running, p, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		cancel()
		s.close()
	})
	return s
}

// refused calls index until the context ends, which it does only once this is called, and demands no quorum.
func refused(t *testing.T, s *strongReads) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	height, err := s.index(ctx)
	if !errors.Is(err, rpc.NewError(ledger.CodeNoQuorum, "")) {
		t.Errorf("index is %d, %v; want no quorum", height, err)
	}
}

func TestStrongReadsFindTheHeight(t *testing.T) {
	t.Run("all agree", func(t *testing.T) {
		p := newPanel(10)
		for i := byte(1); i <= 4; i++ {
			p.say(i, 10, false)
		}
		s := p.reads(t)
		if height, err := s.index(t.Context()); height != 10 || err != nil {
			t.Errorf("%d, %v", height, err)
		}
		if s.fast.Load() != 1 || s.slow.Load() != 0 || s.fastRatio() != 1 {
			t.Errorf("%d fast and %d slow reads", s.fast.Load(), s.slow.Load())
		}
	})
	t.Run("a block is pending", func(t *testing.T) {
		p := newPanel(9)
		p.say(1, 9, false)
		p.say(2, 9, true)
		p.say(3, 9, true)
		s := p.reads(t)
		go p.grow(10)
		if height, err := s.index(t.Context()); height != 10 || err != nil {
			t.Errorf("%d, %v", height, err)
		}
	})
	t.Run("this node is behind", func(t *testing.T) {
		p := newPanel(7)
		p.say(1, 7, false)
		p.say(2, 10, false)
		p.say(3, 10, false)
		p.say(4, 9, false)
		s := p.reads(t)
		refused(t, s)
		go p.grow(10)
		if height, err := s.index(t.Context()); height != 10 || err != nil {
			t.Errorf("%d, %v", height, err)
		}
	})
	t.Run("the others are behind", func(t *testing.T) {
		p := newPanel(10)
		p.say(1, 10, false)
		p.say(2, 9, true)
		p.say(3, 9, false)
		if height, err := p.reads(t).index(t.Context()); height != 10 || err != nil {
			t.Errorf("%d, %v", height, err)
		}
	})
}

func TestStrongReadsNeedAQuorum(t *testing.T) {
	p := newPanel(10)
	p.say(1, 10, false)
	p.say(2, 10, false)
	s := p.reads(t)
	refused(t, s)
	p.say(3, 10, false) // asked again by the next round, and by one under way
	if height, err := s.index(t.Context()); height != 10 || err != nil {
		t.Errorf("%d, %v", height, err)
	}
	if s.failed.Load() != 1 {
		t.Errorf("%d reads were refused", s.failed.Load())
	}
	// Without an answer of its own a node needs all others.
	delete(p.says, self)
	refused(t, s)
	p.say(4, 10, false)
	if height, err := s.index(t.Context()); height != 10 || err != nil {
		t.Errorf("%d, %v", height, err)
	}
	p.reason = "there is no key"
	if _, err := s.index(t.Context()); !errors.Is(err, rpc.NewError(ledger.CodeUnavailable, "")) {
		t.Error(err)
	}
}

// TestStrongReadsWithALiar lets validator 4 say what it likes. Nothing of it may make a read stale; what would, if it
// were counted, leaves too few.
func TestStrongReadsWithALiar(t *testing.T) {
	p := newPanel(10)
	p.say(1, 10, false)
	p.say(2, 10, false)
	p.say(4, 1_000_000, false) // a height that does not exist
	s := p.reads(t)
	refused(t, s)
	p.say(4, 10, false)
	p.mu.Lock()
	forged := p.says[4]
	forged.HeaderHash[0]++
	p.says[4] = forged
	p.mu.Unlock()
	refused(t, s)
	p.say(3, 10, false)
	if height, err := s.index(t.Context()); height != 10 || err != nil {
		t.Errorf("%d, %v", height, err)
	}
}

// TestStrongReadsUseTheRightSet changes the validators with the block that a read waits for.
func TestStrongReadsUseTheRightSet(t *testing.T) {
	p := newPanel(10)
	p.say(1, 10, true) // so that 11 is read, and the set that signs 12 counts
	p.say(2, 10, false)
	p.say(3, 10, false)
	p.power = map[uint64]ledger.Powers{12: {{1}: 1, {2}: 1, {4}: 5}}
	s := p.reads(t)
	refused(t, s)
	p.say(4, 10, false)
	go p.grow(11)
	if height, err := s.index(t.Context()); height != 11 || err != nil {
		t.Errorf("%d, %v", height, err)
	}
}

// TestStrongReadsShareRounds lets more reads come than rounds may be under way.
func TestStrongReadsShareRounds(t *testing.T) {
	p := newPanel(10)
	for i := byte(1); i <= 4; i++ {
		p.say(i, 10, false)
	}
	p.hold = make(chan struct{})
	s := p.reads(t)
	waitFor := func(what string, is func() bool) {
		t.Helper()
		for begun := time.Now(); !is(); time.Sleep(time.Millisecond) {
			if time.Since(begun) > 30*time.Second {
				t.Fatal(what)
			}
		}
	}
	begun := func(rounds int) func() bool {
		return func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.nonces) == rounds // each round hears the node itself at once
		}
	}
	const late = 20
	heights := make(chan uint64, roundsMax+late)
	read := func() {
		height, err := s.index(context.Background())
		if err != nil {
			t.Error(err)
		}
		heights <- height
	}
	for i := range roundsMax {
		go read()
		waitFor("a read does not begin a round of its own", begun(i+1))
	}
	for range late {
		go read()
	}
	waitFor("the late reads do not come", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.next != nil
	})
	close(p.hold)
	for range roundsMax + late {
		if height := <-heights; height != 10 {
			t.Errorf("read at %d", height)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.nonces); n <= roundsMax || n > roundsMax+late {
		t.Errorf("%d rounds", n)
	}
}

func TestStrongReadsEndWithTheNode(t *testing.T) {
	p := newPanel(10)
	running, stop := context.WithCancel(context.Background())
	s := newStrongReads(running, p, slog.New(slog.DiscardHandler))
	done := make(chan error)
	go func() {
		_, err := s.index(context.Background())
		done <- err
	}()
	stop()
	if err := <-done; err == nil {
		t.Error("a read without answers succeeds")
	}
	s.close()
	if _, err := s.index(context.Background()); !errors.Is(err, rpc.NewError(ledger.CodeUnavailable, "")) {
		t.Error(err)
	}
}
