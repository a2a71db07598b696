package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// finder is the client of a system with a leader. It asks all nodes several times a second who leads, sends writes and
// strong reads to that node, local reads to all that answer in turn, and tries again when one does not answer.
type finder struct {
	urls []string
	http *http.Client
	// probe asks a node whether it leads, and in which term.
	probe func(ctx context.Context, url string) (leads bool, term uint64, err error)

	mu     sync.Mutex // guards what follows
	leader int        // -1: nobody knows
	alive  []bool
	turn   atomic.Int64
}

const (
	// findEvery bounds what finding a new leader adds to its election; findWait is what a frozen node costs.
	findEvery = 50 * time.Millisecond
	findWait  = 200 * time.Millisecond
	// tryWait is how long one node may take for one request before another one is asked. Writes take some milliseconds.
	tryWait = 500 * time.Millisecond
	// tryPause is between attempts.
	tryPause = 25 * time.Millisecond
)

func newFinder(urls []string, probe func(context.Context, string) (bool, uint64, error)) *finder {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 256, 64
	return &finder{urls: urls, http: &http.Client{Transport: t}, probe: probe, leader: -1, alive: make([]bool, len(urls))}
}

// watch looks for the leader until the context ends.
func (f *finder) watch(ctx context.Context) {
	for {
		f.look(ctx)
		if !sleep(ctx, findEvery) {
			return
		}
	}
}

// look asks all nodes once. Of several that believe they lead, the one of the highest term does.
func (f *finder) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, findWait)
	defer cancel()
	type answer struct {
		leads bool
		term  uint64
		err   error
	}
	answers := make([]answer, len(f.urls))
	var asked sync.WaitGroup
	for i, url := range f.urls {
		asked.Go(func() {
			a := &answers[i]
			a.leads, a.term, a.err = f.probe(ctx, url)
		})
	}
	asked.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leader = -1
	for i, a := range answers {
		f.alive[i] = a.err == nil
		if a.err == nil && a.leads && (f.leader < 0 || a.term > answers[f.leader].term) {
			f.leader = i
		}
	}
}

func (f *finder) leading() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.leader
}

// next is the next node that answered lately; any node if none did.
func (f *finder) next() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := int(f.turn.Add(1))
	for k := range f.urls {
		if i := (at + k) % len(f.urls); f.alive[i] {
			return i
		}
	}
	return at % len(f.urls)
}

// errNoLeader is while nobody leads.
var errNoLeader = errors.New("no node says that it leads")

// send puts a request to the leader, or to any node, until one answers or the context ends. A refusal that is the
// request's own fault is passed on.
func (f *finder) send(ctx context.Context, toLeader bool, method, path string, body []byte) ([]byte, error) {
	err := errNoLeader
	for {
		node := f.leading()
		if !toLeader {
			node = f.next()
		}
		if node >= 0 {
			var answer []byte
			var again bool
			if answer, again, err = f.try(ctx, node, method, path, body); err == nil || !again {
				return answer, err
			}
		}
		if !sleep(ctx, tryPause) {
			return nil, err
		}
	}
}

// try asks one node once. again tells whether another attempt may do better.
func (f *finder) try(ctx context.Context, node int, method, path string, body []byte) (answer []byte, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, tryWait)
	defer cancel()
	return exchange(ctx, f.http, f.urls[node], method, path, body)
}

// exchange sends one request.
func exchange(ctx context.Context, by *http.Client, url, method, path string, body []byte) (answer []byte, again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, method, url+path, bytes.NewReader(body))
	if err != nil {
		return nil, false, err
	}
	response, err := by.Do(r)
	if err != nil {
		return nil, true, err
	}
	defer response.Body.Close()
	if answer, err = io.ReadAll(response.Body); err != nil {
		return nil, true, err
	}
	if response.StatusCode != http.StatusOK {
		again = response.StatusCode >= 500 || response.StatusCode == http.StatusMisdirectedRequest
		return nil, again, fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(answer))
	}
	return answer, false, nil
}

// awaitLeader waits until there is one.
func (f *finder) awaitLeader(ctx context.Context) error {
	for deadline := time.Now().Add(readyPatience); time.Now().Before(deadline); {
		if f.look(ctx); f.leading() >= 0 {
			return nil
		}
		if !sleep(ctx, readyPollInterval) {
			return ctx.Err()
		}
	}
	return fmt.Errorf("after %v: %w", readyPatience, errNoLeader)
}
