package node

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	counters "runtime/metrics"
	"time"
)

// collector sets how much garbage may gather before it is collected: a share of what lives, as usual, but no more
// than so many bytes. With a state of hundreds of megabytes the share alone would let the process grow to three
// times what it needs, and keep it there. It also collects once in a quiet while: the runtime by itself waits for
// as much garbage as there was under load, for up to two minutes at a time, and gives nothing back until then.
//
// The setting is the process's: with several nodes in one process, in a test, the last one decides.
type collector struct {
	percent  int   // the share, in percent
	headroom int64 // the bytes
	set      int   // what the runtime was told last
	cycles   uint64
	quiet    int // looks in a row without a collection
}

const (
	// collectorEvery is how often the collector looks; it costs some microseconds.
	collectorEvery = time.Second
	// collectorQuiet is after how many looks without a collection it asks for one, if there is much to gain.
	collectorQuiet = 15
	// collectorGain is what makes that worth while.
	collectorGain = 32 << 20
	// collectorLeast keeps the runtime from collecting all the time, whatever lives.
	collectorLeast = 10
)

// tuneMemory sets the garbage collector, unless the environment has done so.
func (n *Node) tuneMemory() {
	if _, set := os.LookupEnv("GOMEMLIMIT"); !set && n.config.Memory.LimitBytes > 0 {
		debug.SetMemoryLimit(n.config.Memory.LimitBytes)
	}
	if _, set := os.LookupEnv("GOGC"); set {
		return
	}
	c := &collector{percent: n.config.Memory.GCPercent, headroom: n.config.Memory.HeadroomBytes}
	c.look()
	n.work(func() { c.run(n.running) })
}

func (c *collector) run(ctx context.Context) {
	tick := time.NewTicker(collectorEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.look()
		}
	}
}

// look adapts the share to what lives now.
func (c *collector) look() {
	samples := []counters.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	counters.Read(samples)
	live, used, cycles := samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64()
	if c.due(live, used, cycles) {
		debug.FreeOSMemory() // which collects first
		counters.Read(samples)
		live, c.cycles = samples[0].Value.Uint64(), samples[2].Value.Uint64()
	}
	// A small change is not worth the pause in which it is made.
	if share := c.share(live); c.set == 0 || max(share, c.set)-min(share, c.set) > c.set/10 {
		debug.SetGCPercent(share)
		c.set = share
	}
}

// due reports whether the process has been quiet, and holds much that does not live.
func (c *collector) due(live, used, cycles uint64) bool {
	if cycles != c.cycles {
		c.cycles, c.quiet = cycles, 0
		return false
	}
	if c.quiet++; c.quiet < collectorQuiet || used < live+collectorGain {
		return false
	}
	c.quiet = 0
	return true
}

// share is the setting that lets the heap grow by the smaller of the two bounds.
func (c *collector) share(live uint64) int {
	if c.headroom <= 0 || live == 0 {
		return c.percent
	}
	byBytes := min(float64(c.headroom)*100/float64(live), math.MaxInt32)
	return max(collectorLeast, min(c.percent, int(byBytes)))
}
