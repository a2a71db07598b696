package balance

import (
	"cmp"
	"hash/fnv"
	"slices"
	"time"
)

// Want is what a request needs of the node that it goes to.
type Want struct {
	// Write: it is to reach a quorum.
	Write bool
	// Key decides under the policy Sticky; equal keys go to the same node.
	Key string
	// MinHeight is the height that the answer must have seen.
	MinHeight uint64
	// Patience is how long the first node has, at least, before Read asks a second one beside it.
	Patience time.Duration
}

// Nearest: another node must be nearer by this part to be changed to, and a node with so many requests under
// way sends what comes to the next.
const (
	nearerBy = 0.2
	spillAt  = 64
)

// Order lists nodes in the order in which to ask them: those that are fit, as the policy has it, and then the
// others, those that are down longest first last. With a strict region, nodes of other regions are not in it,
// and it may be empty. degraded tells that none is fit.
func (b *Balancer) Order(w Want) (order []string, degraded bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.order(w)
}

// order needs mu.
func (b *Balancer) order(w Want) (order []string, degraded bool) {
	now := b.o.Now()
	reference := b.reference(now)
	var fit, far, unfit []*node
	for _, n := range b.rotated() {
		near := inRegion(n.region, b.o.Region)
		switch {
		case b.o.StrictRegion && !near:
		case b.unfit(n, w, reference, now) != "":
			unfit = append(unfit, n)
		case near:
			fit = append(fit, n)
		default:
			far = append(far, n)
		}
	}
	b.arrange(fit, w, now)
	b.arrange(far, w, now)
	slices.SortStableFunc(unfit, func(a, c *node) int {
		return cmp.Or(
			cmp.Compare(rank(a, now), rank(c, now)),
			a.downUntil.Compare(c.downUntil),
			cmp.Compare(c.report.Height, a.report.Height),
		)
	})
	for _, n := range slices.Concat(fit, far, unfit) {
		order = append(order, n.name)
	}
	return order, len(fit)+len(far) == 0
}

// rank orders nodes that are not fit: those that are late answer, at least; those that are down may have come
// back; those that were judged come last.
func rank(n *node, now time.Time) int {
	switch {
	case n.ejection.on(now):
		return 2
	case n.down(now):
		return 1
	}
	return 0
}

// rotated is all nodes, beginning with the one whose turn it is. It needs mu.
func (b *Balancer) rotated() []*node {
	all := slices.Concat(b.nodes[b.turn:], b.nodes[:b.turn])
	if b.o.Policy == RoundRobin {
		b.turn = (b.turn + 1) % len(b.nodes)
	}
	return all
}

// arrange brings fit nodes into the order of the policy. It needs mu.
func (b *Balancer) arrange(fit []*node, w Want, now time.Time) {
	switch b.o.Policy {
	case RoundRobin, Listed:
	case LeastLoaded:
		b.betterOfTwo(fit, func(n *node) float64 { return float64(n.inFlight) })
	case EWMA:
		b.betterOfTwo(fit, func(n *node) float64 { return float64(n.latency.at(now)) * float64(n.inFlight+1) })
	case Nearest:
		b.byDistance(fit)
	case Sticky:
		slices.SortFunc(fit, func(a, c *node) int {
			return cmp.Or(cmp.Compare(affinity(c.name, w.Key), affinity(a.name, w.Key)), cmp.Compare(a.name, c.name))
		})
	}
}

// betterOfTwo puts the cheaper of two random nodes first, and the others behind in random order: what is best
// by old figures does not get everything at once. (Mitzenmacher, The Power of Two Choices in Randomized Load
// Balancing, 2001.)
func (b *Balancer) betterOfTwo(fit []*node, cost func(*node) float64) {
	b.random.Shuffle(len(fit), func(i, j int) { fit[i], fit[j] = fit[j], fit[i] })
	if len(fit) > 1 && cost(fit[1]) < cost(fit[0]) {
		fit[0], fit[1] = fit[1], fit[0]
	}
}

// byDistance sorts by the way there and back. The node that was nearest before stays first until another is
// nearer by a fifth, and while it is not busy.
func (b *Balancer) byDistance(fit []*node) {
	slices.SortStableFunc(fit, func(a, c *node) int {
		return cmp.Or(cmp.Compare(busy(a), busy(c)), cmp.Compare(a.distance(), c.distance()))
	})
	if len(fit) == 0 {
		return
	}
	i := slices.IndexFunc(fit, func(n *node) bool { return n.name == b.nearest })
	if i > 0 && busy(fit[i]) == busy(fit[0]) && float64(fit[0].distance()) > (1-nearerBy)*float64(fit[i].distance()) {
		stay := fit[i]
		copy(fit[1:i+1], fit[:i])
		fit[0] = stay
	}
	if i < 0 || busy(fit[0]) == 0 {
		b.nearest = fit[0].name
	}
}

func busy(n *node) int {
	if n.inFlight >= spillAt {
		return 1
	}
	return 0
}

// distance is that of probes, or of requests where there are none. A node that nobody asked yet counts as
// near, so that it is found out.
func (n *node) distance() time.Duration {
	if !n.trip.seen.IsZero() {
		return n.trip.value
	}
	return n.latency.value
}

// affinity is how well a node and a key go together: the same on every machine. (Rendezvous hashing, Thaler
// and Ravishankar, 1998.)
func affinity(name, key string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(key))
	// FNV changes little in the high bits for names that differ in the last place; this spreads them.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
