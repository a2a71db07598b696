package app

import (
	"sync"

	"github.com/tetradledger/tetrad/crypto"
)

// remembered is a bounded set of hashes that forgets the oldest half when it is full.
type remembered struct {
	mu       sync.Mutex
	max      int
	new, old map[crypto.Hash]struct{}
}

func newRemembered(max int) *remembered {
	return &remembered{max: max, new: map[crypto.Hash]struct{}{}, old: map[crypto.Hash]struct{}{}}
}

func (r *remembered) add(hashes ...crypto.Hash) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range hashes {
		if len(r.new) >= max(1, r.max/2) {
			r.old, r.new = r.new, map[crypto.Hash]struct{}{}
		}
		r.new[h] = struct{}{}
	}
}

func (r *remembered) has(h crypto.Hash) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.new[h]; ok {
		return true
	}
	_, ok := r.old[h]
	return ok
}
