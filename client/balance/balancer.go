package balance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Policy is how a node is chosen among the fit ones.
type Policy string

// The policies. EWMA is the default.
const (
	// EWMA takes the better of two random nodes by latency, as an exponentially weighted average that follows
	// peaks at once, times requests under way.
	EWMA Policy = "ewma"
	// RoundRobin takes each in turn.
	RoundRobin Policy = "rr"
	// LeastLoaded takes the better of two random nodes by requests under way.
	LeastLoaded Policy = "least"
	// Nearest stays with the node of the shortest round trip until another is clearly nearer.
	Nearest Policy = "nearest"
	// Sticky sends equal keys to the same node, as long as that is fit.
	Sticky Policy = "sticky"
	// Listed takes the nodes in the order in which they were given, and stays with one that works.
	Listed Policy = "listed"
)

// Policies lists all of them, as help texts name them.
func Policies() []Policy { return []Policy{EWMA, RoundRobin, LeastLoaded, Nearest, Sticky, Listed} }

// Options configure a Balancer. Zero fields take their defaults.
type Options struct {
	// Nodes are what is chosen from; any names, usually URLs. At least one, none twice.
	Nodes []string
	// Policy is EWMA if it is empty.
	Policy Policy
	// Faults is how many nodes may lie; 0: what a network of so many nodes tolerates, (n-1)/3.
	Faults int
	// Region is preferred, subregions included: "eu" also means "eu/de". StrictRegion admits no other.
	Region       string
	StrictRegion bool
	// LagMax is how many blocks behind the reference a node may be and still be fit for reads; 0: 2.
	LagMax uint64
	// NoHedge keeps Read from asking a second node beside one that is slow.
	NoHedge bool
	// Probe asks a node about itself. Without it, only what requests bring to light is known.
	Probe func(ctx context.Context, node string) (Report, error)
	// ProbeInterval and ProbeTimeout: 250 ms and 200 ms.
	ProbeInterval, ProbeTimeout time.Duration
	// Now is the clock; nil is time.Now. Seed makes choices repeatable; 0 takes a random one.
	Now  func() time.Time
	Seed uint64
}

const (
	// nodesMax is more than any network of validators has.
	nodesMax = 256

	lagMaxDefault        = 2
	probeIntervalDefault = 250 * time.Millisecond
	probeTimeoutDefault  = 200 * time.Millisecond
)

// Balancer keeps what is known about nodes. It is safe for concurrent use.
type Balancer struct {
	o Options

	look   sync.Mutex // held while all nodes are asked for the first time; guards looked
	looked bool

	mu      sync.Mutex // guards everything below, and is never held together with look
	random  *rand.Rand
	nodes   []*node
	turn    int    // RoundRobin: whose turn it is; Listed: where to begin
	nearest string // Nearest: the node it stays with
	hedges  hedges
}

// node is what is known about one of them.
type node struct {
	name     string
	region   string
	inFlight int

	latency ewma // of requests
	trip    ewma // of probes: the way there and back, without work

	failures  int       // in a row, of being reached
	abandoned int       // requests in a row that nobody waited for to the end
	downUntil time.Time // asked last before

	recent   window // answers and failures of the last ten seconds
	refusals int    // in a row, of answers that are failures
	ejection ejection

	report   Report
	reported time.Time // zero: never
	probed   time.Time // when the last check ended, either way; zero: never
	risen    int       // good checks in a row
	fallen   int       // bad checks in a row
	out      bool      // since enough bad checks, or a request that failed, until enough good checks
}

// New makes a Balancer. It asks nobody before Run or Read.
func New(o Options) (*Balancer, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Policy == "" {
		o.Policy = EWMA
	}
	if o.Faults == 0 {
		o.Faults = (len(o.Nodes) - 1) / 3
	}
	if o.LagMax == 0 {
		o.LagMax = lagMaxDefault
	}
	if o.ProbeInterval == 0 {
		o.ProbeInterval = probeIntervalDefault
	}
	if o.ProbeTimeout == 0 {
		o.ProbeTimeout = probeTimeoutDefault
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	b := &Balancer{o: o, random: rand.New(rand.NewPCG(o.Seed, 0)), hedges: newHedges()}
	for _, name := range o.Nodes {
		b.nodes = append(b.nodes, &node{name: name})
	}
	return b, nil
}

func (o *Options) check() error {
	switch {
	case len(o.Nodes) == 0:
		return errors.New("no node given")
	case len(o.Nodes) > nodesMax:
		return fmt.Errorf("%d nodes given, at most %d are used", len(o.Nodes), nodesMax)
	case o.Policy != "" && !slices.Contains(Policies(), o.Policy):
		return fmt.Errorf("there is no policy %q; take one of %v", o.Policy, Policies())
	case o.Faults < 0 || o.ProbeInterval < 0 || o.ProbeTimeout < 0:
		return errors.New("a negative number of faults, or a negative time")
	case o.StrictRegion && o.Region == "":
		return errors.New("a strict region needs a region")
	}
	for i, name := range o.Nodes {
		if slices.Contains(o.Nodes[:i], name) {
			return fmt.Errorf("node %s is given twice", name)
		}
	}
	return nil
}

// Nodes lists the nodes as they were given.
func (b *Balancer) Nodes() []string { return slices.Clone(b.o.Nodes) }

// find needs mu; nil if there is no such node.
func (b *Balancer) find(name string) *node {
	i := slices.IndexFunc(b.nodes, func(n *node) bool { return n.name == name })
	if i < 0 {
		return nil
	}
	return b.nodes[i]
}
