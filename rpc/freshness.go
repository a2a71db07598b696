package rpc

import (
	"context"
	"strings"
	"time"

	"github.com/tetradledger/tetrad/ledger"
)

// begin checks what a read asks for, and limits how long it may wait for it.
func (f *Freshness) begin(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := checkConsistency(f); err != nil {
		return nil, nil, err
	}
	wait, err := parseWait(f.Timeout)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	return ctx, cancel, nil
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
		case "strong":
			return badRequest("header %s: this node does not serve strong reads; a client asks all validators for them by itself.", HeaderConsistency)
		default:
			return badRequest("header %s: there is no consistency level %q; this node serves eventual, session and bounded.",
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
