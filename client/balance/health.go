package balance

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Report is what a node says about itself.
type Report struct {
	Height     uint64
	CatchingUp bool
	// Minority: it is cut off from more than a third of the power, so it can neither commit nor promise
	// that it knows the newest state.
	Minority bool
	// NotReady: it wants no requests for now.
	NotReady bool
	Region   string
}

// reportLife is how long a report counts. Without probes it ends by itself, and the node is taken at its
// requests' word again.
const reportLife = 5 * time.Second

// checksNeeded is how many checks in a row, of the same outcome, change what is known about a node: one that is late
// is none that is gone.
const checksNeeded = 2

// Run probes all nodes until the context ends. Without a Probe it returns at once.
func (b *Balancer) Run(ctx context.Context) {
	if b.o.Probe == nil {
		return
	}
	var all sync.WaitGroup
	for _, name := range b.o.Nodes {
		all.Go(func() { b.watch(ctx, name) })
	}
	all.Wait()
}

// watch probes one node. Intervals differ by up to a tenth, so that many balancers do not ask in step.
func (b *Balancer) watch(ctx context.Context, name string) {
	for {
		b.ProbeNow(ctx, name)
		spread := 0.95 + 0.1*rand.Float64()
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(spread * float64(b.o.ProbeInterval))):
		}
	}
}

// Look asks all nodes how they are, if that was not done before and it depends on where they stand which of them a
// request goes to. So a client that lives for one request needs no Run to go to its region, or to the nearest. Read
// does it by itself; whoever takes Order calls it first.
func (b *Balancer) Look(ctx context.Context) {
	if b.o.Probe == nil || b.o.Region == "" && b.o.Policy != Nearest {
		return
	}
	b.look.Lock()
	defer b.look.Unlock()
	if b.looked {
		return
	}
	var all sync.WaitGroup
	for _, name := range b.o.Nodes {
		all.Go(func() { b.ProbeNow(ctx, name) })
	}
	all.Wait()
	b.looked = ctx.Err() == nil // the next request may have the time that this one had not
}

// ProbeNow asks a node about itself and notes what it says, or that it does not.
func (b *Balancer) ProbeNow(ctx context.Context, name string) {
	inner, cancel := context.WithTimeout(ctx, b.o.ProbeTimeout)
	defer cancel()
	begun := b.o.Now()
	report, err := b.o.Probe(inner, name)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		b.Unreported(name)
		return
	}
	b.Reported(name, report, b.o.Now().Sub(begun))
}

// Unreported notes that a node did not say how it is when it was asked.
func (b *Balancer) Unreported(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.find(name)
	if n == nil {
		return
	}
	n.probed = b.o.Now()
	n.ejection.failed()
	n.risen = 0
	if n.fallen++; n.fallen >= checksNeeded {
		n.out = true
	}
}

// Reported notes what a node said about itself, and how long it took to say so.
func (b *Balancer) Reported(name string, r Report, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.find(name)
	if n == nil {
		return
	}
	now := b.o.Now()
	n.report, n.reported, n.probed = r, now, now
	n.trip.see(took, now)
	if r.Region != "" {
		n.region = r.Region
	}
	n.fallen = 0
	if n.risen++; n.risen >= checksNeeded {
		n.out, n.failures, n.abandoned, n.downUntil = false, 0, 0, time.Time{}
	}
	n.ejection.checked(now)
}

// reference is the (f+1)-th largest height of those that were reported lately: one honest node at least has
// it. It needs mu.
func (b *Balancer) reference(now time.Time) uint64 {
	var heights []uint64
	for _, n := range b.nodes {
		if n.heard(now) {
			heights = append(heights, n.report.Height)
		}
	}
	if len(heights) <= b.o.Faults {
		return 0
	}
	slices.SortFunc(heights, func(a, b uint64) int { return cmp.Compare(b, a) })
	return heights[b.o.Faults]
}

// probing tells whether checks of the node are being made.
func (n *node) probing(now time.Time) bool {
	return !n.probed.IsZero() && now.Sub(n.probed) < reportLife
}

// down tells whether the node is taken for one that cannot be reached: for a while after a request that failed,
// and, where checks are made, until they say otherwise.
func (n *node) down(now time.Time) bool {
	return n.downUntil.After(now) || n.out && n.probing(now)
}

// heard tells whether a node said something about itself that still counts.
func (n *node) heard(now time.Time) bool {
	return !n.reported.IsZero() && now.Sub(n.reported) < reportLife
}

// unfit says why a node should not be asked now, or nothing. It needs the balancer's mu.
func (b *Balancer) unfit(n *node, w Want, reference uint64, now time.Time) string {
	switch {
	case n.ejection.on(now):
		return "ejected: " + n.ejection.reason
	case n.down(now):
		return "down"
	case !n.heard(now):
		return ""
	case n.report.CatchingUp:
		return "catching up"
	case n.report.Minority:
		return "cut off from a quorum"
	case n.report.NotReady:
		return "not ready"
	case w.MinHeight > 0 && n.report.Height < w.MinHeight && reference >= w.MinHeight:
		return "not at the height asked for"
	case !w.Write && n.report.Height+b.o.LagMax < reference:
		return "behind"
	}
	return ""
}

// inRegion tells whether a region is the wanted one or lies in it.
func inRegion(region, wanted string) bool {
	return wanted == "" || region == wanted || strings.HasPrefix(region, wanted+"/")
}
