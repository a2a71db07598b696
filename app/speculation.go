package app

import (
	"bytes"
	"slices"

	"github.com/tetradledger/tetrad/ledger"
	"github.com/tetradledger/tetrad/ledger/store"
)

// speculation executes a proposal while the validators vote on it, so that Finalize finds the work done. A
// staged outcome touches nothing that anybody reads, and any number of proposals of one height may come: the
// decided one is adopted and the others are dropped before the commit. Finalize needs none of it: blocks that
// are replayed or synced were never proposed here.
type speculation struct {
	runs []*run // of the height being decided, oldest first
}

// run is one proposal being executed.
type run struct {
	block  Block
	cancel chan struct{}
	done   chan struct{} // closed when result and err are there
	result *execution
	err    error
}

// speculationsMax bounds the proposals of one height that are executed. Rounds fail when the network is in
// trouble, and that is no time for more work.
const speculationsMax = 2

// speculate begins to execute a proposal on the current state.
func (a *App) speculate(p Proposal, parsed *block) {
	if a.options.NoSpeculation || len(p.Hash) == 0 || len(parsed.inner) == 0 || len(a.ahead.runs) >= speculationsMax || a.staged != nil {
		return
	}
	if head, ok := a.store().Head(); !a.ready.Load() || ok && head.Height+1 != p.Height {
		return
	}
	r := &run{
		block: Block{
			Height: p.Height, TimeMS: p.TimeMS, Hash: bytes.Clone(p.Hash), Txs: p.Txs,
			Misbehaviour: slices.Clone(p.Misbehaviour),
		},
		cancel: make(chan struct{}), done: make(chan struct{}),
	}
	a.ahead.runs = append(a.ahead.runs, r)
	go func() {
		defer close(r.done)
		r.result, r.err = a.execute(r.block, parsed, r.cancel)
	}()
}

// adopt takes over the execution of a decided block if it was begun. Everything that the outcome depends on
// is compared, not the hash alone.
func (a *App) adopt(b Block) (*execution, bool, error) {
	for i, r := range a.ahead.runs {
		if !r.matches(b) {
			continue
		}
		a.ahead.runs = slices.Delete(a.ahead.runs, i, i+1)
		<-r.done
		return r.result, true, r.err
	}
	return nil, false, nil
}

func (r *run) matches(b Block) bool {
	return bytes.Equal(r.block.Hash, b.Hash) && r.block.Height == b.Height && r.block.TimeMS == b.TimeMS &&
		slices.EqualFunc(r.block.Misbehaviour, b.Misbehaviour, func(x, y ledger.Misbehaviour) bool { return x == y }) &&
		sameTxs(r.block.Txs, b.Txs)
}

// drop gives up what was not adopted. It must come before the commit: nothing can be staged on a state that
// has passed.
func (s *speculation) drop(st *store.Store) {
	for _, r := range s.runs {
		close(r.cancel)
	}
	for _, r := range s.runs {
		<-r.done
		if r.err == nil {
			st.Discard(r.result.pending)
		}
	}
	s.runs = nil
}
