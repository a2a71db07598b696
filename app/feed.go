package app

import (
	"errors"
	"sync"

	"github.com/tetradledger/tetrad/ledger"
)

// Committed is a block as subscribers see it. They share it and must not change it.
type Committed struct {
	Height, TimeMS uint64
	Receipts       []ledger.Receipt
	Changes        []ledger.Change
}

// feed tells subscribers and waiters of committed blocks.
type feed struct {
	mu       sync.Mutex
	height   uint64
	advanced chan struct{} // closed at the next commit; nil until somebody waits
	subs     map[*Subscription]struct{}
	closed   bool
}

// Subscription is a stream of committed blocks without gaps. A subscriber that falls too far behind is cut
// off, by closing C, and catches up by height like one that has just come.
type Subscription struct {
	C    <-chan Committed
	c    chan Committed
	feed *feed
}

// ErrSubscribers is returned when there are as many subscriptions as a node serves.
var ErrSubscribers = errors.New("too many subscriptions")

// Subscribe begins a stream with the next block to be committed.
func (a *App) Subscribe() (*Subscription, error) {
	f := &a.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, errClosed
	}
	if len(f.subs) >= subscribersMax {
		return nil, ErrSubscribers
	}
	c := make(chan Committed, subscriptionBlocks)
	s := &Subscription{C: c, c: c, feed: f}
	if f.subs == nil {
		f.subs = map[*Subscription]struct{}{}
	}
	f.subs[s] = struct{}{}
	return s, nil
}

// Close ends the stream.
func (s *Subscription) Close() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	s.feed.cut(s)
}

// cut needs mu.
func (f *feed) cut(s *Subscription) {
	if _, ok := f.subs[s]; ok {
		delete(f.subs, s)
		close(s.c)
	}
}

// publish tells of a block. It never waits.
func (f *feed) publish(block Committed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.height = block.Height
	if f.advanced != nil {
		close(f.advanced)
		f.advanced = nil
	}
	for s := range f.subs {
		select {
		case s.c <- block:
		default:
			f.cut(s)
		}
	}
}

// jump moves to a height without telling of its blocks. Subscribers are cut off: they catch up by height.
func (f *feed) jump(height uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.height = height
	if f.advanced != nil {
		close(f.advanced)
		f.advanced = nil
	}
	for s := range f.subs {
		f.cut(s)
	}
}

// now is the height last published, and a channel that closes with the next.
func (f *feed) now() (uint64, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.advanced == nil {
		f.advanced = make(chan struct{})
	}
	return f.height, f.advanced
}

func (f *feed) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for s := range f.subs {
		f.cut(s)
	}
}
