package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// What is measured besides faults.
const (
	extraThroughput = "throughput"
	extraScaling    = "scaling"
	extraWire       = "wire"
	extraLies       = "lies"
)

var extraNames = []string{extraThroughput, extraScaling, extraWire, extraLies}

const (
	// scaleSpan and scaleClients are the closed loop of reads: enough to keep two cores busy.
	scaleSpan    = 3 * time.Second
	scaleClients = 16
	// fullSpan is how long writes are sent as fast as they go.
	fullSpan = 8 * time.Second
	// wireSpan is how long writes are counted on the wire, and at what rate.
	wireSpan = 8 * time.Second
	wireRate = 100
	// lieReads is how many reads there are with one node lying, and lieTries how often a client asks again that was
	// refused an answer.
	lieReads = 200
	lieTries = 3
	// known is how many writes there are to read.
	known = 50
	// wirePerWrite and wireIdle are what is counted on the wire.
	wirePerWrite, wireIdle = "per write", "idle, per second"
	// wrongAmount is what no write pays.
	wrongAmount = 777
)

// measureExtras adds what is missing of the figures that are not about faults.
func measureExtras(ctx context.Context, p plan, d *document) error {
	for number := 1; number <= p.rounds; number++ {
		for _, table := range p.extras {
			for _, name := range p.systems {
				if ctx.Err() != nil || d.hasExtra(table, name, number) {
					continue
				}
				found, err := measureExtra(ctx, p, table, name)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if err != nil {
					fmt.Fprintf(os.Stderr, "%s of %s: %v\n", table, name, err)
					continue
				}
				for _, e := range found {
					e.Table, e.System, e.Number = table, name, number
					d.Extras = append(d.Extras, e)
					fmt.Fprintf(os.Stderr, "%2d %-10s %-10s %-12s nodes %d: %.1f (tried %d, refused %d) %s\n", number, name, table, e.Level, e.Nodes,
						e.Value, e.Tried, e.Refused, e.How)
				}
				if err := d.save(p.out); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (d *document) hasExtra(table, system string, number int) bool {
	for _, e := range d.Extras {
		if e.Table == table && e.System == system && e.Number == number {
			return true
		}
	}
	return false
}

// measureExtra brings a network up and measures one thing.
func measureExtra(ctx context.Context, p plan, table, name string) (found []extra, err error) {
	ctx, cancel := context.WithTimeout(ctx, slack)
	defer cancel()
	s := systems[systemIndex(name)]
	l, _, err := newLab(p, name, s.nodes)
	if err != nil {
		return nil, err
	}
	sys := s.make(l)
	defer func() {
		sys.close()
		words := l.close(err != nil)
		if err != nil {
			err = fmt.Errorf("%w%s", err, words)
		}
	}()
	if err := sys.start(ctx); err != nil {
		return nil, err
	}
	watched, stop := context.WithCancel(ctx)
	defer stop()
	go sys.watch(watched)
	requests, err := sys.chain().sign(0, known)
	if err != nil {
		return nil, err
	}
	if err := warm(ctx, sys, requests[0]); err != nil {
		return nil, err
	}
	switch table {
	case extraThroughput:
		return measureThroughput(ctx, sys)
	case extraWire:
		return measureWire(ctx, l, sys)
	}
	for _, r := range requests[1:] {
		if err := sys.write(ctx, r); err != nil {
			return nil, err
		}
	}
	if table == extraScaling {
		return measureScaling(ctx, sys, requests)
	}
	return measureLies(ctx, sys, requests)
}

// measureThroughput is writes at full load.
func measureThroughput(ctx context.Context, sys system) ([]extra, error) {
	rate, how, err := sys.throughput(ctx)
	return []extra{{Value: rate, How: how}}, err
}

// measureWire sends writes alone at a constant rate, and counts what nodes send to each other meanwhile.
func measureWire(ctx context.Context, l *lab, sys system) ([]extra, error) {
	idle, ok := l.bytes()
	if !ok {
		return nil, nil
	}
	if !sleep(ctx, wireSpan/4) {
		return nil, ctx.Err()
	}
	before, _ := l.bytes()
	resting := float64(before-idle) / (wireSpan / 4).Seconds()
	n := int(wireSpan.Seconds() * wireRate)
	requests, err := sys.chain().sign(known, n)
	if err != nil {
		return nil, err
	}
	if before, ok = l.bytes(); !ok {
		return nil, nil
	}
	begun := time.Now()
	var committed atomic.Int64
	var pending sync.WaitGroup
	for i, r := range requests {
		if !sleep(ctx, time.Until(begun.Add(time.Duration(i)*time.Second/wireRate))) {
			break
		}
		pending.Go(func() {
			if sys.write(ctx, r) == nil {
				committed.Add(1)
			}
		})
	}
	pending.Wait()
	after, ok := l.bytes()
	if !ok || committed.Load() == 0 {
		return nil, fmt.Errorf("nothing was committed, or nobody could count it")
	}
	return []extra{
		{Level: wirePerWrite, Value: float64(after-before) / float64(committed.Load()), How: fmt.Sprintf("%d writes/s", wireRate)},
		{Level: wireIdle, Value: resting},
	}, nil
}

// measureScaling reads in a closed loop at each level, with one serving node, two, and so on.
func measureScaling(ctx context.Context, sys system, requests []request) ([]extra, error) {
	leader, err := sys.leader(ctx)
	if err != nil {
		return nil, err
	}
	urls := append(slices.Clone(sys.urls()[leader:]), sys.urls()[:leader]...) // some levels take the leader
	var all []extra
	for _, level := range sys.levels() {
		for n := 1; n <= len(urls); n++ {
			read, done, err := sys.reader(level, urls[:n])
			if err != nil {
				return nil, err
			}
			rate, err := hammer(ctx, read, requests)
			done()
			if err != nil {
				all = append(all, extra{Level: level, Nodes: n, How: err.Error()})
				continue
			}
			all = append(all, extra{Level: level, Nodes: n, Value: rate})
		}
	}
	return all, nil
}

// hammer reads as fast as some clients can, and counts right answers per second.
func hammer(ctx context.Context, read readFunc, requests []request) (float64, error) {
	if _, err := patiently(ctx, func(ctx context.Context) (uint64, error) { return read(ctx, requests[0]) }); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, scaleSpan)
	defer cancel()
	begun := time.Now()
	var right atomic.Int64
	var done sync.WaitGroup
	for c := range scaleClients {
		done.Go(func() {
			for i := c; ctx.Err() == nil; i++ {
				if amount, err := read(ctx, requests[i%len(requests)]); err == nil && amount == 1 {
					right.Add(1)
				}
			}
		})
	}
	done.Wait()
	return float64(right.Load()) / time.Since(begun).Seconds(), nil
}

// measureLies puts a liar in front of the node that counts most, the leader where there is one, and reads at each level.
func measureLies(ctx context.Context, sys system, requests []request) ([]extra, error) {
	leader, err := sys.leader(ctx)
	if err != nil {
		return nil, err
	}
	urls := slices.Clone(sys.urls())
	liar, err := newLiar(urls[leader], sys.lie)
	if err != nil {
		return nil, err
	}
	defer liar.Close()
	urls[leader] = liar.URL
	var all []extra
	for _, level := range sys.levels() {
		read, done, err := sys.reader(level, urls)
		if err != nil {
			return nil, err
		}
		e := extra{Level: level, Tried: lieReads}
		for i := range lieReads {
			amount, err := stubbornly(ctx, read, requests[i%len(requests)])
			switch {
			case err != nil:
				e.Refused++
			case amount == 0: // true before the write that is read
				e.Stale++
			case amount != 1:
				e.Value++
			}
		}
		done()
		all = append(all, e)
	}
	return all, nil
}

// stubbornly asks again when there is no answer, as a program would.
func stubbornly(ctx context.Context, read readFunc, r request) (amount uint64, err error) {
	for range lieTries {
		one, cancel := context.WithTimeout(ctx, 3*time.Second)
		amount, err = read(one, r)
		cancel()
		if err == nil {
			return amount, nil
		}
	}
	return 0, err
}

// newLiar makes a proxy that passes on everything and changes what answers say of balances.
func newLiar(to string, lie func([]byte) []byte) (*httptest.Server, error) {
	target, err := url.Parse(to)
	if err != nil {
		return nil, err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Accept-Encoding") // a lie needs plain text
		},
		ModifyResponse: func(r *http.Response) error {
			if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
				return nil
			}
			text, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			text = lie(text)
			r.Body = io.NopCloser(bytes.NewReader(text))
			r.ContentLength = int64(len(text))
			r.Header.Set("Content-Length", strconv.Itoa(len(text)))
			return nil
		},
	}
	return httptest.NewServer(proxy), nil
}
