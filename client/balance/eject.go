package balance

import "time"

// Outcome is what became of a request to a node.
type Outcome int

// The outcomes.
const (
	// Answered: the node did what it was asked, or said why nobody could.
	Answered Outcome = iota
	// Refused: the node answered that it cannot, for the time being.
	Refused
	// Silent: the node could not be reached, or did not answer in time.
	Silent
	// Lied: the node said what it could not prove.
	Lied
)

// How long a node that could not be reached is asked last: long enough not to pay for its silence with every
// request, short enough to notice that it came back. It doubles with every further failure.
const (
	restMin = 500 * time.Millisecond
	restMax = 30 * time.Second
)

// What ejects a node that answers, but badly; and for how long, times the number of its ejections.
const (
	refusalsMax  = 5   // in a row
	windowMin    = 20  // requests in ten seconds, fewer say nothing
	successMin   = 0.8 // of them
	ejectMin     = 5 * time.Second
	ejectMax     = time.Minute
	ejectForLies = 10 * time.Minute
)

// ejection is why and for how long a node is left out.
type ejection struct {
	until  time.Time // zero: it is not ejected
	count  int       // so far
	checks int       // good ones that are still needed once the time is over
	lies   int
	reason string
	lie    bool
}

// on tells whether the node is ejected. It stays so after the time is over until it passed its checks.
func (e *ejection) on(now time.Time) bool {
	return !e.until.IsZero() && (e.until.After(now) || e.checks > 0)
}

// checked notes that the node did well.
func (e *ejection) checked(now time.Time) {
	if e.until.IsZero() || e.until.After(now) {
		return
	}
	if e.checks--; e.checks <= 0 {
		e.until, e.lie = time.Time{}, false
	}
}

// failed notes that the node did not do well: what it proved until now counts no more.
func (e *ejection) failed() {
	if e.checks > 0 {
		e.checks = checksNeeded
	}
}

func (e *ejection) begin(now time.Time, reason string, lie bool, checks int) {
	e.count++
	e.checks, e.reason, e.lie = checks, reason, lie
	e.until = now.Add(min(ejectMin*time.Duration(e.count), ejectMax))
	if lie {
		e.lies++
		e.until = now.Add(ejectForLies)
	}
}

// Note records what became of something a node was asked outside of Begin.
func (b *Balancer) Note(name string, what Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.find(name); n != nil {
		b.note(n, what, b.o.Now())
	}
}

// note needs mu.
func (b *Balancer) note(n *node, what Outcome, now time.Time) {
	switch what {
	case Answered:
		n.failures, n.abandoned, n.refusals, n.downUntil, n.out = 0, 0, 0, time.Time{}, false
		n.recent.see(now, true)
		n.ejection.checked(now)
	case Silent:
		if n.probing(now) && !n.out {
			// It passed its checks: it does so again and again, and answers no requests.
			if n.refusals++; n.refusals >= refusalsMax {
				b.eject(n, now, "it answers checks and not requests", false)
			}
		}
		n.out, n.risen = true, 0
		n.failures++
		n.downUntil = now.Add(min(restMin<<min(n.failures-1, 10), restMax))
		n.ejection.failed()
	case Refused:
		n.failures, n.abandoned, n.downUntil, n.out = 0, 0, time.Time{}, false
		n.refusals++
		n.recent.see(now, false)
		n.ejection.failed()
		if n.refusals >= refusalsMax {
			b.eject(n, now, "it refused again and again", false)
		} else if total, good := n.recent.sum(now); total >= windowMin && float64(good) < successMin*float64(total) {
			b.eject(n, now, "it refused too often", false)
		}
	case Lied:
		// Where as many as may be are ejected, it is at least not asked next.
		n.downUntil = now.Add(restMin)
		b.eject(n, now, "it said what it could not prove", true)
	}
	if what != Answered && b.o.Policy == Listed && b.nodes[b.turn] == n {
		b.turn = (b.turn + 1) % len(b.nodes)
	}
	if what != Answered && b.nearest == n.name {
		b.nearest = ""
	}
}

// eject leaves a node out, unless as many are already as may be: a lie then takes the place of what is no
// lie. It needs mu.
func (b *Balancer) eject(n *node, now time.Time, reason string, lie bool) {
	if n.ejection.on(now) {
		if lie {
			n.ejection.begin(now, reason, lie, b.checks())
		}
		return
	}
	ejected := 0
	var weaker *node
	for _, other := range b.nodes {
		if other.ejection.on(now) {
			ejected++
			if !other.ejection.lie {
				weaker = other
			}
		}
	}
	if ejected >= b.o.Faults {
		if !lie {
			return
		}
		n.ejection.lies++ // counted, even if it has to stay
		if weaker == nil {
			return
		}
		weaker.ejection.until = time.Time{}
		n.ejection.lies--
	}
	n.ejection.begin(now, reason, lie, b.checks())
	n.refusals = 0
}

// checks is how many good checks end an ejection: without probes nothing would ever make them, since a node
// that is left out is not asked.
func (b *Balancer) checks() int {
	if b.o.Probe == nil {
		return 0
	}
	return checksNeeded
}

// window counts answers of the last ten seconds, by the second.
type window struct {
	seconds [10]struct {
		at          int64
		total, good int
	}
}

func (w *window) see(now time.Time, good bool) {
	s := &w.seconds[now.Unix()%int64(len(w.seconds))]
	if s.at != now.Unix() {
		s.at, s.total, s.good = now.Unix(), 0, 0
	}
	s.total++
	if good {
		s.good++
	}
}

func (w *window) sum(now time.Time) (total, good int) {
	for _, s := range w.seconds {
		if now.Unix()-s.at < int64(len(w.seconds)) {
			total, good = total+s.total, good+s.good
		}
	}
	return total, good
}
