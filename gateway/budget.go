package gateway

import "sync"

// budget bounds requests that are made again, as a share of all requests.
type budget struct {
	mu     sync.Mutex
	credit float64
}

// request notes a request.
func (b *budget) request() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.credit = min(b.credit+retryShare, retryBurst)
}

// take asks for one more.
func (b *budget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.credit < 1 {
		return false
	}
	b.credit--
	return true
}
