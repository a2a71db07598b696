package main

import (
	"strings"
	"time"

	"github.com/tetradledger/tetrad/rpc"
)

const (
	consistencyVerified = "verified" // the client checks this by itself, against signed headers
	consistencyBounded  = "bounded"  // not older than --max-age
	consistencyDefault  = consistencyVerified + "+" + rpc.ConsistencySession

	// boundedAgeDefault is some dozens of idle blocks: an answer that is older comes from a network, or a part of
	// one, that stands still.
	boundedAgeDefault = 10 * time.Second
)

// readLevel is --consistency taken apart: what an answer must be.
type readLevel struct {
	verified bool
	fresh    string        // session or eventual
	bounded  bool          // not older than maxAge
	maxAge   time.Duration // 0: the library's default
}

// String names the level as documents do.
func (l readLevel) String() string {
	var parts []string
	if l.verified {
		parts = append(parts, consistencyVerified)
	}
	if l.fresh == rpc.ConsistencySession || !l.bounded {
		parts = append(parts, l.fresh)
	}
	if l.bounded {
		parts = append(parts, consistencyBounded)
	}
	return strings.Join(parts, "+")
}

// readLevel reads the flags that say what an answer must be.
func (q *queryFlags) readLevel() (readLevel, error) {
	var l readLevel
	for part := range strings.SplitSeq(q.consistency, "+") {
		switch {
		case part == consistencyVerified && !l.verified:
			l.verified = true
		case part == consistencyBounded && !l.bounded:
			l.bounded = true
		case (part == rpc.ConsistencySession || part == rpc.ConsistencyEventual) && l.fresh == "":
			l.fresh = part
		case part == "strong":
			return l, usagef("--consistency strong is not available yet").next("use verified+session, or verified+bounded with --max-age")
		default:
			return l, usagef("--consistency must be verified, session or eventual, bounded, or several of these joined by +, not %q", q.consistency)
		}
	}
	if l.fresh == "" {
		l.fresh = rpc.ConsistencyEventual
	}
	return q.bound(l)
}

// bound adds --max-age, and refuses flags that contradict each other.
func (q *queryFlags) bound(l readLevel) (readLevel, error) {
	switch {
	case q.maxAge < 0:
		return l, usagef("--max-age must be more than 0s, not %s", q.maxAge)
	case q.maxAge > 0:
		l.bounded, l.maxAge = true, q.maxAge
	case l.bounded:
		l.maxAge = boundedAgeDefault
	}
	switch {
	case l.bounded && q.height > 0:
		return l, usagef("the state of a height is as old as it is: choose --height, or bounded and --max-age")
	case q.prove && !l.verified:
		return l, usagef("--proof adds a proof to answers that are verified, not to %s ones", l).next("leave --consistency away, or use verified")
	case q.trust != "" && !l.verified:
		return l, usagef("--trust is about answers that are verified, not about %s ones", l)
	}
	_, _, err := parseTrust(q.trust)
	return l, err
}
