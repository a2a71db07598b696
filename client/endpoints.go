package client

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// How long a node that failed is left alone: long enough not to pay for its silence with every request, short
// enough to notice that it came back. It doubles with every further failure.
const (
	restMin = 500 * time.Millisecond
	restMax = 30 * time.Second
)

// endpoint is one node and what this client remembers of it.
type endpoint struct {
	url       string
	failures  int       // in a row
	restUntil time.Time // not asked before, while others can be
}

// endpoints remembers which nodes answered. It stays with one node while that works, because a node that
// answered last time most likely answers again, and moves on when it does not.
type endpoints struct {
	mu      sync.Mutex // guards everything below
	list    []*endpoint
	current int
	now     func() time.Time
}

func newEndpoints(urls []string, now func() time.Time) (*endpoints, error) {
	if len(urls) == 0 {
		return nil, fmt.Errorf("client: no endpoint given")
	}
	if len(urls) > endpointsMax {
		return nil, fmt.Errorf("client: %d endpoints given, at most %d are used", len(urls), endpointsMax)
	}
	e := &endpoints{now: now}
	for _, text := range urls {
		text = strings.TrimRight(text, "/")
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("client: endpoint %q is not an http or https URL", text)
		}
		if !slices.ContainsFunc(e.list, func(p *endpoint) bool { return p.url == text }) {
			e.list = append(e.list, &endpoint{url: text})
		}
	}
	return e, nil
}

// order lists all nodes in the order in which to ask them: the current one and those after it, and then
// those that are resting, the one that has rested longest first. Nobody is left out: when all have failed,
// asking again is better than giving up unasked.
func (e *endpoints) order() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	var fit, resting []*endpoint
	for i := range e.list {
		p := e.list[(e.current+i)%len(e.list)]
		if p.restUntil.After(now) {
			resting = append(resting, p)
		} else {
			fit = append(fit, p)
		}
	}
	slices.SortStableFunc(resting, func(a, b *endpoint) int { return a.restUntil.Compare(b.restUntil) })
	urls := make([]string, 0, len(e.list))
	for _, p := range append(fit, resting...) {
		urls = append(urls, p.url)
	}
	return urls
}

// fit lists the nodes that are not resting.
func (e *endpoints) fit() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var urls []string
	for _, p := range e.list {
		if !p.restUntil.After(e.now()) {
			urls = append(urls, p.url)
		}
	}
	return urls
}

// all lists the nodes as they were given.
func (e *endpoints) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	urls := make([]string, len(e.list))
	for i, p := range e.list {
		urls[i] = p.url
	}
	return urls
}

// answered notes that a node works.
func (e *endpoints) answered(url string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := e.find(url); i >= 0 {
		e.list[i].failures, e.list[i].restUntil = 0, time.Time{}
	}
}

// failed notes that a node did not do what it was asked, and moves on if it is the current one.
func (e *endpoints) failed(url string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := e.find(url)
	if i < 0 {
		return
	}
	p := e.list[i]
	p.failures++
	p.restUntil = e.now().Add(min(restMin<<min(p.failures-1, 10), restMax))
	if i == e.current {
		e.current = (i + 1) % len(e.list)
	}
}

func (e *endpoints) find(url string) int {
	return slices.IndexFunc(e.list, func(p *endpoint) bool { return p.url == url })
}
