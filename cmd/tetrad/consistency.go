package main

import (
	"strings"
	"time"

	"github.com/tetradledger/tetrad/rpc"
)

const (
	consistencyVerified = "verified" // the client checks this by itself, against signed headers
	consistencyBounded  = "bounded"  // not older than --max-age
	consistencyStrong   = "strong"   // the newest there is, as the validators attest
	consistencyDefault  = consistencyVerified + "+" + rpc.ConsistencySession

	// boundedAgeDefault is some dozens of idle blocks: an answer that is older comes from a network, or a part of
	// one, that stands still.
	boundedAgeDefault = 10 * time.Second
)

// readLevel is --consistency taken apart: what an answer must be.
type readLevel struct {
	verified bool
	strong   bool
	fresh    string        // session or eventual; of strong answers eventual, since nothing is newer
	bounded  bool          // not older than maxAge
	maxAge   time.Duration // 0: the library's default
}

// String names the level as documents do.
func (l readLevel) String() string {
	var parts []string
	if l.verified {
		parts = append(parts, consistencyVerified)
	}
	if l.strong {
		parts = append(parts, consistencyStrong)
	} else if l.fresh == rpc.ConsistencySession || !l.bounded {
		parts = append(parts, l.fresh)
	}
	if l.bounded {
		parts = append(parts, consistencyBounded)
	}
	return strings.Join(parts, "+")
}

// checked tells whether answers are compared with what validators signed, by proofs or by attestations.
func (l readLevel) checked() bool { return l.verified || l.strong }

// readLevel reads the flags that say what an answer must be.
func (q *queryFlags) readLevel() (readLevel, error) {
	var l readLevel
	for part := range strings.SplitSeq(strings.ReplaceAll(q.consistency, ",", "+"), "+") {
		switch {
		case part == consistencyVerified && !l.verified:
			l.verified = true
		case part == consistencyBounded && !l.bounded:
			l.bounded = true
		case (part == rpc.ConsistencySession || part == rpc.ConsistencyEventual) && l.fresh == "":
			l.fresh = part
		case part == consistencyStrong && !l.strong:
			l.strong = true
		default:
			return l, usagef("--consistency must be verified, strong, session or eventual, bounded, or several of these joined by +, not %q", q.consistency)
		}
	}
	if l.strong && l.fresh == rpc.ConsistencyEventual {
		return l, usagef("an answer of any age is not the newest: choose strong, or eventual")
	}
	if l.strong {
		l.fresh = rpc.ConsistencyEventual
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
	case l.strong && q.height > 0:
		return l, usagef("the state of a height is what it is: choose --height, or strong")
	case l.strong && l.bounded:
		return l, usagef("a strong answer is the newest there is, of whatever age: choose strong, or bounded and --max-age")
	case q.from != "" && !l.strong:
		return l, usagef("--from is about strong answers, not about %s ones", l)
	case l.bounded && q.height > 0:
		return l, usagef("the state of a height is as old as it is: choose --height, or bounded and --max-age")
	case q.prove && l.strong:
		l.verified = true // a proof is made of what was verified
	}
	switch {
	case q.prove && !l.verified:
		return l, usagef("--proof adds a proof to answers that are verified, not to %s ones", l).next("leave --consistency away, or use verified")
	case q.trust != "" && !l.checked():
		return l, usagef("--trust is about answers that are verified, not about %s ones", l)
	}
	_, _, err := parseTrust(q.trust)
	return l, err
}
