package rpc

import (
	"context"
	"strings"
	"time"

	"github.com/tetradledger/tetrad/ledger"
)

// begin checks what a read asks for, and limits how long it may wait for it. A strong read is one from then on that must
// have reached the height the validators show.
func (s *server) begin(ctx context.Context, f *Freshness) (context.Context, context.CancelFunc, error) {
	if err := checkConsistency(f); err != nil {
		return nil, nil, err
	}
	wait, err := parseWait(f.Timeout)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	if f.strong() {
		short, done := context.WithTimeout(ctx, StrongMax)
		defer done()
		height, err := s.backend.ReadIndex(short)
		if err != nil {
			cancel()
			return nil, nil, s.asError(err, "ask the validators how far a strong read must see")
		}
		f.MinHeight = max(f.MinHeight, height)
	}
	return ctx, cancel, nil
}

// strong tells whether a read must see everything that was committed before it began.
func (f *Freshness) strong() bool {
	for part := range strings.SplitSeq(f.Consistency, "+") {
		if part == ConsistencyStrong {
			return true
		}
	}
	return false
}

// checkConsistency refuses what is not served, rather than to serve less than was asked for.
func checkConsistency(f *Freshness) error {
	for part := range strings.SplitSeq(f.Consistency, "+") {
		switch part {
		case "", ConsistencyEventual, ConsistencySession:
		case ConsistencyBounded:
			if f.MaxAge == "" {
				return badRequest("header %s: a bounded read needs the bound, in %s.", HeaderConsistency, HeaderMaxAge)
			}
		case "verified":
			return badRequest("header %s: a node cannot vouch for itself; ask with proof=true and verify the proof.", HeaderConsistency)
		case ConsistencyStrong:
			if f.Height > 0 {
				return badRequest("header %s: the state of a height is what it is; leave one of the two away.", HeaderConsistency)
			}
		default:
			return badRequest("header %s: there is no consistency level %q; this node serves eventual, session, bounded and strong.",
				HeaderConsistency, shorten(part))
		}
	}
	if f.MaxAge == "" {
		return nil
	}
	if f.Height > 0 {
		return badRequest("header %s: the state of a height is as old as it is; leave one of the two away.", HeaderMaxAge)
	}
	_, err := parseAge(f.MaxAge)
	return err
}

// parseAge reads how old an answer may be.
func parseAge(text string) (time.Duration, error) {
	age, err := time.ParseDuration(text)
	if err != nil {
		return 0, badRequest("header %s: %q is not a duration such as 500ms or 10s.", HeaderMaxAge, shorten(text))
	}
	if age < time.Millisecond || age > MaxAgeMax {
		return 0, badRequest("header %s: %s is not between 1ms and %s.", HeaderMaxAge, age, MaxAgeMax)
	}
	return age, nil
}

// young refuses a state that is older than a bounded read takes. It does not wait for a younger one: the caller may
// know a node that has it, and a node without one is cut off, or the whole network stands still.
func (s *server) young(f *Freshness, height, timeMS uint64) error {
	if f.MaxAge == "" {
		return nil
	}
	limit, err := parseAge(f.MaxAge)
	if err != nil {
		return err
	}
	if age := time.Duration(s.age(timeMS)) * time.Millisecond; age > limit {
		e := NewError(ledger.CodeTooStale, "The node's newest state for this is that of height %d, %s old; at most %s was asked for.", height, age, limit)
		e.height = height
		return e
	}
	return nil
}

// level is the consistency level a read was served at.
func (f *Freshness) level() string {
	level := ConsistencyEventual
	if f.MinHeight > 0 {
		level = ConsistencySession
	}
	if f.strong() {
		level = ConsistencyStrong
	}
	if f.MaxAge == "" {
		return level
	}
	return strings.TrimPrefix(level+"+"+ConsistencyBounded, ConsistencyEventual+"+")
}

// parseWait reads how long a request may be kept waiting.
func parseWait(text string) (time.Duration, error) {
	if text == "" {
		return waitDefault, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil {
		return 0, badRequest("query timeout: %q is not a duration such as 500ms or 10s.", shorten(text))
	}
	if wait < time.Millisecond || wait > WaitMax {
		return 0, badRequest("query timeout: %s is not between 1ms and %s.", wait, WaitMax)
	}
	return wait, nil
}
