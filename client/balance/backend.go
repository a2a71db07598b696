package balance

import "time"

// Backend is what a balancer knows about a node, for people and for metrics.
type Backend struct {
	Node     string
	Region   string
	Fit      bool   // for reads of the newest state
	Why      string // it is not
	InFlight int
	Latency  time.Duration // of requests; 0: none seen
	Trip     time.Duration // of probes; 0: none seen
	Height   uint64        // as it last said
	Lag      uint64        // behind the reference
	Failures int           // in a row
	Ejected  int           // how often so far
	Until    time.Time     // end of its ejection; zero: it is not ejected
	Lies     int
}

// Backends lists the nodes as they were given.
func (b *Balancer) Backends() []Backend {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.o.Now()
	reference := b.reference(now)
	out := make([]Backend, len(b.nodes))
	for i, n := range b.nodes {
		why := b.unfit(n, Want{}, reference, now)
		out[i] = Backend{
			Node: n.name, Region: n.region, Fit: why == "", Why: why, InFlight: n.inFlight,
			Latency: n.latency.value, Trip: n.trip.value, Height: n.report.Height,
			Failures: n.failures, Ejected: n.ejection.count, Lies: n.ejection.lies,
		}
		if n.ejection.on(now) {
			out[i].Until = n.ejection.until
		}
		if n.heard(now) && n.report.Height < reference {
			out[i].Lag = reference - n.report.Height
		}
	}
	return out
}

// Faults is how many nodes may lie.
func (b *Balancer) Faults() int { return b.o.Faults }

// Reached tells whether, by what was reported, there is a height that at least one honest node has.
func (b *Balancer) Reached(height uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reference(b.o.Now()) >= height
}

// Fit lists the nodes that are neither down nor ejected nor late.
func (b *Balancer) Fit() []string {
	var fit []string
	for _, backend := range b.Backends() {
		if backend.Fit {
			fit = append(fit, backend.Node)
		}
	}
	return fit
}
